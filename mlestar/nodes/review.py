"""The human's chair: points at which a run stops and asks a person to approve, edit, replace or add."""

import asyncio
from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from mlestar.settings import ReviewPoint, Settings
from mlestar.state import Answer, Block, EnsembleState, PipelineState, TrackState
from mlestar.store import key_of
from mlestar.workbench import find_workbench


async def ask_person(
    state: Mapping[str, Any], runtime: Runtime[Settings], point: ReviewPoint, at: str, proposal: dict[str, object]
) -> Answer | None:
    """Stop and ask when the settings name this point; None when they do not.

    What a person said about a proposal is in the ledger, so that the same question is put once. A fork leaves its
    answer there under the name of the decision, whatever is proposed.

    Args:
        state: of the node that asks.
        runtime: of the node that asks.
        point: kind of the decision.
        at: which one of them, as `t0.a1`.
        proposal: what is decided on; texts, numbers and lists of them.
    """
    bench = await find_workbench(state, runtime)
    decision = f"{point}:{at}"
    await asyncio.to_thread(bench.ledger.note, key_of("decided", decision), "decided", {"id": decision}, replace=True)
    replaced = await asyncio.to_thread(bench.ledger.recall, key_of("decision", decision))
    if replaced is not None:
        return Answer.model_validate(replaced)
    if point not in bench.settings.review:
        return None
    key = key_of("answer", decision, proposal)
    known = await asyncio.to_thread(bench.ledger.recall, key)
    if known is None:
        said = interrupt({"id": decision, "point": point, **proposal}, response_schema=Answer)
        known = Answer.model_validate(said).model_dump(mode="json")
        await asyncio.to_thread(bench.ledger.note, key, "answer", known)
    return Answer.model_validate(known)


async def review_models(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person drop, edit or add model cards."""
    cards = state["cards"]
    at = f"t{state['track']}"
    answer = await ask_person(
        state, runtime, "models", at, {"track": state["track"], "cards": [card.model_dump() for card in cards]}
    )
    if answer is None:
        return {}
    added = [card.model_copy(update={"by_person": True}) for card in answer.cards]
    return {"cards": [*added, *cards] if answer.approve else added}


async def review_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person replace the summary of a study by an instruction."""
    study = state["study"]
    variants = [variant.model_dump() for variant in study.variants]
    proposal: dict[str, object] = {"track": state["track"], "summary": study.summary, "variants": variants}
    at = f"t{state['track']}.a{state['outer'] + 1}"
    answer = await ask_person(state, runtime, "ablation", at, proposal)
    if answer is None or answer.text is None:
        return {}
    summaries = [*state["summaries"][:-1], answer.text]
    return {"study": study.model_copy(update={"summary": answer.text}), "summaries": summaries}


async def review_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person name another block."""
    block = state["block"]
    if block is None:
        return {}
    proposal: dict[str, object] = {"track": state["track"], "block": block.text, "plan": block.plan}
    at = f"t{state['track']}.r{state['outer'] + 1}"
    answer = await ask_person(state, runtime, "block", at, proposal)
    if answer is None or answer.text is None:
        return {}
    return {"block": Block(text=answer.text, plan=block.plan), "blocks": [*state["blocks"][:-1], answer.text]}


async def review_plan(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person rewrite the plan for a block."""
    block = state["block"]
    proposal: dict[str, object] = {
        "track": state["track"],
        "plan": state["plan"],
        "block": block.text if block else "",
    }
    at = f"t{state['track']}.r{state['outer'] + 1}.{state['inner'] + 1}"
    answer = await ask_person(state, runtime, "plan", at, proposal)
    return {"plan": answer.text} if answer and answer.text is not None else {}


async def review_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Let a person rewrite the plan for an ensemble."""
    at = f"e{state.get('round', 0) + 1}"
    answer = await ask_person(state, runtime, "ensemble", at, {"plan": state["plan"]})
    return {"plan": answer.text} if answer and answer.text is not None else {}


async def review_submission(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Let a person veto the winner; the next best takes its place."""
    bench = await find_workbench(state, runtime)
    winner, *others = state["order"]
    solution = state["solutions"][winner]
    proposal: dict[str, object] = {"winner": winner, "title": solution.title, "score": solution.score}
    if "submission" in bench.settings.review:
        proposal["script"] = await bench.text(solution.script or "")
    answer = await ask_person(state, runtime, "submission", winner, proposal)
    if answer is None or answer.approve:
        return {}
    return {"order": others, "winner": others[0] if others else None}
