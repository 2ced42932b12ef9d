"""Which file is train, test and sample submission: inferred from file names, then from columns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from mlestar.data.statistics import array_shapes
from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.task.inference.folder import TaskFolder, check_name
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

    def describe(self, name: str) -> "TaskFile":
        path = self.input / name
        if is_table(path):
            table = self.get(name)
            return TaskFile(name, table.columns, table.frame)
        arrays = array_shapes(path) if path.is_file() else {}
        return TaskFile(name, tuple(arrays), None)


@dataclass(frozen=True)
class TaskFile:
    """A file with a role; `frame` is None when it is not a table, `columns` are then its arrays' names."""

    name: str
    columns: tuple[str, ...]
    frame: pd.DataFrame | None


@dataclass(frozen=True)
class TaskFiles:
    """The files in their three roles."""

    train: TaskFile
    test: TaskFile
    sample: TaskFile | None
    notes: tuple[str, ...]


def find_files(folder: TaskFolder, overrides: Overrides, cache: TableCache) -> TaskFiles:
    """Find train, test and sample submission.

    Raises:
        TaskError: train or test is missing, or a file that a person named does not exist.
    """
    settings = {key: getattr(overrides, key) for key in ("train", "test", "sample_submission")}
    names = {role: check_name(name, role, folder) for role, name in settings.items() if name}
    for role, name in _rank_by_name(folder):
        if name not in names.values():
            names.setdefault(role, name)
    if not {"train", "test"} <= set(names):
        names |= _pair_by_columns(folder, cache, names)
    _check_complete(folder, names)
    if "sample_submission" not in names and (sample := _sample_by_columns(folder, cache, names)):
        names["sample_submission"] = sample
    notes = tuple(f"{role}: {name} ({'set' if settings[role] else 'found'})" for role, name in sorted(names.items()))
    train, test = cache.describe(names["train"]), cache.describe(names["test"])
    sample_file = cache.describe(names["sample_submission"]) if "sample_submission" in names else None
    return TaskFiles(train, test, sample_file, notes)


def _check_complete(folder: TaskFolder, names: dict[str, str]) -> None:
    for role in ("train", "test"):
        if role not in names:
            entries = ", ".join(folder.entries[:6])
            msg = f"no {role} file among {entries}: name it {role}.csv or set {role} in task.toml"
            raise TaskError(msg)


def _rank_by_name(folder: TaskFolder) -> Iterator[tuple[str, str]]:
    """Yield (role, file) by names, the likeliest file of a role first: tables, then short plain names near the top."""
    tables = [name for name in folder.files if is_table(folder.input / name)]
    ranked = sorted(tables, key=lambda name: (name.count("/"), len(name)))
    others = [name for name in (*folder.entries, *folder.files) if name not in tables]
    for name in (*ranked, *others):
        role = role_of_name(name)
        if role and (role != "sample_submission" or name in tables):
            yield role, name


def role_of_name(name: str) -> str | None:
    """Return the role that a file's name suggests."""
    stem = PurePosixPath(name).name.split(".")[0]
    words = [word.lower() for word in _WORD.findall(stem)]
    if "submission" in "".join(words) or words[:1] == ["sample"]:
        return "sample_submission"
    if _TEST & set(words):
        return "test"
    return "train" if _TRAIN & set(words) else None


def _pair_by_columns(folder: TaskFolder, cache: TableCache, names: dict[str, str]) -> dict[str, str]:
    """Return the pair with the most columns in common of which train has every column of test and more."""
    tables = [name for name in folder.files if name != names.get("sample_submission") and _is_readable(name, cache)]
    columns = {name: set(cache.get(name).columns) for name in tables}
    pairs: list[tuple[int, str, str]] = []
    for train in tables:
        for test in tables:
            fits = names.get("train", train) == train and names.get("test", test) == test
            if fits and columns[test] < columns[train]:
                pairs.append((len(columns[test]), train, test))
    if not pairs:
        return {}
    _, train, test = max(pairs)
    return {"train": train, "test": test}


def _sample_by_columns(folder: TaskFolder, cache: TableCache, names: dict[str, str]) -> str | None:
    """Return a table with a row for each row of test, an id, and only columns that test lacks and train has."""
    if not all(is_table(folder.input / names[role]) for role in ("train", "test")):
        return None
    train, test = cache.get(names["train"]), cache.get(names["test"])
    candidates = set(train.columns) - set(test.columns)
    for name in folder.entries:
        if name in names.values() or not _is_readable(name, cache):
            continue
        table = cache.get(name)
        shared = [column for column in table.columns if column in test.columns]
        if len(shared) == 1 and len(table) == len(test) and set(table.columns) - set(shared) <= candidates:
            return name
    return None


def _is_readable(name: str, cache: TableCache) -> bool:
    """Return whether a file is a table that can be read; if it cannot, its statistics will say why."""
    try:
        return is_table(cache.input / name) and bool(cache.get(name).columns)
    except UserError:
        return False
