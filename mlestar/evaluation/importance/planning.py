"""Which columns and rows of a holdout are permuted, as far as rows are rows of one table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.layouts.tables import row_numbers
from mlestar.data.new_ids import continue_ids
from mlestar.data.tables import is_table
from mlestar.data.tables.numbers import read_numbers
from mlestar.data.task import Task
from mlestar.evaluation.grader import Grader
from mlestar.evaluation.holdout.holdout import Holdout
from mlestar.evaluation.importance.measuring import NotMeasuredError

# The limits below were chosen by judgement; none was measured.
MOST_COLUMNS = 50
"""Columns that are permuted at most: those that tell most about the target by themselves."""
MOST_ROWS = 2_000
"""Withheld rows that are permuted at most: more hardly make errors of importance smaller than a chart shows."""
FEWEST_ROWS = 20
"""Withheld rows below which nothing is measured."""
MOST_TEST_ROWS = 100_000
"""Rows of the test file with all copies, at most."""
MOST_CELLS = 3_000_000
"""Cells of the test file with all copies, at most."""
MOST_CHARACTERS = 50_000_000
"""Characters in them, at most."""
_SAMPLED_ROWS = 500
"""Rows by which the characters of a row are estimated."""
_RANKED_ROWS = 2_000
"""Rows by which columns are ranked."""
_GROUPS = 10
"""Groups of values by which the association of a column with the target is found."""
LAYOUTS = ("tables", "single table", "separate labels")
"""Layouts whose rows to predict are a table and nothing else."""
_FREE_IDS = ("int", "id", "empty")
"""Kinds of id columns that only identify rows, so that new ids can be made up."""


@dataclass(frozen=True)
class PermutationPlan:
    """What the test file of the measurement holds."""

    holdout: Holdout
    """The chosen withheld rows, once as they are and once for each permuted column."""
    chosen: np.ndarray
    """Positions of these rows among the withheld ones."""
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    """Columns that are not permuted because there are too many."""
    constant: tuple[str, ...]
    """Columns with one value in these rows, which nothing is changed by."""
    id: str | None
    """The column with new ids; None where rows have none that must differ."""
    seed: int

    def orders(self) -> list[np.ndarray]:
        """Return for each column the positions, among the chosen rows, from which its cells are taken."""
        generator = np.random.default_rng(self.seed)
        return [generator.permutation(len(self.chosen)) for _ in self.columns]


def describe_file_rows(task: Task) -> str:
    """Return what the rows of a task are where they are more than rows of one table; empty where they are not."""
    has_files = task.spec.modality in ("image", "audio") or getattr(task.layout, "assets", None) is not None
    if task.layout.name in LAYOUTS and not has_files and task.layout.submission_lines(None) is None:
        return ""
    return f"layout {task.layout.name!r}, data {task.spec.modality!r}"


def plan_permutation(grader: Grader, *, seed: int) -> PermutationPlan:
    """Return which rows and columns of a holdout are permuted.

    Raises:
        NotMeasuredError: rows are files, ids cannot be made up, or there are too few rows or columns.
    """
    task, holdout = grader.task, grader.holdout
    if kind := describe_file_rows(task):
        msg = f"rows are files, so that no column can be permuted ({kind})"
        raise NotMeasuredError(msg)
    cells = _test_cells(task, holdout)
    identifier = _id_column(grader, list(cells.columns))
    names = [name for name in cells.columns if name != identifier and name not in _counters(task)]
    constant = [name for name in names if cells[name].nunique() < 2]
    names = [name for name in names if name not in constant]
    if not names:
        msg = "no column of the test file has more than one value"
        raise NotMeasuredError(msg)
    rows, kept = _fit(cells, len(names))
    ranked = names if kept == len(names) else _rank(task, holdout, names)
    chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(cells))[:rows])
    permuted = [name for name in names if name in set(ranked[:kept])]
    return PermutationPlan(
        holdout=_tile(task, holdout, chosen, len(permuted), identifier),
        chosen=chosen,
        columns=tuple(permuted),
        left_out=tuple(name for name in names if name not in permuted),
        constant=tuple(constant),
        id=identifier,
        seed=seed,
    )


def _test_cells(task: Task, holdout: Holdout) -> pd.DataFrame:
    """Return the withheld rows with the columns that the test file has.

    Raises:
        NotMeasuredError: the test file is no flat table.
    """
    layout = task.layout
    names, frame = list(layout.test.columns), layout.train.rows
    if task.spec.has_test:
        if not is_table(task.input / layout.test.name):
            msg = f"{layout.test.name} is no table"
            raise NotMeasuredError(msg)
        in_file = task.table(layout.test.name).columns
        names = [name for name in names if name in in_file]
    absent = [name for name in names if name not in frame.columns]
    names = [name for name in names if name not in absent and name not in task.spec.target]
    return frame[names].iloc[holdout.withheld].reset_index(drop=True)


def _id_column(grader: Grader, names: Sequence[str]) -> str | None:
    """Return the column that must differ in every row; None where rows are told apart by their order alone.

    Raises:
        NotMeasuredError: it cannot be made up for copies of rows.
    """
    task, ids = grader.task, grader.form.ids
    if ids is None:
        return None
    name = ids.name
    if name not in names and name in task.train.columns:
        msg = f"the id {name!r} is made of other columns"
        raise NotMeasuredError(msg)
    kinds = {column.kind for file in task.statistics for column in file.columns if column.name == name}
    if kinds and not kinds & set(_FREE_IDS):
        msg = f"the id {name!r} holds values with a meaning, so that copies of rows cannot have new ones"
        raise NotMeasuredError(msg)
    others = [file for file in task.layout.other_files if is_table(task.input / file) and file not in task.layout.names]
    if sharing := [file for file in others if name in task.table(file).columns]:
        msg = f"{sharing[0]} refers to rows by their id, which copies of rows do not share"
        raise NotMeasuredError(msg)
    return name


def _counters(task: Task) -> set[str]:
    return set(row_numbers(task.train, task.test))


def _fit(cells: pd.DataFrame, columns: int) -> tuple[int, int]:
    """Return how many rows and columns are permuted so that the test file stays within its limits.

    Raises:
        NotMeasuredError: too few rows remain.
    """
    sample = cells.iloc[:_SAMPLED_ROWS]
    characters = max(1.0, float(sum(sample[name].str.len().sum() for name in sample.columns)) / max(1, len(sample)))
    width = len(cells.columns)
    room = int(min(MOST_TEST_ROWS, MOST_CELLS // max(1, width), MOST_CHARACTERS // characters))
    fewest = min(len(cells), 10 * FEWEST_ROWS)
    kept = min(columns, MOST_COLUMNS, room // max(1, fewest) - 1)
    rows = min(len(cells), MOST_ROWS, room // (max(kept, 0) + 1))
    if kept < 1 or rows < FEWEST_ROWS:
        msg = f"{len(cells)} withheld rows of {width} columns are too few, or too large to be copied"
        raise NotMeasuredError(msg)
    return rows, kept


def _tile(task: Task, holdout: Holdout, chosen: np.ndarray, columns: int, identifier: str | None) -> Holdout:
    copies = columns + 1
    ids: tuple[str, ...] = ()
    if identifier is not None:
        files = [file.frame for file in (task.train, task.test) if file.frame is not None]
        known = pd.concat([frame[identifier] for frame in files if identifier in frame.columns])
        ids = tuple(continue_ids(known).names(copies * len(chosen)))
    return Holdout(
        name="permuted",
        train=holdout.train,
        withheld=np.tile(holdout.withheld[chosen], copies),
        units=np.tile(holdout.units[chosen], copies),
        ids=holdout.ids,
        new_ids=ids,
    )


def _rank(task: Task, holdout: Holdout, names: Sequence[str]) -> list[str]:
    """Return columns by how much they tell about the first target by themselves, in rows that scripts train on."""
    rows = np.random.default_rng(0).permutation(holdout.train)[:_RANKED_ROWS]
    frame: pd.DataFrame = task.train.rows.iloc[rows]
    target = _groups(frame[task.spec.target[0]])
    told = {name: _association(_groups(frame[name]), target) for name in names}
    return sorted(names, key=lambda name: -told[name])


def _groups(cells: pd.Series) -> np.ndarray:
    """Return a number of a group for each cell: of similar size for numbers, of the most frequent values else."""
    numbers = read_numbers(cells, None)
    if np.isfinite(numbers).mean() > 0.5 and len(np.unique(numbers[np.isfinite(numbers)])) > _GROUPS:
        edges = np.unique(np.nanquantile(numbers[np.isfinite(numbers)], np.linspace(0, 1, _GROUPS)[1:-1]))
        return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers) + 1, 0)
    common = {value: place for place, value in enumerate(cells.value_counts().index[:_GROUPS])}
    return np.array([common.get(cell, _GROUPS) for cell in cells])


def _association(first: np.ndarray, second: np.ndarray) -> float:
    """Return by how much the counts of two groupings differ from independent ones: chi-squared by degrees of freedom.

    This is only used to compare columns.
    """
    width = int(second.max()) + 1
    size = (int(first.max()) + 1) * width
    counts = np.bincount(first * width + second, minlength=size).reshape(-1, width).astype(float)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    freedom = max(1, (counts.shape[0] - 1) * (counts.shape[1] - 1))
    return float(((counts - expected) ** 2 / np.maximum(expected, 1e-9)).sum() / freedom)
