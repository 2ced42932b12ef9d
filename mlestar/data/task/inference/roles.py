"""Which file plays train, test and sample submission: told by names first, by columns where names are silent."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from mlestar.data.statistics import array_shapes
from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.task.inference.folder import TaskFolder, checked_name
from mlestar.data.task.inference.overrides import Overrides
from mlestar.errors import TaskError, UserError

_TRAIN = {"train", "training", "labeled", "labelled"}
_TEST = {"test", "testing", "unlabeled", "unlabelled", "holdout"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass
class TableCache:
    """The tables of an input folder, each read once."""

    input: Path
    tables: dict[str, Table] = field(default_factory=dict)

    def get(self, name: str) -> Table:
        if name not in self.tables:
            self.tables[name] = read_table(self.input / name)
        return self.tables[name]

    def source(self, name: str) -> "Source":
        path = self.input / name
        if is_table(path):
            table = self.get(name)
            return Source(name, table.columns, table.frame)
        arrays = array_shapes(path) if path.is_file() else {}
        return Source(name, tuple(arrays), None)


@dataclass(frozen=True)
class Source:
    """A file that plays a part; `frame` is None when it is not a table, `columns` are then its arrays' names."""

    name: str
    columns: tuple[str, ...]
    frame: pd.DataFrame | None


@dataclass(frozen=True)
class TaskFiles:
    """The files that play the three parts."""

    train: Source
    test: Source
    sample: Source | None
    notes: tuple[str, ...]


def find_parts(layout: TaskFolder, overrides: Overrides, cache: TableCache) -> TaskFiles:
    """Find the three files.

    Raises:
        TaskError: train or test is missing, or a file that was named is not there.
    """
    named = {part: getattr(overrides, part) for part in ("train", "test", "sample_submission")}
    found = {part: checked_name(name, part, layout) for part, name in named.items() if name}
    for part, name in _by_name(layout):
        if name not in found.values():
            found.setdefault(part, name)
    if not {"train", "test"} <= set(found):
        found |= _by_columns(layout, cache, found)
    for part in ("train", "test"):
        if part not in found:
            msg = f"no {part} file among {', '.join(layout.entries[:6])}: name it {part}.csv or set {part} in task.toml"
            raise TaskError(msg)
    sample = found.get("sample_submission") or _sample_by_columns(layout, cache, found)
    found |= {"sample_submission": sample} if sample else {}
    notes = tuple(f"{part}: {name} ({'set' if named[part] else 'found'})" for part, name in sorted(found.items()))
    train, test = cache.source(found["train"]), cache.source(found["test"])
    return TaskFiles(train, test, cache.source(sample) if sample else None, notes)


def _by_name(layout: TaskFolder) -> Iterator[tuple[str, str]]:
    """Yield (part, file) by names, the likeliest file of a part first: tables, then short plain names near the top."""
    tables = [name for name in layout.files if is_table(layout.input / name)]
    ranked = sorted(tables, key=lambda name: (name.count("/"), len(name)))
    others = [name for name in (*layout.entries, *layout.files) if name not in tables]
    for name in (*ranked, *others):
        if (part := role(name)) and (part != "sample_submission" or name in tables):
            yield part, name


def role(name: str) -> str | None:
    """Tell which part a file's name speaks of."""
    stem = PurePosixPath(name).name.split(".")[0]
    words = [word.lower() for word in _WORD.findall(stem)]
    if "submission" in "".join(words) or words[:1] == ["sample"]:
        return "sample_submission"
    if _TEST & set(words):
        return "test"
    return "train" if _TRAIN & set(words) else None


def _by_columns(layout: TaskFolder, cache: TableCache, found: dict[str, str]) -> dict[str, str]:
    """Train has every column of test and more; the pair with the most columns in common is taken."""
    names = [name for name in layout.files if name != found.get("sample_submission") and _is_sound(name, cache)]
    columns = {name: set(cache.get(name).columns) for name in names}
    pairs = [
        (len(columns[test]), train, test)
        for train in names
        for test in names
        if columns[test] < columns[train] and found.get("train", train) == train and found.get("test", test) == test
    ]
    if not pairs:
        return {}
    _, train, test = max(pairs)
    return {"train": train, "test": test}


def _sample_by_columns(layout: TaskFolder, cache: TableCache, found: dict[str, str]) -> str | None:
    """A table with a row for each row of test, that names them and holds only what test lacks and train has."""
    if not all(is_table(layout.input / found[part]) for part in ("train", "test")):
        return None
    train, test = cache.get(found["train"]), cache.get(found["test"])
    open_columns = set(train.columns) - set(test.columns)
    for name in layout.entries:
        if name in found.values() or not _is_sound(name, cache):
            continue
        table = cache.get(name)
        shared = [column for column in table.columns if column in test.columns]
        if len(shared) == 1 and len(table) == len(test) and set(table.columns) - set(shared) <= open_columns:
            return name
    return None


def _is_sound(name: str, cache: TableCache) -> bool:
    """A further table that cannot be read is nobody's part; its statistics will say why."""
    try:
        return is_table(cache.input / name) and bool(cache.get(name).columns)
    except UserError:
        return False
