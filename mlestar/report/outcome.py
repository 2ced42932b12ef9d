"""The winner's predictions beside the truth, from what its runs on withheld rows left: nothing is executed for it."""

import asyncio
import logging
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.outcome import NotShownError, Outcome
from mlestar.runtime.context import RunContext
from mlestar.runtime.inputs import StagedInput
from mlestar.state import Brief, Rescoring, Solution

logger = logging.getLogger("mlestar.report")


RowsOf = Literal["fresh", "holdout"]


class OutcomeRow(BaseModel):
    """The winner's predictions beside the truth."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    rows_of: RowsOf
    blind: bool
    """The search had none of these rows."""
    outcome: Outcome


class ShownRows(NamedTuple):
    """Withheld rows, and what the winner predicted for them."""

    staged: StagedInput
    submission: str
    """Blob."""
    rows_of: RowsOf

    @property
    def blind(self) -> bool:
        """Whether the search had none of these rows."""
        return self.rows_of == "fresh" and self.staged.blind


async def find_shown_rows(
    ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None
) -> ShownRows | None:
    """Return fresh rows, or else those of the holdout, that the winner has predicted; None where there are none."""
    if brief.split is None:
        return None
    fresh = await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)
    blobs = rescoring.submissions if rescoring else ()
    if fresh and blobs and blobs[0]:
        return ShownRows(fresh[0], blobs[0], "fresh")
    if winner.verdict.submission is not None:
        return ShownRows(await ctx.inputs.search(brief), winner.verdict.submission, "holdout")
    return None


async def find_outcome(
    ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None
) -> OutcomeRow | None:
    """Return the winner's predictions beside the truth: of fresh rows, or else of those of the holdout."""
    try:
        rows = await find_shown_rows(ctx, brief, winner, rescoring)
        if rows is None:
            return None
        path = await asyncio.to_thread(ctx.services.blobs.verified, rows.submission)
        shown = await ctx.grading.show(rows.staged.accepting_sample(), path)
    except NotShownError as reason:
        logger.info("run %s: predictions are not shown: %s", ctx.folder.run_id, reason)
        return None
    except Exception:  # the result must be written without it
        logger.warning("run %s: predictions are not shown", ctx.folder.run_id, exc_info=True)
        return None
    return OutcomeRow(rows_of=rows.rows_of, blind=rows.blind, outcome=shown)
