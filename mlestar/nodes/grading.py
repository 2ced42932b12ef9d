"""From an execution to a verdict: the one way in which evaluation, ablation, rescoring and export grade."""

import asyncio

from mlestar.agents.script import reported_score
from mlestar.evaluation import Comparison
from mlestar.events import Event
from mlestar.metrics.precision import Standing, format_claim, format_score
from mlestar.metrics.spec import sign
from mlestar.runtime.context import RunContext
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.grading import describe_failure
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.progress import Subject, announce
from mlestar.state import Brief, ExecutionRecord, Verdict

SUSPICIOUS = 3.0
"""Standard errors by which a reported score may beat the grader's before leakage is suspected. Chosen by
judgement; not measured."""


async def grade_execution(
    ctx: RunContext,
    brief: Brief,
    execution: ExecutionRecord,
    staged: StagedInput,
    *,
    output: str = SUBMISSION,
    may_fail: bool = False,
    seconds: float | None = None,
    counted: bool = True,
    subject: Subject | None = None,
) -> Verdict:
    """Return the verdict on what a script wrote for the rows of its input.

    Where rows are withheld, the grader scores them; elsewhere only the form of the submission is checked, and the score
    is what the script reported.

    Args:
        ctx: of the run.
        brief: of the run.
        execution: of the script.
        staged: the input that the script read.
        output: which of the execution's files is the submission.
        may_fail: grade the file although the script failed after it was written, as a study may.
        seconds: in which the submission must be graded; the setting of the run by default.
        counted: as one of the submissions whose scores agents may learn; a baseline's is none.
        subject: what the script was executed for, for the events.
    """
    stdout = await ctx.services.text(execution.stdout)
    stderr = await ctx.services.text(execution.stderr)
    verdict = Verdict(
        status=execution.status,
        reported=reported_score(stdout),
        seconds=execution.seconds,
        peak_memory_mb=execution.peak_memory_mb,
        peak_gpu_memory_mb=execution.peak_gpu_memory_mb,
        output=await ctx.services.keep(f"{stdout}\n{stderr}".strip()),
        image=brief.image,
        lock=execution.lock,
        weights=execution.weights,
    )
    if execution.status != "ok" and not may_fail:
        return verdict.model_copy(update={"message": describe_failure(execution, stderr)})
    submission = execution.files.get(output)
    if submission is None:
        message = execution.detail or f"it ended without an error but wrote no ./{output}"
        return verdict.model_copy(update={"status": "invalid", "message": message})
    verdict = verdict.model_copy(update={"submission": submission})
    with announce(_begin(subject)):
        return await grade_file(ctx, brief, verdict, submission, staged, seconds, counted=counted)


def _begin(subject: Subject | None) -> Event:
    """Return the event of a grading that begins."""
    if subject is None:
        return Event(stage="", message="grading", work="grading")
    message = f"grading {subject.solution}"
    return Event(stage="", message=message, work="grading", track=subject.track, solution=subject.solution)


async def grade_file(
    ctx: RunContext,
    brief: Brief,
    verdict: Verdict,
    submission: str,
    staged: StagedInput,
    seconds: float | None = None,
    *,
    counted: bool = True,
) -> Verdict:
    """Return a verdict with the grade of a submission (blob) for the rows of an input."""
    path = await asyncio.to_thread(ctx.services.blobs.verified, submission)
    if staged.grader is None:
        problem = await ctx.grading.check(staged, path)
        return verdict.model_copy(update={"status": "invalid" if problem else "ok", "message": problem})
    grade = await ctx.grading.grade(staged, path, seconds)
    if grade.score is None:
        return verdict.model_copy(update={"status": "invalid", "message": grade.problem})
    standing = await _record(ctx, brief, staged, submission, grade.score) if counted else None
    scores = {"holdout": grade.score, "holdout_se": grade.standard_error, "standing": standing}
    return verdict.model_copy(update={"status": "ok", "warnings": grade.warnings, **scores})


async def _record(ctx: RunContext, brief: Brief, staged: StagedInput, submission: str, score: float) -> Standing | None:
    """Count a graded submission; return its standing, None where its score may be shown."""

    async def improves_on(other: str) -> bool:
        comparison = await compare_submissions(ctx, staged, submission, other)
        return comparison is not None and comparison.difference > comparison.standard_error

    return await ctx.graded.record(staged.name, submission, score, brief.spec.direction, improves_on)


async def compare_submissions(
    ctx: RunContext, staged: StagedInput, submission: str, baseline: str
) -> Comparison | None:
    """Compare two graded submissions (blobs) for the withheld rows of an input; None when that takes too long."""
    verified = ctx.services.blobs.verified
    paths = [await asyncio.to_thread(verified, blob) for blob in (submission, baseline)]
    return await ctx.grading.compare(staged, *paths)


def find_suspicion(brief: Brief, verdict: Verdict) -> str:
    """Return evidence of leakage: the script claims far more than the grader found on rows it never saw.

    A script chooses what it claims, so that the evidence tells about the score; there is none where only the standing
    may be shown.
    """
    if verdict.standing or verdict.holdout is None or verdict.reported is None or not verdict.holdout_se:
        return ""
    gap = sign(brief.spec.direction) * (verdict.reported - verdict.holdout) / verdict.holdout_se
    if gap < SUSPICIOUS:
        return ""
    score = format_score(verdict.holdout, verdict.holdout_se)
    return (
        f"The script reports {brief.spec.metric} {format_claim(verdict.reported)}, but on held-out rows that it never "
        f"saw it scores {score}: at least {SUSPICIOUS:g} standard errors worse."
    )
