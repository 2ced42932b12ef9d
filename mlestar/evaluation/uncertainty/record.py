"""What is known of the uncertainty of a solution's predictions, as `result.json` holds it."""

import math
from statistics import NormalDist
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from mlestar.evaluation.uncertainty.conformal import Scale, needed_units
from mlestar.metrics.finite import Finite
from mlestar.metrics.precision import format_score

LEVELS = tuple(percent / 100 for percent in range(50, 100))
"""Levels with a stored quantile. A level between two of them gets the higher one, so never less than was asked for."""
CHECKED = (0.8, 0.9, 0.95)
"""Levels whose coverage is measured."""
SHOWN = (0.8, 0.95)
"""Those of the terminal."""
_CHANCE = 1 - NormalDist().cdf(2.0)
"""How likely chance alone makes a coverage seem too low: that of two standard errors. Chosen by judgement."""

UncertaintyKind = Literal["interval", "set", "none"]
UnitKind = Literal["rows", "groups", "blocks", "sets of like rows", "series", "periods"]
_TOLERANCE = 1e-9


class LevelCheck(BaseModel):
    """What the intervals or sets of one level are like on rows other than those that gave the quantile."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    level: float
    """The share of rows whose truth is to be inside."""
    width: Finite = None
    """Mean width of the intervals, in the unit of the target, or mean number of classes of the sets: on the fresh rows,
    or on the withheld rows where there are no fresh ones. None: there is no quantile, or a width is infinite."""
    coverage: Finite = None
    """The share of the fresh rows whose truth is inside; of grouped rows the mean over units."""
    coverage_se: Finite = None
    """Standard error that comes from the choice of the fresh rows."""
    quantile_se: Finite = None
    """Standard error of the coverage that comes from the choice of the withheld rows."""

    @property
    def shortfall(self) -> float:
        """Return by how many standard errors fewer fresh rows are inside than stated; 0 where that is unknown."""
        if self.coverage is None or self.coverage_se is None or self.quantile_se is None:
            return 0.0
        error = math.hypot(self.coverage_se, self.quantile_se)
        return (self.level - self.coverage) / error if error else 0.0


class TargetUncertainty(BaseModel):
    """The intervals or sets of one target."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    target: str
    quantiles: tuple[Finite, ...] = ()
    """One for each of `Uncertainty.levels`; see `Scale`. None: the withheld rows are too few for this level."""
    checks: tuple[LevelCheck, ...] = ()


class Uncertainty(BaseModel):
    """Intervals or sets of classes with stated coverage for the predictions of a solution."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: UncertaintyKind
    reason: str = ""
    """Why there are none."""
    scale: Scale = "value"
    units: UnitKind = "rows"
    """What is drawn as a whole: the rows of a group are alike, and later rows are not like earlier ones."""
    withheld_rows: int = 0
    """Rows whose predictions gave the quantiles; the search had chosen the solution by them."""
    withheld_units: int = 0
    fresh_rows: int = 0
    """Rows on which the coverage was measured; only the choice among the finalists used them."""
    fresh_units: int = 0
    blind: bool = False
    """The search had none of the fresh rows."""
    levels: tuple[float, ...] = ()
    targets: tuple[TargetUncertainty, ...] = ()
    unseen_classes: int = 0
    """Classes that no withheld row has."""

    @model_validator(mode="after")
    def _check_lengths(self) -> "Uncertainty":
        if any(len(target.quantiles) != len(self.levels) for target in self.targets):
            msg = "a target has not one quantile for each level"
            raise ValueError(msg)
        return self

    @property
    def is_too_low(self) -> bool:
        """Return whether a target at a level covers fewer fresh rows than stated, beyond noise."""
        return any(self.falls_short(check) for target in self.targets for check in target.checks)

    def falls_short(self, check: LevelCheck) -> bool:
        """Return whether fewer fresh rows are inside than stated, beyond noise; of many targets some miss by chance."""
        return check.shortfall > NormalDist().inv_cdf(1 - _CHANCE / max(1, len(self.targets)))

    def place(self, coverage: float) -> int:
        """Return the position of the lowest stored level that is not below a coverage.

        Raises:
            ValueError: there is none, or the withheld rows are too few for it.
        """
        if not (self.levels and self.levels[0] - _TOLERANCE <= coverage <= self.levels[-1] + _TOLERANCE):
            msg = f"a coverage of {coverage:g} is not between {LEVELS[0]:g} and {LEVELS[-1]:g}"
            raise ValueError(msg)
        place = next(place for place, level in enumerate(self.levels) if level >= coverage - _TOLERANCE)
        if not self.has_quantiles(self.levels[place]):
            raise ValueError(self.shortage(self.levels[place]))
        return place

    def has_quantiles(self, level: float) -> bool:
        """Return whether every target has a quantile of a stored level."""
        place = self.levels.index(level)
        return all(target.quantiles[place] is not None for target in self.targets)

    def shortage(self, level: float) -> str:
        """Return why a level has no quantile."""
        name, needed = _percent(level), needed_units(level)
        if needed <= self.withheld_units:
            return f"{name}: the errors of too many withheld rows are infinite"
        return f"{name} needs {needed} withheld {self.units}, and there are {self.withheld_units}"

    def check_of(self, level: float) -> list[LevelCheck]:
        """Return the checks of a level, one for each target."""
        return [check for target in self.targets for check in target.checks if check.level == level]

    @property
    def summary(self) -> str:
        """Return the coverage of some levels, the mean over targets, in one line."""
        if self.kind == "none":
            return f"none: {self.reason}"
        return "; ".join(self._describe(level) for level in SHOWN)

    def _describe(self, level: float) -> str:
        checks = self.check_of(level)
        if not self.has_quantiles(level):
            return self.shortage(level)
        what = "classes" if self.kind == "set" else "wide"
        width = checks[0].width if len(checks) == 1 else None
        size = "" if width is None else f", {width:.3g} {what}"
        covered = [check.coverage for check in checks if check.coverage is not None]
        if not covered:
            return f"{_percent(level)}: not checked on fresh rows{size}"
        # Targets of the same rows are not independent: the mean of their errors is no smaller than that of their mean.
        error = sum(check.coverage_se or 0.0 for check in checks) / len(checks)
        share = format_score(100 * sum(covered) / len(covered), 100 * error)
        several = " on average over targets" if len(checks) > 1 else ""
        mark = ", too few" if any(map(self.falls_short, checks)) else ""
        return f"{_percent(level)}: {share} %{several}{mark}{size}"

    @property
    def rule(self) -> str:
        """Return how an interval or a set follows from a prediction and a quantile."""
        if self.kind == "none":
            return f"There are no intervals or sets: {self.reason}."
        if self.kind == "set":
            return "The set of a row has every class whose probability is at least 1 minus the quantile."
        if self.scale == "value":
            return "The interval of a row is its prediction plus and minus the quantile."
        logarithm = "logarithm of its prediction" if self.scale == "log" else "logarithm of 1 + its prediction"
        return f"The interval of a row is the {logarithm} plus and minus the quantile, taken back to a value."

    @property
    def promise(self) -> str:
        """Return for which rows the coverage is to be expected."""
        if self.units in ("periods", "series"):
            return "Nothing is promised for later times, when errors may be larger."
        if self.units == "rows":
            return "The coverage is promised on average over rows like the withheld ones, not for every kind of row."
        return f"The coverage is promised on average over new {self.units}, which count alike, not for every one."


def _percent(level: float) -> str:
    return f"{100 * level:.0f} %"
