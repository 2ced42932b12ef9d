"""Tables whose rows continue time series: the values with which a script forecasts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlestar.data.statistics import ColumnStatistics
from mlestar.offline.facts import Facts
from mlestar.offline.rendering import sort_imports
from mlestar.offline.tables.columns import treat_columns

# The limits below were chosen by judgement; none was measured.
_MIN_ROWS = 60
"""Rows of train below which there is too little history for backtests."""
_MIN_ROWS_OF_SERIES = 6
"""Rows of train per value of a column from which the column may identify series."""
_MOST_KEYS = 6
"""Columns that are tried as identifiers of series, alone and combined."""
_MOST_TOGETHER = 3
"""Columns that identify series in combination: with more, there are too many combinations to try."""
_SERIES_IN_ID = "series in the id"
"""Name, in a script, of the column that holds the ids without their dates."""
_DATE_PERIODS = ((86_400.0, 3_600.0), (604_800.0, 86_400.0), (31_557_600.0, 2_629_800.0))
"""Length of a period and of its parts, in seconds: days in hours, weeks in days, years in months."""
_STEP_PERIODS = ((7.0, 1.0), (12.0, 1.0), (24.0, 1.0), (52.0, 1.0))
"""The same for counters, whose unit is not known: in steps."""
_DATE_LAGS = (604_800.0, 31_449_600.0)
"""A week, and the 52 weeks that lead to the same weekday about a year before, in seconds."""
_IMPORTS = ("from itertools import combinations, islice", "from scipy.optimize import nnls")


@dataclass(frozen=True)
class History:
    """The numbers of `history.py.jinja`, chosen by judgement where no measurement is named.

    Its forecasts as a whole were compared with the model of the features on generated panels
    (`benchmarks/RESULTS.md`); single numbers were not varied, except `compared`.
    """

    decays: tuple[float, ...] = (3.0, 12.0, 50.0, 200.0)
    """Steps after which the weight of a row in a level or line is 1 / e; with daily steps: days, weeks, months, a
    season."""
    columns_together: int = _MOST_TOGETHER
    repeated: float = 0.01
    """Share of rows with the series and time of another row, below which the columns identify series."""
    rows_of_series: int = 8
    """Rows per series, on average, from which series have a history."""
    past_of_one: int = 4
    """Length of a single series, in lengths of the test, from which its forecasts can be compared by backtests."""
    compared: int = 2
    """Backtest windows on which members are compared. Measured: MAE 1.19 against 2.18 with one window."""
    many_rows: int = 10_000
    """Rows from which one window has enough rows, and two take too long."""
    time_share: float = 0.2
    """Share of the time limit after which no further window is compared, because all other fits follow."""
    rows_compared: int = 20
    """Rows in backtest windows below which errors are too uncertain: all members get the same weight."""
    steps: int = 10
    """Steps of the grid of weights, which then has 286 points with four members."""
    as_good: float = 0.02
    """Relative difference from the lowest error up to which a point of the grid enters the mean of the weights."""
    least_weight: float = 0.05
    """Half a step of the grid: members with less weight are not fitted."""
    sum_weight: int = 10
    """Weight of the equation that the weights of the forecasts sum to one, relative to all other equations together.
    With ten the sum differs from one by about a hundredth at most; the weights are divided by it afterwards."""
    longest: float = 0.6
    """Share of a series that one window may cover, so that a history is left before it."""
    without_test: float = 0.1
    """Share of a series that a window covers where the test has no later rows of any series."""
    divided: float = 0.75
    """Share of a series that all windows cover together; the first quarter is only history."""
    most_windows: int = 12
    """Windows that give enough rows to learn from; each needs forecasts of all series."""
    longest_gap: float = 0.9
    """Longest gap between the known rows and the first asked row, as a share of the window, so that rows are left."""
    gap_kept: float = 0.99
    """Share of the gap by which a row must follow the known rows: times are not exact."""
    rows_before: int = 3
    """Known rows of a series from which it has a level and a line."""
    lag_error: float = 0.6
    """Largest distance of a row from the time of a lag, in steps: half a step, and a tolerance as times are not
    exact."""
    mean_rows: float = 0.5
    """Weight of the mean of the whole series in a level, in rows; it matters where few rows are near the end."""
    parts_of_season: int = 3
    """Rows per season below which a season cannot be estimated."""
    seasons: int = 2
    """Whole seasons from which a season can be distinguished from a trend."""
    clear_season: float = 0.8
    """Share of a season's variance that is not noise from which a season of a counter, whose unit is not known, is
    used."""
    common_rows: int = 3
    """Weight of the season of all series in that of one series, in rows."""


def add_history(facts: Facts, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a script's template, with those for forecasts of series where the test continues series."""
    if not _continues(facts, values):
        return {**values, "panel": False}
    in_id = values["date_inside"] and facts.split.column == facts.spec.id
    dated = values["clock"] == "date" or bool(values["calendar_code"])
    return {
        **values,
        "panel": True,
        "plain": False,  # it has more feature columns than numbers and categories
        "steps": ["place_in_series", *values["steps"]],
        "history": History(),
        "keys": [] if values["series_code"] else [*([_SERIES_IN_ID] if in_id else []), *_keys(facts)],
        "series_in_id": in_id,
        "periods": list(_DATE_PERIODS if dated else _STEP_PERIODS),
        "lags": list(_DATE_LAGS if dated else ()),
        "imports": sort_imports({*values["imports"], *_IMPORTS}),
    }


def _continues(facts: Facts, values: Mapping[str, Any]) -> bool:
    """Return whether the test has later rows of the series in train, and one number is predicted for each row."""
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
    """Return the columns that may identify series: categories before whole numbers, many values before few."""
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
