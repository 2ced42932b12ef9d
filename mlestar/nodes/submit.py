"""Submit: the winner itself runs on the real input, its submission is checked, the next best takes over on failure."""

import asyncio
import shutil
from typing import Literal

from langgraph.runtime import Runtime

from mlestar import rehearsal
from mlestar.agents.desk import ReplyError
from mlestar.agents.subsampling import remove_subsampling
from mlestar.nodes.progress import tell
from mlestar.report import write_result
from mlestar.settings import Settings
from mlestar.state import Draft, Export, PipelineState, Solution
from mlestar.workbench import Refused, Workbench, find_workbench, release_workbench

EXPORT_STRETCH = 3.0
"""An export may take this factor of the limit of a script: the real input has more rows than the rehearsal's."""
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
    desk = bench.desk(await bench.brief(state), max(winner.track, 0))
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
    attempt = await _export(bench, state, solution)
    said = attempt.message or "valid submission"
    tell(runtime, "export", f"{solution.id} {solution.title}: {said}")
    exports = [*state.get("exports", []), attempt]
    if attempt.submission:
        await asyncio.to_thread(_hand_in, bench, solution, attempt.submission)
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


async def _export(bench: Workbench, state: PipelineState, solution: Solution) -> Export:
    brief = await bench.brief(state)
    place = await bench.real_place()
    try:
        outcome = await bench.execute(
            solution.script or "", place, stretch=EXPORT_STRETCH, final=True, label=f"{solution.id}-export"
        )
    except Refused:
        return Export(solution=solution.id, message="the budget allows no further run")
    submission = outcome.files.get("submission.csv")
    seconds = outcome.seconds
    if outcome.status != "ok" or submission is None:
        detail = outcome.detail or f"{outcome.status}, exit status {outcome.exit_code}, no valid ./submission.csv"
        return Export(solution=solution.id, message=detail, seconds=seconds)
    task, path = await bench.task(brief), bench.blobs.path(submission)
    problem = await asyncio.to_thread(rehearsal.check_submission, task, path)
    return Export(solution=solution.id, submission=None if problem else submission, message=problem, seconds=seconds)


def _hand_in(bench: Workbench, solution: Solution, submission: str) -> None:
    """Put the script and its submission into the run folder."""
    bench.folder.write_text(bench.folder.solution, bench.blobs.text(solution.script or ""))
    part = bench.folder.submission.with_name("submission.csv.part")
    shutil.copyfile(bench.blobs.path(submission), part)
    part.replace(bench.folder.submission)
