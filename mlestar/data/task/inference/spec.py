"""The spec of a task, inferred from its files, its description and the user's settings."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mlestar.data.folder import TaskFolder, check_name
from mlestar.data.layouts import Layout, TableCache, TaskSource, find_layout
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.missing import MissingRules, read_rules
from mlestar.data.overrides import Overrides
from mlestar.data.statistics import ColumnKind, column_kind, is_numeric
from mlestar.data.tables.numbers import NumberStyle
from mlestar.data.targets import infinite_rows, labelled_mask, usable_mask
from mlestar.data.task.inference.columns import TaskColumns, find_columns
from mlestar.data.task.inference.dialect import find_dialect
from mlestar.data.task.inference.metric import choose_metric
from mlestar.data.task.inference.metric_default import MAX_INTEGER_CLASSES, ROWS_PER_CLASS
from mlestar.data.task.inference.missing import allowed_codes, share_codes, target_codes, without_codes
from mlestar.data.task.inference.prediction import PredictionForm, find_prediction_form
from mlestar.data.task.inference.values import target_styles
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
    rules: MissingRules
    """What is known of codes for missing values."""
    warnings: tuple[str, ...] = ()
    """What is left out or guessed, one line each."""


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
    _refuse_no_rows(layout)
    columns = find_columns(layout, overrides, text)
    layout = layout.complete(columns.target)
    cells = _target_cells(layout, columns)
    rules = read_rules(text, layout.train.columns, overrides.missing)
    rules = share_codes(rules, layout.train.frame)
    codes = target_codes(cells, rules)
    numbers = None if cells is None else without_codes(cells, codes)
    task_metric, why = (metric, "set") if metric else choose_metric(folder, overrides, text, columns, numbers, layout)
    has_numbers = (overrides.prediction_kind or task_metric.kind) == task_metric.kind == "value"
    if not has_numbers and metric is None:
        # A label may be any text: the classes decide on the form of the metric.
        task_metric, why = choose_metric(folder, overrides, text, columns, cells, layout)
    if has_numbers and cells is not None:
        codes = allowed_codes(codes, task_metric)
        numbers = without_codes(cells, codes)
    shown = numbers if has_numbers else cells
    styles = _target_styles(layout, shown)
    formats = {name: style.text for name, style in styles.items()}
    form = find_prediction_form(columns, overrides, task_metric, shown, text, _sample_labels(layout, columns), formats)
    spec = _assemble(folder, overrides, layout, columns, task_metric, form, text)
    spec = spec.model_copy(update=_written_form(layout, form, spec, formats))
    if has_numbers:
        missing_targets = dict.fromkeys(code for column in codes.values() for code in column.codes)
        spec = spec.model_copy(update={"missing_targets": tuple(missing_targets)})
    else:
        rules = replace(rules, exempt=frozenset(columns.target))
    _check_split(spec, layout)
    notes = [*layout.notes, *columns.notes, f"metric: {task_metric.name}, {task_metric.direction} ({why})"]
    # The notes that follow may hold values of cells.
    logger.info("task %s: %s, %d classes; %s", spec.name, spec.problem, len(spec.classes), "; ".join(notes))
    labelled = cells is not None and layout.test.frame is not None
    notes += form.notes
    if not labelled:
        notes.append("the labels cannot be located in a table, so scores will be those that scripts report")
    warnings = [*_warnings(spec, cells), *_unused_rows(layout, cache), *_other_labels(spec, layout)]
    return Inference(spec, task_metric, layout, labelled, tuple(notes), rules, tuple(warnings))


def _refuse_no_rows(layout: Layout) -> None:
    if layout.has_test and layout.test.frame is not None and not len(layout.test.frame):
        msg = f"{layout.test.name} has no rows: add the rows to predict, or remove the file"
        raise TaskError(msg)


def _target_cells(layout: Layout, columns: TaskColumns) -> pd.DataFrame | None:
    """Return the target columns of the train table, None when there is no such table."""
    if layout.train.frame is None:
        return None
    if not len(layout.train.frame):
        msg = f"{layout.train.name} has no rows"
        raise TaskError(msg)
    return layout.train.frame[list(columns.target)]


def _target_styles(layout: Layout, cells: pd.DataFrame | None) -> dict[str, NumberStyle]:
    train = layout.train
    if train.frame is None or cells is None:
        return {}
    emptied = {str(name): cells[name] for name in cells}
    return target_styles(train.frame.assign(**emptied), list(emptied), train.delimiter)


def _sample_labels(layout: Layout, columns: TaskColumns) -> set[str]:
    """Return the different predictions of the sample submission; none where one, which means nothing, fills it."""
    labels = _predictions_of_sample(layout, columns.predictions)
    return labels if len(labels) > 1 else set()


def _predictions_of_sample(layout: Layout, predictions: Sequence[str]) -> set[str]:
    """Return the different cells of the sample submission's prediction columns."""
    if layout.sample is None or layout.sample.frame is None:
        return set()
    names = [name for name in predictions if name in layout.sample.columns]
    return {str(cell).strip() for name in names for cell in layout.sample.frame[name].unique()}


def _written_form(
    layout: Layout, form: PredictionForm, spec: TaskSpec, formats: Mapping[str, str]
) -> dict[str, object]:
    """Return the fields of the spec that say how targets and predictions are written."""
    dialect = find_dialect(layout.sample, form, layout.train.frame)
    texts = tuple(formats.get(name, "") for name in spec.target) if form.kind == "value" else ()
    return {
        "target_formats": texts if any(texts) else (),
        "submission_delimiter": dialect.delimiter,
        "submission_decimal": dialect.decimal,
    }


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
    if metric.kind == "text" and not metric.several_labels:
        return "text"
    rows = layout.test.frame.iloc[:_SAMPLE_ROWS]
    features: list[ColumnKind] = []
    for column in layout.test.columns:
        kind = column_kind(column, rows[column].unique(), rows=len(rows))
        features += [kind] * (kind not in ("id", "date", "empty"))
        if len(features) > _MAX_TEXT_FEATURES:
            return "table"
    return "text" if "text" in features else "table"


def _check_split(spec: TaskSpec, layout: Layout) -> None:
    if layout.train.frame is None:
        return
    _, series, columns = spec.split_columns(layout.train.columns)
    names = [name for name in (*series, *columns) if name]
    if missing := [name for name in names if name not in layout.train.columns]:
        msg = f"split = {spec.split!r}: {layout.train.name} has no column {missing[0]!r}"
        raise TaskError(msg)
    if set(names) & set(spec.target):
        msg = f"split = {spec.split!r}: the target cannot divide the rows"
        raise TaskError(msg)


def _warnings(spec: TaskSpec, cells: pd.DataFrame | None) -> list[str]:
    warnings: list[str] = []
    if spec.train_only:
        warnings.append(f"only in train, so no script may use them at test time: {', '.join(spec.train_only)}")
    return warnings if cells is None else [*warnings, *_target_warnings(spec, cells)]


def _target_warnings(spec: TaskSpec, cells: pd.DataFrame) -> list[str]:
    """Count the rows of train that cannot be learned from."""
    infinite, usable, whole = infinite_rows(spec, cells), usable_mask(spec, cells), labelled_mask(spec, cells)
    missing, partly = int((~usable).sum()) - infinite, int((usable & ~whole).sum())
    codes = f" (empty, or {', '.join(spec.missing_targets)})" * bool(spec.missing_targets)
    warnings = [f"left out: {_rows(missing)} of {spec.train} without a target{codes}"] if missing else []
    if infinite:
        warnings.append(f"left out: {_rows(infinite)} of {spec.train} with an infinite target")
    if _are_amounts(spec):
        numbers = f"{len(spec.classes)} different numbers in {_rows(spec.train_rows)} are taken for classes"
        advice = f"since {spec.metric} needs classes; set another metric if it is an amount"
        warnings.append(f"target {spec.target[0]}: {numbers}, {advice}")
    if partly:
        warnings.append(f"not withheld, but learned from: {_rows(partly)} of {spec.train} without some of the targets")
    return warnings


def _are_amounts(spec: TaskSpec) -> bool:
    """Return whether the classes are numbers of so few rows each that they seem to be amounts."""
    classes = len(spec.classes)
    many = classes > MAX_INTEGER_CLASSES and classes * ROWS_PER_CLASS > spec.train_rows
    return len(spec.target) == 1 and many and is_numeric(spec.classes)


def _other_labels(spec: TaskSpec, layout: Layout) -> list[str]:
    """Say that the sample submission has numbers where train has words, so that its labels are not known."""
    if layout.sample is None or spec.prediction_kind != "label":
        return []
    names = [name for name in spec.prediction_columns if name in layout.sample.columns]
    cells = _predictions_of_sample(layout, names) - {""}
    if not cells or not is_numeric(cells) or any(is_numeric([label]) for label in spec.classes):
        return []
    return [
        f"{layout.sample.name} has {min(cells)!r} for {names[0]!r}, which is no label of train "
        f"({', '.join(spec.classes[:3])}): the submission will have the labels of train"
    ]


def _unused_rows(layout: Layout, cache: TableCache) -> list[str]:
    """Name the files that are called train too and have its columns, but rows of their own."""
    names = [name for name in layout.other_files if role_of_name(name) == "train" and cache.is_readable(name)]
    columns = set(layout.train.columns)
    same = [name for name in names if set(cache.get(name).columns) == columns]
    others = [name for name in same if not _repeats(cache.get(name).frame, layout.train.frame)]
    if not others:
        return []
    rows = sum(len(cache.get(name)) for name in others)
    which = f"{_rows(rows)} of {', '.join(others)}, which have the columns of {layout.train.name}"
    return [f"not learned from as train: {which}; join the files, or name the right one as train in task.toml"]


def _repeats(frame: pd.DataFrame, train: pd.DataFrame | None) -> bool:
    """Return whether every row of a table is a row of train."""
    if train is None:
        return True
    hashes = [pd.util.hash_pandas_object(part[list(train.columns)], index=False) for part in (frame, train)]
    return bool(hashes[0].isin(hashes[1]).all())


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"
