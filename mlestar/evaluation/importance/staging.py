"""The input of the measurement: a staged holdout in whose test file columns of copies of rows are permuted."""

import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from mlestar.data.tables import read_table
from mlestar.data.tables.table import table_suffix
from mlestar.data.tables.writer import write_cells
from mlestar.data.task import Task
from mlestar.evaluation.holdout.placement import Store, make_read_only
from mlestar.evaluation.holdout.stage import STAGED_TIME, manifest, stage
from mlestar.evaluation.importance.measuring import NotMeasuredError
from mlestar.evaluation.importance.planning import PermutationPlan


def stage_permuted(task: Task, plan: PermutationPlan, folder: Path, *, store: Store | None = None) -> str:
    """Fill `folder` as the input of a measurement and return its manifest.

    Raises:
        NotMeasuredError: the test file cannot be written with other cells.
        HoldoutError: as `stage`.
        StoreError: the disk has no space for the copies.
    """
    # A folder of an earlier session may be half done: it is filled again, and is the same.
    stage(task, plan.holdout, folder, store=store)
    path = folder / task.layout.test.name
    part = path.with_name(f".permuted-{path.name}")
    try:
        if table_suffix(path) == ".parquet":
            _write_parquet(path, plan, part)
        else:
            _write_cells(path, plan, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    make_read_only(path)
    os.utime(path, (STAGED_TIME, STAGED_TIME))
    return manifest(folder)


def _write_cells(path: Path, plan: PermutationPlan, part: Path) -> None:
    table = read_table(path)
    cells = table.frame.copy()
    if list(cells.columns) != list(table.columns):
        msg = f"the fields of {path.name} are nested"
        raise NotMeasuredError(msg)
    for name, places in _sources(plan).items():
        cells[name] = cells[name].to_numpy(dtype=object)[places]
    if plan.id is not None:
        cells[plan.id] = list(plan.holdout.new_ids)
    write_cells(cells, table, part)


def _write_parquet(path: Path, plan: PermutationPlan, part: Path) -> None:
    """Write the rows with the types that they have in the file."""
    table = pyarrow.parquet.read_table(path)
    for name, places in _sources(plan).items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), table.column(place).take(pyarrow.array(places)))
    if plan.id is not None:
        place = table.schema.get_field_index(plan.id)
        field = table.schema.field(place)
        table = table.set_column(place, field, pyarrow.array(plan.holdout.new_ids).cast(field.type))
    pyarrow.parquet.write_table(table, part)


def _sources(plan: PermutationPlan) -> dict[str, np.ndarray]:
    """Return for each permuted column the rows of the test file from which its cells are taken."""
    count = len(plan.chosen)
    sources: dict[str, np.ndarray] = {}
    for block, (name, order) in enumerate(zip(plan.columns, plan.orders(), strict=True), 1):
        rows = np.arange(count * (len(plan.columns) + 1))
        rows[block * count : (block + 1) * count] = block * count + order
        sources[name] = rows
    return sources
