"""The spec of a task, put together from its files, its description and what a person set."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlestar.data.statistics import column_kind
from mlestar.data.task.inference.columns import Columns, find_columns
from mlestar.data.task.inference.folder import TaskFolder, checked_name
from mlestar.data.task.inference.metric import choose_metric
from mlestar.data.task.inference.outcome import Outcome, find_outcome
from mlestar.data.task.inference.overrides import Overrides
from mlestar.data.task.inference.roles import TableCache, TaskFiles, find_parts
from mlestar.errors import TaskError
from mlestar.metrics import Metric
from mlestar.metrics.spec import Modality, TaskSpec

_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp"}
_SOUNDS = {".wav", ".mp3", ".flac", ".ogg", ".aif", ".aiff", ".m4a"}
_STRAY = 3
"""So many pictures or sounds may illustrate a description; more of them are data."""


@dataclass(frozen=True)
class Inference:
    """A spec with how it was found."""

    spec: TaskSpec
    metric: Metric
    labelled: bool
    notes: tuple[str, ...]


def infer_spec(
    layout: TaskFolder, overrides: Overrides, text: str, cache: TableCache, metric: Metric | None
) -> Inference:
    """Infer what is open; `text` is the goal and the description, `metric` beats both and `task.toml`.

    Raises:
        TaskError: the files contradict each other or leave something open.
    """
    parts = find_parts(layout, overrides, cache)
    columns = find_columns(parts, overrides, text)
    cells = _target_cells(parts, columns)
    chosen, why = (metric, "given") if metric else choose_metric(layout, overrides, text, columns, cells)
    outcome = find_outcome(columns, overrides, chosen, cells, text)
    spec = _assemble(layout, overrides, parts, columns, chosen, outcome, text)
    _check_split(spec, parts)
    notes = [*parts.notes, *columns.notes, f"metric: {chosen.name}, {chosen.direction} ({why})", *outcome.notes]
    labelled = cells is not None and parts.test.frame is not None
    if not labelled:
        notes.append("the labels cannot be located in a table, so scores will be those that scripts report")
    return Inference(spec, chosen, labelled, tuple(notes + _warnings(spec, cells)))


def _target_cells(parts: TaskFiles, columns: Columns) -> pd.DataFrame | None:
    """Return the target columns of the train table, None when there is no such table."""
    if parts.train.frame is None:
        return None
    if not len(parts.train.frame):
        msg = f"{parts.train.name} has no rows"
        raise TaskError(msg)
    return parts.train.frame[list(columns.target)]


def _assemble(
    layout: TaskFolder,
    overrides: Overrides,
    parts: TaskFiles,
    columns: Columns,
    metric: Metric,
    outcome: Outcome,
    text: str,
) -> TaskSpec:
    used = {part.name for part in (parts.train, parts.test, parts.sample) if part is not None}
    test_columns = set(parts.test.columns)
    counted = parts.test if parts.test.frame is not None else parts.sample
    return TaskSpec(
        name=overrides.name or layout.folder.resolve().name,
        problem=outcome.problem,
        modality=_find_modality(layout, parts, metric, text),
        metric=metric.name,
        direction=metric.direction,
        target=columns.target,
        id=columns.id,
        train=parts.train.name,
        test=parts.test.name,
        sample_submission=parts.sample.name if parts.sample else None,
        prediction_columns=outcome.predictions,
        prediction_kind=outcome.kind,
        classes=outcome.classes,
        pos_label=outcome.pos_label,
        auxiliary=_auxiliary(layout, overrides, metric, used),
        train_only=tuple(c for c in parts.train.columns if c not in test_columns and c not in columns.target),
        split=overrides.split,
        train_rows=0 if parts.train.frame is None else len(parts.train.frame),
        test_rows=0 if counted is None or counted.frame is None else len(counted.frame),
    )


def _auxiliary(layout: TaskFolder, overrides: Overrides, metric: Metric, used: set[str]) -> tuple[str, ...]:
    if overrides.auxiliary is None:
        code = metric.name.partition(":")[0]
        parents = {name.split("/")[0] for name in used if "/" in name}
        loose = [file for file in layout.files if file.split("/")[0] in parents]
        return tuple(name for name in (*layout.entries, *loose) if name not in {*used, *parents, code})
    return tuple(checked_name(name, "auxiliary", layout) for name in overrides.auxiliary)


def _find_modality(layout: TaskFolder, parts: TaskFiles, metric: Metric, text: str) -> Modality:
    """Tell what the rows are: text and sound and pictures by their columns or files, else a table."""
    suffixes = [Path(name).suffix.lower() for name in layout.files]
    if sum(suffix in _SOUNDS for suffix in suffixes) > _STRAY:
        return "audio"
    if sum(suffix in _IMAGES for suffix in suffixes) > _STRAY:
        return "image"
    if parts.test.frame is None:
        return "image" if "image" in text.lower() or "image" in parts.test.columns else "unknown"
    if metric.kind == "text":
        return "text"
    head = parts.test.frame.iloc[:2000]
    kinds = [column_kind(column, head[column].unique(), rows=len(head)) for column in parts.test.columns]
    worthy = [kind for kind in kinds if kind not in ("id", "date", "empty")]
    return "text" if "text" in kinds and len(worthy) <= 3 else "table"


def _check_split(spec: TaskSpec, parts: TaskFiles) -> None:
    kind, column = spec.split_setting
    if column and parts.train.frame is not None and column not in parts.train.columns:
        msg = f"split = {spec.split!r}: {parts.train.name} has no column {column!r}"
        raise TaskError(msg)
    if kind in ("time", "group") and column in spec.target:
        msg = f"split = {spec.split!r}: the target cannot divide the rows"
        raise TaskError(msg)


def _warnings(spec: TaskSpec, cells: pd.DataFrame | None) -> list[str]:
    found = []
    if spec.train_only:
        found.append(f"only in train, so no script may use them at test time: {', '.join(spec.train_only)}")
    if cells is not None and (empty := int((cells == "").any(axis=1).sum())):
        found.append(f"{empty} rows of {spec.train} have no target")
    return found
