"""The share of train that is withheld."""

from typing import TypedDict

# The limits below were chosen by judgement; none was measured.
MAX_WITHHELD = 50_000
"""Withheld rows beyond which a score gains little: the standard error of an accuracy is then below 0.0023."""
_MIN_SHARE, _MAX_SHARE = 0.1, 0.4
"""Share of train to withhold where the real test's is outside these bounds: enough to score, enough to train on."""
_ASSUMED_SHARE = 0.2
"""Share of train to withhold where there is no test file."""


class ShareFields(TypedDict):
    """The fields of a plan that is not by time."""

    fraction: float
    evidence: tuple[str, ...]


def share_fields(train_rows: int, test_rows: int, *evidence: str) -> ShareFields:
    """Return the share to withhold, and the evidence with a note where the share is not the real test's."""
    fraction, note = share_to_withhold(train_rows, test_rows)
    return {"fraction": fraction, "evidence": (*evidence, *((note,) if note else ()))}


def share_to_withhold(train_rows: int, test_rows: int) -> tuple[float, str]:
    """Return the share to withhold, and a note where it is not the real test's."""
    real = test_rows / (train_rows + test_rows) if test_rows else _ASSUMED_SHARE
    bounded = min(max(real, _MIN_SHARE), _MAX_SHARE)
    capped = min(bounded, MAX_WITHHELD / train_rows)
    if capped < bounded:
        return capped, f"{capped:.1%} of train are withheld: {MAX_WITHHELD:,} rows are enough"
    if bounded == real:
        return bounded, ""
    return bounded, f"{real:.1%} of all rows are test; {bounded:.0%} of train are withheld"
