"""Tables whose rows continue series: what a script is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlestar.data.statistics import ColumnStatistics
from mlestar.offline.facts import Facts
from mlestar.offline.rendering import sort_imports
from mlestar.offline.tables.columns import treat_columns

# The limits below were chosen by judgement; none was measured.
_MIN_ROWS = 60
"""Rows of train below which there is too little history to learn from forecasts of the past."""
_MIN_ROWS_OF_SERIES = 6
"""Rows of train for each value of a column from which the column may name series."""
_MOST_KEYS = 6
"""Columns that are tried as names of series, alone and several together."""
_MOST_TOGETHER = 3
"""Columns that name series together: more are tried in too many combinations."""
_SERIES_IN_ID = "series in the id"
"""Column of a script with the ids without their dates."""
_DATE_PERIODS = ((86_400.0, 3_600.0), (604_800.0, 86_400.0), (31_557_600.0, 2_629_800.0))
"""Days in hours, weeks in days and years in months: a period and the length of its parts, in seconds."""
_STEP_PERIODS = ((7.0, 1.0), (12.0, 1.0), (24.0, 1.0), (52.0, 1.0))
"""Periods of counters, which do not say what a step is."""
_DATE_LAGS = (604_800.0, 31_449_600.0)
"""A week, and the 52 weeks after which the same weekday is about a year old."""
_IMPORTS = ("from itertools import combinations, islice", "from scipy.optimize import nnls")


@dataclass(frozen=True)
class History:
    """The numbers of `history.py.jinja`, chosen by judgement where nothing else is said.

    Generated panels were used to compare its forecasts as a whole with the model of the features
    (`benchmarks/RESULTS.md`); single numbers were not varied, except `compared`.
    """

    reaches: tuple[float, ...] = (3.0, 12.0, 50.0, 200.0)
    """Steps after which a row counts for a third in a level or line: days and weeks, months and a season of days."""
    columns_together: int = _MOST_TOGETHER
    repeated: float = 0.01
    """Share of rows with the series and time of another one, below which the columns name series."""
    rows_of_series: int = 8
    """Rows of a series, on average, from which it has a history."""
    past_of_one: int = 4
    """Length of a single series, in lengths of the test, from which forecasts of its past can be compared."""
    compared: int = 2
    """Stretches of the past on which members are compared. Measured: MAE 1.19 against 2.18 with one stretch."""
    many_rows: int = 10_000
    """Rows from which one stretch has enough rows, and two take too long."""
    time_share: float = 0.2
    """Share of the time limit after which no further stretch is compared: all other fits follow."""
    rows_compared: int = 20
    """Rows below which an error on stretches says nothing: all members have the same weight."""
    steps: int = 10
    """Steps of the grid of weights, so that it has 286 places with four members."""
    as_good: float = 0.02
    """Share by which an error may be larger than the least one; the weights of all such places are averaged."""
    least_weight: float = 0.05
    """Half a step of the grid: members with less weight are not fitted."""
    sum_weight: int = 10
    """Weight of the equation that the weights of the forecasts have sum one, in units of all other equations together.
    Ten makes the sum differ from one by about a hundredth at most; they are divided by it afterwards."""
    longest: float = 0.6
    """Share of a series that one stretch may cover, so that a history is left before it."""
    without_test: float = 0.1
    """Share of a series that a stretch covers where the test has no later rows of any series."""
    divided: float = 0.75
    """Share of a series that all stretches cover together; the first quarter is history alone."""
    most_stretches: int = 12
    """Enough rows to learn from; each costs the forecasts of all series."""
    longest_gap: float = 0.9
    """Share of a stretch that may lie between the known rows and the first one asked for, so that rows are left."""
    gap_kept: float = 0.99
    """Share of the gap that a row must be away: times are not exact."""
    rows_before: int = 3
    """Known rows of a series from which it has a level and a line."""
    lag_error: float = 0.6
    """Steps by which the row of a lag may be away: half a step, and a little because times are not exact."""
    mean_rows: float = 0.5
    """Rows for which the mean of the whole series counts in a level, which matters where few rows are near its end."""
    parts_of_season: int = 3
    """Rows in a season below which it cannot be seen."""
    seasons: int = 2
    """Whole seasons from which one can be told from a change over time."""
    clear_season: float = 0.8
    """Share of a season's differences that is no noise, from which a period that is only tried is used."""
    common_rows: int = 3
    """Rows for which the season of all series counts in that of one."""


def add_history(facts: Facts, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a script's template, with those by which it forecasts series where rows continue them."""
    if not _continues(facts, values):
        return {**values, "panel": False}
    in_id = values["date_inside"] and facts.split.column == facts.spec.id
    dated = values["clock"] == "date" or bool(values["calendar_code"])
    return {
        **values,
        "panel": True,
        "plain": False,  # its columns are not only numbers and categories as they are
        "steps": ["place_in_series", *values["steps"]],
        "history": History(),
        "keys": [] if values["series_code"] else [*([_SERIES_IN_ID] if in_id else []), *_keys(facts)],
        "series_in_id": in_id,
        "periods": list(_DATE_PERIODS if dated else _STEP_PERIODS),
        "lags": list(_DATE_LAGS if dated else ()),
        "imports": sort_imports({*values["imports"], *_IMPORTS}),
    }


def _continues(facts: Facts, values: Mapping[str, Any]) -> bool:
    """Return whether the test has later rows of what train has, and one number is predicted for each."""
    split = facts.split
    if values["rule"] != "values" or values["targets"] > 1 or facts.spec.train_rows < _MIN_ROWS:
        return False
    is_known = split.column is not None and {*split.keys} <= {column.name for column in _test_columns(facts)}
    if split.kind == "series":
        return is_known
    return split.kind == "time" and is_known and (split.column != facts.spec.id or split.group_rule is not None)


def _test_columns(facts: Facts) -> list[ColumnStatistics]:
    """Return the columns of both files, the id included."""
    id_column = facts.column(facts.spec.id)
    return [*facts.test_columns, *([id_column] if id_column else [])]


def _keys(facts: Facts) -> list[str]:
    """Return the columns that may name series: names before whole numbers, many values before few."""
    columns, split = treat_columns(facts), facts.split
    most = facts.spec.train_rows / _MIN_ROWS_OF_SERIES
    named = {*columns.categories, *columns.wide}
    candidates = [
        column
        for column in facts.test_columns
        if column.name not in split.keys
        and 1 < column.distinct <= most
        and (column.name in named or column.kind in ("int", "id", "category"))
    ]
    candidates.sort(key=lambda column: (column.name not in named, -column.distinct))
    return [column.name for column in candidates[:_MOST_KEYS]]
