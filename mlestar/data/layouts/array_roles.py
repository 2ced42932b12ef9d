"""Which array holds what: features or labels, of train or of test."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from mlestar.data.layouts.array_files import ArrayInfo
from mlestar.errors import TaskError

Side = Literal["train", "test", "other"]

_SIDES: dict[str, Side] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("test", "testing", "te"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "other"),
}
_LABELS = {"y", "label", "labels", "target", "targets"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_JOINED = re.compile(r"^(x|y)(train|test|val)$|^(train|test|val)(x|y)$")


@dataclass(frozen=True)
class ArrayRoles:
    """The arrays of a task by what they are for."""

    labels: tuple[ArrayInfo, ...]
    """Empty where a table has them."""
    train: tuple[ArrayInfo, ...]
    """Of labelled rows, besides the labels."""
    test: dict[str, ArrayInfo]
    """Of the rows to predict, by their base names."""
    answers: tuple[ArrayInfo, ...]
    """The labels of the rows to predict."""
    others: tuple[ArrayInfo, ...]
    """Arrays of other lengths in the same files."""

    @property
    def rows(self) -> int:
        return (*self.labels, *self.train)[0].rows

    @property
    def test_rows(self) -> int:
        return next(iter(self.test.values())).rows if self.test else 0


def find_array_roles(arrays: Sequence[ArrayInfo], labelled: int | None) -> ArrayRoles | None:
    """Return the roles of arrays by their names and lengths; None where there are no labelled rows.

    Args:
        arrays: every array of the input.
        labelled: the number of rows of a table of labels, where there is one.
    """
    sides = {array: side_of(array) for array in arrays}
    if "train" not in sides.values():
        sides = {array: side or "train" for array, side in sides.items()}
    of_train = [array for array in arrays if sides[array] == "train"]
    labels = [array for array in of_train if is_label(array) and array.rows] if labelled is None else []
    rows = labels[0].rows if labels else labelled
    if rows is None:
        return None
    labels = [array for array in labels if array.rows == rows]
    train = [array for array in of_train if array.rows == rows and not is_label(array)]
    of_test = [array for array in arrays if sides[array] == "test"]
    if not any(len(array.shape) > 1 for array in train):
        _refuse_lengths(labels, of_train, of_test)
        return None
    bases = {base_name(array) for array in train}
    matching = [array for array in of_test if base_name(array) in bases and not is_label(array)]
    counts = [array.rows for array in matching if len(array.shape) > 1]
    test = {base_name(array): array for array in of_test if not is_label(array) and counts and array.rows == counts[0]}
    answers = [array for array in of_test if is_label(array) and counts and array.rows == counts[0]]
    used = {*labels, *train, *test.values(), *answers}
    files = {array.file for array in used}
    # Further labels might be those of all rows.
    others = [array for array in arrays if array.file in files and array not in used and not is_label(array)]
    return ArrayRoles(tuple(labels), tuple(train), test, tuple(answers), tuple(others))


def _refuse_lengths(labels: Sequence[ArrayInfo], train: Sequence[ArrayInfo], test: Sequence[ArrayInfo]) -> None:
    """Refuse features of train, by their names, that have another number of rows than the labels."""
    bases = {base_name(array) for array in test}
    features = [array for array in train if len(array.shape) > 1 and not is_label(array) and base_name(array) in bases]
    if labels and features:
        msg = f"{labels[0].file} has {labels[0].rows} rows and {features[0].file} has {features[0].rows}: "
        raise TaskError(f"{msg}they must have one for each row of train")


def is_label(array: ArrayInfo) -> bool:
    """Return whether an array holds labels, by its name."""
    words = [word for word in _own_words(array) if word not in _SIDES]
    return bool(words) and (words[-1] in _LABELS or words[0] in _LABELS)


def base_name(array: ArrayInfo) -> str:
    """Return the name that an array has in train and in test alike."""
    words = [word for word in _own_words(array) if word not in _SIDES]
    return "_".join(words) or "x"


def test_name(name: str) -> str:
    """Return the name of test for one of train; the same where it does not say train."""

    def replace(match: re.Match[str]) -> str:
        return "TEST" if match[0].isupper() else "Test" if match[0][0].isupper() else "test"

    return re.sub("train(ing)?", replace, name, flags=re.IGNORECASE)


def side_of(array: ArrayInfo) -> Side | None:
    """Return what an array is of, by its name and that of its file."""
    words = _own_words(array)
    if array.key:
        words = [*words, *words_of(PurePosixPath(array.file).stem)]
    return next((_SIDES[word] for word in words if word in _SIDES), None)


def _own_words(array: ArrayInfo) -> list[str]:
    return words_of(array.key or PurePosixPath(array.file).stem)


def words_of(name: str) -> list[str]:
    """Return the words and numbers of a name in lower case; `xtrain` is two of them."""
    words = [word.lower() for word in _WORD.findall(name)]
    parts = [[part for part in match.groups() if part] if (match := _JOINED.match(word)) else [word] for word in words]
    return [part for group in parts for part in group]
