"""What new rows of a task must hold, and the labels that may be predicted for them."""

import pandas as pd

from mlestar.data.kinds import MISSING, ColumnKind
from mlestar.data.layouts.file_pairs import FilePairs
from mlestar.data.layouts.file_rows import FileRows
from mlestar.data.layouts.tables import row_numbers
from mlestar.data.tables import is_table
from mlestar.data.task import Task
from mlestar.predictor.asset_names import find_asset_names
from mlestar.predictor.cells import RowColumn
from mlestar.predictor.frames import RowSpec

_FREE_IDS: tuple[ColumnKind, ...] = ("int", "id", "empty")
"""Kinds of id columns that only identify rows, so that new ids can be made up."""


def row_spec(task: Task) -> RowSpec:
    """Return what new rows of a task must hold: the columns of its rows to predict, of the kinds that train has."""
    spec, test = task.spec, task.test
    described = {
        column.name: RowColumn.model_validate(column.model_dump(include=set(RowColumn.model_fields)))
        for name in (test.name, task.train.name)  # the later file takes precedence
        for file in task.statistics
        if file.file == name
        for column in file.columns
    }
    rows = [
        described.get(name, RowColumn(name=name, kind="text")).model_copy(update=_facts(task, name))
        for name in _columns_of_file(task)
    ]
    counters = row_numbers(task.train, test)
    ids = test.frame[spec.id] if test.frame is not None and spec.id in test.columns else None
    identifier = None
    if ids is not None and not ids.duplicated().any():
        identifier = next((column for column in rows if column.name == spec.id), None)
    naming = {way.column for way in find_asset_names(task)}
    return RowSpec(
        columns=tuple(column for column in rows if column != identifier and column.name not in counters),
        id=identifier,
        free_id=identifier is None or (identifier.kind in _FREE_IDS and identifier.name not in naming),
        targets=spec.target,
        counters={name: first for name, first in counters.items() if name != spec.id},
    )


def _facts(task: Task, name: str) -> dict[str, int | bool]:
    """Return what all cells of a column say: how many digits codes have, and whether numbers are infinite."""
    frames = [file.frame for file in (task.train, task.test) if file.frame is not None and name in file.columns]
    cells = frames[0][name].str.strip() if frames else pd.Series(dtype=object)
    cells = cells[~cells.isin(MISSING)]
    infinite = cells.str.fullmatch(r"[+-]?inf(?:inity)?", case=False).any()
    widths = cells.str.len().unique()
    same = len(widths) == 1 and widths[0] > 1 and cells.str.fullmatch(r"[0-9]+").all()
    return {"digits": int(widths[0]) if same and cells.str.startswith("0").any() else 0, "infinite": bool(infinite)}


def labels_of(task: Task) -> tuple[str, ...]:
    """Return the sorted distinct labels of train; the classes of the spec where there are no labels."""
    if task.spec.prediction_kind not in ("label", "probability") or not task.labelled:
        return task.spec.classes
    cells = pd.concat([task.train.rows[name] for name in task.spec.target]).str.strip()
    left_out = {"", *task.spec.missing_targets}
    return tuple(sorted(label for label in cells.unique() if label not in left_out))


def _columns_of_file(task: Task) -> list[str]:
    """Return the columns of the rows to predict that are in their own file, without those added from other tables."""
    name = task.test.name
    if isinstance(task.layout, (FileRows, FilePairs)):  # the other fields are those of the file itself
        return [task.test.columns[0]]
    if not task.spec.has_test or not is_table(task.input / name):
        return list(task.test.columns)
    own = task.table(name).columns
    return [column for column in task.test.columns if column in own]
