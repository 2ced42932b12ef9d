"""The class begins the name of a labelled file, as in `train/cat.0.jpg`; files to predict are in `test/`."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

from mlestar.data.layouts.file_rows import FileRows, LabelledPaths, hide_answers
from mlestar.data.layouts.layout import TaskSource
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.layouts.weights import without_weights
from mlestar.data.tables import is_table

Divide = Callable[[str], tuple[str, str]]
"""Divides a name into its class and the rest; both are empty where it has none."""

_BEFORE_NUMBER = re.compile(r"(.*?[^\W_].*?)(?:[\s._()-]+|(?<!\d))(\d+)[\s)]*")
_BEFORE_SEPARATOR = re.compile(r"([^\W_][^._-]*)[._-]+(.*\d.*)")
_ARRAYS = {".npz", ".npy", ".h5", ".hdf5", ".zip", ".gz", ".tar"}
# The limits below were chosen by judgement; none was measured.
_MIN_FILES = 8
"""Files below which names show no classes."""
_FILES_PER_CLASS = 4
"""Mean number of files that classes must have."""
_MOST = 0.9
"""Share of files that must have a class, with one of its names twice or more."""
_SHARED = 0.5
"""Share of second parts that must occur with several first parts, as a speaker does with each word."""


@dataclass(frozen=True, kw_only=True)
class ClassInName(FileRows):
    """Labelled files of one folder, named after their class and a number or another id."""

    name: ClassVar[str] = "class in the file name"

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if source.has_table("train") or source.has_table("test"):
            return None
        paths = _find_paths(source)
        if paths is None:
            return None
        place = paths.train_place
        example = f"{PurePosixPath(paths.files[0]).name} is {paths.labels[0]}"
        return cls.of_paths(
            source,
            paths,
            where_classes=f"the name of a labelled file in {place} begins with its class ({example})",
            train_line=f"train: {len(paths.files)} files of {place}, {len(set(paths.labels))} classes in their names",
            no_test="none, so nothing has to be submitted",
        )


def _find_paths(source: TaskSource) -> LabelledPaths | None:
    folders: dict[str, list[str]] = defaultdict(list)
    for file in without_weights(source.folder.files):
        if file not in source.roles.values():
            folders[str(PurePosixPath(file).parent)].append(file)
    train = _find_train(source, folders)
    if train is None:
        return None
    divide = find_division([_stem(file) for file in folders[train]])
    if divide is None:
        return None
    parts = [(file, *divide(_stem(file))) for file in folders[train]]
    rows = [(file, label, rest) for file, label, rest in parts if label]
    classes = {label for _, label, _ in rows}
    test, test_files, hidden, notes = _find_test(source, folders, divide, classes)
    return LabelledPaths(
        train=train,
        files=tuple(file for file, _, _ in rows),
        labels=tuple(label for _, label, _ in rows),
        names=tuple(rest for _, _, rest in rows),
        test=test,
        test_files=tuple(test_files),
        hidden=tuple(hidden),
        notes=tuple(notes),
    )


def _find_train(source: TaskSource, folders: dict[str, list[str]]) -> str | None:
    """Return the folder named train with the most files, else the only folder of files besides test."""
    if source.overrides.train:
        return source.overrides.train if source.overrides.train in folders else None
    by_name = [folder for folder in folders if folder != "." and role_of_name(Path(folder).name) == "train"]
    if by_name:
        return max(by_name, key=lambda folder: len(folders[folder]))
    others = [folder for folder in folders if folder == "." or role_of_name(Path(folder).name) is None]
    others = [folder for folder in others if len(folders[folder]) >= _MIN_FILES]
    if len(others) != 1 or any(is_table(source.folder.input / file) for file in folders[others[0]]):
        return None
    return others[0]


def find_division(names: Sequence[str]) -> Divide | None:
    """Return how names divide into a class and a number or another id; None where they show no classes."""
    by_number, by_separator = (_division(pattern) for pattern in (_BEFORE_NUMBER, _BEFORE_SEPARATOR))
    if _shows_classes(names, by_separator) and _second_parts_are_shared(names, by_number):
        return by_separator
    return next((divide for divide in (by_number, by_separator) if _shows_classes(names, divide)), None)


def _division(pattern: re.Pattern[str]) -> Divide:
    def divide(name: str) -> tuple[str, str]:
        match = pattern.fullmatch(name)
        return (match[1], match[2]) if match else ("", "")

    return divide


def _shows_classes(names: Sequence[str], divide: Divide) -> bool:
    """Return whether few different classes cover nearly all names, nearly all of them with several names."""
    counts = Counter(divide(name)[0] for name in names)
    without = counts.pop("", 0)
    repeated = sum(count for count in counts.values() if count > 1)
    enough = len(names) >= _MIN_FILES and len(counts) > 1 and without <= (1 - _MOST) * len(names)
    return enough and len(counts) * _FILES_PER_CLASS <= len(names) and repeated >= _MOST * len(names)


def _second_parts_are_shared(names: Sequence[str], divide: Divide) -> bool:
    """Return whether names are `7_jackson_32`: a class, a group that occurs with several classes, and a number."""
    firsts: dict[str, set[str]] = defaultdict(set)
    for name in names:
        first, _, second = divide(name)[0].partition("_")
        if second:
            firsts[second].add(first)
    return bool(firsts) and sum(len(group) > 1 for group in firsts.values()) >= _SHARED * len(firsts)


def _find_test(
    source: TaskSource, folders: dict[str, list[str]], divide: Divide, classes: set[str]
) -> tuple[str, list[str], list[str], list[str]]:
    """Return the test folder, its files, the files that are left out, and lines that say so."""
    names = [folder for folder in folders if folder != "." and role_of_name(Path(folder).name) == "test"]
    if not names:
        return "test", [], [], []
    test = max(names, key=lambda folder: len(folders[folder]))
    files = folders[test]
    if sum(divide(_stem(file))[0] in classes for file in files) >= _MOST * len(files):
        hidden, notes = hide_answers(source, test, files)
        return "test", [], hidden, notes
    return test, files, [], []


def _stem(file: str) -> str:
    path = PurePosixPath(file)
    return "" if path.suffix.lower() in _ARRAYS else path.name.removesuffix(path.suffix)
