"""Importance of columns: the submitted script runs once more, on withheld rows of which one column is permuted."""

import asyncio
import logging
from typing import NamedTuple

from langgraph.runtime import Runtime

from mlestar.errors import MlestarError, StopRequested, first_line
from mlestar.evaluation import Grader
from mlestar.evaluation.importance.measuring import Loss, Losses, NotMeasuredError, PermutedAnswers
from mlestar.evaluation.importance.planning import PermutationPlan, plan_permutation
from mlestar.metrics.precision import format_score
from mlestar.nodes.order import CONSTANT
from mlestar.nodes.progress import emit
from mlestar.report.outcome import ShownRows, find_shown_rows
from mlestar.runtime.budget import SLACK, Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.grading import MESSAGE_CHARACTERS, describe_failure
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.progress import Subject
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.state import (
    Brief,
    ColumnImportance,
    ExecutionRecord,
    Importance,
    PipelineState,
    Solution,
    most_important_first,
)

logger = logging.getLogger("mlestar.nodes")

LONGER, SHORTEST_LIMIT = 3.0, 60.0
"""Time limit of the execution: this multiple of what the script took in the search, and at least so many seconds.
Chosen by judgement; not measured."""
SAME = 0.1
"""Standard errors of the score by which unchanged rows may score differently beside copies. Chosen by judgement."""
SHOWN = 3
"""Columns that an event names."""


class Base(NamedTuple):
    """Withheld rows that the script has already predicted."""

    shown: ShownRows
    grader: Grader


async def measure_importance(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Measure how much worse what was submitted gets when a column is permuted; a failure changes nothing else."""
    ctx = await find_context(state, runtime)
    exported = next((attempt.solution for attempt in state.get("exports", []) if attempt.submission), None)
    if not ctx.settings.importance or exported is None:
        return {}
    winner = state["solutions"][exported]
    try:
        measured = await _measure(ctx, await ctx.brief(state), state, winner)
    except (NotMeasuredError, Refusal) as reason:
        measured = Importance(solution=winner.id, reason=_shorten(str(reason)))
    except StopRequested:
        measured = Importance(solution=winner.id, reason="the run was stopped")
    except Exception as error:  # the submission is valid without it
        logger.warning("run %s: no importance of columns", ctx.folder.run_id, exc_info=True)
        text = str(error) if isinstance(error, MlestarError) else f"{type(error).__name__}: {error}"
        measured = Importance(solution=winner.id, reason=_shorten(first_line(text)))
    emit(runtime, "importance", _describe(measured))
    return {"importance": measured}


async def _measure(ctx: RunContext, brief: Brief, state: PipelineState, winner: Solution) -> Importance:
    base = await _find_base(ctx, brief, state, winner)
    plan = await asyncio.to_thread(plan_permutation, base.grader, seed=brief.seed)
    if lacking := await ctx.services.budget.lacks("importance", SLACK * winner.verdict.seconds):
        raise NotMeasuredError(lacking)
    staged = await ctx.inputs.permuted(base.shown.staged, plan)
    execution = await _execute(ctx, winner, staged)
    losses = await _grade(ctx, base, plan, staged, execution)
    _refuse_moved(losses)
    rows = [_row(name, loss) for name, loss in zip(plan.columns, losses.columns, strict=True)]
    return Importance(
        solution=winner.id,
        columns=most_important_first(rows),
        rows_of=base.shown.rows_of,
        rows=len(plan.chosen),
        blind=base.shown.blind,
        score=losses.score,
        score_se=losses.standard_error,
        seconds=execution.seconds,
        left_out=plan.left_out,
        constant=plan.constant,
    )


async def _find_base(ctx: RunContext, brief: Brief, state: PipelineState, winner: Solution) -> Base:
    """Return fresh rows that the winner has predicted, those of the holdout where there are none.

    Raises:
        NotMeasuredError: no rows are withheld, or nothing was predicted for them.
    """
    if winner.id == CONSTANT or brief.split is None:
        msg = "the constant depends on no column" if winner.id == CONSTANT else "no rows are withheld"
        raise NotMeasuredError(msg)
    rescoring = state.get("rescorings", {}).get(winner.id)
    rows = await find_shown_rows(ctx, brief, winner, rescoring)
    if rows is None or rows.staged.grader is None:
        msg = "no predictions for withheld rows are stored"
        raise NotMeasuredError(msg)
    return Base(rows, rows.staged.grader)


async def _execute(ctx: RunContext, winner: Solution, staged: StagedInput) -> ExecutionRecord:
    """Run the script.

    Raises:
        NotMeasuredError: it failed.
        Refusal: too little was left of a cap.
    """
    longest = max(EXPORT_STRETCH, float(len(winner.members)))
    limit = max(SHORTEST_LIMIT, LONGER * winner.verdict.seconds)
    execution = await ctx.executor.execute(
        winner.script or "",
        staged,
        stretch=min(longest, limit / ctx.settings.script_seconds),
        stage="importance",
        label=f"{winner.id}-importance",
        subject=Subject.of(winner),
    )
    if execution.status != "ok" or SUBMISSION not in execution.files:
        reason = f"it wrote no {SUBMISSION}"
        if execution.status != "ok":
            reason = describe_failure(execution, await ctx.services.text(execution.stderr))
        msg = f"the script failed on the rows with permuted columns: {reason}"
        raise NotMeasuredError(msg)
    return execution


async def _grade(
    ctx: RunContext, base: Base, plan: PermutationPlan, staged: StagedInput, execution: ExecutionRecord
) -> Losses:
    answers = base.grader.answers
    permuted = PermutedAnswers(
        name=plan.holdout.name,
        form=answers.form,
        row_truth=answers.row_truth,
        row_units=answers.row_units,
        extra=answers.extra,
        resamples=answers.resamples,
        tiled=staged.form,
        chosen=plan.chosen,
        columns=len(plan.columns),
    )
    verified = ctx.services.blobs.verified
    submission, earlier = [
        await asyncio.to_thread(verified, blob) for blob in (execution.files[SUBMISSION], base.shown.submission)
    ]
    return await ctx.grading.measure(base.shown.staged, permuted, submission, earlier)


def _refuse_moved(losses: Losses) -> None:
    """Refuse what a script predicts otherwise for unchanged rows because copies of them stand beside them.

    Raises:
        NotMeasuredError: it does.
    """
    moved = losses.moved.difference
    if moved is None:
        msg = "the earlier predictions for these rows have no score"
        raise NotMeasuredError(msg)
    tolerated = max(2 * losses.moved.standard_error, SAME * (losses.standard_error or 0.0))
    if abs(moved) > tolerated:
        shown = format_score(abs(moved), losses.moved.standard_error)
        how = "worse" if moved < 0 else "better"
        msg = f"the script predicts unchanged rows otherwise ({shown} {how}) when copies of them are in the test file: "
        msg += "it uses ids, the order of rows, or other rows of that file"
        raise NotMeasuredError(msg)


def _row(name: str, loss: Loss) -> ColumnImportance:
    return ColumnImportance(column=name, loss=loss.difference, loss_se=loss.standard_error)


def _shorten(reason: str) -> str:
    return reason[:MESSAGE_CHARACTERS]


def _describe(measured: Importance) -> str:
    """Return one line of progress."""
    if measured.reason:
        return f"no importance of columns: {measured.reason}"
    first = [f"{row.column} {format_score(row.loss, row.loss_se)}" for row in measured.mattering[:SHOWN]]
    found = ", ".join(first) or "no column changes the score beyond noise"
    return f"columns that matter most: {found} ({len(measured.columns)} measured in {measured.seconds:.0f} s)"
