"""Pictures from pictures: `train/` and `train_cleaned/` with the same names, `test/`, and a submission of pixels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, SubmissionLines, TaskSource
from mlestar.data.layouts.pixel_sample import SUFFIXES, PixelForm, find_order, read_pixel_form, write_sample
from mlestar.data.layouts.pixels import Picture, PixelLines, read_pixels, read_sizes
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.layouts.tables import new_file
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.statistics import FileStatistics
from mlestar.errors import TaskError

_MOST = 0.9
"""Share of the train files that must have a partner of the same name. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class _Pairs:
    """The files of a task, by the name without suffix."""

    train: str
    answers: str
    test: str
    rows: dict[str, tuple[str, str]]
    """File and answer of each labelled row."""
    test_files: dict[str, str]
    hidden: tuple[str, ...]
    """Answers without a file in train: they may be those of test."""


@dataclass(frozen=True, kw_only=True)
class FilePairs(Layout):
    """Each labelled picture has another one that is to be predicted from it, pixel by pixel."""

    name: ClassVar[str] = "file to file"

    pairs: _Pairs = field(repr=False)
    form: PixelForm
    sample_name: str
    pictures: tuple[Picture, ...] = field(repr=False)
    test_pictures: tuple[Picture, ...] = field(repr=False)

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if source.has_table("train") or source.has_table("test"):
            return None
        pairs, sample = _find_pairs(source), _find_sample(source)
        if pairs is None or sample is None:
            return None
        form = read_pixel_form(source.folder.input / sample)
        if form is None or not set(form.ends) <= set(pairs.test_files):
            return None
        answers = [source.folder.input / answer for _, answer in pairs.rows.values()]
        order = find_order(source.folder.input / sample, form, list(pairs.test_files))
        tests = [source.folder.input / pairs.test_files[name] for name in order if name in pairs.test_files]
        sizes, test_sizes = read_sizes(answers), read_sizes(tests)
        pictures = [Picture(name, *size, answer) for name, size, answer in zip(pairs.rows, sizes, answers, strict=True)]
        test_pictures = [Picture(path.stem, *size, None) for path, size in zip(tests, test_sizes, strict=True)]
        _check_lines(sample, form, test_pictures, pairs.test)
        return cls(
            source=source,
            train=TaskFile(pairs.train, *_rows(form, pictures, with_target=True)),
            test=TaskFile(pairs.test, *_rows(form, test_pictures, with_target=False)),
            sample=TaskFile(sample, (form.id, form.value), None),
            note=_note(pairs, form, sample),
            notes=_notes(pairs, sample, form),
            modality="image",
            pairs=pairs,
            form=form,
            sample_name=sample,
            pictures=tuple(pictures),
            test_pictures=tuple(test_pictures),
        )

    @cached_property
    def _rows(self) -> frozenset[str]:
        rows = [file for pair in self.pairs.rows.values() for file in pair]
        return frozenset([*rows, *self.pairs.test_files.values()])

    @property
    def names(self) -> tuple[str, ...]:
        return self.pairs.train, self.pairs.answers, self.pairs.test, self.sample_name

    def is_row(self, name: str) -> bool:
        return name in self._rows

    def owns(self, name: str) -> bool:
        return self.is_row(name) or name == self.sample_name

    def hides(self, name: str) -> bool:
        return name in self.pairs.hidden

    def submission_lines(self, withheld: np.ndarray | None) -> SubmissionLines:
        pictures = self.test_pictures if withheld is None else [self.pictures[row] for row in withheld]
        return PixelLines(tuple(pictures), self.form)

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        pairs = list(self.pairs.rows.values())
        moves = [(file, file) for row in rows.train for file in pairs[row]]
        for row in rows.withheld:
            file = pairs[row][0]
            moves.append((file, f"{self.pairs.test}/{PurePosixPath(file).name}"))
        for file, target in moves:
            place(self.input / file, new_file(folder, target))
        lines = self.submission_lines(rows.withheld)
        ids = (lines.ids(row) for row in range(len(rows.withheld)))
        write_sample(self.input / self.sample_name, new_file(folder, self.sample_name), self.form, ids)
        return [*(target for _, target in moves), self.sample_name]

    def with_test(self, folder: Path, files: Sequence[str]) -> Self:
        """Return the layout with other pictures to predict, after writing their sample submission into a staged input.

        Args:
            folder: the staged input.
            files: the pictures in it, in the order of the submission.

        Raises:
            TaskError: one is no picture.
        """
        sizes = read_sizes([folder / file for file in files])
        named = {PurePosixPath(file).stem: file for file in files}
        pictures = tuple(Picture(name, *size, None) for name, size in zip(named, sizes, strict=True))
        form = replace(self.form, lines=sum(picture.height * picture.width for picture in pictures))
        lines = PixelLines(pictures, form)
        part = folder / f".new-{PurePosixPath(self.sample_name).name}"
        write_sample(self.input / self.sample_name, part, form, (lines.ids(row) for row in range(len(pictures))))
        (folder / self.sample_name).unlink(missing_ok=True)
        part.rename(folder / self.sample_name)
        return replace(
            self,
            test=TaskFile(self.pairs.test, *_rows(form, pictures, with_target=False)),
            pairs=replace(self.pairs, test_files=named),
            form=form,
            test_pictures=pictures,
        )

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        pairs = list(self.pairs.rows.values())
        kept = pairs if rows is None else [pairs[row] for row in rows]
        sides = [(self.pairs.train, "to learn from"), (self.pairs.answers, "that are the answers, by the same names")]
        train = [
            self._describe(folder, [pair[side] for pair in kept], what) for side, (folder, what) in enumerate(sides)
        ]
        test = self._describe(self.pairs.test, list(self.pairs.test_files.values()), "to predict")
        size = (self.input / self.sample_name).stat().st_size
        note = f"{self.form.lines:,} lines, {self.form.id} and {self.form.value}"
        return *train, test, FileStatistics(file=self.sample_name, size=size, note=note)

    def _describe(self, folder: str, files: Sequence[str], what: str) -> FileStatistics:
        size = sum((self.input / file).stat().st_size for file in files)
        return FileStatistics(file=f"{folder}/", size=size, note=f"{len(files)} pictures {what}, e.g. {files[0]}")


def _find_pairs(source: TaskSource) -> _Pairs | None:
    """Return folders of train, answers and test; None where no other folder has the names of train."""
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for file in source.folder.files:
        path = PurePosixPath(file)
        folders[str(path.parent)][path.stem] = file
    by_role: dict[str | None, list[str]] = defaultdict(list)
    for folder in sorted((name for name in folders if name != "."), key=lambda name: (name.count("/"), len(name))):
        by_role[role_of_name(PurePosixPath(folder).name)].append(folder)
    if not by_role["train"] or not by_role["test"]:
        return None
    train, test = by_role["train"][0], by_role["test"][0]
    names = set(folders[train])
    others = [folder for folder in (*by_role["train"][1:], *by_role[None])]
    partners = [folder for folder in others if len(names & set(folders[folder])) >= _MOST * len(names)]
    if not partners:
        return None
    answers = partners[0]
    rows = {name: (file, folders[answers][name]) for name, file in folders[train].items() if name in folders[answers]}
    hidden = tuple(file for name, file in folders[answers].items() if name not in rows)
    return _Pairs(train, answers, test, rows, folders[test], hidden)


def _find_sample(source: TaskSource) -> str | None:
    """Return the sample submission, which may be in a zip file."""
    files = [file for file in source.folder.files if file.lower().endswith(SUFFIXES)]
    set_name = source.overrides.sample_submission
    return set_name or next((file for file in files if role_of_name(file) == "sample_submission"), None)


def _check_lines(sample: str, form: PixelForm, pictures: Sequence[Picture], folder: str) -> None:
    pixels = sum(picture.height * picture.width for picture in pictures)
    if pixels != form.lines:
        msg = f"{sample} has {form.lines:,} lines, but the {len(pictures)} pictures of {folder}/ have {pixels:,} pixels"
        raise TaskError(msg)


def _rows(form: PixelForm, pictures: Sequence[Picture], *, with_target: bool) -> tuple[tuple[str, ...], pd.DataFrame]:
    """Return the pictures as rows; the target of a labelled one stands for all its pixels by their mean."""
    columns: dict[str, list[str]] = {
        form.id: [picture.name for picture in pictures],
        "height": [str(picture.height) for picture in pictures],
        "width": [str(picture.width) for picture in pictures],
    }
    if with_target:
        answers = [picture.answer for picture in pictures if picture.answer]
        columns[form.value] = [f"{read_pixels(answer).mean():.6f}" for answer in answers]
    return tuple(columns), pd.DataFrame(columns, dtype=str)


def _note(pairs: _Pairs, form: PixelForm, sample: str) -> str:
    """Say for agents which picture belongs to which, and what a line of the submission is."""
    order = "column by column" if form.by_columns else "row by row"
    scale = "0 (black) to 1 (white)" if form.unit else "0 (black) to 255 (white)"
    zipped = " (pandas.read_csv reads it as it is)" if sample.endswith(".zip") else ""
    lines = f"the submission has a line for each pixel, in the order of {sample}{zipped}"
    return (
        f"the answer to the picture {pairs.train}/NAME is the picture of the same name in {pairs.answers}/; predict it "
        f"for every picture of {pairs.test}/; {lines}: "
        f"{form.id} is NAME_ROW_COLUMN without the suffix, counted from {form.first} at the top left, picture after "
        f"picture, {order}; {form.value} is from {scale}"
    )


def _notes(pairs: _Pairs, sample: str, form: PixelForm) -> tuple[str, ...]:
    notes = [
        f"train: {len(pairs.rows)} pictures of {pairs.train}/, their answers in {pairs.answers}/ by the same names",
        f"test: {len(pairs.test_files)} pictures of {pairs.test}/",
        f"sample_submission: {sample}, {form.lines:,} lines, one for each pixel",
    ]
    if pairs.hidden:
        notes.append(
            f"{len(pairs.hidden)} files of {pairs.answers}/ have no partner in {pairs.train}/, so they may be answers "
            f"of {pairs.test}/: no input contains them"
        )
    return tuple(notes)
