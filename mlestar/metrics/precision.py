"""How precisely a score is shown, to agents and to people.

A score in full precision tells whoever submits more than how good a script is: predictions can be chosen so that every
digit stands for the label of a withheld row. So what is shown has two significant digits of its standard error, as
results of measurements are written. The digits that are left out say nothing about which script is better.
"""

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator

from mlestar.metrics.finite import finite

Standing = Literal["better than the best", "not better than the best"]
"""What is shown in place of a score once a holdout has graded as many submissions as it may."""
ShownScore = Annotated[float | Standing | None, BeforeValidator(finite)]

DIGITS_WITHOUT_ERROR = 3
"""Significant digits of a score whose standard error is unknown or zero. Chosen by judgement; not measured."""
_MOST_DECIMALS, _LARGE = 6, 1e9
"""Decimals and size beyond which a number is written with a power of ten. Chosen by judgement; not measured."""


def round_score(score: float | None, error: float | None = None) -> float | None:
    """Return a score with two significant digits of its standard error, with three of its own where there is none.

    The same holds for a difference of scores and the standard error of that difference.
    """
    if score is None or not math.isfinite(score):
        return score
    if not _is_usable(error):
        return float(f"{score:.{DIGITS_WITHOUT_ERROR}g}")
    return round(score, _decimals(error or 0.0)) + 0.0  # without the sign of a negative zero


def show_score(score: float | None, error: float | None = None, standing: Standing | None = None) -> ShownScore:
    """Return what may be shown of a score while scripts can follow."""
    return standing or round_score(score, error)


def format_score(score: float | None, error: float | None = None) -> str:
    """Return a score with its standard error as a person reads it, `-` when there is none."""
    rounded = round_score(score, error)
    if rounded is None:
        return "-"
    if not _is_usable(error):
        return f"{rounded:.6g}"
    return f"{_write(rounded, error or 0.0)} ± {_write(error or 0.0, error or 0.0)}"


def format_claim(score: float | None) -> str:
    """Return what a script printed about itself, `-` when that is nothing; its own claim has nothing to hide."""
    return "-" if score is None else f"{score:.5g}"


def _is_usable(error: float | None) -> bool:
    return error is not None and error > 0 and math.isfinite(error)


def _decimals(error: float) -> int:
    """Return the decimals of the second significant digit of an error, negative for tens and more."""
    return 1 - int(f"{error:.1e}".partition("e")[2])


def _write(number: float, error: float) -> str:
    """Return a number to the second significant digit of an error, in powers of ten where it would get long."""
    decimals = _decimals(error)
    if decimals <= _MOST_DECIMALS and abs(number) < _LARGE:
        return f"{round(number, decimals):.{max(0, decimals)}f}"
    digits = 1 if number == 0 else math.floor(math.log10(abs(number))) + decimals + 1
    return f"{number:.{max(1, digits)}g}"
