"""Which auxiliary tables can be joined, and by which columns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.offline.facts import Facts

_DATE_LENGTH = 10
"""Characters of an ISO date."""
_SUMMARIES = ("std", "min", "max", "last")
"""Statistics that a script computes of the numbers of each key, besides their mean."""
_MANY = 1.25
"""Mean number of rows per key from which numbers get these statistics. Chosen by judgement; not measured."""
_MOST_SUMMARIZED = 40
"""Most columns that get these statistics. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Join:
    """A table whose columns are looked up for every row."""

    file: str
    keys: dict[str, tuple[str, int | None]]
    """Its key columns, each with the train column that matches it and the number of leading characters to compare."""
    columns: dict[str, str]
    """Its other columns and their new names."""
    statistics: tuple[ColumnStatistics, ...]
    """Of those columns and of the summaries, under their new names."""
    summarized: tuple[str, ...] = ()
    """New names of the numeric columns with further statistics, since a key has several rows."""


def find_joins(facts: Facts) -> tuple[Join, ...]:
    """Return a join for every auxiliary table that shares key columns with train."""
    taken = {column.name for column in facts.test_columns} | {facts.spec.id, *facts.spec.target}
    joins: list[Join] = []
    for name in facts.spec.auxiliary:
        file = facts.files.get(name)
        join = _join(facts, file, taken) if file else None
        if join:
            joins.append(join)
            taken |= set(join.columns.values())
    return tuple(joins)


def _join(facts: Facts, file: FileStatistics, taken: set[str | None]) -> Join | None:
    usable = {column.name for column in facts.test_columns} | {facts.spec.id}
    keys: dict[str, tuple[str, int | None]] = {}
    for column in file.columns:
        matches = [name.removeprefix(f"{facts.spec.train}:") for name in column.shared_with]
        matches = [name for name in matches if name in usable]
        if matches:
            best = column.name if column.name in matches else matches[0]
            keys[column.name] = (best, _compared_length(column, facts.column(best)))
    left_out = {*keys, *facts.spec.target, *facts.spec.train_only}
    others = [column for column in file.columns if column.name not in left_out]
    if not keys or not others:
        return None
    stem = file.file.rsplit("/", 1)[-1].split(".")[0]
    columns = {column.name: f"{stem} {column.name}" if column.name in taken else column.name for column in others}
    statistics = tuple(column.model_copy(update={"name": columns[column.name], "shared_with": ()}) for column in others)
    summarized: tuple[str, ...] = ()
    if len(keys) == 1 and _mean_rows(facts, file, next(iter(keys))) >= _MANY:
        numbers = [column for column in statistics if column.kind in ("int", "float") and not column.number_format]
        summarized = tuple(column.name for column in numbers[:_MOST_SUMMARIZED])
        statistics += tuple(_describe_summaries(numbers[:_MOST_SUMMARIZED]))
    return Join(file.file, keys, columns, statistics, summarized)


def _mean_rows(facts: Facts, file: FileStatistics, key: str) -> float:
    """Return the mean number of rows per key; 1 where the prompt does not give the number of rows."""
    match = re.search(rf"^{re.escape(file.file)}: [^\n]*?(\d+) rows", facts.text("files"), re.MULTILINE)
    distinct = next(column.distinct for column in file.columns if column.name == key)
    return int(match[1]) / max(distinct, 1) if match else 1.0


def _describe_summaries(numbers: Iterable[ColumnStatistics]) -> Iterable[ColumnStatistics]:
    for column in numbers:
        changes = {"kind": "float", "minimum": None, "maximum": None, "missing_codes": ()}
        yield from (column.model_copy(update={"name": f"{column.name} {kind}", **changes}) for kind in _SUMMARIES)


def _compared_length(key: ColumnStatistics, column: ColumnStatistics | None) -> int | None:
    """Return how many leading characters to compare: times are matched with a table of days by their date."""
    if column is None or key.kind != "date" or column.kind != "date":
        return None
    key_is_day = all(len(value) == _DATE_LENGTH for value in key.examples)
    column_is_time = any(len(value) > _DATE_LENGTH for value in column.examples)
    return _DATE_LENGTH if key_is_day and column_is_time else None
