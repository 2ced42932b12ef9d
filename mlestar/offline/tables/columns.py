"""How each column is treated."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlestar.data.statistics import ColumnStatistics
from mlestar.data.tables.numbers import NumberStyle
from mlestar.offline.facts import Facts
from mlestar.offline.tables.joins import Join, find_joins
from mlestar.offline.tables.written_dates import find_format, is_quarter

SEPARATORS = ("/", "|", ";", "_", ":", "-", ",")
_MANY_VALUES = 20
"""Distinct values from which a category gets a count of its values as a feature. Chosen by judgement; not measured."""
_MAX_DISTINCT_SHARE = 0.3
"""Distinct values per row up to which values repeat often enough to learn from. Chosen by judgement; not measured."""
_MIN_WORDS = 3.0
"""Mean number of words from which a column is text. Chosen by judgement; not measured."""
_MIN_GROUPS = 50
"""Distinct values above which the beginning of a value may identify a group. Chosen by judgement; not measured."""
_MIN_COMPOSITES = 12
"""Distinct values above which a separator in all of them is not a coincidence. Chosen by judgement; not measured."""
_MAX_SEPARATORS = 5
"""Separators in one composite value. Chosen by judgement; not measured."""
_MIN_LETTERS = 0.5
"""Share of letters in the values of a column from which they are text or a formula, and not codes. Chosen by judgement;
not measured."""
_DIGEST = re.compile(r"[0-9a-fA-F-]{6,}")
_MIN_AMOUNT = 100
"""Largest value and number of distinct values above which a column may hold amounts. Chosen by judgement; not
measured."""


@dataclass(frozen=True)
class FeatureColumns:
    """The feature columns by treatment; a column may be in more than one list."""

    numbers: list[str]
    categories: list[str]
    dates: list[str]
    texts: list[str]
    parts: dict[str, str]
    """Composite texts and their separators."""
    groups: dict[str, str]
    """Columns whose beginning identifies a group of rows, and the separator after it; with a space, the last word
    identifies the group."""
    lists: dict[str, str]
    """Columns whose cells are lists of a few values, and the separator of these."""
    amounts: list[str]
    """Non-negative numbers whose sum is meaningful."""
    wide: list[str] = field(default_factory=list)
    """Categories with many distinct values, whose counts are features."""
    joins: tuple[Join, ...] = ()
    cut: bool = False
    """There are more columns, whose names the prompt does not list."""
    formats: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)
    """Of columns of numbers in another notation than Python's: the decimal mark, a pattern of the thousands separators,
    and the other texts that are removed."""
    date_formats: dict[str, str] = field(default_factory=dict)
    """Formats of dates that begin with the day or the month."""
    quarters: bool = False
    """Some dates are quarters, which scripts read as their first month."""
    codes: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    """Codes for missing values and the columns that have them."""

    @property
    def steps(self) -> list[str]:
        """The functions of a script that make features, in order."""
        table: list[tuple[str, object]] = [
            ("number_features", self.numbers),
            ("category_features", self.categories),
            ("frequency_features", self.wide),
            ("date_features", self.dates),
            ("part_features", self.parts),
            ("list_features", self.lists),
            ("group_features", self.groups),
            ("amount_features", self.amounts[1:]),
            ("text_features", self.texts),
            ("other_features", self.cut),
        ]
        return [name for name, columns in table if columns]

    @property
    def count(self) -> int:
        """The approximate number of features."""
        return len(self.numbers) + len(self.categories) + len(self.parts) + 6 * len(self.dates)


def treat_columns(facts: Facts) -> FeatureColumns:
    """Return the treatment of each column, decided from its statistics."""
    joins = find_joins(facts)
    all_columns = [*facts.test_columns, *(column for join in joins for column in join.statistics)]
    written = {column.name: date_format for column in all_columns if (date_format := find_format(column))}
    columns = [column for column in all_columns if column.name not in written]
    join_keys = {key for join in joins for key, _ in join.keys.values()}
    max_distinct = max(_MANY_VALUES, _MAX_DISTINCT_SHARE * facts.spec.train_rows)
    id_column = facts.column(facts.spec.id)
    with_id = [*columns, id_column] if id_column else columns
    # In some tables the only content is a text that also identifies the row.
    may_be_texts = columns if all_columns else with_id
    lists = {column.name: column.list_separator for column in columns if column.list_separator}
    composites = [column for column in columns if column.kind in ("category", "id", "path")]
    return FeatureColumns(
        numbers=[column.name for column in columns if column.kind in ("int", "float") or _is_counter(column)],
        categories=[column.name for column in columns if _is_category(column, max_distinct) or _is_code(column)],
        dates=[column.name for column in all_columns if column.kind == "date" or column.name in written],
        texts=[
            column.name
            for column in may_be_texts
            if column.name not in lists and (_is_text(column) or _is_written(column, max_distinct))
        ],
        parts={column.name: sign for column in composites if (sign := separator(column)) and column.name not in lists},
        groups={column.name: sign for column in with_id if (sign := _group_separator(column))},
        lists=lists,
        amounts=[column.name for column in columns if _is_amount(column) and column.name not in join_keys],
        wide=[column.name for column in columns if column.kind == "category" and column.distinct > _MANY_VALUES],
        joins=joins,
        cut=facts.cut_columns,
        formats=_number_formats(facts, columns),
        date_formats=written | {column.name: column.date_format for column in columns if column.date_format},
        quarters=any(is_quarter(column) for column in all_columns),
        codes=_group_by_codes(columns),
    )


def _number_formats(facts: Facts, columns: Sequence[ColumnStatistics]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return the formats of numbers in another notation than Python's, of targets and the column of the split too."""
    also = [column for column in (facts.column(facts.split.column),) if column]
    texts = {column.name: column.number_format for column in (*columns, *also)}
    texts |= facts.spec.number_formats
    styles = {name: NumberStyle.of_text(text) for name, text in texts.items() if text}
    return {name: (style.decimal, style.grouping, style.dropped) for name, style in styles.items()}


def _group_by_codes(columns: Sequence[ColumnStatistics]) -> dict[tuple[str, ...], list[str]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for column in columns:
        if column.missing_codes:
            groups.setdefault(column.missing_codes, []).append(column.name)
    return groups


def separator(column: ColumnStatistics) -> str:
    """Return the separator of composite texts; empty where the examples have no common one."""
    for sign in SEPARATORS:
        counts = {value.count(sign) for value in column.examples}
        same_count = len(counts) == 1 and 0 < min(counts) <= _MAX_SEPARATORS
        parts = [part for value in column.examples for part in value.split(sign)]
        words = all(re.fullmatch(r"[\w.+-]+", part) for part in parts)
        if same_count and words and column.distinct > _MIN_COMPOSITES:
            return sign
    return ""


def _group_separator(column: ColumnStatistics) -> str:
    """Return the separator after the part of a value that identifies a group of rows; empty where there is none."""
    if column.kind not in ("id", "category", "path") or column.distinct <= _MIN_GROUPS:
        return ""
    sign = separator(column)
    if sign or column.kind != "category":
        return sign
    return " " if all(len(value.split()) >= 2 for value in column.examples) else ""


def _is_category(column: ColumnStatistics, max_distinct: float) -> bool:
    return column.kind in ("category", "bool") and column.distinct <= max_distinct


def _is_counter(column: ColumnStatistics) -> bool:
    """Return whether a column named like an id holds numbers: their order may follow time or position."""
    return column.kind == "id" and _number(column.minimum) is not None


def _is_code(column: ColumnStatistics) -> bool:
    """Return whether a column of whole numbers is named like a code, whose values identify something."""
    return column.kind == "int" and bool(re.search(r"(?:^|_)(?:id|code|type|zip)$|I[dD]$", column.name))


def _is_text(column: ColumnStatistics) -> bool:
    return column.kind == "text" or (column.kind == "category" and column.words >= _MIN_WORDS)


def _is_written(column: ColumnStatistics, max_distinct: float) -> bool:
    """Return whether values that are too many for categories are short texts: names, queries, formulas."""
    if column.kind not in ("category", "id") or column.minimum is not None or column.distinct <= max_distinct:
        return False
    signs = "".join("".join(value.split()) for value in column.examples)
    letters = sum(sign.isalpha() or not sign.isascii() for sign in signs)
    digests = all(_DIGEST.fullmatch(value) for value in column.examples)
    return letters >= _MIN_LETTERS * max(len(signs), 1) and not digests and not separator(column)


def _is_amount(column: ColumnStatistics) -> bool:
    low, high = _number(column.minimum), _number(column.maximum)
    if column.kind not in ("int", "float") or low is None or high is None:
        return False
    return low == 0 and high > _MIN_AMOUNT and column.distinct > _MIN_AMOUNT


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
