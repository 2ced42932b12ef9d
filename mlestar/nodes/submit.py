"""Submit: the winner itself runs on the real input, its submission is checked, the next best takes over on failure."""

import asyncio
import shutil
from typing import Literal

from langgraph.runtime import Runtime

from mlestar import evaluation
from mlestar.agents.context import ReplyError
from mlestar.agents.subsampling import remove_subsampling
from mlestar.errors import OperatorError
from mlestar.nodes.progress import tell
from mlestar.report import write_result
from mlestar.runtime.budget import Refused, Stage
from mlestar.runtime.context import HandedIn, Workbench, find_workbench, release_workbench
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.state import Brief, CandidateState, Draft, Export, PipelineState, Solution, best_first, better
from mlestar.store import key_of

LAST_TRIES = 3
"""Solutions that are tried when a run cannot go on."""
WHOLE = ".whole"
"""Suffix of the id of a winner whose subsampling was removed."""


def after_choice(state: PipelineState) -> Literal["winner", "no solution"]:
    """Go on when there is a winner."""
    return "winner" if state["winner"] else "no solution"


async def after_review(
    state: PipelineState, runtime: Runtime[Settings]
) -> Literal["edited by hand", "may subsample", "whole data", "no solution"]:
    """Try a script that a person edited before it takes the winner's place."""
    if state["order"] and state["order"][0] not in state["solutions"]:
        return "edited by hand"
    return await needs_unsubsampling(state, runtime)


async def needs_unsubsampling(
    state: PipelineState, runtime: Runtime[Settings]
) -> Literal["may subsample", "whole data", "no solution"]:
    """Look for subsampling when train has more rows than scripts should use during the search."""
    if not state["order"]:
        return "no solution"
    bench = await find_workbench(state, runtime)
    brief = await bench.brief(state)
    return "may subsample" if brief.spec.train_rows > bench.settings.subsample_rows else "whole data"


async def unsubsample(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Have the winner's subsampling removed; the result must pass a trial before it is exported."""
    bench = await find_workbench(state, runtime)
    winner = _queue(state)[0]
    desk = bench.desk(await bench.brief(state), max(winner.track, 0), "export")
    try:
        code = await remove_subsampling(desk, await bench.text(winner.script or ""))
    except ReplyError:
        code = None
    draft = Draft(
        id=winner.id + WHOLE,
        origin="whole data",
        track=winner.track,
        title=f"{winner.title}, all rows",
        script=await bench.keep(code) if code else None,
        parent=winner.id,
        problem="the script does not subsample",
        stretch=EXPORT_STRETCH,
    )
    return {"draft": draft}


def after_unsubsampling(state: PipelineState) -> Literal["subsampled", "whole data"]:
    """Try the script that uses all rows, when there was subsampling to remove."""
    return "subsampled" if state["draft"].script else "whole data"


async def export(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Run the next solution on the real input and check its submission."""
    bench = await find_workbench(state, runtime)
    tried = [attempt.solution for attempt in state.get("exports", [])]
    solution = next(s for s in _queue(state) if s.id not in tried)
    attempt = await _export(bench, await bench.brief(state), solution, "export")
    said = attempt.message or "valid submission"
    tell(runtime, "export", f"{solution.id} {solution.title}: {said}")
    exports = [*state.get("exports", []), attempt]
    if attempt.submission:
        await asyncio.to_thread(_hand_in, bench, HandedIn(solution, final=True), attempt.submission)
        return {"exports": exports, "winner": solution.id}
    return {"exports": exports}


def after_export(state: PipelineState) -> Literal["failed, next best", "handed in, none left or budget"]:
    """Report a valid submission; otherwise try the next best solution while there is one."""
    exports = state["exports"]
    done = exports[-1].submission or len(exports) >= len(_queue(state))
    return "handed in, none left or budget" if done else "failed, next best"


async def report(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Write `result.json` and the report."""
    bench = await find_workbench(state, runtime)
    exported = any(attempt.submission for attempt in state.get("exports", []))
    if not exported:
        await asyncio.to_thread(_withdraw, bench)
    finished: PipelineState = {"status": "solved" if exported else "no_solution"}
    result = await write_result(bench, {**state, **finished}, message=state.get("remark", ""))
    await release_workbench(bench)
    return {**finished, "hand_in": result.hand_in}


def _queue(state: PipelineState) -> list[Solution]:
    """Return the solutions to export in order; a winner without its subsampling goes before itself.

    A script that a person edited stands in the order before it was tried; it is exported if it earned a score.
    """
    solutions = state["solutions"]
    queue = [solutions.get(name) for identity in state["order"] for name in (identity + WHOLE, identity)]
    return [solution for solution in queue if solution is not None and solution.score is not None]


async def export_first(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Export the first valid solution of a track at once, beside the search: from here on there is one to hand in."""
    bench, solution = await find_workbench(state, runtime), state["solution"]
    if solution.score is None:
        return {}
    key, fact = key_of("first", state["track"]), solution.model_dump(mode="json")
    if await asyncio.to_thread(bench.ledger.note, key, "first", fact):
        tell(runtime, "export", f"{solution.id} is valid: exporting it while the search goes on", track=state["track"])
        bench.aside(_export_early(bench, await bench.brief(state), solution))
    return {}


async def export_firsts(bench: Workbench, state: PipelineState) -> None:
    """Go on with the early exports of an earlier session; finished ones are in the ledger."""
    if "brief" not in state or any(attempt.submission for attempt in state.get("exports", [])):
        return
    brief = await bench.brief(state)
    for fact in await asyncio.to_thread(bench.ledger.notes, "first"):
        bench.aside(_export_early(bench, brief, Solution.model_validate(fact)))


async def hand_in_best(bench: Workbench, state: PipelineState) -> None:
    """Hand in the best solution of a run that cannot go on, as far as scripts still execute."""
    if "brief" not in state or (bench.handed_in and bench.handed_in.final):
        return
    brief = await bench.brief(state)
    found = [Solution.model_validate(fact) for fact in await asyncio.to_thread(bench.ledger.notes, "solution")]
    for solution in best_first(brief.spec.direction, found)[:LAST_TRIES]:
        if bench.handed_in and solution.id == bench.handed_in.solution.id:
            return
        if await _export_aside(bench, brief, solution, "export"):
            return


async def _export_early(bench: Workbench, brief: Brief, solution: Solution) -> None:
    # As long as nothing can be handed in, the first export is what the reserve is for.
    await _export_aside(bench, brief, solution, "search" if bench.handed_in else "export")


async def _export_aside(bench: Workbench, brief: Brief, solution: Solution, stage: Stage) -> bool:
    """Export a solution that the run has not chosen; what stops it here stops the run itself where it goes on."""
    try:
        attempt = await _export(bench, brief, solution, stage)
        if attempt.submission is None:
            return False
        now = bench.handed_in
        if now is None or better(brief.spec.direction, solution.score, now.solution.score):
            await asyncio.to_thread(_hand_in, bench, HandedIn(solution, final=False), attempt.submission)
    except (OperatorError, OSError):
        return False
    return True


async def _export(bench: Workbench, brief: Brief, solution: Solution, stage: Stage) -> Export:
    place = await bench.real_place()
    try:
        outcome = await bench.execute(
            solution.script or "", place, stretch=EXPORT_STRETCH, stage=stage, label=f"{solution.id}-export"
        )
    except Refused as refusal:
        return Export(solution=solution.id, message=str(refusal))
    submission = outcome.files.get("submission.csv")
    seconds = outcome.seconds
    if outcome.status != "ok" or submission is None:
        detail = outcome.detail or f"{outcome.status}, exit status {outcome.exit_code}, no valid ./submission.csv"
        return Export(solution=solution.id, message=detail, seconds=seconds)
    task, path = await bench.task(brief), bench.blobs.path(submission)
    problem = await asyncio.to_thread(evaluation.check_submission, task, path)
    return Export(solution=solution.id, submission=None if problem else submission, message=problem, seconds=seconds)


def _hand_in(bench: Workbench, handed_in: HandedIn, submission: str) -> None:
    """Put a script and its submission into the run folder; what the run chose stays there."""
    with bench.handing_in:
        if bench.handed_in and bench.handed_in.final and not handed_in.final:
            return
        bench.folder.write_text(bench.folder.solution, bench.blobs.text(handed_in.solution.script or ""))
        part = bench.folder.submission.with_name("submission.csv.part")
        shutil.copyfile(bench.blobs.path(submission), part)
        part.replace(bench.folder.submission)
        bench.handed_in = handed_in


def _withdraw(bench: Workbench) -> None:
    """Take back what was handed in early: the run ended without a solution that it may hand in."""
    with bench.handing_in:
        bench.folder.solution.unlink(missing_ok=True)
        bench.folder.submission.unlink(missing_ok=True)
        bench.handed_in = None
