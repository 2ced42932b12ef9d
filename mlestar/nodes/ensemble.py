"""Ensemble of the tracks' best solutions (paper, algorithm 3)."""

from collections.abc import Collection, Mapping
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.context import ReplyError
from mlestar.agents.ensembling import Member, ask_for_ensemble, ask_for_ensemble_plan
from mlestar.metrics.spec import Direction
from mlestar.nodes.propose import propose
from mlestar.nodes.track import attempt_of, plans_of
from mlestar.runtime.context import RunContext, find_context
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, Draft, EnsembleState, Solution, best_first

ENSEMBLE_STRETCH = 1.5
"""An ensemble may take this factor of the sum of its members' times. Chosen by judgement; not measured."""


async def admit_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["combine", "nothing to combine"]:
    """Combine two or more solutions."""
    if not Settings.of(runtime.context).ensemble_rounds or not state.get("bests"):
        return "nothing to combine"
    ctx = await find_context(state, runtime)
    return "combine" if len(await _solutions(ctx, state)) > 1 else "nothing to combine"


async def plan_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Plan how to combine the solutions, from the results of the earlier plans."""
    ctx = await find_context(state, runtime)
    agent = await ctx.agent(state, step=f"e{state.get('round', 0) + 1} plan")
    attempts = plans_of(state.get("attempts", []))
    try:
        return {"plan": await ask_for_ensemble_plan(agent, await _members(ctx, state), attempts)}
    except ReplyError:
        return {"plan": ""}


async def write_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Write one script that trains and combines the members."""
    ctx = await find_context(state, runtime)
    members = await _solutions(ctx, state)
    limit = ctx.settings.script_seconds
    stretch = max(1.0, ENSEMBLE_STRETCH * sum(member.verdict.seconds for member in members) / limit)
    draft = Draft(
        id=f"e{state.get('round', 0) + 1}",
        origin="ensemble",
        track=NO_TRACK,
        title="ensemble of " + ", ".join(member.id for member in members),
        plan=state["plan"],
        stretch=stretch,
        combines=tuple(member.id for member in members),
    )
    if not state["plan"]:
        return {"draft": draft.model_copy(update={"problem": "no plan for an ensemble"})}
    agent = await ctx.agent(state, step=draft.id)
    script = ask_for_ensemble(agent, await _members(ctx, state), state["plan"], limit * stretch)
    return {"draft": await propose(ctx, draft, script)}


async def compare_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Record the result of the plan."""
    ctx = await find_context(state, runtime)
    rounds = state.get("round", 0) + 1
    step = "another ensemble" if rounds < ctx.settings.ensemble_rounds else ""
    brief = await ctx.brief(state)
    members = best_first(brief.spec.direction, await _solutions(ctx, state))
    attempt = await attempt_of(ctx, brief, state["plan"], state["solution"], members[0] if members else None)
    attempts = [*state.get("attempts", []), attempt]
    return {"attempts": attempts, "round": rounds, "spent": await ctx.services.budget.spent(step)}


def after_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["next plan", "done or budget"]:
    """Evaluate R plans while the budget lasts."""
    rounds = Settings.of(runtime.context).ensemble_rounds
    return "done or budget" if state["spent"] or state["round"] >= rounds else "next plan"


def choose_members(
    bests: Mapping[str, Solution], solutions: Collection[Solution], direction: Direction
) -> list[Solution]:
    """Return the best solution of each track; where another track has the same script, the track's next best.

    A track that has no other is left out: a script gains nothing from being combined with itself.
    """
    members: dict[str | None, Solution] = {}
    for track, best in sorted(bests.items()):
        others = [solution for solution in solutions if solution.track == int(track)]
        candidates = [best, *best_first(direction, sorted(others, key=lambda solution: solution.id))]
        member = next((solution for solution in candidates if solution.script not in members), None)
        if member:
            members[member.script] = member
    return list(members.values())


async def _solutions(ctx: RunContext, state: EnsembleState) -> list[Solution]:
    direction = (await ctx.brief(state)).spec.direction
    return choose_members(state["bests"], state.get("solutions", {}).values(), direction)


async def _members(ctx: RunContext, state: EnsembleState) -> list[Member]:
    members = []
    for solution in await _solutions(ctx, state):
        code = await ctx.services.text(solution.script or "")
        member = Member(
            id=solution.id,
            title=solution.title,
            score=solution.verdict.shown,
            code=code,
            measured=solution.verdict.measured,
        )
        members.append(member)
    return members
