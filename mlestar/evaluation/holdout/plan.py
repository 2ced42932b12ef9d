"""How rows are withheld, and what the grader returns."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from mlestar.errors import clean_text
from mlestar.evaluation.holdout.protocol import validation_code
from mlestar.evaluation.holdout.rule import SplitRule

SplitKind = Literal["time", "series", "group", "space", "stratified", "random"]
"""`series`: the last rows of each series are withheld; `space`: blocks of neighbouring places."""


class SplitPlan(BaseModel):
    """How train is divided so that the withheld rows differ from the rest as the real test differs from train."""

    model_config = ConfigDict(frozen=True)

    kind: SplitKind
    column: str | None = None
    """The time or group column of the train file; the first one where several count."""
    columns: tuple[str, ...] = ()
    """All columns that together give the time, the group or the place, where these are several; for `keep_duplicates`
    the columns that are compared, where not all are."""
    series: tuple[str, ...] = ()
    """For `series`: the columns that name a row's series. `column` has the time."""
    series_rule: SplitRule | None = None
    """For `series`: the part of a cell that names its series."""
    new_share: float = 0.0
    """For `series`: the share of the test rows whose series train does not have."""
    widths: tuple[float, ...] = ()
    """For `space`, the size of a block along each of `columns`; for `keep_duplicates`, the distance along each of
    `columns` within which rows count as copies."""
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

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the columns that give the time, the group or the place."""
        return self.columns or ((self.column,) if self.column else ())

    @property
    def by(self) -> str:
        """Return the columns in words, empty where no column counts."""
        if self.kind in ("stratified", "random"):
            return ""
        names = " + ".join(self.keys)
        return f"{' + '.join(self.series)} over {names}" if self.series else names

    @property
    def code(self) -> str:
        """Return Python functions by which a script validates alike; empty where the words of the plan say all."""
        return validation_code(self)


class Grade(BaseModel):
    """The grader's result for one submission."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    score: float | None
    """None when the submission was rejected."""
    standard_error: float | None
    problem: Annotated[str, AfterValidator(clean_text)] = ""
    """Why it was rejected: one message with row and column that a debugger can act on."""
    warnings: tuple[str, ...] = ()


class Comparison(BaseModel):
    """Two submissions for the same withheld rows, compared on the same resamples."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    difference: float
    """Positive when the submission is better than the baseline, whatever the metric's direction."""
    standard_error: float
    probability_better: float
    """Share of the resamples on which the submission is better; ties count half."""
