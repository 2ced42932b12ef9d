"""Submit: the winner itself runs on the real input, its submission is checked, the next best takes over on failure."""

import asyncio
import functools
from collections.abc import Callable
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.declarations import declare, pin_needs
from mlestar.agents.subsampling import remove_subsampling
from mlestar.errors import MlestarError
from mlestar.evaluation import write_submission
from mlestar.evaluation.blending.script import replace_members
from mlestar.metrics.spec import better
from mlestar.nodes.grading import grade_execution
from mlestar.nodes.lessons import keep_lessons
from mlestar.nodes.order import CONSTANT, compare_baselines
from mlestar.nodes.progress import emit
from mlestar.nodes.rescore import rescore_solution
from mlestar.nodes.start import START_ID
from mlestar.nodes.start_order import compare_with_start, is_worse
from mlestar.report import write_result
from mlestar.runners.supply.packages.lock import Lock, read_lock
from mlestar.runtime.budget import Refusal, Stage
from mlestar.runtime.context import RunContext, find_context, release_context
from mlestar.runtime.progress import Subject
from mlestar.runtime.submission import SubmittedSolution
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.state import (
    AS_GIVEN,
    BASELINE,
    Baseline,
    BlendMember,
    Brief,
    CandidateState,
    Draft,
    Export,
    PipelineState,
    RunStatus,
    Solution,
    best_first,
)
from mlestar.store import NoteKind, key_of

LAST_TRIES = 3
"""Solutions that are exported at most when a run cannot continue. Chosen by judgement; not measured."""
WHOLE = ".whole"
"""Suffix of the id of a winner whose subsampling was removed."""


def after_choice(state: PipelineState) -> Literal["winner", "no solution"]:
    """Continue when there is a winner."""
    return "winner" if state["winner"] else "no solution"


async def after_review(
    state: PipelineState, runtime: Runtime[Settings]
) -> Literal["edited by hand", "may subsample", "whole data", "no solution"]:
    """Evaluate a script that a person edited before it replaces the winner."""
    if state["order"] and state["order"][0] not in state["solutions"]:
        return "edited by hand"
    return await needs_unsubsampling(state, runtime)


async def needs_unsubsampling(
    state: PipelineState, runtime: Runtime[Settings]
) -> Literal["may subsample", "whole data", "no solution"]:
    """Look for subsampling when train has more rows than scripts should use during the search; a baseline has none."""
    if not state["order"]:
        return "no solution"
    if _queue(state)[0].origin == BASELINE:
        return "whole data"
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    return "may subsample" if brief.spec.train_rows > ctx.settings.subsample_rows else "whole data"


async def unsubsample(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Have the winner's subsampling removed; the result must pass an evaluation before it is exported."""
    ctx = await find_context(state, runtime)
    winner = _queue(state)[0]
    agent = await ctx.agent(state, max(winner.track, 0), "export")
    code, members = await _without_subsampling(ctx, agent, winner)
    draft = Draft(
        id=winner.id + WHOLE,
        origin="whole data",
        track=winner.track,
        title=f"{winner.title}, all rows",
        script=await ctx.services.keep(code) if code else None,
        parent=winner.id,
        problem="the script does not subsample",
        stretch=EXPORT_STRETCH,
        members=members,
    )
    return {"draft": draft}


async def _without_subsampling(
    ctx: RunContext, agent: AgentContext, winner: Solution
) -> tuple[str | None, tuple[BlendMember, ...]]:
    """Return a script without its subsampling, None when it has none; of a blend that of each member is removed."""
    code = await ctx.services.text(winner.script or "")
    if not winner.members:
        return await _remove_subsampling(agent, code), ()
    changed: dict[str, str] = {}
    for member in winner.members:
        source = await _remove_subsampling(agent, await ctx.services.text(member.script))
        if source is not None:
            changed[member.solution] = source
    if not changed:
        return None, ()
    blobs = {name: await ctx.services.keep(source) for name, source in changed.items()}
    members = [
        member.model_copy(update={"script": blobs.get(member.solution, member.script)}) for member in winner.members
    ]
    try:
        return replace_members(code, changed), tuple(members)
    except ValueError:
        return None, ()


async def _remove_subsampling(agent: AgentContext, code: str) -> str | None:
    try:
        return await remove_subsampling(agent, code)
    except ReplyError:
        return None


def after_unsubsampling(state: PipelineState) -> Literal["subsampled", "whole data"]:
    """Evaluate the script that uses all rows, when there was subsampling to remove."""
    return "subsampled" if state["draft"].script else "whole data"


async def rescore_whole(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Score the winner that uses all rows on the fresh holdouts, as it is what is submitted."""
    ctx, whole = await find_context(state, runtime), _queue(state)[0]
    if not whole.id.endswith(WHOLE):
        return {}
    brief = await ctx.brief(state)
    rescorings = await rescore_solution(ctx, brief, whole, runtime, stretch=EXPORT_STRETCH)
    known: PipelineState = {**state, "rescorings": {**state.get("rescorings", {}), **rescorings}}
    if not rescorings[whole.id].failed and await is_worse(ctx, brief, known, whole):
        message = "it is worse than the start beyond noise"
        rescorings[whole.id] = rescorings[whole.id].model_copy(update={"failed": True, "message": message})
        emit(runtime, "rescore", f"{whole.id} is not submitted: {message}")
    return {"rescorings": rescorings}


async def export(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Run the next solution on the real input and check its submission."""
    ctx = await find_context(state, runtime)
    exported = [export.solution for export in state.get("exports", [])]
    solution = next(solution for solution in _queue(state) if solution.id not in exported)
    brief = await ctx.brief(state)
    attempt = await _export(ctx, brief, solution, "export")
    outcome = "valid submission" if brief.spec.has_test else "finished; nothing to submit"
    emit(runtime, "export", f"{solution.full_name}: {attempt.message or outcome}")
    exports = [*state.get("exports", []), attempt]
    if attempt.submission:
        submitted = SubmittedSolution(solution, await _pinned(ctx, solution), final=True)
        await _write(ctx, brief, submitted, attempt.submission)
        update: PipelineState = {"exports": exports, "winner": solution.id}
        if compared := await compare_with_start(ctx, brief, state, solution):
            update["start"] = compared
        return {**update, "baselines": await _compared(ctx, brief, {**state, **update}, solution)}
    return {"exports": exports}


async def _compared(ctx: RunContext, brief: Brief, state: PipelineState, winner: Solution) -> dict[str, Baseline]:
    """Return the baselines compared with a winner that `choose` did not compare them with; else as they are."""
    baselines = state.get("baselines", {})
    if winner.origin == BASELINE or any(baseline.compared == winner.id for baseline in baselines.values()):
        return baselines
    return await compare_baselines(ctx, brief, state, winner.id)


def after_export(state: PipelineState) -> Literal["failed, next best", "submitted, none left or budget"]:
    """Report a valid submission; otherwise try the next best solution while there is one."""
    exports = state["exports"]
    done = exports[-1].submission or len(exports) >= len(_queue(state))
    return "submitted, none left or budget" if done else "failed, next best"


async def report(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Write `result.json` and the report."""
    ctx = await find_context(state, runtime)
    exported = next((attempt.solution for attempt in state.get("exports", []) if attempt.submission), None)
    if exported is None:
        await asyncio.to_thread(ctx.submission.withdraw)
    finished: PipelineState = {"status": _status(state, exported)}
    result = await write_result(ctx, {**state, **finished}, message=state.get("remark", ""))
    await keep_lessons(ctx, {**state, **finished}, runtime)
    await release_context(ctx)
    return {**finished, "summary": result.summary}


def _status(state: PipelineState, exported: str | None) -> RunStatus:
    if exported is None:
        return "no_solution"
    return "baseline" if state["solutions"][exported].origin == BASELINE else "solved"


def _queue(state: PipelineState) -> list[Solution]:
    """Return the solutions to export in order; a winner without its subsampling comes before the original.

    A script that a person edited is in the order before it is evaluated; it is exported if it has a score. Without its
    subsampling a winner is not exported if it failed on fresh rows.
    """
    failed = {name for name, rescoring in state.get("rescorings", {}).items() if rescoring.failed}
    solutions = {
        name: solution for name, solution in state["solutions"].items() if name not in failed or WHOLE not in name
    }
    queue = [solutions.get(name) for identity in state["order"] for name in (identity + WHOLE, identity)]
    return [solution for solution in queue if solution is not None and solution.score is not None]


async def export_first(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Export the first valid solution of a track at once, in the background: from then on there is a submission."""
    ctx, solution = await find_context(state, runtime), state["solution"]
    if solution.score is None or _waits_for_search(ctx) or await _waits_for_start(ctx, state, solution):
        return {}
    key, fact = key_of("first_solution", state["track"]), solution.model_dump(mode="json")
    if await asyncio.to_thread(ctx.services.ledger.note, "first_solution", key, fact):
        message = f"{solution.id} is valid: exporting it, then the search goes on"
        emit(runtime, "export", message, track=state["track"])
        ctx.run_in_background(_export_early(ctx, await ctx.brief(state), solution))
    return {}


async def resume_early_exports(ctx: RunContext, state: PipelineState) -> None:
    """Continue the early exports of an earlier session; finished ones are in the ledger."""
    if "brief" not in state or any(export.submission for export in state.get("exports", [])) or _waits_for_search(ctx):
        return
    brief = await ctx.brief(state)
    for solution in await _noted(ctx, "first_solution"):
        ctx.run_in_background(_export_early(ctx, brief, solution))


async def submit_best(ctx: RunContext, state: PipelineState) -> None:
    """Submit the best solution of a run that cannot continue, as far as scripts still execute."""
    if "brief" not in state or (ctx.submission.current and ctx.submission.current.final):
        return
    if _waits_for_search(ctx) and "order" not in state:
        return
    brief = await ctx.brief(state)
    solutions = [solution for solution in await _noted(ctx, "solution") if solution.origin != AS_GIVEN]
    ranked = best_first(brief.spec.direction, solutions)
    if brief.start is not None and state.get("order"):
        ranked = _queue(state)  # fresh rows may have put the start before the best of the holdout
    for solution in ranked[:LAST_TRIES]:
        current = ctx.submission.current
        if current and solution.id == current.solution.id:
            return
        if await _export_unchosen(ctx, brief, solution, "export"):
            return


async def _waits_for_start(ctx: RunContext, state: CandidateState, solution: Solution) -> bool:
    """Return whether a start may be better: until it has failed, no other solution is exported at once."""
    if solution.id == START_ID or (await ctx.brief(state)).start is None:
        return False
    fact = await asyncio.to_thread(ctx.services.ledger.recall, key_of("solution", START_ID))
    return fact is None or Solution.model_validate(fact).score is not None


def _waits_for_search(ctx: RunContext) -> bool:
    """Return whether exports wait for the end of the search, whose scripts could read what an export left behind."""
    return ctx.settings.isolation == "strict"


async def _noted(ctx: RunContext, kind: NoteKind) -> list[Solution]:
    facts = await asyncio.to_thread(ctx.services.ledger.notes, kind)
    return [Solution.model_validate(fact) for fact in facts]


async def _export_early(ctx: RunContext, brief: Brief, solution: Solution) -> None:
    # As long as there is no submission, the first export is what the reserve is for.
    await _export_unchosen(ctx, brief, solution, "search" if ctx.submission.current else "export")


async def _export_unchosen(ctx: RunContext, brief: Brief, solution: Solution, stage: Stage) -> bool:
    """Export a solution that the run has not chosen; an error that stops this also stops the run itself."""
    try:
        attempt = await _export(ctx, brief, solution, stage)
        if attempt.submission is None:
            return False
        submitted = SubmittedSolution(solution, await _pinned(ctx, solution), final=False)

        def replaces(current: Solution) -> bool:
            return better(brief.spec.direction, solution.score, current.score)

        await _write(ctx, brief, submitted, attempt.submission, replaces)
    except (MlestarError, OSError):
        return False
    return True


async def _pinned(ctx: RunContext, solution: Solution) -> str:
    """Return the blob of a script that declares what it imports, so that it can be executed elsewhere.

    A blend declares what its members import too.
    """
    environment = await ctx.executor.environment()
    blobs = (solution.script or "", *(member.script for member in solution.members))
    codes = [await ctx.services.text(blob) for blob in blobs]
    lock = read_lock(await ctx.services.text(solution.verdict.lock)) if solution.verdict.lock else Lock(())
    versions = {**environment.distributions, **{package.name: package.version for package in lock.packages}}
    pins = [pin_needs(c, python=environment.python, versions=versions, modules=environment.modules) for c in codes]
    pinned = functools.reduce(declare, pins[1:], pins[0])
    return await ctx.services.keep(pinned)


async def _write(
    ctx: RunContext,
    brief: Brief,
    submitted: SubmittedSolution,
    submission: str,
    replaces: Callable[[Solution], bool] = lambda current: True,
) -> None:
    """Put the script into the run folder, and its submission where there are rows to predict."""
    predictions = submission if brief.spec.has_test else None
    await asyncio.to_thread(ctx.submission.write, submitted, predictions, replaces)


async def _export(ctx: RunContext, brief: Brief, solution: Solution, stage: Stage) -> Export:
    if solution.members and not await ctx.services.budget.exports_in_time(solution.verdict.seconds):
        return Export(solution=solution.id, message=f"too little time is left for its {len(solution.members)} scripts")
    staged = await ctx.inputs.real(brief)
    try:
        execution = await ctx.executor.execute(
            solution.script or "",
            staged,
            stretch=EXPORT_STRETCH,
            stage=stage,
            kind="export",
            label=f"{solution.id}-export",
            subject=Subject.of(solution),
        )
    except Refusal as refusal:
        return Export(solution=solution.id, message=str(refusal))
    # A constant often equals the sample submission.
    form = staged.accepting_sample() if solution.id == CONSTANT else staged
    verdict = await grade_execution(ctx, brief, execution, form)
    submission = verdict.submission if verdict.status == "ok" else None
    if submission and brief.spec.has_test:
        task = await ctx.inputs.task(brief)
        path = await asyncio.to_thread(ctx.services.blobs.verified, submission)
        text = await asyncio.to_thread(write_submission, task, path)
        submission = await ctx.services.keep(text)
    return Export(solution=solution.id, submission=submission, message=verdict.message, seconds=verdict.seconds)
