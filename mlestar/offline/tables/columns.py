"""What each column is treated as."""

import re
from dataclasses import dataclass, field

from mlestar.data.statistics import ColumnStatistics
from mlestar.offline.facts import Facts
from mlestar.offline.tables.joins import Join, find_joins

SEPARATORS = ("/", "|", ";", "_", ":", "-", ",")
_WIDE = 20
_REPEATED = 0.3
"""Distinct values per row up to which a value occurs often enough to be learned from."""
_WORDS = 3.0
"""Mean number of words from which a column is read as text."""


@dataclass(frozen=True)
class Columns:
    """The feature columns by treatment; a column may stand in more than one list."""

    numbers: list[str]
    categories: list[str]
    dates: list[str]
    texts: list[str]
    parts: dict[str, str]
    """Composite texts and their separators."""
    groups: dict[str, str]
    """Columns whose beginning (with a blank as separator: whose last word) names a group of rows, and the separator."""
    amounts: list[str]
    """Numbers from zero upwards that may be added up."""
    wide: list[str] = field(default_factory=list)
    """Categories of many values: how often one occurs counts, not which it is."""
    joins: tuple[Join, ...] = ()

    @property
    def steps(self) -> list[str]:
        """The functions of a script that make features, in order."""
        table: list[tuple[str, object]] = [
            ("number_features", self.numbers),
            ("category_features", self.categories),
            ("frequency_features", self.wide),
            ("date_features", self.dates),
            ("part_features", self.parts),
            ("group_features", self.groups),
            ("amount_features", self.amounts[1:]),
            ("text_features", self.texts),
        ]
        return [name for name, wanted in table if wanted]

    @property
    def count(self) -> int:
        return len(self.numbers) + len(self.categories) + len(self.parts) + 6 * len(self.dates)


def treat_columns(facts: Facts) -> Columns:
    """Decide from the statistics what each column is."""
    joins = find_joins(facts)
    most = max(_WIDE, _REPEATED * facts.spec.train_rows)
    columns = [*facts.test_columns, *(statistics for join in joins for statistics in join.statistics)]
    looked_up = {key for join in joins for key, _ in join.keys.values()}
    named = facts.column(facts.spec.id)
    parts = {c.name: s for c in columns if c.kind in ("category", "id", "path") and (s := separator(c))}
    groups = {c.name: s for c in [*columns, *([named] if named else [])] if (s := _group_separator(c))}
    return Columns(
        numbers=[c.name for c in columns if c.kind in ("int", "float") or _is_counter(c)],
        categories=[c.name for c in columns if (c.kind in ("category", "bool") and c.distinct <= most) or _is_code(c)],
        dates=[c.name for c in columns if c.kind == "date"],
        texts=[c.name for c in columns if _is_text(c)],
        parts=parts,
        groups=groups,
        amounts=[c.name for c in columns if _is_amount(c) and c.name not in looked_up],
        wide=[c.name for c in columns if c.kind == "category" and c.distinct > _WIDE],
        joins=joins,
    )


def separator(column: ColumnStatistics) -> str:
    """Return the separator of composite texts, empty when the examples do not agree on one."""
    for sign in SEPARATORS:
        counts = {value.count(sign) for value in column.examples}
        tight = all(re.fullmatch(r"[\w.+-]+", part) for value in column.examples for part in value.split(sign))
        if len(counts) == 1 and 0 < counts.pop() <= 5 and tight and column.distinct > 12:
            return sign
    return ""


def _group_separator(column: ColumnStatistics) -> str:
    if column.kind in ("id", "category", "path") and column.distinct > 50:
        sign = separator(column)
        if sign or column.kind != "category":
            return sign
        return " " if all(len(value.split()) >= 2 for value in column.examples) else ""
    return ""


def _is_counter(column: ColumnStatistics) -> bool:
    """A column that is named like an id but holds numbers in order may still tell the time or place of a row."""
    return column.kind == "id" and _number(column.minimum) is not None


def _is_code(column: ColumnStatistics) -> bool:
    """Whole numbers that name something: an identifier by name, with many rows for each."""
    return column.kind == "int" and bool(re.search(r"(?:^|_)(?:id|code|type|zip)$|I[dD]$", column.name))


def _is_text(column: ColumnStatistics) -> bool:
    return column.kind == "text" or (column.kind == "category" and column.words >= _WORDS)


def _is_amount(column: ColumnStatistics) -> bool:
    low, high = _number(column.minimum), _number(column.maximum)
    numeric = column.kind in ("int", "float") and low is not None and high is not None
    return numeric and low == 0 and high is not None and high > 100 and column.distinct > 100


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
