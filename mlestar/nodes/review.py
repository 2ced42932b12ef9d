"""The human's chair: points at which a run stops and asks a person to approve, edit, replace or add."""

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from mlestar.settings import ReviewPoint, Settings
from mlestar.state import Answer, Block, EnsembleState, PipelineState, TrackState
from mlestar.workbench import find_workbench


def ask_person(runtime: Runtime[Settings], point: ReviewPoint, proposal: dict[str, object]) -> Answer | None:
    """Stop and ask when the settings name this point; None when they do not."""
    if point not in Settings.resolve(runtime.context).review:
        return None
    said = interrupt({"point": point, **proposal}, response_schema=Answer)
    return said if isinstance(said, Answer) else Answer.model_validate(said)


async def review_models(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person drop, edit or add model cards."""
    cards = state["cards"]
    answer = ask_person(runtime, "models", {"track": state["track"], "cards": [card.model_dump() for card in cards]})
    if answer is None:
        return {}
    added = [card.model_copy(update={"by_person": True}) for card in answer.cards]
    return {"cards": [*added, *cards] if answer.approve else added}


async def review_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person replace the summary of a study by an instruction."""
    study = state["study"]
    variants = [variant.model_dump() for variant in study.variants]
    proposal = {"track": state["track"], "summary": study.summary, "variants": variants}
    answer = ask_person(runtime, "ablation", proposal)
    if answer is None or answer.text is None:
        return {}
    summaries = [*state["summaries"][:-1], answer.text]
    return {"study": study.model_copy(update={"summary": answer.text}), "summaries": summaries}


async def review_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person name another block."""
    block = state["block"]
    if block is None:
        return {}
    answer = ask_person(runtime, "block", {"track": state["track"], "block": block.text, "plan": block.plan})
    if answer is None or answer.text is None:
        return {}
    return {"block": Block(text=answer.text, plan=block.plan), "blocks": [*state["blocks"][:-1], answer.text]}


async def review_plan(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person rewrite the plan for a block."""
    block = state["block"]
    proposal = {"track": state["track"], "plan": state["plan"], "block": block.text if block else ""}
    answer = ask_person(runtime, "plan", proposal)
    return {"plan": answer.text} if answer and answer.text is not None else {}


async def review_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Let a person rewrite the plan for an ensemble."""
    answer = ask_person(runtime, "ensemble", {"plan": state["plan"]})
    return {"plan": answer.text} if answer and answer.text is not None else {}


async def review_submission(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Let a person veto the winner; the next best takes its place."""
    bench = await find_workbench(state, runtime)
    winner, *others = state["order"]
    solution = state["solutions"][winner]
    proposal: dict[str, object] = {"winner": winner, "title": solution.title, "score": solution.score}
    if "submission" in bench.settings.review:
        proposal["script"] = await bench.text(solution.script or "")
    answer = ask_person(runtime, "submission", proposal)
    if answer is None or answer.approve:
        return {}
    return {"order": others, "winner": others[0] if others else None}
