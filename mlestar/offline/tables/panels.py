"""Tables whose rows continue series: what a script is told of them."""

from collections.abc import Mapping
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
"""Columns that are tried as names of series, alone and up to three together."""
_SERIES_IN_ID = "series in the id"
"""Column of a script with the ids without their dates."""
_DATE_PERIODS = ((86_400.0, 3_600.0), (604_800.0, 86_400.0), (31_557_600.0, 2_629_800.0))
"""Days in hours, weeks in days and years in months: a period and the length of its parts, in seconds."""
_STEP_PERIODS = ((7.0, 1.0), (12.0, 1.0), (24.0, 1.0), (52.0, 1.0))
"""Periods of counters, which do not say what a step is."""
_DATE_LAGS = (604_800.0, 31_449_600.0)
"""A week, and the 52 weeks after which the same weekday is about a year old."""
_IMPORTS = ("from itertools import combinations, islice", "from scipy.optimize import nnls")


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
