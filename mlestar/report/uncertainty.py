"""The uncertainty of the winner's predictions, from what its runs on withheld rows left: nothing is executed for it."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.uncertainty.calibration import Calibration, Coverage, NotCalibratedError
from mlestar.evaluation.uncertainty.conformal import Tally
from mlestar.evaluation.uncertainty.record import (
    CHECKED,
    LEVELS,
    LevelCheck,
    TargetUncertainty,
    Uncertainty,
    UnitKind,
)
from mlestar.runtime.context import RunContext
from mlestar.runtime.inputs import StagedInput
from mlestar.state import BASELINE, Brief, Rescoring, Solution

logger = logging.getLogger("mlestar.report")

_LATER: dict[str, UnitKind] = {"time": "periods", "series": "series"}
"""Splits whose rows to predict come later, so that nothing is promised even where each row is a unit."""
_ALIKE: dict[str, UnitKind] = {"group": "groups", "space": "blocks"}


async def find_uncertainty(ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None) -> Uncertainty:
    """Return intervals or sets for the winner of a run that has ended, or why there are none."""
    try:
        return await _find(ctx, brief, winner, rescoring)
    except NotCalibratedError as reason:
        return Uncertainty(kind="none", reason=str(reason))
    except Exception:  # the result must be written without it
        logger.warning("run %s: no uncertainty", ctx.folder.run_id, exc_info=True)
        return Uncertainty(kind="none", reason="it could not be computed; the log says why")


async def _find(ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None) -> Uncertainty:
    if brief.split is None or winner.verdict.submission is None:
        msg = "no rows are withheld" if brief.split is None else "no predictions for the withheld rows are stored"
        raise NotCalibratedError(msg)
    search = await ctx.inputs.search(brief)
    fresh = await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)
    blobs = rescoring.submissions if rescoring else ()
    # A script that failed on some of the fresh rows is checked on none.
    fresh = fresh if len(blobs) == len(fresh) and all(blobs) else []
    if winner.origin == BASELINE:
        # A constant often equals the sample submission.
        search, fresh = search.accepting_sample(), [staged.accepting_sample() for staged in fresh]
    calibration = await ctx.grading.calibrate(search, await _path(ctx, winner.verdict.submission))
    own = await _cover(ctx, search, winner.verdict.submission, calibration)
    checks = [await _cover(ctx, staged, blob, calibration) for staged, blob in zip(fresh, blobs, strict=False)]
    return describe(brief.split, calibration, own, checks, blind=bool(fresh) and all(staged.blind for staged in fresh))


async def _cover(ctx: RunContext, staged: StagedInput, blob: str, calibration: Calibration) -> Coverage:
    return await ctx.grading.cover(staged, await _path(ctx, blob), calibration)


async def _path(ctx: RunContext, blob: str) -> Path:
    return await asyncio.to_thread(ctx.services.blobs.verified, blob)


def describe(
    split: SplitPlan, calibration: Calibration, own: Coverage, checks: Sequence[Coverage], *, blind: bool
) -> Uncertainty:
    """Return the record of a calibration.

    Args:
        split: of the run.
        calibration: on the withheld rows.
        own: what it covers of these rows.
        checks: what it covers of disjoint sets of fresh rows.
        blind: the search had none of the fresh rows.
    """
    targets = []
    for place, target in enumerate(calibration.targets):
        levels = [_check(place, number, own, checks) for number in range(len(CHECKED))]
        targets.append(TargetUncertainty(target=target.target, quantiles=target.quantiles, checks=tuple(levels)))
    return Uncertainty(
        kind="set" if calibration.scale == "probability" else "interval",
        scale=calibration.scale,
        units=_name_units(split, own),
        withheld_rows=own.rows,
        withheld_units=own.units,
        fresh_rows=sum(coverage.rows for coverage in checks),
        fresh_units=sum(coverage.units for coverage in checks),
        blind=blind,
        levels=LEVELS,
        targets=tuple(targets),
        unseen_classes=calibration.unseen_classes,
    )


def _name_units(split: SplitPlan, own: Coverage) -> UnitKind:
    if split.kind in _LATER:
        return _LATER[split.kind]
    return "rows" if own.units == own.rows else _ALIKE.get(split.kind, "sets of like rows")


def _check(target: int, number: int, own: Coverage, checks: Sequence[Coverage]) -> LevelCheck:
    """Return the check of a target at the level of this number in `CHECKED`."""
    level, calibrated = CHECKED[number], own.targets[target][number]
    covered = [coverage.targets[target][number] for coverage in checks]
    summed = sum((one.tally for one in covered), Tally())
    widths = [(one.width, coverage.rows) for one, coverage in zip(covered, checks, strict=True)]
    return LevelCheck(
        level=level,
        width=_mean(widths) if checks else calibrated.width,
        coverage=summed.coverage,
        coverage_se=summed.error(level),
        quantile_se=calibrated.tally.error(level),
    )


def _mean(widths: Sequence[tuple[float | None, int]]) -> float | None:
    """Return the mean width over sets of rows; None where one is unknown."""
    known = [width * rows for width, rows in widths if width is not None]
    return sum(known) / sum(rows for _, rows in widths) if len(known) == len(widths) else None
