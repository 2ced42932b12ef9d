"""Baselines in the result of a run, and what is said where one is as good as the winner."""

from pydantic import ConfigDict

from mlestar.metrics.precision import format_score
from mlestar.state import Baseline

BEYOND_NOISE = 2.0
"""Standard errors of a paired difference from which it is more than noise: as large differences of equal scripts occur
once in twenty. Chosen by judgement; not measured."""


def is_noise(difference: float, error: float) -> bool:
    """Return whether a difference is within what equal scripts differ by."""
    return abs(difference) <= BEYOND_NOISE * error


class BaselineRow(Baseline):
    """Something simple that was graded on the same rows as the solutions, without a model call."""

    model_config = ConfigDict(from_attributes=True)

    script: str | None = None
    """Path of the script, relative to the run folder; None where it was computed without one."""


def submitted_warning(row: BaselineRow | None, *, was_first: bool) -> str:
    """Return what was submitted in place of a script of the run, and why; a person may have chosen it."""
    what = f"a baseline ({row.name}: {row.how})" if row else "a baseline"
    if row is None or row.winner_gain is None or row.winner_gain >= 0:
        if row is not None and row.winner_gain is not None and was_first:
            return f"In place of the scripts of the run {what} was chosen."
        return f"No script of the run could be submitted, so {what} was."
    shown = format_score(-row.winner_gain, row.winner_gain_se)
    return f"No script of the run was better than {what}, so that was submitted: it is better by {shown}."


def winner_warning(row: BaselineRow) -> str:
    """Return a sentence where the winner is worse than a baseline, or not better beyond noise; else an empty text."""
    gain, error = row.winner_gain, row.winner_gain_se
    if gain is None or error is None or (gain > 0 and not is_noise(gain, error)):
        return ""
    if not is_noise(gain, error):
        return f"The {row.name} model is better than the winner: by {format_score(-gain, error)} on the same rows."
    shown = format_score(gain, error)
    return f"The winner is not better than the {row.name} model beyond noise: by {shown} on the same rows."
