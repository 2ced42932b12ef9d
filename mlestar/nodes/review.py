"""The human's chair: points at which a run stops and asks a person to approve, edit, replace, add or reject."""

from collections.abc import Callable

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from mlestar.nodes.initialize import best_of
from mlestar.script import ScriptError, check_script, locate
from mlestar.settings import ReviewPoint, Settings
from mlestar.state import Action, Answer, Block, Draft, EnsembleState, ModelCard, PipelineState, TrackState
from mlestar.workbench import find_workbench

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


def ask_person(
    runtime: Runtime[Settings], point: ReviewPoint, proposal: dict[str, object], check: Check = lambda answer: ""
) -> Answer | None:
    """Stop and ask when the settings name this point; None when they do not.

    An answer that cannot be used is asked for again, with the problem.
    """
    if point not in Settings.of(runtime.context).review:
        return None
    problem: dict[str, object] = {}
    while True:
        question = {"point": point, "actions": ACTIONS[point], **proposal, **problem}
        said = interrupt(question, response_schema=Answer)
        answer = said if isinstance(said, Answer) else Answer.model_validate(said)
        wrong = _wrong(point, answer) or check(answer)
        if not wrong:
            return answer
        problem = {"problem": wrong}


async def review_models(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person edit, replace or add model cards."""
    cards = state["cards"]
    answer = ask_person(runtime, "models", {"track": state["track"], "cards": [card.model_dump() for card in cards]})
    if answer is None or answer.action == "approve":
        return {}
    given = [card.model_copy(update={"by_person": True, "problem": ""}) for card in answer.cards]
    if answer.action == "replace":
        return {"cards": given}
    return {"cards": _edited(cards, given) if answer.action == "edit" else [*given, *cards]}


async def review_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Let a person change the summary of a study, or put an instruction in its place."""
    study = state["study"]
    variants = [variant.model_dump() for variant in study.variants]
    proposal = {"track": state["track"], "summary": study.summary, "variants": variants}
    answer = ask_person(runtime, "ablation", proposal)
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
    bench = await find_workbench(state, runtime)
    code = await bench.text(best_of(state).script or "")

    def check(answer: Answer) -> str:
        return _misplaced(code, answer.text) if answer.action in ("edit", "replace") else ""

    proposal: dict[str, object] = {"track": state["track"], "block": block.text, "plan": block.plan}
    answer = ask_person(runtime, "block", proposal, check)
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
    proposal = {"track": state["track"], "plan": state["plan"], "block": block.text if block else ""}
    return {"plan": apply(ask_person(runtime, "plan", proposal), state["plan"])}


async def review_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Let a person rewrite the plan for an ensemble."""
    return {"plan": apply(ask_person(runtime, "ensemble", {"plan": state["plan"]}), state["plan"])}


async def review_submission(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Let a person veto the winner, name another one, edit its script or add a remark to the report."""
    bench = await find_workbench(state, runtime)
    order = state["order"]
    winner, *others = order
    solution = state["solutions"][winner]
    proposal: dict[str, object] = {"winner": winner, "standing": solution.standing, "others": others}
    if "submission" in bench.settings.review:
        proposal["script"] = await bench.text(solution.script or "")
    answer = ask_person(runtime, "submission", proposal, lambda answer: _unfit(answer, others))
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
            script=await bench.keep(answer.text),
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
        return ""
    if point == "models":
        return "" if answer.cards else f"to {answer.action}, give `cards`"
    return "" if answer.text.strip() else f"to {answer.action}, give `text`"


def _edited(cards: list[ModelCard], given: list[ModelCard]) -> list[ModelCard]:
    """Return the cards with those of the same name replaced, others in front."""
    changed = {card.name.lower(): card for card in given}
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
