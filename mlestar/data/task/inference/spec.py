"""The spec of a task, inferred from its files, its description and the user's settings."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlestar.data.folder import TaskFolder, check_name
from mlestar.data.layouts import Layout, TableCache, TaskSource, find_layout
from mlestar.data.overrides import Overrides
from mlestar.data.statistics import column_kind
from mlestar.data.task.inference.columns import TaskColumns, find_columns
from mlestar.data.task.inference.metric import choose_metric
from mlestar.data.task.inference.prediction import PredictionForm, find_prediction_form
from mlestar.errors import TaskError
from mlestar.metrics import Metric
from mlestar.metrics.spec import Modality, TaskSpec

logger = logging.getLogger("mlestar.data")

_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp"}
_SOUNDS = {".wav", ".mp3", ".flac", ".ogg", ".aif", ".aiff", ".m4a"}
# The limits below were chosen by judgement; none was measured.
_MAX_ILLUSTRATIONS = 3
"""This many pictures or sounds may illustrate a description; more of them are data."""
_MAX_TEXT_FEATURES = 3
"""Feature columns, one of them text, up to which a table is a text task."""
_SAMPLE_ROWS = 2000
"""Rows from which the kinds of columns are inferred."""


@dataclass(frozen=True)
class Inference:
    """A spec and how it was inferred."""

    spec: TaskSpec
    metric: Metric
    layout: Layout
    labelled: bool
    notes: tuple[str, ...]


def infer_spec(
    folder: TaskFolder, overrides: Overrides, text: str, cache: TableCache, metric: Metric | None
) -> Inference:
    """Infer what is not set.

    Args:
        folder: the contents of the task folder.
        overrides: what the user set.
        text: the goal and the description.
        cache: the tables of the folder.
        metric: the metric to use; it takes precedence over `overrides` and `text`.

    Raises:
        TaskError: the files contradict each other or leave something open.
    """
    layout = find_layout(TaskSource(folder, overrides, cache, text))
    columns = find_columns(layout, overrides, text)
    layout = layout.complete(columns.target)
    cells = _target_cells(layout, columns)
    task_metric, why = (metric, "set") if metric else choose_metric(folder, overrides, text, columns, cells)
    form = find_prediction_form(columns, overrides, task_metric, cells, text)
    spec = _assemble(folder, overrides, layout, columns, task_metric, form, text)
    _check_split(spec, layout)
    notes = [*layout.notes, *columns.notes, f"metric: {task_metric.name}, {task_metric.direction} ({why})"]
    # The notes that follow may hold values of cells.
    logger.info("task %s: %s, %d classes; %s", spec.name, spec.problem, len(spec.classes), "; ".join(notes))
    labelled = cells is not None and layout.test.frame is not None
    notes += form.notes
    if not labelled:
        notes.append("the labels cannot be located in a table, so scores will be those that scripts report")
    return Inference(spec, task_metric, layout, labelled, tuple(notes + _warnings(spec, cells)))


def _target_cells(layout: Layout, columns: TaskColumns) -> pd.DataFrame | None:
    """Return the target columns of the train table, None when there is no such table."""
    if layout.train.frame is None:
        return None
    if not len(layout.train.frame):
        msg = f"{layout.train.name} has no rows"
        raise TaskError(msg)
    return layout.train.frame[list(columns.target)]


def _assemble(
    folder: TaskFolder,
    overrides: Overrides,
    layout: Layout,
    columns: TaskColumns,
    metric: Metric,
    form: PredictionForm,
    text: str,
) -> TaskSpec:
    shared = {*layout.test.columns, *columns.target}
    test_rows = layout.test.frame
    if test_rows is None and layout.sample is not None:
        test_rows = layout.sample.frame
    return TaskSpec(
        name=overrides.name or folder.path.resolve().name,
        problem=form.problem,
        modality=_find_modality(folder, layout, metric, text),
        metric=metric.name,
        direction=metric.direction,
        target=columns.target,
        id=columns.id,
        layout=layout.name,
        layout_note=layout.note,
        has_test=layout.has_test,
        train=layout.train.name,
        test=layout.test.name,
        sample_submission=layout.sample.name if layout.sample else None,
        prediction_columns=form.columns,
        prediction_kind=form.kind,
        classes=form.classes,
        pos_label=form.pos_label,
        auxiliary=_auxiliary(folder, overrides, metric, layout),
        train_only=tuple(column for column in layout.train.columns if column not in shared),
        split=overrides.split or layout.split,
        train_rows=0 if layout.train.frame is None else len(layout.train.frame),
        test_rows=0 if test_rows is None else len(test_rows),
    )


def _auxiliary(folder: TaskFolder, overrides: Overrides, metric: Metric, layout: Layout) -> tuple[str, ...]:
    """Return the other files; of a folder that holds train, test or the sample, each file by itself."""
    if overrides.auxiliary is not None:
        return tuple(check_name(name, "auxiliary", folder) for name in overrides.auxiliary)
    metric_file = metric.name.partition(":")[0]
    names = set(layout.names)
    parents = {name.split("/")[0] for name in names if "/" in name}
    files = layout.other_files
    siblings = [file for file in files if file.split("/")[0] in parents]
    excluded = {*names, *parents, metric_file}
    entries = dict.fromkeys(file.split("/")[0] for file in files)
    return tuple(name for name in dict.fromkeys((*entries, *siblings)) if name not in excluded)


def _find_modality(folder: TaskFolder, layout: Layout, metric: Metric, text: str) -> Modality:
    """Return what the rows are: text, sound or pictures by their columns or files, else a table."""
    if layout.modality is not None:
        return layout.modality
    suffixes = [Path(name).suffix.lower() for name in folder.files]
    if sum(suffix in _SOUNDS for suffix in suffixes) > _MAX_ILLUSTRATIONS:
        return "audio"
    if sum(suffix in _IMAGES for suffix in suffixes) > _MAX_ILLUSTRATIONS:
        return "image"
    if layout.test.frame is None:
        return "image" if "image" in text.lower() or "image" in layout.test.columns else "unknown"
    if metric.kind == "text":
        return "text"
    rows = layout.test.frame.iloc[:_SAMPLE_ROWS]
    kinds = [column_kind(column, rows[column].unique(), rows=len(rows)) for column in layout.test.columns]
    features = [kind for kind in kinds if kind not in ("id", "date", "empty")]
    return "text" if "text" in kinds and len(features) <= _MAX_TEXT_FEATURES else "table"


def _check_split(spec: TaskSpec, layout: Layout) -> None:
    kind, column = spec.split_setting
    if column and layout.train.frame is not None and column not in layout.train.columns:
        msg = f"split = {spec.split!r}: {layout.train.name} has no column {column!r}"
        raise TaskError(msg)
    if kind in ("time", "group") and column in spec.target:
        msg = f"split = {spec.split!r}: the target cannot divide the rows"
        raise TaskError(msg)


def _warnings(spec: TaskSpec, cells: pd.DataFrame | None) -> list[str]:
    warnings: list[str] = []
    if spec.train_only:
        warnings.append(f"only in train, so no script may use them at test time: {', '.join(spec.train_only)}")
    if cells is not None and (empty := int((cells == "").any(axis=1).sum())):
        warnings.append(f"{empty} rows of {spec.train} have no target")
    return warnings
