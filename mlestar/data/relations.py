"""How auxiliary tables belong to the rows of train, in a line for each."""

from mlestar.data.statistics import ColumnStatistics, FileStatistics


def describe_relations(statistics: tuple[FileStatistics, ...], owned: tuple[str, ...]) -> tuple[str, ...]:
    """Say for each table besides those with a role by which key it can be joined, and how many rows a key has.

    Args:
        statistics: of every file of the input, with the columns that are shared with train.
        owned: the files that have a role.
    """
    tables = [file for file in statistics if file.rows is not None and file.file not in owned]
    return tuple(_describe(file) for file in tables)


def _describe(file: FileStatistics) -> str:
    keys = [column for column in file.columns if column.shared_with]
    if not keys:
        return f"{file.file}: no column has the values of a column of train, so nothing says how to join it"
    # The most specific key says the most.
    key = max(keys, key=lambda column: column.distinct)
    others = [column.name for column in keys if column is not key]
    more = f"; shares {', '.join(others[:5])} as well" if others else ""
    return f"{file.file}: joined by {_join(key)}, {_cardinality(file, key)}{more}"


def _join(key: ColumnStatistics) -> str:
    of_train = key.shared_with[0].rpartition(":")[2]
    return key.name if of_train == key.name else f"{key.name} = {of_train} of train"


def _cardinality(file: FileStatistics, key: ColumnStatistics) -> str:
    """Return whether a key has one row or several; of a large table the figures are those of a sample."""
    if file.sampled:
        return "rows for each key not counted (a large table)"
    if key.distinct == file.rows:
        return "one row for each key"
    mean = (file.rows or 0) / max(key.distinct, 1)
    return f"one to many: {mean:.1f} rows for each key on average"
