"""Ensemble of the tracks' best solutions (paper, algorithm 3)."""

from collections.abc import Collection, Mapping
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.context import ReplyError
from mlestar.agents.ensembling import Member, ask_for_ensemble, ask_for_ensemble_plan
from mlestar.metrics.spec import Direction
from mlestar.nodes.refine import tried_plans
from mlestar.runtime.context import RunContext, find_context
from mlestar.settings import Settings
from mlestar.state import Attempt, Draft, EnsembleState, Solution, best_first

ENSEMBLE_STRETCH = 1.5
"""An ensemble may take this factor of the sum of its members' times."""


async def admit(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["combine", "nothing to combine"]:
    """Combine two or more solutions."""
    if not Settings.of(runtime.context).ensemble_rounds or not state.get("bests"):
        return "nothing to combine"
    ctx = await find_context(state, runtime)
    return "combine" if len(await _solutions(ctx, state)) > 1 else "nothing to combine"


async def plan_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Plan how to combine the solutions, having seen how the earlier plans did."""
    ctx = await find_context(state, runtime)
    try:
        agent, tried = ctx.agent(await ctx.brief(state)), tried_plans(state.get("attempts", []))
        return {"plan": await ask_for_ensemble_plan(agent, await _members(ctx, state), tried)}
    except ReplyError:
        return {"plan": ""}


async def write_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Write one script that trains and combines the members."""
    ctx = await find_context(state, runtime)
    members = await _solutions(ctx, state)
    slowest = ctx.settings.script_seconds
    stretch = max(1.0, ENSEMBLE_STRETCH * sum(member.verdict.seconds for member in members) / slowest)
    draft = Draft(
        id=f"e{state.get('round', 0) + 1}",
        origin="ensemble",
        track=-1,
        title="ensemble of " + ", ".join(member.id for member in members),
        script=None,
        plan=state["plan"],
        stretch=stretch,
    )
    if not state["plan"]:
        return {"draft": draft.model_copy(update={"problem": "no plan for an ensemble"})}
    try:
        agent = ctx.agent(await ctx.brief(state))
        code = await ask_for_ensemble(agent, await _members(ctx, state), state["plan"], slowest * stretch)
    except ReplyError as error:
        return {"draft": draft.model_copy(update={"problem": str(error)})}
    return {"draft": draft.model_copy(update={"script": await ctx.keep(code)})}


async def compare_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Record what the plan brought."""
    ctx = await find_context(state, runtime)
    tried = state["solution"]
    attempt = Attempt(plan=state["plan"], solution=tried.id, score=tried.score, status=tried.verdict.status)
    rounds = state.get("round", 0) + 1
    wanted = "another ensemble" if rounds < ctx.settings.ensemble_rounds else ""
    attempts = [*state.get("attempts", []), attempt]
    return {"attempts": attempts, "round": rounds, "spent": await ctx.budget.spent(wanted)}


def after_compare(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["next plan", "done or budget"]:
    """Evaluate R plans while the budget lasts."""
    rounds = Settings.of(runtime.context).ensemble_rounds
    return "done or budget" if state["spent"] or state["round"] >= rounds else "next plan"


def choose_members(
    bests: Mapping[str, Solution], solutions: Collection[Solution], direction: Direction
) -> list[Solution]:
    """Return the best solution of each track; where another track has brought the same script, the track's next best.

    A track that has no other brings none: to combine a script with itself gains nothing.
    """
    members: dict[str | None, Solution] = {}
    for track, best in sorted(bests.items()):
        own = sorted((one for one in solutions if one.track == int(track)), key=lambda one: one.id)
        candidates = [best, *best_first(direction, own)]
        member = next((one for one in candidates if one.script not in members), None)
        if member:
            members[member.script] = member
    return list(members.values())


async def _solutions(ctx: RunContext, state: EnsembleState) -> list[Solution]:
    direction = (await ctx.brief(state)).spec.direction
    return choose_members(state["bests"], state.get("solutions", {}).values(), direction)


async def _members(ctx: RunContext, state: EnsembleState) -> list[Member]:
    return [
        Member(id=one.id, title=one.title, score=one.score, code=await ctx.text(one.script or ""))
        for one in await _solutions(ctx, state)
    ]
