"""Cutting rows by time: a withheld period at the end, and the history before it."""

from dataclasses import dataclass

import numpy as np

from mlestar.evaluation.holdout.clock import DAY_SECONDS

# The limits below were chosen by judgement; none was measured.
MIN_ROWS = 50
"""Withheld rows below which a score is too uncertain, where the table is long enough to give more."""
_MIN_DATED_ROWS = 10
"""Rows with a time below which nothing is withheld."""
_MIN_SHARE = 4
"""At most one row in so many is withheld to reach `MIN_ROWS`."""
_MIN_BLOCKS = 8
"""Weeks, days or hours from which these are resampling units."""
_ROWS_PER_BLOCK = 4
"""Mean rows that a week, day or hour must have to be one, where there are more than `_MIN_BLOCKS`."""
_BLOCKS = 20
"""Resampling units of equal size where weeks, days and hours do not suit."""


@dataclass(frozen=True)
class Cut:
    """Row masks of one cut and the withheld period."""

    train: np.ndarray
    withheld: np.ndarray
    start: float
    """First point in time of the withheld period."""
    change: str = ""
    """How the period differs from the requested one."""


def cut_period(values: np.ndarray, end: float, span: float, gap: float) -> Cut | None:
    """Withhold the rows of the last `span` before `end` (inclusive); None where too little history is left.

    Rows closer to the withheld period than `gap` are on neither side. The history is kept at least about as long as
    the withheld period, in time and in rows.
    """
    usable = values[values <= end]
    if len(usable) < _MIN_DATED_ROWS or usable.min() == end:
        return None
    start, change = _find_start(usable, span)
    withheld = (values >= start) & (values <= end)
    start = float(values[withheld].min())
    before = values < start
    train = before & (values <= start - gap)
    # A gap that would remove more than half of the history is ignored.
    if train.sum() < before.sum() / 2:
        train = before
    if not train.any():
        return None
    return Cut(train, withheld, start, change)


def _find_start(usable: np.ndarray, span: float) -> tuple[float, str]:
    """Return where the withheld period starts, and how it differs from `span`."""
    latest, half_time, half_rows = usable.max(), (usable.min() + usable.max()) / 2, float(np.quantile(usable, 0.5))
    start = max(latest - span, half_time, half_rows)
    change = "shortened so that the history before it is as long" if start > latest - span else ""
    fewest = min(MIN_ROWS, len(usable) // _MIN_SHARE)
    if (usable >= start).sum() < fewest:
        start = min(start, float(np.sort(usable)[-fewest]))
        change = f"lengthened to {fewest} rows"
    return start, change


def time_units(values: np.ndarray, *, dates: bool) -> np.ndarray:
    """Number the resampling units of withheld rows: weeks, else days, hours or steps, else blocks of rows.

    Neighbours in time are alike, so that whole stretches are resampled: a block bootstrap with non-overlapping blocks
    (Carlstein, 1986, "The Use of Subseries Values for Estimating the Variance of a General Statistic from a Stationary
    Sequence").
    """
    widths = (7 * DAY_SECONDS, DAY_SECONDS, DAY_SECONDS / 24) if dates else (1.0,)
    for width in widths:
        codes = np.unique(np.floor(values / width), return_inverse=True)[1]
        if _MIN_BLOCKS <= codes.max() + 1 <= max(_MIN_BLOCKS, len(values) // _ROWS_PER_BLOCK):
            return np.asarray(codes)
    return _equal_blocks(values)


def _equal_blocks(values: np.ndarray) -> np.ndarray:
    """Cut into consecutive blocks of equal row numbers."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(ranks * min(_BLOCKS, len(values)) // len(values))
