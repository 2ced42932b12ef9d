"""Which columns are the id, the target and the predictions: told by comparing train, test and sample submission."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from mlestar.data.task.inference.labels import align_classes, classes_of
from mlestar.data.task.inference.overrides import Overrides
from mlestar.data.task.inference.roles import Source, TaskFiles
from mlestar.errors import TaskError

_GENERIC = re.compile(
    r"(?:pred|prob|target|label|score|value|output|answer|result|expected|class|response)", re.IGNORECASE
)
_USUAL = ("target", "label", "y", "class", "outcome")


@dataclass(frozen=True)
class Columns:
    """The columns that a submission is made of."""

    id: str | None
    target: tuple[str, ...]
    predictions: tuple[str, ...]
    """Empty when no sample submission tells them."""
    notes: tuple[str, ...]


def find_columns(parts: TaskFiles, overrides: Overrides, description: str) -> Columns:
    """Find id, target and prediction columns.

    Raises:
        TaskError: the files contradict each other or leave it open.
    """
    identifier, note = _find_id(parts, overrides)
    predictions = overrides.prediction_columns or _predictions(parts, identifier)
    target, why = _find_target(parts, overrides, predictions, description)
    _refuse_answers(parts, target)
    return Columns(identifier, target, predictions, (note, f"target: {', '.join(target)} ({why})"))


def _refuse_answers(parts: TaskFiles, target: Iterable[str]) -> None:
    given = [column for column in target if column in parts.test.columns]
    if parts.test.frame is not None and given:
        msg = f"{parts.test.name} holds the target {given[0]!r}: remove that column"
        raise TaskError(msg)


def _find_id(parts: TaskFiles, overrides: Overrides) -> tuple[str | None, str]:
    if overrides.id is not None:
        for source in filter(None, (parts.test, parts.sample)):
            if source.columns and overrides.id not in source.columns:
                msg = f"{source.name} has no column {overrides.id!r}, which is set as the id"
                raise TaskError(msg)
        _check_ids(parts, overrides.id)
        return overrides.id, f"id: {overrides.id} (set)"
    if parts.sample is None or parts.sample.frame is None:
        return _guess_id(parts.train, parts.test)
    return _id_of_sample(parts.sample, parts.sample.frame, parts)


def _guess_id(train: Source, test: Source) -> tuple[str | None, str]:
    """Without a sample submission: a column that names every row of both files, by its name or by coming first."""
    if train.frame is None or test.frame is None:
        return None, "id: none is known, rows go by order"
    for place, column in enumerate(test.columns):
        named = re.search(r"(?:^|_|[a-z])id$", column, re.IGNORECASE)
        unique = column in train.columns and train.frame[column].is_unique and test.frame[column].is_unique
        if unique and (named or (place == 0 and not set(train.frame[column]) & set(test.frame[column]))):
            return column, f"id: {column} (it names every row of both files)"
    return None, "id: none found, a submission follows the order of the test file"


def _id_of_sample(sample: Source, frame: pd.DataFrame, parts: TaskFiles) -> tuple[str | None, str]:
    test, first = parts.test, sample.columns[0]
    if test.frame is None:
        return (first, f"id: {first} (first column of {sample.name})") if frame[first].is_unique else (None, "id: none")
    shared = [column for column in sample.columns if column in test.columns]
    for column in shared:
        if test.frame[column].is_unique and _same(frame[column], test.frame[column]):
            return column, f"id: {column} ({sample.name} and {test.name} hold the same values)"
    if shared and not _in_step(frame, test.frame, shared):
        _check_ids(parts, shared[0])
    if not shared and len(sample.columns) > 1:
        _check_missing_id(sample, frame, parts)
    _check_rows(sample, frame, test.name, len(test.frame))
    return None, f"id: none, {sample.name} follows the order of {test.name}"


def _same(left: pd.Series, right: pd.Series) -> bool:
    return len(left) == len(right) and set(left.str.strip()) == set(right.str.strip())


def _in_step(sample: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> bool:
    """Several columns may name a row together; the sample then repeats them row by row."""
    return len(columns) > 1 and len(sample) == len(test) and bool((sample[columns] == test[columns]).all(axis=None))


def _check_missing_id(sample: Source, frame: pd.DataFrame, parts: TaskFiles) -> None:
    """Refuse a first column that names rows but is not in test, unless it only counts them."""
    first = sample.columns[0]
    train = parts.train.frame
    named = train is not None and first in train and train[first].is_unique
    foreign = first not in parts.train.columns and not _counts(frame[first])
    if len(frame) > 1 and frame[first].is_unique and (named or foreign):
        msg = f"{parts.test.name} has no column {first!r}, which {sample.name} names its rows by: add it"
        raise TaskError(msg)


def _check_rows(sample: Source, frame: pd.DataFrame, test: str, rows: int) -> None:
    if len(frame) != rows:
        msg = f"{sample.name} has {len(frame)} rows, but {test} has {rows}"
        raise TaskError(msg)


def _check_ids(parts: TaskFiles, column: str) -> None:
    if parts.sample is None or parts.sample.frame is None or parts.test.frame is None:
        return
    _check_rows(parts.sample, parts.sample.frame, parts.test.name, len(parts.test.frame))
    held, asked = parts.test.frame[column].str.strip(), parts.sample.frame[column].str.strip()
    if (repeated := held[held.duplicated()]).size:
        msg = f"{parts.test.name}: the id {repeated.iloc[0]!r} stands twice in column {column!r}"
        raise TaskError(msg)
    if strangers := sorted(set(asked) ^ set(held)):
        msg = f"the ids of {parts.sample.name} and {parts.test.name} differ in {column!r}, e.g. {strangers[0]!r}"
        raise TaskError(msg)


def _predictions(parts: TaskFiles, identifier: str | None) -> tuple[str, ...]:
    """Return what the sample asks for besides columns that test already has; empty without a sample."""
    if parts.sample is None:
        return ()
    known = {identifier, *(parts.test.columns if parts.test.frame is not None else ())}
    asked = [column for column in parts.sample.columns if column not in known]
    frame = parts.sample.frame
    if identifier is None and len(asked) > 1 and frame is not None and _counts(frame[asked[0]]):
        asked = asked[1:]
    if not asked:
        _refuse_answers(parts, [column for column in parts.sample.columns if column != identifier])
        msg = f"{parts.sample.name} has no column for predictions, only {', '.join(parts.sample.columns)}"
        raise TaskError(msg)
    return tuple(asked)


def _counts(cells: pd.Series) -> bool:
    """Tell whether a column only numbers the rows, from 0 or from 1."""
    return cells.tolist() in ([str(row) for row in range(start, start + len(cells))] for start in (0, 1))


def _find_target(
    parts: TaskFiles, overrides: Overrides, predictions: tuple[str, ...], description: str
) -> tuple[tuple[str, ...], str]:
    train = parts.train
    if wanted := overrides.target:
        missing = [column for column in wanted if column not in train.columns]
        if train.columns and missing:
            msg = f"{train.name} has no column {missing[0]!r}, which is set as the target"
            raise TaskError(msg)
        return wanted, "set"
    if predictions and set(predictions) <= set(train.columns):
        return predictions, "the sample submission asks for it"
    extras = [column for column in train.columns if column not in parts.test.columns]
    if not train.columns:
        return (predictions[:1] if len(predictions) == 1 else ("label",)), "train is not a table: not located"
    if not extras:
        asked = f"; {parts.sample.name} asks for {', '.join(predictions[:3])}" if parts.sample else ""
        msg = f"{train.name} has no target column: {parts.test.name} has all its columns{asked}"
        raise TaskError(msg)
    return _choose_target(parts, extras, predictions, description)


def _choose_target(
    parts: TaskFiles, extras: list[str], predictions: tuple[str, ...], description: str
) -> tuple[tuple[str, ...], str]:
    """Choose among the columns that only train has, when the submission calls its predictions otherwise."""
    frame = parts.train.frame
    if len(predictions) > 1 and frame is not None:
        for column in extras:
            if align_classes(predictions, classes_of(frame[column])):
                return (column,), "the submission has a column for each of its values"
    if len(predictions) == 1:
        _check_known(parts, extras, predictions[0], description)
    if len(extras) == 1:
        return (extras[0],), "the only column that test does not have"
    for why, chosen in (
        ("named in the description", [column for column in extras if _told(column, description)]),
        ("its name", [column for column in extras if column.lower() in _USUAL]),
    ):
        if len(chosen) == 1:
            return (chosen[0],), why
    msg = f"which of {', '.join(extras[:6])} is the target? Set target in task.toml"
    raise TaskError(msg)


def _check_known(parts: TaskFiles, extras: list[str], prediction: str, description: str) -> None:
    """Refuse a submission column that the description speaks of as a column, but that train does not have."""
    alike = any(prediction.lower() in extra.lower() or extra.lower() in prediction.lower() for extra in extras)
    if alike or _GENERIC.search(prediction) or f"`{prediction}`" not in description:
        return
    msg = f"{parts.train.name} has no target column {prediction!r}, which the sample submission asks for"
    raise TaskError(msg)


def _told(column: str, description: str) -> bool:
    bare, quoted = rf"[`'\"*]?\b{re.escape(column)}\b[`'\"*]?", f"`{re.escape(column)}`"
    before = rf"(?:target|predict(?:ing)?)\b[^.;`\n]{{0,40}}{bare}"
    after = rf"{bare}[^.;,`\n]{{0,40}}\btarget\b|{quoted}[^.;`\n]{{0,60}}\btarget\b"
    return re.search(f"{before}|{after}", description, re.IGNORECASE) is not None
