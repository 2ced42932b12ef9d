"""Id, target and prediction columns, inferred by comparing train, test and sample submission."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from mlestar.data.layouts import Layout, TaskFile
from mlestar.data.overrides import Overrides
from mlestar.data.task.inference.labels import align_classes, classes_of
from mlestar.data.task.inference.survival import survival_target
from mlestar.errors import TaskError, nearest
from mlestar.metrics import canonical_labels

_GENERIC = re.compile(
    r"(?:pred|prob|target|label|score|value|output|answer|result|expected|class|response)", re.IGNORECASE
)
_FILE_NAME = re.compile(r"\.[a-z]+\d?$", re.IGNORECASE)
_ID_NAME = re.compile(r"(?:^|[_\W]|[a-z])id$|^(?:key|index|row)$", re.IGNORECASE)
_SAMPLE_ROWS, _TEXT_WORDS = 2000, 2.0
"""Rows that are looked at, and mean words of a cell that make them sentences. Chosen by judgement; not measured."""
_LISTED = 6
"""Columns that a question names. Chosen by judgement; not measured."""
_USUAL = ("target", "label", "y", "class", "outcome")


@dataclass(frozen=True)
class TaskColumns:
    """The columns that a submission is made of."""

    id: str | None
    target: tuple[str, ...]
    predictions: tuple[str, ...]
    """Empty without a sample submission."""
    notes: tuple[str, ...]


def find_columns(layout: Layout, overrides: Overrides, description: str) -> TaskColumns:
    """Find id, target and prediction columns.

    Raises:
        TaskError: the files contradict each other or leave it open.
    """
    if (lines := layout.submission_lines(None)) is not None:
        notes = (f"id: {lines.id} (several lines of a submission for each row)", f"target: {lines.value}")
        return TaskColumns(lines.id, (lines.value,), (lines.value,), notes)
    identifier, note = _find_id(layout, overrides)
    predictions = overrides.prediction_columns or _find_predictions(layout, identifier)
    target, why = _find_target(layout, overrides, predictions, description)
    _refuse_answers(layout, target)
    _refuse_other_spelling(layout, target)
    return TaskColumns(identifier, target, predictions, (note, f"target: {', '.join(target)} ({why})"))


def _refuse_answers(layout: Layout, target: Iterable[str]) -> None:
    """Refuse a test file with the target in it."""
    answers = [column for column in target if column in layout.test.columns]
    if layout.test.frame is not None and answers:
        msg = f"{layout.test.name} holds the target {answers[0]!r}: remove that column"
        raise TaskError(msg)


def _refuse_other_spelling(layout: Layout, target: Iterable[str]) -> None:
    """Refuse a test file that names a column of train with other capitals or blanks."""
    if layout.test.frame is None:
        return
    only_test = {_plain(column): column for column in layout.test.columns if column not in layout.train.columns}
    for column in layout.train.columns:
        if column in layout.test.columns or column in target or _plain(column) not in only_test:
            continue
        msg = f"{layout.test.name} has the column {only_test[_plain(column)]!r}, which {layout.train.name} calls "
        raise TaskError(f"{msg}{column!r}: give it one name")


def _plain(column: str) -> str:
    """Return a column name without capitals, and with one kind of blank."""
    return " ".join(re.split(r"[\s_]+", column.casefold().strip()))


def _find_id(layout: Layout, overrides: Overrides) -> tuple[str | None, str]:
    if overrides.id is not None:
        _check_set_id(layout, overrides.id)
        return overrides.id, f"id: {overrides.id} (set)"
    if layout.sample is None or layout.sample.frame is None:
        return _guess_id(layout.train, layout.test) if layout.has_test else _named_id(layout.train)
    return _id_of_sample(layout.sample, layout.sample.frame, layout)


def _check_set_id(layout: Layout, identifier: str) -> None:
    files = (layout.test, layout.sample) if layout.has_test else (layout.train,)
    for file in filter(None, files):
        if file.columns and identifier not in file.columns:
            msg = f"{file.name} has no column {identifier!r}, which is set as the id"
            raise TaskError(msg + _suggestion(identifier, file.columns))
    _check_ids(layout, identifier)


def _named_id(train: TaskFile) -> tuple[str | None, str]:
    """Without a test file: return a column without repeats that is named like an id."""
    if train.frame is not None:
        for column in train.columns:
            if _ID_NAME.search(column) and train.frame[column].is_unique:
                return column, f"id: {column} (its name, and different in every row)"
    return None, "id: none found; predictions are in the order of the rows"


def _guess_id(train: TaskFile, test: TaskFile) -> tuple[str | None, str]:
    """Without a sample submission: return a column without repeats that is named like an id or comes first."""
    if train.frame is None or test.frame is None:
        return None, "id: none, the files are not tables; rows are in order"
    for position, column in enumerate(test.columns):
        if column not in train.columns:
            continue
        train_cells, test_cells = train.frame[column], test.frame[column]
        named = _ID_NAME.search(column)
        first = position == 0 and not set(train_cells) & set(test_cells) and not _are_features(train_cells)
        if train_cells.is_unique and test_cells.is_unique and (named or first):
            return column, f"id: {column} (different in every row of both files)"
    return None, "id: none found, a submission follows the order of the test file"


def _are_features(cells: pd.Series) -> bool:
    """Return whether cells are texts of several words or numbers with fractions, which name no row."""
    texts = cells.str.strip()
    return bool(texts.str.contains(r"\s").mean() > 0.5 or texts.str.fullmatch(r"[+-]?\d*[.,]\d+").mean() > 0.5)


def _id_of_sample(sample: TaskFile, frame: pd.DataFrame, layout: Layout) -> tuple[str | None, str]:
    test, first = layout.test, sample.columns[0]
    if test.frame is None:
        return (first, f"id: {first} (first column of {sample.name})") if frame[first].is_unique else (None, "id: none")
    shared = [column for column in sample.columns if column in test.columns]
    identifying = [column for column in shared if not _is_copied_text(column, frame, test.frame)]
    for column in identifying:
        if test.frame[column].is_unique and _same_values(frame[column], test.frame[column]):
            return column, f"id: {column} ({sample.name} and {test.name} hold the same values)"
    if shared and not _same_rows(frame, test.frame, shared):
        _check_ids(layout, shared[0])
    if not shared and len(sample.columns) > 1:
        _check_missing_id(sample, frame, layout)
    _check_rows(sample, frame, test.name, len(test.frame))
    return None, f"id: none, {sample.name} follows the order of {test.name}"


def _same_values(left: pd.Series, right: pd.Series) -> bool:
    return len(left) == len(right) and not _unmatched(left, right)


def _unmatched(left: pd.Series, right: pd.Series) -> list[str]:
    """Return the cells that only one side has; 301.0 is 301, unless that makes two ids of a side equal."""
    left, right = left.str.strip(), right.str.strip()
    if set(left) == set(right):
        return []
    sides = [set(canonical_labels(side)) for side in (left, right)]
    if any(len(ids) < side.nunique() for ids, side in zip(sides, (left, right), strict=True)):
        sides = [set(left), set(right)]
    return sorted(sides[0] ^ sides[1])


def _is_copied_text(column: str, sample: pd.DataFrame, test: pd.DataFrame) -> bool:
    """Return whether a column holds sentences that the sample repeats row by row: a feature, not an id."""
    cells = test[column].iloc[:_SAMPLE_ROWS].tolist()
    words = sum(len(cell.split()) for cell in cells) / max(len(cells), 1)
    if all(_FILE_NAME.search(cell) for cell in cells):
        return False
    return words >= _TEXT_WORDS and _same_rows(sample, test, [column])


def _same_rows(sample: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> bool:
    """Return whether columns are equal row by row, because they are copied or identify a row together.

    One column that is named like an id identifies rows by itself, so that it may not repeat.
    """
    may_repeat = len(columns) > 1 or not _ID_NAME.search(columns[0])
    return may_repeat and len(sample) == len(test) and bool((sample[columns] == test[columns]).all(axis=None))


def _check_missing_id(sample: TaskFile, frame: pd.DataFrame, layout: Layout) -> None:
    """Refuse a first column that identifies rows but is not in test, unless it only counts them."""
    first = sample.columns[0]
    train = layout.train.frame
    train_id = train is not None and first in train and train[first].is_unique
    other_id = first not in layout.train.columns and not _counts_rows(frame[first])
    if len(frame) > 1 and frame[first].is_unique and (train_id or other_id):
        msg = f"{layout.test.name} has no column {first!r}, by which {sample.name} identifies its rows: add it"
        raise TaskError(msg)


def _check_rows(sample: TaskFile, frame: pd.DataFrame, test: str, rows: int) -> None:
    if len(frame) != rows:
        msg = f"{sample.name} has {len(frame)} rows, but {test} has {rows}"
        raise TaskError(msg)


def _check_ids(layout: Layout, column: str) -> None:
    if layout.sample is None or layout.sample.frame is None or layout.test.frame is None:
        return
    _check_rows(layout.sample, layout.sample.frame, layout.test.name, len(layout.test.frame))
    test_ids = layout.test.frame[column].str.strip()
    if (repeated := test_ids[test_ids.duplicated()]).size:
        msg = f"{layout.test.name}: duplicate id {repeated.iloc[0]!r} in column {column!r}"
        raise TaskError(msg)
    if unmatched := _unmatched(layout.sample.frame[column], test_ids):
        msg = f"the ids of {layout.sample.name} and {layout.test.name} differ in {column!r}, e.g. {unmatched[0]!r}"
        raise TaskError(msg)


def _find_predictions(layout: Layout, identifier: str | None) -> tuple[str, ...]:
    """Return the columns of the sample that test does not have; empty without a sample."""
    if layout.sample is None:
        return ()
    test_columns = layout.test.columns if layout.test.frame is not None else ()
    columns = [column for column in layout.sample.columns if column != identifier and column not in test_columns]
    frame = layout.sample.frame
    if identifier is None and len(columns) > 1 and frame is not None and _counts_rows(frame[columns[0]]):
        columns = columns[1:]
    if not columns:
        _refuse_answers(layout, [column for column in layout.sample.columns if column != identifier])
        msg = f"{layout.sample.name} has no column for predictions, only {', '.join(layout.sample.columns)}"
        raise TaskError(msg)
    return tuple(columns)


def _counts_rows(cells: pd.Series) -> bool:
    """Return whether a column only numbers the rows, from 0 or from 1."""
    return cells.tolist() in ([str(row) for row in range(start, start + len(cells))] for start in (0, 1))


def _find_target(
    layout: Layout, overrides: Overrides, predictions: tuple[str, ...], description: str
) -> tuple[tuple[str, ...], str]:
    train = layout.train
    if overrides.target:
        _check_set_target(train, overrides.target)
        return overrides.target, "set"
    extras = [column for column in train.columns if column not in layout.test.columns]
    survival = survival_target(extras, train.frame, description) if len(predictions) < 2 else ()
    if survival and set(predictions) & set(train.columns) <= set(survival):
        return survival, "time and event of survival data"
    if predictions and set(predictions) <= set(train.columns):
        return predictions, "a column of the sample submission"
    if not train.columns:
        return (predictions[:1] if len(predictions) == 1 else ("label",)), "train is not a table: not located"
    if not extras:
        request = f"; {layout.sample.name} asks for {', '.join(predictions[:3])}" if layout.sample else ""
        msg = f"{train.name} has no target column: {layout.test.name} has all its columns{request}"
        raise TaskError(msg)
    return _choose_target(layout, extras, predictions, description)


def _check_set_target(train: TaskFile, target: tuple[str, ...]) -> None:
    missing = [column for column in target if column not in train.columns]
    if train.columns and missing:
        msg = f"{train.name} has no column {missing[0]!r}, which is set as the target"
        raise TaskError(msg + _suggestion(missing[0], train.columns))


def _suggestion(name: str, columns: Collection[str]) -> str:
    """Return the end of a message about a name that may be mistyped."""
    match = nearest(name, columns)
    return f"; did you mean {match!r}?" if match else ""


def _choose_target(
    layout: Layout, extras: list[str], predictions: tuple[str, ...], description: str
) -> tuple[tuple[str, ...], str]:
    """Choose among the columns that only train has, when the submission uses other names for its predictions."""
    frame = layout.train.frame
    if len(predictions) > 1 and frame is not None:
        for column in extras:
            if align_classes(predictions, classes_of(frame[column])):
                return (column,), "the submission has a column for each of its values"
    if len(predictions) == 1:
        _check_prediction(layout, extras, predictions[0], description)
    if len(extras) == 1:
        return (extras[0],), "the only column that test does not have"
    if len(listed := _listed_targets(extras, description)) > 1:
        return listed, "listed in the description"
    described = [column for column in extras if _is_described_as_target(column, description)]
    if len(described) == 1:
        return (described[0],), "named in the description"
    usual = [column for column in extras if column.lower() in _USUAL]
    if len(usual) == 1:
        return (usual[0],), "its name"
    listed_columns = extras if len(extras) <= _LISTED else [*extras[: _LISTED - 1], "...", extras[-1]]
    msg = f"which of {', '.join(listed_columns)} is the target? Set target, e.g. --target {extras[-1]}"
    raise TaskError(msg)


def _check_prediction(layout: Layout, extras: list[str], prediction: str, description: str) -> None:
    """Refuse a submission column that the description names as a column, but that train does not have."""
    similar = any(prediction.lower() in extra.lower() or extra.lower() in prediction.lower() for extra in extras)
    if similar or _GENERIC.search(prediction) or f"`{prediction}`" not in description:
        return
    msg = f"{layout.train.name} has no target column {prediction!r}, which the sample submission asks for"
    raise TaskError(msg)


def _listed_targets(columns: list[str], description: str) -> tuple[str, ...]:
    """Return the columns that a sentence lists as what is to be predicted: "predict `a`, `b` and `c`"."""
    names = "|".join(re.escape(column) for column in sorted(columns, key=len, reverse=True))
    name = rf"[`'\"*]{{0,2}}\b(?:{names})\b[`'\"*]{{0,2}}"
    link = r"(?:\s*,\s*|\s+)(?:(?:and|und|et|y|&)\s+)?(?:the\s+)?"
    request = r"\b(?:predict\w*|forecast\w*|targets?)\b[^.;\n]{0,60}?"
    match = re.search(f"{request}({name}(?:{link}{name})+)", description, re.IGNORECASE)
    if match is None:
        return ()
    listed = re.findall(rf"\b(?:{names})\b", match[1])
    return tuple(column for column in columns if column in listed)


def _is_described_as_target(column: str, description: str) -> bool:
    bare, quoted = rf"[`'\"*]?\b{re.escape(column)}\b[`'\"*]?", f"`{re.escape(column)}`"
    before = rf"(?:target|predict(?:ing)?)\b[^.;`\n]{{0,40}}{bare}"
    after = rf"{bare}[^.;,`\n]{{0,40}}\btarget\b|{quoted}[^.;`\n]{{0,60}}\btarget\b"
    return re.search(f"{before}|{after}", description, re.IGNORECASE) is not None
