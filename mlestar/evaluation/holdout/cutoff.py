"""Cutting rows by time: a held-out period at the end, and the history before it."""

from dataclasses import dataclass

import numpy as np

MIN_ROWS = 50
"""Held-out rows below which a score says little, where the table is long enough to ask for them."""


@dataclass(frozen=True)
class Cut:
    """Row masks of one cut and the held-out period."""

    train: np.ndarray
    held: np.ndarray
    start: float
    """First point in time of the held-out period."""
    change: str = ""
    """How the period differs from the wanted one."""


def cut(values: np.ndarray, end: float, span: float, gap: float) -> Cut | None:
    """Hold out the rows of the last `span` before `end` (inclusive); None where too little history is left.

    Rows closer to the held-out period than `gap` are on neither side. The history is kept at least about as long as
    the held-out period, in time and in rows.
    """
    usable = values[values <= end]
    if len(usable) < 10 or usable.min() == end:
        return None
    fewest = min(MIN_ROWS, len(usable) // 4)
    latest = usable.max()
    start = max(latest - span, (usable.min() + latest) / 2, float(np.quantile(usable, 0.5)))
    change = "shortened so that the history before it is as long" if start > latest - span else ""
    if (usable >= start).sum() < fewest:
        start = min(start, float(np.sort(usable)[-fewest]))
        change = f"lengthened to {fewest} rows"
    held = (values >= start) & (values <= end)
    start = float(values[held].min())
    before = values < start
    train = before & (values <= start - gap)
    # A gap that would swallow half of the history is not worth its rows.
    train = train if train.sum() >= before.sum() / 2 else before
    if not train.any():
        return None
    return Cut(train, held, start, change)


def bins(values: np.ndarray, *, dates: bool) -> np.ndarray:
    """Number the resampling units of held-out rows: weeks, else days, else single points in time, else rows."""
    for width in (7 * 86_400.0, 86_400.0, 3_600.0) if dates else (1.0,):
        codes = np.unique(np.floor(values / width), return_inverse=True)[1]
        if 8 <= codes.max() + 1 <= max(8, len(values) // 4):
            return np.asarray(codes)
    return _blocks(values)


def _blocks(values: np.ndarray, count: int = 20) -> np.ndarray:
    """Cut into consecutive blocks of equal row numbers; neighbours in time resemble each other."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(ranks * min(count, len(values)) // len(values))
