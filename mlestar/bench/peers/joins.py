"""Other tables of a task, joined with train and test by the columns that their values have in common."""

from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd

from mlestar.data.statistics import FileStatistics
from mlestar.data.task import Task

_MATCHED = 0.5
"""Share of the rows of test that must have a record. Chosen by judgement; not measured."""
_DAY = 10
"""Characters of a date without its time."""


def join_tables(task: Task, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """Yield the columns of other tables as columns of train and test; only of tables with one record for each key."""
    for file in task.statistics:
        links = _links(task, file)
        if file.file in task.spec.auxiliary and links:
            yield from _join(file.file, task.table(file.file).frame, links, (train, test))


def _links(task: Task, file: FileStatistics) -> list[tuple[str, str]]:
    """Return the columns of a file with the column of train that has their values, which test must have too."""
    pairs = [(column.name, link.partition(":")) for column in file.columns for link in column.shared_with[:1]]
    return [(name, key) for name, (table, _, key) in pairs if table == task.train.name and key in task.test.columns]


def _join(
    file: str, table: pd.DataFrame, links: Sequence[tuple[str, str]], rows: tuple[pd.DataFrame, pd.DataFrame]
) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    for names in chain(([link] for link in links), [links] if len(links) > 1 else []):
        for characters in (None, _DAY):
            index = _keys(table, [name for name, _ in names], None)
            train, test = (_keys(side, [key for _, key in names], characters) for side in rows)
            if not index.duplicated().any() and test.isin(index).mean() >= _MATCHED:
                records = table.drop(columns=[name for name, _ in names]).set_index(pd.Index(index))
                left, right = (_look_up(records, keys) for keys in (train, test))
                yield from ((f"{file}.{column}", left[column], right[column]) for column in records)
                return


def _look_up(records: pd.DataFrame, keys: pd.Series) -> pd.DataFrame:
    """Return the record of each key, empty where there is none."""
    return records.reindex(pd.Index(keys)).fillna("").reset_index(drop=True)


def _keys(frame: pd.DataFrame, columns: Sequence[str], characters: int | None) -> pd.Series:
    """Return the cells of some columns as one text, cut to a number of characters each."""
    parts = [frame[column].str.strip().str[:characters] for column in columns]
    return parts[0].str.cat(pd.concat(parts[1:], axis=1), sep="\n") if len(parts) > 1 else parts[0]
