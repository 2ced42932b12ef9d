"""Filling the folder that becomes `./input` of a holdout."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.folder import is_inside
from mlestar.data.layouts import HoldoutRows, PlaceFile
from mlestar.data.outputs import find_outputs, is_run_folder
from mlestar.data.tables import is_table
from mlestar.data.tables.writer import write_cells
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.answers import find_answers
from mlestar.evaluation.holdout.guessing import secret_generator
from mlestar.evaluation.holdout.holdout import Holdout, example_rows, learnable_rows, withheld_ids
from mlestar.evaluation.holdout.placement import Placement, Store, check_space, make_read_only
from mlestar.evaluation.holdout.renaming import files_with_ids, move_files, remove_empty, rename_cells
from mlestar.evaluation.holdout.revealing.decisions import decide
from mlestar.evaluation.holdout.row_files import files_of_absent_rows
from mlestar.evaluation.holdout.staged_files import find_changes
from mlestar.files import sha256_of

logger = logging.getLogger("mlestar.evaluation")

STAGED_TIME = 1_577_836_800
"""The time of all staged copies: the beginning of 2020."""


def stage(task: Task, holdout: Holdout | None, folder: Path, *, store: Store | None = None) -> str:
    """Fill `folder` as the input of a holdout and return its `manifest`; a folder that is intact is left alone.

    Args:
        task: a task whose labels are in a table.
        holdout: the rows to withhold; None stages the real input as it is.
        folder: the folder to create; a note of its manifest and rows is kept beside it.
        store: copies that this input may share with others of its run. Only for runners that mount the folder
            read-only.

    Raises:
        HoldoutError: the names of assets reveal withheld labels, or a file is a link out of the task folder.
        StoreError: the disk has no space for the copies.
    """
    note = folder.with_name(f"{folder.name}.sha256")
    rows = holdout.digest if holdout is not None else _describe_real_rows(task)
    if note.is_file() and folder.is_dir() and (content := manifest(folder)) + f" {rows}" == note.read_text():
        logger.debug("input %s: intact", folder.name)
        return content
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    check_space((path for _, path in _list_files(task.input, avoid=folder.resolve())), folder.parent, store)
    try:
        _fill(task, holdout, partial, avoid=folder, placement=Placement(store))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    content = manifest(folder)
    note.write_text(f"{content} {rows}")
    return content


def _describe_real_rows(task: Task) -> str:
    return "all" if task.layout.has_test else f"all, {len(example_rows(task))} of them in place of a test"


def manifest(folder: Path) -> str:
    """Return the sha256 of the names and contents of a folder's files; hidden files do not count."""
    digest = hashlib.sha256()
    for name, path in _list_files(folder):
        digest.update(f"{name}\0{sha256_of(path)}\0".encode())
    return digest.hexdigest()


def staged_sample(task: Task, holdout: Holdout) -> pd.DataFrame | None:
    """Return the sample submission of a holdout: withheld ids, and the most common predictions of the real sample."""
    spec = task.spec
    if task.sample is None or task.sample.frame is None:
        return None
    real, train = task.sample.frame, task.train.rows
    copied = [column for column in real.columns if column in train.columns and column not in spec.prediction_columns]
    cells = train[copied].iloc[holdout.withheld].reset_index(drop=True)
    ids = withheld_ids(task, holdout)
    if ids is not None and spec.id in real.columns:
        cells[spec.id] = ids
    return sample_like(real, cells)


def sample_like(real: pd.DataFrame, copied: pd.DataFrame) -> pd.DataFrame:
    """Return a sample submission for other rows: their columns, and the most common predictions of the real sample.

    Args:
        real: the sample submission, every cell as text.
        copied: those of its columns that the rows have themselves; its index counts the rows.
    """
    columns = [column for column in real.columns if column not in copied]
    common = real[columns].value_counts().index[0] if columns else ()
    constant = pd.DataFrame(dict(zip(columns, common, strict=True)), index=copied.index)
    return pd.concat([copied, constant], axis=1)[list(real.columns)]


def _fill(task: Task, holdout: Holdout | None, folder: Path, *, avoid: Path, placement: Placement) -> None:
    counts = {"cut": 0, "left out": 0, "linked": 0, "copied": 0}

    def place(source: Path, target: Path) -> None:
        counts[placement.place(source, target)] += 1

    rewritten = holdout is not None or not task.layout.has_test
    written = _write_rows(task, holdout, folder, place)
    apart = {*written, *find_answers(task)}
    if holdout is not None:
        apart |= files_of_absent_rows(task, holdout)
    for name, path in _list_files(task.input, avoid=avoid.resolve()):
        if task.layout.hides(name):
            continue
        # Converted files are in an input folder of their own.
        if not (is_inside(path, task.folder) or is_inside(path, task.input)):
            msg = f"{name} is a link to something outside the task folder: copy it in"
            raise HoldoutError(msg)
        if name not in apart and not (rewritten and task.layout.owns(name)):
            counts[_stage_file(task, holdout, name, path, folder / name, placement)] += 1
    for name in written:
        make_read_only(folder / name)
    if holdout is not None:
        _hide_names(task, holdout, folder)
    _set_times(folder)
    rows = "real input" if holdout is None else f"{len(holdout.train)} train rows, {len(holdout.withheld)} withheld"
    files = ", ".join(f"{count} {how}" for how, count in counts.items() if count)
    logger.info("staged %s: %s; auxiliary files: %s", avoid.name, rows, files or "none")


def _hide_names(task: Task, holdout: Holdout, folder: Path) -> None:
    """Remove or rename staged files, and replace ids, that reveal labels of withheld rows."""
    changes = find_changes(task, holdout, [name for name, _ in _list_files(folder)])
    for name in changes.removed:
        (folder / name).unlink()
        remove_empty((folder / name).parent, folder)
    if changes.removed:
        logger.info("%d files of withheld rows are left out: test rows have none like them", len(changes.removed))
    move_files(folder, changes.moved)
    by_id = files_with_ids([name for name, _ in _list_files(folder)], holdout.ids)
    move_files(folder, by_id)
    cells = {**changes.cells, **by_id}
    rename_cells(folder, [name for name, _ in _list_files(folder)], cells, holdout.ids, task.spec.id or "")
    for _, path in _list_files(folder):
        make_read_only(path)


def _set_times(folder: Path) -> None:
    """Give all files one time: the order in which files were written tells the order of their rows."""
    for _, path in _list_files(folder):
        os.utime(path, (STAGED_TIME, STAGED_TIME))


def _stage_file(task: Task, holdout: Holdout | None, name: str, path: Path, target: Path, placement: Placement) -> str:
    """Stage an auxiliary file, as far as it reveals no withheld label, and return how."""
    decision = decide(task, name)
    if decision.left_out:
        return "left out"
    if decision.is_whole or (holdout is None and not decision.dropped):
        return placement.place(path, _target(target))
    table = task.table(name)
    rows = decision.rows(len(task.train.rows), None if holdout is None else holdout.train, len(table))
    if decision.shuffled and holdout is not None:
        rows = secret_generator(task, f"order of {name} in {holdout.name}").permutation(rows)
    columns = [column for column in table.columns if column not in decision.dropped]
    table.write(_target(target), rows, columns=columns)
    logger.debug("%s: %d of %d rows, %s", name, len(rows), len(table), decision.reason)
    make_read_only(target)
    return "cut"


def _write_rows(task: Task, holdout: Holdout | None, folder: Path, place: PlaceFile) -> list[str]:
    """Write the files that hold rows; return their names, none where the real files are staged as they are."""
    spec = task.spec
    if holdout is None:
        if task.layout.has_test:
            return _write_real_train(task, folder)
        rows = HoldoutRows(np.flatnonzero(learnable_rows(task)), example_rows(task), spec.target, spec.id)
        return task.layout.write(rows, folder, place)
    ids = withheld_ids(task, holdout)
    learnable = holdout.train[learnable_rows(task)[holdout.train]]
    rows = HoldoutRows(learnable, holdout.withheld, spec.target, spec.id, ids)
    written = task.layout.write(rows, folder, place)
    sample = staged_sample(task, holdout)
    if sample is None or spec.sample_submission is None or spec.sample_submission in written:
        return written
    write_cells(sample, task.table(spec.sample_submission), _target(folder / spec.sample_submission))
    return [*written, spec.sample_submission]


def _write_real_train(task: Task, folder: Path) -> list[str]:
    """Write train without the rows that have no target, if it is a table and has such rows; return its name then."""
    name = task.spec.train
    if not task.labelled or not is_table(task.input / name):
        return []
    table, rows = task.table(name), learnable_rows(task)
    if rows.all() or len(table) != len(rows) or not set(task.spec.target) <= set(table.columns):
        return []
    table.write(_target(folder / name), np.flatnonzero(rows))
    return [name]


def _target(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _list_files(folder: Path, avoid: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Yield (relative name, path) of every file in order; hidden ones and folders that contain `avoid` are left out."""
    root, visited = folder.resolve(), set[Path]()
    for directory, folders, names in os.walk(root, followlinks=True):
        current = Path(directory)
        visited.add(current.resolve())
        # A link may lead back to a folder that is being walked.
        folders[:] = [name for name in sorted(folders) if _is_open(current / name, avoid, visited)]
        outputs = find_outputs(current, names) if avoid else set()
        for name in sorted(names):
            path = current / name
            if not name.startswith(".") and name not in outputs and path.is_file():
                yield path.relative_to(root).as_posix(), path


def _is_open(folder: Path, avoid: Path | None, visited: set[Path]) -> bool:
    """Return whether the walk enters a folder."""
    if folder.name.startswith(".") or folder.name == "__pycache__" or is_run_folder(folder):
        return False
    if avoid and avoid.is_relative_to(folder):
        return False
    return folder.resolve() not in visited
