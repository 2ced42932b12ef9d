"""Ensemble of the tracks' best solutions (paper, algorithm 3)."""

from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.desk import ReplyError
from mlestar.agents.ensembling import Member
from mlestar.agents.ensembling import plan_ensemble as ask_for_plan
from mlestar.agents.ensembling import write_ensemble as ask_for_script
from mlestar.nodes.refine import tried_plans
from mlestar.settings import Settings
from mlestar.state import Attempt, Draft, EnsembleState, Solution
from mlestar.workbench import Workbench, find_workbench

ENSEMBLE_STRETCH = 1.5
"""An ensemble may take this factor of the sum of its members' times."""


def admit(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["combine", "nothing to combine"]:
    """Combine two or more solutions."""
    rounds = Settings.of(runtime.context).ensemble_rounds
    return "combine" if rounds and len(state.get("bests", {})) > 1 else "nothing to combine"


async def plan_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Plan how to combine the solutions, having seen how the earlier plans did."""
    bench = await find_workbench(state, runtime)
    try:
        desk, tried = bench.desk(await bench.brief(state)), tried_plans(state.get("attempts", []))
        return {"plan": await ask_for_plan(desk, await _members(bench, state), tried)}
    except ReplyError:
        return {"plan": ""}


async def write_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Write one script that trains and combines the members."""
    bench = await find_workbench(state, runtime)
    members = _best_solutions(state)
    slowest = bench.settings.script_seconds
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
        desk = bench.desk(await bench.brief(state))
        code = await ask_for_script(desk, await _members(bench, state), state["plan"], slowest * stretch)
    except ReplyError as error:
        return {"draft": draft.model_copy(update={"problem": str(error)})}
    return {"draft": draft.model_copy(update={"script": await bench.keep(code)})}


async def compare_ensemble(state: EnsembleState, runtime: Runtime[Settings]) -> EnsembleState:
    """Record what the plan brought."""
    bench = await find_workbench(state, runtime)
    tried = state["solution"]
    attempt = Attempt(plan=state["plan"], solution=tried.id, score=tried.score, status=tried.verdict.status)
    rounds = state.get("round", 0) + 1
    wanted = "another ensemble" if rounds < bench.settings.ensemble_rounds else ""
    attempts = [*state.get("attempts", []), attempt]
    return {"attempts": attempts, "round": rounds, "spent": await bench.budget.spent(wanted)}


def after_compare(state: EnsembleState, runtime: Runtime[Settings]) -> Literal["next plan", "done or budget"]:
    """Evaluate R plans while the budget lasts."""
    rounds = Settings.of(runtime.context).ensemble_rounds
    return "done or budget" if state["spent"] or state["round"] >= rounds else "next plan"


def _best_solutions(state: EnsembleState) -> list[Solution]:
    return [best for _, best in sorted(state["bests"].items())]


async def _members(bench: Workbench, state: EnsembleState) -> list[Member]:
    return [
        Member(id=best.id, title=best.title, score=best.score, code=await bench.text(best.script or ""))
        for best in _best_solutions(state)
    ]
