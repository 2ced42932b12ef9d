"""How rows are withheld, and what the grader returns."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.holdout.rule import SplitRule

SplitKind = Literal["time", "group", "stratified", "random"]


class SplitPlan(BaseModel):
    """How train is divided so that the withheld rows differ from the rest as the real test differs from train."""

    model_config = ConfigDict(frozen=True)

    kind: SplitKind
    column: str | None = None
    """The time or group column of the train file."""
    group_rule: SplitRule | None = None
    """The part of a cell that names its group or time; None when the whole cell does."""
    fraction: float
    """Share of the train rows that is withheld (for `time`: of the rows before the cutoff and after it together)."""
    horizon: str | None = None
    """For `time`: the length of the real test period, in words."""
    span: float | None = None
    """For `time`: the length of the withheld period in seconds, or in steps of a counter."""
    gap: float = 0.0
    """For `time`: the distance between the last train row and the first test row, in the unit of `span`."""
    keep_duplicates: bool = False
    """Rows with equal features stay on one side."""
    evidence: tuple[str, ...] = ()
    """Why this split: one line each, with the numbers that were compared."""


class Grade(BaseModel):
    """The grader's result for one submission."""

    model_config = ConfigDict(frozen=True)

    score: float | None
    """None when the submission was rejected."""
    standard_error: float | None
    problem: str = ""
    """Why it was rejected: one message with row and column that a debugger can act on."""
    warnings: tuple[str, ...] = ()


class Comparison(BaseModel):
    """Two submissions for the same withheld rows, compared on the same resamples."""

    model_config = ConfigDict(frozen=True)

    difference: float
    """Positive when the submission is better than the baseline, whatever the metric's direction."""
    standard_error: float
    probability_better: float
    """Share of the resamples on which the submission is better; ties count half."""
