"""The task as agents may see it: no statistic of a file comes from records that a holdout must not reveal."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from mlestar.data.missing import MissingRules
from mlestar.data.statistics import FileStatistics, folder_statistics, known_codes, table_statistics
from mlestar.data.task import Task
from mlestar.evaluation.holdout.revealing.decisions import Decision, decide_all


def without_files(task: Task, names: Collection[str]) -> Task:
    """Return the task without files that are never staged; a folder is described by its other files."""
    if not names:
        return task
    present = [name for name in task.layout.other_files if name not in names]
    entries = {*present, *(folder for name in present for folder in _folders(name))}
    auxiliary = tuple(name for name in task.spec.auxiliary if name in entries)
    described = [_describe(task, file, present, names) for file in task.statistics]
    statistics = tuple(file for file in described if file is not None)
    return replace(task, spec=task.spec.model_copy(update={"auxiliary": auxiliary}), statistics=statistics)


def without_revealing(task: Task, kept: np.ndarray | None) -> Task:
    """Return the task without what is not staged of its files.

    Args:
        task: the task.
        kept: the rows that stay in train; None for all.
    """
    decisions = {decision.name: decision for decision in decide_all(task) if not decision.is_whole}
    task = without_files(task, {name for name, decision in decisions.items() if decision.left_out})
    described = tuple(
        _of_staged(task, file, decisions[file.file], kept) if file.file in decisions else file
        for file in task.statistics
    )
    return replace(task, statistics=described)


def _of_staged(task: Task, file: FileStatistics, decision: Decision, kept: np.ndarray | None) -> FileStatistics:
    """Describe the records and columns of a table that are staged."""
    if decision.cuts and kept is not None:
        table = task.table(file.file)
        rows = decision.rows(len(task.train.rows), kept, len(table))
        rules = MissingRules(known=known_codes(file), guess=False)
        shared = {column.name: column.shared_with for column in file.columns}
        described = table_statistics(file.file, table, rows, rules)
        columns = [
            column.model_copy(update={"shared_with": shared.get(column.name, ())}) for column in described.columns
        ]
        file = described.model_copy(update={"columns": tuple(columns), "rows": len(rows)})
    places = [place for place, column in enumerate(file.columns) if column.name not in decision.dropped]
    records = tuple(tuple(record[place] for place in places) for record in file.records)
    return file.model_copy(update={"columns": tuple(file.columns[place] for place in places), "records": records})


def _describe(task: Task, file: FileStatistics, present: list[str], names: Collection[str]) -> FileStatistics | None:
    """Return the description of a file or folder without the files of these names; None where nothing is left."""
    if file.file in names:
        return None
    if not file.file.endswith("/") or not any(name.startswith(file.file) for name in names):
        return file
    inside = [name.removeprefix(file.file) for name in present if name.startswith(file.file)]
    folder = file.file.removesuffix("/")
    return folder_statistics(folder, task.input / folder, inside) if inside else None


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: place + 1]) for place in range(len(parts))]
