"""Human review: points at which a run stops and asks a person to approve, edit, replace, add or reject."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from mlestar.agents.blocks import locate
from mlestar.agents.script import ScriptError, check_script
from mlestar.errors import UserError
from mlestar.nodes.track import best_script
from mlestar.runtime.answers import ANSWER_FORM, answer_key, read_answer
from mlestar.runtime.context import find_context
from mlestar.settings import ReviewPoint, Settings
from mlestar.state import Action, Answer, Block, Draft, EnsembleState, ModelCard, PipelineState, TrackState
from mlestar.store import key_of

ACTIONS: dict[ReviewPoint, tuple[Action, ...]] = {
    "models": ("approve", "edit", "replace", "add"),
    "ablation": ("approve", "edit", "replace", "add"),
    "block": ("approve", "edit", "replace", "add", "reject"),
    "plan": ("approve", "edit", "replace", "add", "reject"),
    "ensemble": ("approve", "edit", "replace", "add", "reject"),
    "submission": ("approve", "edit", "replace", "add", "reject"),
}
"""What a person can do at each review point."""
EDITED = ".edited"
"""Suffix of the id of a winner whose script a person edited."""

Check = Callable[[Answer], str]
"""Returns what is wrong with an answer, empty when nothing is."""


async def ask_person(
    state: Mapping[str, Any],
    runtime: Runtime[Settings],
    point: ReviewPoint,
    at: str,
    proposal: dict[str, object],
    check: Check = lambda answer: "",
) -> Answer | None:
    """Stop and ask when the settings name this point; None when they do not.

    An answer that cannot be used is asked for again, with the problem. A person's last answer to a proposal is in the
    ledger, where the caller of the graph may look before asking. A fork leaves its answer there under the name of the
    decision, whatever is proposed.

    Args:
        state: of the node that asks.
        runtime: of the node that asks.
        point: kind of the decision.
        at: which one of them, as `t0.a1`.
        proposal: what is decided on; texts, numbers and lists of them.
        check: finds what is wrong with an answer of the right form.

    Raises:
        UserError: the answer of a fork cannot be used.
    """
    ctx = await find_context(state, runtime)
    ledger, decision = ctx.services.ledger, f"{point}:{at}"
    key = key_of("decision", decision)
    await asyncio.to_thread(ledger.note, "decision", key, {"id": decision}, replace=True)
    replacement = await asyncio.to_thread(ledger.recall, replacement_key(decision))
    if replacement is not None:
        answer = Answer.model_validate(replacement)
        if wrong := _wrong(point, answer) or check(answer):
            msg = f"{decision} cannot be replaced by this answer: {wrong}"
            raise UserError(msg)
        return answer
    if point not in ctx.settings.review:
        return None
    problem: dict[str, object] = {}
    while True:
        question = {"id": decision, "point": point, "actions": ACTIONS[point], **proposal, **problem}
        reply = read_answer(interrupt(question, response_schema=ANSWER_FORM))
        wrong = reply if isinstance(reply, str) else _wrong(point, reply) or check(reply)
        if isinstance(reply, Answer) and not wrong:
            fact = reply.model_dump(mode="json")
            await asyncio.to_thread(ledger.note, "answer", answer_key(decision, proposal), fact, replace=True)
            return reply
        problem = {"problem": wrong}


def replacement_key(decision: str) -> str:
    """Return the ledger key of the answer by which a fork replaces a decision."""
    return key_of("replacement", decision)


async def review_models(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person edit, replace or add model cards."""
    cards = state["cards"]
    proposal: dict[str, object] = {"track": state["track"], "cards": [card.model_dump() for card in cards]}
    answer = await ask_person(state, runtime, "models", f"t{state['track']}", proposal)
    if answer is None or answer.action == "approve":
        return {}
    own = [card.model_copy(update={"by_person": True, "problem": ""}) for card in answer.cards]
    if answer.action == "replace":
        return {"cards": own}
    return {"cards": _edited(cards, own) if answer.action == "edit" else [*own, *cards]}


async def review_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person change the summary of a study, or replace it by an instruction."""
    study = state["study"]
    variants = [variant.model_dump() for variant in study.variants]
    proposal: dict[str, object] = {"track": state["track"], "summary": study.summary, "variants": variants}
    at = f"t{state['track']}.a{state['outer'] + 1}"
    answer = await ask_person(state, runtime, "ablation", at, proposal)
    summary = apply(answer, study.summary)
    if summary == study.summary:
        return {}
    return {
        "study": study.model_copy(update={"summary": summary}),
        "summaries": [*state["summaries"][:-1], summary],
    }


async def review_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person name another block, add to its first plan, or leave it alone."""
    block = state["block"]
    if block is None:
        return {}
    ctx = await find_context(state, runtime)
    code = await best_script(ctx, state)

    def check(answer: Answer) -> str:
        return _misplaced(code, answer.text) if answer.action in ("edit", "replace") else ""

    proposal: dict[str, object] = {"track": state["track"], "block": block.text, "plan": block.plan}
    at = f"t{state['track']}.r{state['outer'] + 1}"
    answer = await ask_person(state, runtime, "block", at, proposal, check)
    if answer is None or answer.action == "approve":
        return {}
    if answer.action == "reject":
        return {"block": None, "plan": ""}
    if answer.action == "add":
        plan = apply(answer, block.plan)
        return {"block": Block(text=block.text, plan=plan), "plan": plan}
    text = locate(code, answer.text)
    return {"block": Block(text=text, plan=block.plan), "blocks": [*state["blocks"][:-1], text]}


async def review_plan(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person rewrite the plan for a block."""
    block = state["block"]
    proposal: dict[str, object] = {
        "track": state["track"],
        "plan": state["plan"],
        "block": block.text if block else "",
    }
    at = f"t{state['track']}.r{state['outer'] + 1}.{state['inner'] + 1}"
    return {"plan": apply(await ask_person(state, runtime, "plan", at, proposal), state["plan"])}


async def review_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Let a person rewrite the plan for an ensemble."""
    at = f"e{state.get('round', 0) + 1}"
    answer = await ask_person(state, runtime, "ensemble", at, {"plan": state["plan"]})
    return {"plan": apply(answer, state["plan"])}


async def review_submission(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Let a person veto the winner, name another one, edit its script or add a remark to the report."""
    ctx = await find_context(state, runtime)
    order = state["order"]
    winner, *others = order
    solution = state["solutions"][winner]
    proposal: dict[str, object] = {"winner": winner, "headline": solution.headline, "others": others}
    if "submission" in ctx.settings.review:
        proposal["script"] = await ctx.services.text(solution.script or "")
    answer = await ask_person(state, runtime, "submission", winner, proposal, lambda answer: _unfit(answer, others))
    if answer is None or answer.action == "approve":
        return {}
    if answer.action == "add":
        return {"remark": answer.text}
    if answer.action == "edit":
        draft = Draft(
            id=winner + EDITED,
            origin="by hand",
            track=solution.track,
            title=f"{solution.title}, edited",
            script=await ctx.services.keep(answer.text),
            parent=winner,
        )
        return {"draft": draft, "order": [draft.id, *order], "winner": draft.id}
    chosen = others if answer.action == "reject" else _first(answer.text.strip(), order)
    return {"order": chosen, "winner": chosen[0] if chosen else None}


def apply(answer: Answer | None, proposed: str) -> str:
    """Return a proposed text as a person's answer leaves it."""
    if answer is None or answer.action == "approve":
        return proposed
    if answer.action == "add":
        return f"{proposed}\n\n{answer.text}"
    return "" if answer.action == "reject" else answer.text


def _wrong(point: ReviewPoint, answer: Answer) -> str:
    """Return what is wrong with the form of an answer."""
    if answer.action not in ACTIONS[point]:
        return f"{answer.action} is not possible here; choose one of {', '.join(ACTIONS[point])}"
    if answer.action in ("approve", "reject"):
        changing = ", ".join(action for action in ACTIONS[point] if action not in ("approve", "reject"))
        return f"what should become of the text or cards? choose {changing}" if answer.text or answer.cards else ""
    if point == "models":
        return "" if answer.cards else f"to {answer.action}, give `cards`"
    return "" if answer.text.strip() else f"to {answer.action}, give `text`"


def _edited(cards: list[ModelCard], own: list[ModelCard]) -> list[ModelCard]:
    """Return the cards with those of the same name replaced, others in front."""
    changed = {card.name.lower(): card for card in own}
    kept = [changed.pop(card.name.lower(), card) for card in cards]
    return [*changed.values(), *kept]


def _misplaced(code: str, block: str) -> str:
    try:
        locate(code, block)
    except ScriptError as error:
        return f"not a block of the script: {error}"
    return ""


def _unfit(answer: Answer, others: list[str]) -> str:
    if answer.action == "replace" and answer.text.strip() not in others:
        return f"no solution {answer.text.strip()!r}; choose one of {', '.join(others) or 'none'}"
    if answer.action != "edit":
        return ""
    try:
        check_script(answer.text)
    except ScriptError as error:
        return str(error)
    return ""


def _first(identity: str, order: list[str]) -> list[str]:
    return [identity, *(other for other in order if other != identity)]
