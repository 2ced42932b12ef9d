"""How numbers and dates are written in train and in test: decided from both, since a script reads both alike."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlestar.data.missing import MissingRules
from mlestar.data.statistics import MISSING, ColumnStatistics, FileStatistics, known_codes, table_statistics
from mlestar.data.tables import Table
from mlestar.errors import TaskError

_MAX_VALUES = 10_000
"""Different values of a column that are compared. Chosen by judgement; not measured."""
_KINDS = ("int", "float", "id", "date")


def describe_alike(
    statistics: Sequence[FileStatistics],
    tables: Mapping[str, Table],
    files: tuple[str, str],
    rows: np.ndarray | None,
    rules: MissingRules,
) -> tuple[FileStatistics, ...]:
    """Describe train and test again where a column seems to be written in two ways.

    Args:
        statistics: of each table by itself.
        tables: by name.
        files: the names of train and test.
        rows: the rows of train that are described, None for all.
        rules: what is known of codes for missing values in train.

    Raises:
        TaskError: a column cannot be read in one way in both files.
    """
    described = {file.file: file for file in statistics}
    if not all(name in described and name in tables for name in files) or files[0] == files[1]:
        return tuple(statistics)
    train, test = (described[name] for name in files)
    known = {column.name: column for column in train.columns}
    pairs = [(known[column.name], column) for column in test.columns if column.name in known]
    for left, right in pairs:
        if {left.kind, right.kind} == {"bool", "int"}:
            raise TaskError(_two_forms(left, right, files))
    names = [left.name for left, right in pairs if _differ(left, right) and _in_both(left.name, tables, files)]
    if not names:
        return tuple(statistics)
    codes = MissingRules(known=known_codes(train), guess=False)
    of_train, of_test = (_values(tables[name].frame, names, known) for name in files)
    described[train.file] = table_statistics(train.file, tables[train.file], rows, rules, of_test)
    described[test.file] = table_statistics(test.file, tables[test.file], rules=codes, also=of_train)
    for left, right in pairs:
        if left.name in names:
            _refuse_two_forms(left, right, described[test.file], files)
    return tuple(described[file.file] for file in statistics)


def _differ(left: ColumnStatistics, right: ColumnStatistics) -> bool:
    if left.kind not in _KINDS or right.kind not in _KINDS or (left.kind == "date") != (right.kind == "date"):
        return False
    return (left.number_format, left.date_format) != (right.number_format, right.date_format)


def _in_both(name: str, tables: Mapping[str, Table], files: tuple[str, str]) -> bool:
    """Return whether a name is that of a column, not of a field of nested objects."""
    return all(name in tables[file].columns for file in files)


def _values(
    frame: pd.DataFrame, names: Sequence[str], known: Mapping[str, ColumnStatistics]
) -> dict[str, tuple[str, ...]]:
    """Return the different values of each column, without missing ones and codes for them."""
    values: dict[str, tuple[str, ...]] = {}
    for name in names:
        missing = {*MISSING, *known[name].missing_codes}
        different = [value for value in frame[name].unique() if value.strip() not in missing]
        values[name] = tuple(different[:: max(1, len(different) // _MAX_VALUES)])
    return values


def _refuse_two_forms(
    left: ColumnStatistics, right: ColumnStatistics, test: FileStatistics, files: tuple[str, str]
) -> None:
    together = next(column for column in test.columns if column.name == left.name)
    # Only numbers have a minimum in every style; texts may count as ids.
    one_form = bool(together.date_format) if right.kind == "date" else together.minimum is not None
    if not one_form:
        raise TaskError(_two_forms(left, right, files))


def _two_forms(left: ColumnStatistics, right: ColumnStatistics, files: tuple[str, str]) -> str:
    shown = [column.examples[0] if column.examples else "" for column in (left, right)]
    msg = f"{files[0]} and {files[1]} write {left.name!r} in two ways ({shown[0]!r} and {shown[1]!r})"
    return f"{msg}: write it alike in both"
