"""Class folders: `train/cat/*.jpg`, `train/dog/*.jpg`, and files to predict in `test/`."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Self

import numpy as np

from mlestar.data.layouts.file_rows import FileRows, LabelledPaths, hide_answers
from mlestar.data.layouts.layout import TaskSource
from mlestar.data.layouts.roles import file_words, role_of_name
from mlestar.data.layouts.weights import without_weights
from mlestar.data.tables import is_table

_VALIDATION = {"valid", "validation", "val", "dev"}
_UNLABELLED = {"unsup", "unsupervised", "unlabeled", "unlabelled"}
_NO_CLASSES = {
    *("images", "image", "masks", "mask", "labels", "label", "annotations", "annotation", "targets"),
    *("clean", "cleaned", "noisy", "dirty", "input", "inputs", "output", "outputs", "docs"),
}
"""Names of folders that divide files by what they are for."""
# The limits below were chosen by judgement; none was measured.
_MIN_FILES = 2
"""Files that half of the classes must have."""
_MOST = 0.9
"""Share of files with one suffix, and of test folders that are named like classes of train."""


@dataclass(frozen=True, kw_only=True)
class ClassFolders(FileRows):
    """Labelled files in a folder for each class."""

    name: ClassVar[str] = "class folders"

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if source.has_table("train") or source.has_table("test"):
            return None
        paths = _find_paths(source)
        if paths is None:
            return None
        classes = len(set(paths.labels))
        where = "a folder" if paths.train == "." else f"{paths.train}/CLASS/"
        return cls.of_paths(
            source,
            paths,
            where_classes=f"the class of a labelled file is the name of its folder ({where} for each class)",
            train_line=f"train: {len(paths.files)} files in {classes} class folders of {paths.train_place}",
            no_test="none, so nothing has to be submitted; files of train are withheld under made-up names",
        )


def _find_paths(source: TaskSource) -> LabelledPaths | None:
    files = without_weights(file for file in source.folder.files if file not in source.roles.values())
    folders = sorted({str(parent) for file in files for parent in PurePosixPath(file).parents}, key=_depth)
    train = _find_train(source, folders, files)
    if train is None:
        return None
    children = [name for name in _children(train, files) if role_of_name(name) != "test"]
    unlabelled = sorted(name for name in children if _word_set(name) & _UNLABELLED)
    classes = set(children) - set(unlabelled)
    notes: list[str] = []
    roots = [train]
    for folder in folders:
        if _words(folder) & _VALIDATION and (names := _children(folder, files)) and set(names) <= classes:
            roots.append(folder)
            notes.append(f"the files of {folder}/ are labelled too, and count as train")
    pairs = [(file, _class_of(root, file)) for root in roots for file in _below(root, files)]
    pairs = [(file, label) for file, label in pairs if label in classes]
    notes += [f"the files of {_join(train, name)}/ have no class" for name in unlabelled]
    test, test_files, hidden, remark = _find_test(source, folders, files, classes)
    return LabelledPaths(
        train=train,
        files=tuple(file for file, _ in pairs),
        labels=tuple(label for _, label in pairs),
        names=tuple(PurePosixPath(file).stem for file, _ in pairs),
        test=test,
        test_files=tuple(test_files),
        hidden=tuple(hidden),
        notes=tuple([*notes, *remark]),
    )


def _find_train(source: TaskSource, folders: Sequence[str], files: Sequence[str]) -> str | None:
    """Return the folder that holds the class folders: one named train, else the only one that can."""
    if source.overrides.train:
        return source.overrides.train if _has_classes(source.overrides.train, files) else None
    for folder in folders:
        if _role(folder) == "train" and (root := _descend(folder, files)) is not None:
            return root
    tables = [file for file in files if is_table(source.folder.input / file)]
    if tables or any(_role(folder) == "train" for folder in folders):
        return None
    return _descend(".", files)


def _descend(folder: str, files: Sequence[str]) -> str | None:
    """Return the folder itself or, through folders that hold nothing else, one below it that has class folders."""
    while not _has_classes(folder, files):
        children = [name for name in _children(folder, files) if role_of_name(name) != "test"]
        if len(children) != 1:
            return None
        folder = _join(folder, children[0])
    return folder


def _has_classes(folder: str, files: Sequence[str]) -> bool:
    """Return whether the folders in a folder are classes of the files in them."""
    below = _below(folder, files)
    children = {name: count for name, count in _children(folder, files).items() if role_of_name(name) != "test"}
    if len(children) < 2 or np.median(list(children.values())) < _MIN_FILES:
        return False
    if any(_is_no_class(name) for name in children):
        return False
    in_classes = [file for file in below if _class_of(folder, file) in children]
    suffixes = Counter(PurePosixPath(file).suffix.lower() for file in in_classes)
    groups = sum(count for _, count in suffixes.most_common(3))
    direct = len(below) - sum(_children(folder, files).values())
    return groups >= _MOST * len(in_classes) and direct < (1 - _MOST) * len(below) + 3


def _is_no_class(name: str) -> bool:
    words = _word_set(name)
    # `year=2020` is a part of a table.
    return role_of_name(name) is not None or "=" in name or name.lower() in _NO_CLASSES or bool(words & _VALIDATION)


def _find_test(
    source: TaskSource, folders: Sequence[str], files: Sequence[str], classes: set[str]
) -> tuple[str, list[str], list[str], list[str]]:
    """Return the test folder, its files, the files that are left out, and lines that say so."""
    for folder in folders:
        if folder == "." or _role(folder) != "test" or not (below := _below(folder, files)):
            continue
        children = _children(folder, files)
        while len(children) == 1 and sum(children.values()) == len(below) and not set(children) & classes:
            folder = _join(folder, next(iter(children)))
            children = _children(folder, files)
        if children and len(set(children) & classes) >= _MOST * len(children):
            hidden, remark = hide_answers(source, folder, below)
            return "test", [], hidden, remark
        return folder, below, [], []
    return "test", [], [], []


def _children(folder: str, files: Sequence[str]) -> Counter[str]:
    """Count the files of each folder in a folder."""
    parts = (file.removeprefix(f"{folder}/").split("/") for file in _below(folder, files))
    return Counter(part[0] for part in parts if len(part) > 1)


def _below(folder: str, files: Sequence[str]) -> list[str]:
    return list(files) if folder == "." else [file for file in files if file.startswith(f"{folder}/")]


def _class_of(root: str, file: str) -> str:
    parts = file.removeprefix(f"{root}/").split("/")
    return parts[0] if len(parts) > 1 else ""


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _depth(folder: str) -> tuple[int, str]:
    return (0 if folder == "." else folder.count("/") + 1), folder


def _role(folder: str) -> str | None:
    return None if folder == "." else role_of_name(PurePosixPath(folder).name)


def _words(folder: str) -> set[str]:
    return _word_set(PurePosixPath(folder).name)


def _word_set(name: str) -> set[str]:
    return {*file_words(name), *re.split(r"[\W_]+", name.lower())}
