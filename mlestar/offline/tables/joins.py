"""Which auxiliary tables can be joined, and by which columns."""

from dataclasses import dataclass

from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.offline.facts import Facts

_DAY = 10
"""Characters of an ISO date."""


@dataclass(frozen=True)
class Join:
    """A table whose columns are looked up for every row."""

    file: str
    keys: dict[str, tuple[str, int | None]]
    """Its key columns, each with the train column it is found by and how many leading characters of that count."""
    columns: dict[str, str]
    """Its other columns and the names they get."""
    statistics: tuple[ColumnStatistics, ...]
    """Those columns under their new names."""


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
        links = [link.removeprefix(f"{facts.spec.train}:") for link in column.shared_with]
        links = [link for link in links if link in usable]
        if links:
            best = column.name if column.name in links else links[0]
            keys[column.name] = (best, _leading(column, facts.column(best)))
    hidden = {*facts.spec.target, *facts.spec.train_only}
    others = [column for column in file.columns if column.name not in keys and column.name not in hidden]
    if not keys or not others:
        return None
    stem = file.file.rsplit("/", 1)[-1].split(".")[0]
    columns = {c.name: f"{stem} {c.name}" if c.name in taken else c.name for c in others}
    statistics = tuple(c.model_copy(update={"name": columns[c.name], "shared_with": ()}) for c in others)
    return Join(file.file, keys, columns, statistics)


def _leading(key: ColumnStatistics, wanted: ColumnStatistics | None) -> int | None:
    """A table of days is looked up by the day of a time."""
    if wanted is None or key.kind != "date" or wanted.kind != "date":
        return None
    short = all(len(value) == _DAY for value in key.examples)
    return _DAY if short and any(len(value) > _DAY for value in wanted.examples) else None
