"""Files of single rows in a holdout: those that test rows lack are left out, those filed by class are renamed."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation.holdout.guessing import DividedLabels, Guess, secret_generator, sorted_places
from mlestar.evaluation.holdout.holdout import Holdout
from mlestar.evaluation.holdout.revealing.readers.jsons import flat_fields
from mlestar.evaluation.holdout.revealing.readers.markup import fields_of, parse_xml
from mlestar.evaluation.holdout.row_order import MIN_Z

# The limits below were chosen by judgement; none was measured.
_REVEALS = 0.5
"""Share of the information on labels from which a folder, a name or a field reveals them."""
_MIN_FILES = 20
_MIN_SHARE = 0.05
"""Files of train rows, and share of these rows, from which a folder has files of rows."""
_COVERED = 0.5
"""Share of the test rows, of that of train rows, that must have a file for it to be a feature."""
_PARTS = re.compile(r"[\W_]+")
_SAMPLE = 400
"""Files of a folder that are read."""
_MAX_LEVELS = 4
"""Folders above a file whose names are looked at."""
_MAX_BYTES = 1_000_000
"""Bytes of a file of one row that is read."""
_COMMONEST = 0.9
"""Share of one value among the files of test rows from which it is a placeholder, where it is rarer in train."""
_MAX_LINES = 20
"""Lines of a text that are fields by themselves."""
_UNIQUE = 0.5
"""Different cells per row that a column must have to name files."""


@dataclass
class NameChanges:
    """What is done to staged files; paths are relative to the input folder."""

    removed: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> dict[str, str]:
        """How cells that name moved files change, whether by the whole path or by that below the first folder."""
        changes = dict(self.moved)
        for old, new in self.moved.items():
            if old.count("/") > 1:
                changes.setdefault(old.split("/", 1)[1], new.split("/", 1)[-1])
        return changes


class RowNames:
    """Which row a file belongs to, by the cells of a table."""

    def __init__(self, frame: pd.DataFrame, columns: Iterable[str]) -> None:
        self._rows: dict[str, int] = {}
        for column in columns:
            cells = frame[column].str.strip()
            if cells.nunique() >= _UNIQUE * len(cells):
                self._add(cells)

    def _add(self, cells: pd.Series) -> None:
        for spelling in (_same, _below_first, _name, _stem):
            keys = cells.map(spelling)
            unique = ~keys.duplicated(keep=False) & (keys != "")
            for row in np.flatnonzero(unique.to_numpy()):
                self._rows.setdefault(keys.iloc[row], int(row))

    def find(self, file: str) -> int:
        """Return the number of a file's row, -1 where it has none."""
        for spelling in (_same, _below_first, _name, _stem, _number, _last_part, _first_part):
            if (row := self._rows.get(spelling(file))) is not None:
                return row
        return -1


def find_changes(task: Task, holdout: Holdout, staged: Iterable[str]) -> NameChanges:
    """Return which files of a staged holdout must be removed or renamed, as they reveal the label of a withheld row.

    Args:
        task: with labels.
        holdout: the rows that are staged.
        staged: the files that were staged, relative to the input folder.
    """
    changes = NameChanges()
    groups = _groups(name for name in staged if name not in task.layout.names)
    if not groups:
        return changes
    columns = [column for column in task.train.rows.columns if column not in task.spec.target]
    names = RowNames(task.train.rows, columns)
    tests = RowNames(task.test.rows, [column for column in columns if column in task.test.rows.columns])
    sources = _groups(task.layout.source.folder.files)
    for key, files in groups.items():
        rows = np.array([names.find(file) for file in files])
        if (rows >= 0).sum() >= max(_MIN_FILES, _MIN_SHARE * len(task.train.rows)):
            same_kind = [file for (_, suffix), others in sources.items() if suffix == key[1] for file in others]
            _change_group(task, holdout, _Group(files, rows, {tests.find(file) for file in same_kind} - {-1}), changes)
    return changes


@dataclass(frozen=True)
class _Group:
    """The files of a folder with one suffix."""

    files: list[str]
    rows: np.ndarray
    """The number of each file's row of train."""
    tests: set[int]
    """The rows of test that have such a file."""


def _groups(files: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in files:
        folder = file.split("/")[0] if "/" in file else ""
        groups[folder, PurePosixPath(file).suffix.lower()].append(file)
    return groups


def _change_group(task: Task, holdout: Holdout, group: _Group, changes: NameChanges) -> None:
    withheld = np.isin(group.rows, holdout.withheld)
    files = [file for file, is_withheld in zip(group.files, withheld, strict=True) if is_withheld]
    owned = any(task.layout.owns(file) for file in files)
    share = len(np.unique(group.rows[group.rows >= 0])) / len(task.train.rows)
    if len(task.test.rows) and not owned and len(group.tests) < _COVERED * share * len(task.test.rows):
        changes.removed.update(files)
        return
    in_folder = any(_reveals(task, holdout, group.rows, texts) for texts in _folder_parts(group.files))
    stems = [holdout.ids.get(_stem(file), file) for file in group.files]
    in_name = any(_reveals(task, holdout, group.rows, texts) for texts in _words(stems))
    if (in_folder or in_name) and any("/" not in file for file in files):
        changes.removed.update(file for file in files if not task.layout.owns(file))
    elif in_folder or in_name:
        changes.moved |= _neutral(task, holdout, group, files, numbered=in_name)
    elif not owned and _reveals_inside(task, holdout, group):
        changes.removed.update(files)


def _folder_parts(files: list[str]) -> Iterator[list[str]]:
    """Yield the folder of each file, that above it and so on, as far as there are any."""
    parts = [PurePosixPath(file).parts[:-1] for file in files]
    for level in range(1, min(max(map(len, parts)), _MAX_LEVELS) + 1):
        yield [part[-level] if len(part) >= level else "" for part in parts]


def _reveals(task: Task, holdout: Holdout, rows: np.ndarray, texts: list[str]) -> bool:
    """Return whether a text of each file tells the label of its row."""
    kept, withheld = np.isin(rows, holdout.train), np.isin(rows, holdout.withheld)
    groups, values = pd.factorize(np.array(texts, dtype=object))
    labels = _labels(task, rows[kept], rows[withheld])
    if len(values) > 1 and _is_clear(labels.by_group(groups[kept], groups[withheld])):
        return True
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all() or np.ptp(numbers) == 0:
        return False
    places, order = sorted_places(numbers[kept], numbers[withheld])
    return _is_clear(labels.by_place(places, order))


def _labels(task: Task, kept: np.ndarray, withheld: np.ndarray) -> DividedLabels:
    return DividedLabels.of_task(task, kept, withheld, np.arange(len(withheld)))


def _is_clear(guess: Guess) -> bool:
    return guess.z >= MIN_Z and guess.share >= _REVEALS


def _neutral(task: Task, holdout: Holdout, group: _Group, files: list[str], *, numbered: bool) -> dict[str, str]:
    """Return names for files of withheld rows in one folder, that of the test files where these are in one."""
    folders = {str(PurePosixPath(file).parent) for file in files}
    above = str(PurePosixPath(os.path.commonpath(folders)).parent) if len(folders) == 1 else os.path.commonpath(folders)
    common = above if above != "." else group.files[0].split("/")[0]
    stems = [PurePosixPath(file).name for file in files]
    taken = {PurePosixPath(file).name for file in group.files} - set(stems)
    if not numbered and len(set(stems)) == len(stems) and not taken & set(stems):
        return {file: f"{common}/{PurePosixPath(file).name}" for file in files}
    order = secret_generator(task, f"files of {common} in {holdout.name}").permutation(len(files))
    width = len(str(len(files)))
    return {
        file: f"{common}/{number:0{width}d}_{PurePosixPath(file).suffix}".replace("_.", ".")
        for file, number in zip(files, order, strict=True)
    }


def _reveals_inside(task: Task, holdout: Holdout, group: _Group) -> bool:
    """Return whether the files of train rows have a field that tells the label, and those of test rows do not."""
    kept = _sample(group, holdout.train)
    withheld = _sample(group, holdout.withheld)
    inside = {place: _fields(task.input / _source(task, group.files[place])) for place in (*kept, *withheld)}
    names = {name for fields in inside.values() for name in fields}
    others = [_fields(task.input / file) for file in _test_files(task, group)]
    for name in names:
        places = [place for place in (*kept, *withheld) if name in inside[place]]
        texts = [inside[place][name] for place in places]
        if _is_feature(texts, len(places) / len(inside), [fields.get(name) for fields in others]):
            continue
        if _reveals(task, holdout, group.rows[places], texts):
            return True
    return False


def _is_feature(texts: list[str], present: float, others: list[str | None]) -> bool:
    """Return whether the files of test rows have a field as well, with values that differ as those of train rows do."""
    filled = [text for text in others if text is not None]
    if len(filled) < _COVERED * present * max(1, len(others)) or not filled:
        return False
    common, count = Counter(filled).most_common(1)[0]
    stands_for_nothing = count >= _COMMONEST * len(filled) and texts.count(common) < _COMMONEST * len(texts)
    return not stands_for_nothing


def _source(task: Task, staged: str) -> str:
    """Return the file of the task that was staged under this name: files that are not owned keep theirs."""
    return staged if (task.input / staged).is_file() else ""


def _test_files(task: Task, group: _Group) -> list[str]:
    tests = RowNames(task.test.rows, task.test.rows.columns)
    files = [file for file in group.files if tests.find(file) >= 0]
    return files[:: max(1, len(files) // _SAMPLE)]


def _sample(group: _Group, rows: np.ndarray) -> list[int]:
    places = np.flatnonzero(np.isin(group.rows, rows))
    return [int(place) for place in places[:: max(1, len(places) // _SAMPLE)]]


def _fields(path: Path) -> Mapping[str, str]:
    """Return the fields of a file of one row; of a picture or the like its size alone."""
    if not path.is_file():
        return {}
    size = {"size": str(path.stat().st_size)}
    if path.stat().st_size > _MAX_BYTES:
        return size
    suffix = path.suffix.lower()
    try:
        if suffix == ".xml":
            return {**fields_of(parse_xml(path.read_bytes())), **size}
        if suffix == ".json":
            content = json.loads(path.read_bytes())
            return {**(flat_fields(content) if isinstance(content, dict) else {"": str(content)}), **size}
        text = path.read_bytes().decode("utf-8")
    except (ValueError, SyntaxError, RecursionError):
        return size
    return size if "\0" in text else {"": text.strip(), **_lines(text), **size}


def _lines(text: str) -> dict[str, str]:
    """Return the first lines of a text and their last words, by what is before these."""
    fields: dict[str, str] = {}
    for number, line in enumerate(text.splitlines()[:_MAX_LINES]):
        words = re.split(r"[\s,;:|=]+", line.strip())
        fields[f"line {number}"] = line.strip()
        fields[f"last word of line {number}"] = words[-1]
        fields.setdefault(words[0], words[-1])
    return fields


def _same(path: str) -> str:
    return path


def _below_first(path: str) -> str:
    return path.split("/", 1)[1] if path.count("/") > 1 else ""


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _stem(path: str) -> str:
    return _name(path).split(".")[0]


def _number(path: str) -> str:
    """Return the number that a name is, without zeros before it."""
    stem = _stem(path)
    return (stem.lstrip("0") or "0") if stem.isdigit() else ""


def _last_part(path: str) -> str:
    """Return what a name has after its last separator."""
    return _PARTS.split(_stem(path))[-1]


def _first_part(path: str) -> str:
    return _PARTS.split(_stem(path))[0]


def _words(files: list[str]) -> Iterator[list[str]]:
    """Yield what each name has before its number, before and after its first mark, and before its last mark."""
    stems = [_stem(file) for file in files]
    yield [stem.rstrip("0123456789") for stem in stems]
    yield [_PARTS.split(stem, maxsplit=1)[0] for stem in stems]
    yield [_PARTS.split(stem)[-1] for stem in stems]
