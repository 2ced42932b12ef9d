"""Rows that are files by themselves, with the class in the path: of class folders, and of names that begin with it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Self

import numpy as np
import pandas as pd

from mlestar.data.layouts.class_codes import find_codes
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.made_up import make_up_names
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.statistics import FileStatistics, column_statistics
from mlestar.errors import TaskError
from mlestar.metrics.spec import Modality

_TEXTS = {".txt", ".text", ".md", ".html", ".htm", ".xml", ".eml"}
_NAME = "name"
"""The field that holds the file's own name."""
# The limits below were chosen by judgement; none was measured.
_MOST = 0.9
"""Share of the ids or names that must be alike."""
_MAX_CLASSES_SHOWN = 12


@dataclass(frozen=True)
class LabelledPaths:
    """The labelled files of a task, and where those to predict are."""

    train: str
    """The folder of the labelled files; `.` for the input folder itself."""
    files: tuple[str, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    """Of each labelled file its name without suffix and class."""
    test: str
    """The folder of the files to predict, also where there is none yet."""
    test_files: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """Files that no script may see, as their paths tell the answers for test."""
    notes: tuple[str, ...] = ()

    @property
    def train_place(self) -> str:
        """The folder of the labelled files, for a person."""
        return "the input folder" if self.train == "." else f"{self.train}/"


@dataclass(frozen=True, kw_only=True)
class FileRows(Layout):
    """Labelled files with their class in the path; withheld ones are staged under made-up names."""

    paths: LabelledPaths = field(repr=False)
    ids_have: str = "name"
    """What an id has of a file's path: `path`, or `name` below the test folder, or this without suffix (`stem`)."""

    @classmethod
    def of_paths(
        cls, source: TaskSource, paths: LabelledPaths, *, where_classes: str, train_line: str, no_test: str
    ) -> Self:
        """Return the layout of labelled files.

        Args:
            source: the task folder.
            paths: its labelled files, and those to predict.
            where_classes: where in a path the class is, for agents.
            train_line: the line of `mlestar check` on train.
            no_test: what that on test says where there is no file to predict.

        Raises:
            TaskError: the sample submission names files that are not there.
        """
        train, test, sample, form = list_rows(source, paths)
        has_test = bool(paths.test_files)
        tests = f"{len(paths.test_files)} files of {paths.test}/" if has_test else no_test
        samples = [f"sample_submission: {sample.name}"] if sample else []
        return cls(
            source=source,
            train=train,
            test=test,
            sample=sample,
            has_test=has_test,
            note="; ".join([where_classes, *paths.notes, describe_test(test, sample, form, has_test=has_test)]),
            notes=(train_line, *paths.notes, f"test: {tests}", *samples),
            modality=modality_of(paths.files),
            paths=paths,
            ids_have=form,
        )

    @property
    def names(self) -> tuple[str, ...]:
        folders = [] if self.train.name == "." else [self.train.name]
        return tuple(dict.fromkeys([*folders, self.test.name, *([self.sample.name] if self.sample else [])]))

    @cached_property
    def _rows(self) -> frozenset[str]:
        return frozenset((*self.paths.files, *self.paths.test_files))

    @cached_property
    def _hidden(self) -> frozenset[str]:
        return frozenset(self.paths.hidden)

    def is_row(self, name: str) -> bool:
        return name in self._rows

    def hides(self, name: str) -> bool:
        return name in self._hidden

    def owns(self, name: str) -> bool:
        return self.is_row(name) or name in self.names

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        written = [self.paths.files[row] for row in rows.train]
        for file in written:
            _place(self.input / file, folder / file, place)
        ids = self.train.rows.iloc[:, 0].to_numpy(dtype=object)
        # In the order of the made-up names: the times of the files tell no class either.
        for row in sorted(rows.withheld, key=lambda row: str(ids[row])):
            target = self._test_file(str(ids[row]), self.paths.files[row])
            _place(self.input / self.paths.files[row], folder / target, place)
            written.append(target)
        return written

    def _test_file(self, identity: str, file: str) -> str:
        """Return the path of a withheld file."""
        if self.ids_have == "path":
            return identity
        return f"{self.test.name}/{identity}{_suffix(file) if self.ids_have == 'stem' else ''}"

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        """Describe the labelled files with their classes, those of test, and the sample submission."""
        frame = self.train.rows if rows is None else self.train.rows.iloc[rows]
        label = self.train.columns[-1]
        counts = Counter(frame[label])
        shown = ", ".join(f"{name} {count}" for name, count in counts.most_common(_MAX_CLASSES_SHOWN))
        more = f" and {len(counts) - _MAX_CLASSES_SHOWN} more classes" * (len(counts) > _MAX_CLASSES_SHOWN)
        kept = range(len(self.paths.files)) if rows is None else rows
        train = FileStatistics(
            file=f"{self.train.name}/",
            size=self._size([self.paths.files[row] for row in kept]),
            columns=(column_statistics(label, frame[label]),),
            note=f"{len(frame)} labelled files: {shown}{more}",
        )
        test_note = f"{len(self.paths.test_files)} files to predict"
        if not self.has_test:
            test_note = "rows of train without their class, in each input"
        test = FileStatistics(file=f"{self.test.name}/", size=self._size(self.paths.test_files), note=test_note)
        return train, test, *super().describe(rows)

    def _size(self, files: Sequence[str]) -> int:
        return sum((self.input / file).stat().st_size for file in files)


def _place(source: Path, target: Path, place: PlaceFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    place(source, target)


def list_rows(source: TaskSource, paths: LabelledPaths) -> tuple[TaskFile, TaskFile, TaskFile | None, str]:
    """Return train, test and sample submission, and what ids have of a file's path.

    Raises:
        TaskError: the sample submission names files that are not there.
    """
    sample = source.table("sample_submission") if paths.test_files and source.has_table("sample_submission") else None
    below = {_below(file, paths.test): file for file in paths.test_files}
    identifier, cells, form = "id", pd.Series(list(below), dtype=str), "name"
    label = "label"
    if sample is not None and sample.frame is not None:
        identifier = sample.columns[0]
        cells = sample.frame[identifier].str.strip().reset_index(drop=True)
        form = _ids_have(cells, below, sample.name, paths.test)
        label = sample.columns[1] if len(sample.columns) == 2 else "label"
    made_up = make_up_names(len(paths.files), [_stem(name) for name in below])
    ids = [_identity(stem, file, form, paths.test) for stem, file in zip(made_up, paths.files, strict=True)]
    labels = list(paths.labels)
    if sample is not None and sample.frame is not None and len(sample.columns) == 2:
        codes = find_codes(labels, sample.frame[sample.columns[1]], source.description)
        labels = [codes.get(name, name) for name in labels]
    fields = _own_names(paths, cells, form) if paths.test_files else None
    train_columns = {identifier: ids, **({_NAME: list(paths.names)} if fields is not None else {}), label: labels}
    test_columns = {identifier: cells, **({_NAME: fields} if fields is not None else {})}
    train = pd.DataFrame(train_columns, dtype=str)
    test = pd.DataFrame(test_columns, dtype=str)
    return (
        TaskFile(paths.train, tuple(train.columns), train),
        TaskFile(paths.test, tuple(test.columns), test),
        sample,
        form,
    )


def _ids_have(cells: pd.Series, below: dict[str, str], sample: str, test: str) -> str:
    forms = {"name": set(below), "stem": {_stem(name) for name in below}, "path": set(below.values())}
    for form, names in forms.items():
        if cells.isin(names).mean() >= _MOST:
            return form
    unmatched = next(cell for cell in cells if cell not in forms["name"] | forms["stem"] | forms["path"])
    msg = f"{sample} names {unmatched!r}, but {test}/ has no such file"
    raise TaskError(msg)


def _identity(stem: str, file: str, form: str, test: str) -> str:
    name = stem if form == "stem" else f"{stem}{_suffix(file)}"
    return f"{test}/{name}" if form == "path" else name


def _own_names(paths: LabelledPaths, cells: pd.Series, form: str) -> list[str] | None:
    """Return the names of the test files, where names of train are in the same form and may tell groups or times."""
    names = [_stem(PurePosixPath(cell).name) if form != "stem" else PurePosixPath(cell).name for cell in cells]
    train_form, test_form = _common_form(paths.names), _common_form(names)
    tells = train_form == test_form and len(train_form) > 1
    return names if tells and len(set(paths.names)) == len(paths.names) else None


def _common_form(names: Sequence[str]) -> str:
    """Return the form that nearly all names have, `0` for each number and `a` for each word; empty without one."""
    forms = Counter(re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", name)) for name in names)
    form, count = forms.most_common(1)[0] if forms else ("", 0)
    return form if count >= _MOST * len(names) else ""


def _below(file: str, folder: str) -> str:
    return file.removeprefix(f"{folder}/")


def _stem(name: str) -> str:
    return name.removesuffix(_suffix(name))


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix


def modality_of(files: Sequence[str]) -> Modality | None:
    """Return `text` for text files; None where pictures and sounds are recognised by the suffixes of all files."""
    texts = sum(_suffix(file).lower() in _TEXTS for file in files)
    return "text" if texts >= _MOST * len(files) else None


def describe_test(test: TaskFile, sample: TaskFile | None, form: str, *, has_test: bool) -> str:
    """Say for agents what is in the test folder, and how ids name its files."""
    column = test.columns[0]
    how = {
        "name": f"{test.name}/ followed by its {column}",
        "stem": f"{test.name}/ followed by its {column} and a suffix",
        "path": f"its {column}, a path below the input folder",
    }[form]
    if not has_test:
        return (
            f"the task has no test files: {test.name}/ holds files of other rows, whose class is to be predicted. "
            f"Write a row for each file of {test.name}/: {column} is its name, with the suffix"
        )
    rows = f"the rows of {sample.name}" if sample else f"the files of {test.name}/"
    return f"the rows to predict are {rows}; the file of a row is {how}"


def hide_answers(source: TaskSource, folder: str, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files to leave out where the test files have their class in their paths, and a line that says so."""
    sample = [source.roles["sample_submission"]] if source.has_table("sample_submission") else []
    names = " and ".join([f"{folder}/", *sample])
    return [*files, *sample], [f"the files of {folder}/ have their class in their paths: no input contains {names}"]
