"""Submit: the winner itself runs on the real input, its submission is checked, the next best takes over on failure."""

import asyncio
import shutil
from typing import Literal

from langgraph.runtime import Runtime

from mlestar import evaluation
from mlestar.agents.context import ReplyError
from mlestar.agents.subsampling import remove_subsampling
from mlestar.errors import OperatorError
from mlestar.nodes.progress import emit
from mlestar.report import write_result
from mlestar.runtime.budget import Refused, Stage
from mlestar.runtime.context import RunContext, SubmittedSolution, find_context, release_context
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
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    return "may subsample" if brief.spec.train_rows > ctx.settings.subsample_rows else "whole data"


async def unsubsample(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Have the winner's subsampling removed; the result must pass an evaluation before it is exported."""
    ctx = await find_context(state, runtime)
    winner = _queue(state)[0]
    agent = ctx.agent(await ctx.brief(state), max(winner.track, 0), "export")
    try:
        code = await remove_subsampling(agent, await ctx.text(winner.script or ""))
    except ReplyError:
        code = None
    draft = Draft(
        id=winner.id + WHOLE,
        origin="whole data",
        track=winner.track,
        title=f"{winner.title}, all rows",
        script=await ctx.keep(code) if code else None,
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
    ctx = await find_context(state, runtime)
    tried = [attempt.solution for attempt in state.get("exports", [])]
    solution = next(s for s in _queue(state) if s.id not in tried)
    attempt = await _export(ctx, await ctx.brief(state), solution, "export")
    said = attempt.message or "valid submission"
    emit(runtime, "export", f"{solution.id} {solution.title}: {said}")
    exports = [*state.get("exports", []), attempt]
    if attempt.submission:
        await asyncio.to_thread(_write_submission, ctx, SubmittedSolution(solution, final=True), attempt.submission)
        return {"exports": exports, "winner": solution.id}
    return {"exports": exports}


def after_export(state: PipelineState) -> Literal["failed, next best", "submitted, none left or budget"]:
    """Report a valid submission; otherwise try the next best solution while there is one."""
    exports = state["exports"]
    done = exports[-1].submission or len(exports) >= len(_queue(state))
    return "submitted, none left or budget" if done else "failed, next best"


async def report(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Write `result.json` and the report."""
    ctx = await find_context(state, runtime)
    exported = any(attempt.submission for attempt in state.get("exports", []))
    if not exported:
        await asyncio.to_thread(_withdraw, ctx)
    finished: PipelineState = {"status": "solved" if exported else "no_solution"}
    result = await write_result(ctx, {**state, **finished}, message=state.get("remark", ""))
    await release_context(ctx)
    return {**finished, "summary": result.summary}


def _queue(state: PipelineState) -> list[Solution]:
    """Return the solutions to export in order; a winner without its subsampling goes before itself.

    A script that a person edited stands in the order before it was tried; it is exported if it earned a score.
    """
    solutions = state["solutions"]
    queue = [solutions.get(name) for identity in state["order"] for name in (identity + WHOLE, identity)]
    return [solution for solution in queue if solution is not None and solution.score is not None]


async def export_first(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Export the first valid solution of a track at once, beside the search: from here on there is one to submit."""
    ctx, solution = await find_context(state, runtime), state["solution"]
    if solution.score is None:
        return {}
    key, fact = key_of("first", state["track"]), solution.model_dump(mode="json")
    if await asyncio.to_thread(ctx.ledger.note, key, "first", fact):
        emit(runtime, "export", f"{solution.id} is valid: exporting it while the search goes on", track=state["track"])
        ctx.aside(_export_early(ctx, await ctx.brief(state), solution))
    return {}


async def export_firsts(ctx: RunContext, state: PipelineState) -> None:
    """Go on with the early exports of an earlier session; finished ones are in the ledger."""
    if "brief" not in state or any(attempt.submission for attempt in state.get("exports", [])):
        return
    brief = await ctx.brief(state)
    for fact in await asyncio.to_thread(ctx.ledger.notes, "first"):
        ctx.aside(_export_early(ctx, brief, Solution.model_validate(fact)))


async def submit_best(ctx: RunContext, state: PipelineState) -> None:
    """Submit the best solution of a run that cannot go on, as far as scripts still execute."""
    if "brief" not in state or (ctx.submitted and ctx.submitted.final):
        return
    brief = await ctx.brief(state)
    found = [Solution.model_validate(fact) for fact in await asyncio.to_thread(ctx.ledger.notes, "solution")]
    for solution in best_first(brief.spec.direction, found)[:LAST_TRIES]:
        if ctx.submitted and solution.id == ctx.submitted.solution.id:
            return
        if await _export_aside(ctx, brief, solution, "export"):
            return


async def _export_early(ctx: RunContext, brief: Brief, solution: Solution) -> None:
    # As long as nothing can be submitted, the first export is what the reserve is for.
    await _export_aside(ctx, brief, solution, "search" if ctx.submitted else "export")


async def _export_aside(ctx: RunContext, brief: Brief, solution: Solution, stage: Stage) -> bool:
    """Export a solution that the run has not chosen; what stops it here stops the run itself where it goes on."""
    try:
        attempt = await _export(ctx, brief, solution, stage)
        if attempt.submission is None:
            return False
        now = ctx.submitted
        if now is None or better(brief.spec.direction, solution.score, now.solution.score):
            await asyncio.to_thread(
                _write_submission, ctx, SubmittedSolution(solution, final=False), attempt.submission
            )
    except (OperatorError, OSError):
        return False
    return True


async def _export(ctx: RunContext, brief: Brief, solution: Solution, stage: Stage) -> Export:
    place = await ctx.real_input()
    try:
        outcome = await ctx.execute(
            solution.script or "", place, stretch=EXPORT_STRETCH, stage=stage, label=f"{solution.id}-export"
        )
    except Refused as refusal:
        return Export(solution=solution.id, message=str(refusal))
    submission = outcome.files.get("submission.csv")
    seconds = outcome.seconds
    if outcome.status != "ok" or submission is None:
        detail = outcome.detail or f"{outcome.status}, exit status {outcome.exit_code}, no valid ./submission.csv"
        return Export(solution=solution.id, message=detail, seconds=seconds)
    task, path = await ctx.task(brief), ctx.blobs.path(submission)
    problem = await asyncio.to_thread(evaluation.check_submission, task, path)
    return Export(solution=solution.id, submission=None if problem else submission, message=problem, seconds=seconds)


def _write_submission(ctx: RunContext, submitted: SubmittedSolution, submission: str) -> None:
    """Put a script and its submission into the run folder; what the run chose stays there."""
    with ctx.submitting:
        if ctx.submitted and ctx.submitted.final and not submitted.final:
            return
        ctx.folder.write_text(ctx.folder.solution, ctx.blobs.text(submitted.solution.script or ""))
        part = ctx.folder.submission.with_name("submission.csv.part")
        shutil.copyfile(ctx.blobs.path(submission), part)
        part.replace(ctx.folder.submission)
        ctx.submitted = submitted


def _withdraw(ctx: RunContext) -> None:
    """Take back what was submitted early: the run ended without a solution that it may submit."""
    with ctx.submitting:
        ctx.folder.solution.unlink(missing_ok=True)
        ctx.folder.submission.unlink(missing_ok=True)
        ctx.submitted = None
