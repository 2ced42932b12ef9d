"""The winner's predictions beside the truth, from what its runs on withheld rows left: nothing is executed for it."""

import asyncio
import logging
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.outcome import NotShownError, Outcome
from mlestar.runtime.context import RunContext
from mlestar.state import Brief, Rescoring, Solution

logger = logging.getLogger("mlestar.report")


class OutcomeRow(BaseModel):
    """The winner's predictions beside the truth."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    rows_of: Literal["fresh", "holdout"]
    blind: bool
    """The search had none of these rows."""
    outcome: Outcome


async def find_outcome(
    ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None
) -> OutcomeRow | None:
    """Return the winner's predictions beside the truth: of fresh rows, or else of those of the holdout."""
    if brief.split is None:
        return None
    try:
        fresh = await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)
        blobs = rescoring.submissions if rescoring else ()
        if fresh and blobs and blobs[0]:
            staged, blob, rows = fresh[0], blobs[0], "fresh"
        elif winner.verdict.submission is not None:
            staged, blob, rows = await ctx.inputs.search(brief), winner.verdict.submission, "holdout"
        else:
            return None
        path = await asyncio.to_thread(ctx.services.blobs.verified, blob)
        shown = await ctx.grading.show(staged.accepting_sample(), path)
    except NotShownError as reason:
        logger.info("run %s: predictions are not shown: %s", ctx.folder.run_id, reason)
        return None
    except Exception:  # the result must be written without it
        logger.warning("run %s: predictions are not shown", ctx.folder.run_id, exc_info=True)
        return None
    return OutcomeRow(rows_of=rows, blind=rows == "fresh" and staged.blind, outcome=shown)
