"""What every file of a task holds, column by column, in a form that machines read."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.tables import Table

ColumnKind = Literal["empty", "bool", "int", "float", "date", "json", "path", "id", "text", "category"]

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A", "-nan", "-NaN")
"""Cells that pandas reads as missing unless it is told otherwise."""
_ROWS = 100_000
LARGEST = 512 * 2**20
"""Bytes of a further file beyond which it is not opened to be described."""
_DEPTH = 4
_CELL = 120
_DATE = re.compile(
    r"(?:\d{4}-\d{2}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ]\d{1,2}:\d{2}.*)?"
    r"|\d{14}Z?|\d{8}T\d{4,6}Z?"
)
_ISO = re.compile(r"\d{4}[-/.]\d{2}|\d{14}|\d{8}T")
_INT = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_ID_NAME = re.compile(r"(?:^|[_\W])(?:id|key|uuid|index|no)$|Id$|ID$|^(?:id|uuid)(?:[_\W]|$)", re.ASCII)


class ColumnStatistics(BaseModel):
    """One column; a field of a nested JSON object stands as `outer.inner`."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    distinct: int
    """Different values, missing ones left out."""
    missing: float
    """Share of cells that are absent or read as missing."""
    minimum: str | None = None
    """Of numbers and of dates that sort as text."""
    maximum: str | None = None
    examples: tuple[str, ...] = ()
    """The most common values, the commonest first."""
    words: float = 0.0
    """Mean number of words of text."""
    shared_with: tuple[str, ...] = ()
    """Columns of the train file, as `file:column`, whose values (or the dates in them) are found in this column."""


class FileStatistics(BaseModel):
    """One file or folder of the input."""

    model_config = ConfigDict(frozen=True)

    file: str
    size: int
    """Bytes; of a folder, of all its files."""
    rows: int | None = None
    """None when it is not a table."""
    columns: tuple[ColumnStatistics, ...] = ()
    records: tuple[tuple[str, ...], ...] = ()
    """The first two records, cells in the order of `columns`, long ones cut."""
    sampled: bool = False
    """The column figures come from an even sample of the rows."""
    note: str = ""
    """What is known of a file that is not a table, or why it could not be read."""


def table_statistics(name: str, table: Table, rows: np.ndarray | None = None) -> FileStatistics:
    """Profile a table, or what some of its rows tell."""
    known = table.frame if rows is None else table.frame.iloc[rows]
    frame = flatten(known.iloc[_sample(len(known))])
    return FileStatistics(
        file=name,
        size=table.path.stat().st_size,
        rows=len(table),
        columns=tuple(column_statistics(column, frame[column]) for column in frame.columns),
        records=tuple(tuple(cell[:_CELL] for cell in row) for row in frame.iloc[:2].itertuples(index=False, name=None)),
        sampled=len(known) > _ROWS,
    )


def file_statistics(name: str, path: Path) -> FileStatistics:
    """Profile a file that is not a table."""
    return FileStatistics(file=name, size=path.stat().st_size, note=_describe(path))


def folder_statistics(name: str, folder: Path, files: list[str]) -> FileStatistics:
    size = sum((folder / file).stat().st_size for file in files)
    return FileStatistics(file=f"{name}/", size=size, note=f"{len(files)} files, e.g. {', '.join(files[:3])}")


def array_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return name to (shape, dtype) of a NumPy archive's arrays; empty when it is not one. Never unpickles."""
    if path.suffix.lower() != ".npz" or path.stat().st_size > LARGEST:
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: (archive[name].shape, str(archive[name].dtype)) for name in archive.files}
    except Exception:  # a broken archive fails in zipfile, zlib or numpy, each with errors of its own
        return {}


def _describe(path: Path) -> str:
    if arrays := array_shapes(path):
        return "arrays " + ", ".join(f"{name} {shape} {kind}" for name, (shape, kind) in arrays.items())
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    text = head.decode("utf-8", errors="ignore")
    return "" if b"\0" in head or not text.strip() else f"text, begins {text.splitlines()[0][:60]!r}"


def _sample(rows: int) -> np.ndarray:
    return np.arange(rows) if rows <= _ROWS else np.linspace(0, rows - 1, _ROWS).astype(int)


def flatten(frame: pd.DataFrame, depth: int = _DEPTH) -> pd.DataFrame:
    """Replace columns of JSON objects by a column per field."""
    columns: dict[str, list[str] | pd.Series] = {}
    for name in frame.columns:
        cells = frame[name]
        if depth and _are_objects(cells):
            columns |= flatten(_fields(str(name), cells), depth - 1)
        else:
            columns[str(name)] = cells.reset_index(drop=True)
    return pd.DataFrame(columns)


def _are_objects(cells: pd.Series) -> bool:
    head = [cell for cell in cells.iloc[:2000] if cell]
    return bool(head) and all(_load(cell) is not None for cell in head)


def _load(cell: str) -> dict[str, object] | None:
    if not cell.startswith("{"):
        return None
    try:
        value = json.loads(cell, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fields(name: str, cells: pd.Series) -> pd.DataFrame:
    loaded = [_load(cell) or {} for cell in cells]
    keys = dict.fromkeys(key for value in loaded for key in value)
    return pd.DataFrame({f"{name}.{key}": [_cell(value.get(key)) for value in loaded] for key in keys}, dtype=str)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def column_statistics(name: str, cells: pd.Series) -> ColumnStatistics:
    missing = cells.isin(MISSING) | (cells.str.strip() == "")
    counts = cells[~missing].value_counts()
    values = counts.index.astype(str)
    kind = column_kind(name, values, rows=int(counts.sum()))
    low, high = _range(values, kind)
    return ColumnStatistics(
        name=name,
        kind=kind,
        distinct=len(counts),
        missing=float(missing.mean()) if len(cells) else 0.0,
        minimum=low,
        maximum=high,
        examples=tuple(str(value)[:_CELL] for value in values[:5]),
        words=_words(values) if kind == "text" else 0.0,
    )


def column_kind(name: str, values: Iterable[str], *, rows: int) -> ColumnKind:
    """Tell what a column holds from its different values (the commonest first) and the number of its cells."""
    values = list(values)
    head = values[:2000]
    unique = rows > 1 and len(values) >= 0.98 * rows
    if not values:
        return "empty"
    if {value.strip().lower() for value in head} <= {"true", "false"}:
        return "bool"
    if all(_DATE.fullmatch(value.strip()) for value in head):
        return "date"
    if is_numeric(values):
        whole = all(_INT.fullmatch(value) for value in values)
        return "float" if not whole else "id" if unique and _ID_NAME.search(name) else "int"
    if all(value.lstrip()[:1] in ("{", "[") for value in head):
        return "json"
    if all(re.fullmatch(r"[^\s]+\.[A-Za-z0-9]{2,5}", value) for value in head) and unique:
        return "path"
    return _worded(head, unique=unique)


def _worded(values: list[str], *, unique: bool) -> ColumnKind:
    if _words(values) >= 4 or np.mean([len(value) for value in values]) > 60:
        return "text"
    return "id" if unique and _words(values) < 1.5 else "category"


def is_numeric(values: Iterable[str]) -> bool:
    numbers = pd.to_numeric(pd.Series(list(values), dtype=object).str.strip(), errors="coerce")
    return len(numbers) > 0 and bool(numbers.notna().all())


def _words(values: Iterable[str]) -> float:
    head = list(values)[:2000]
    return float(np.mean([len(value.split()) for value in head])) if head else 0.0


def _range(values: pd.Index, kind: ColumnKind) -> tuple[str | None, str | None]:
    if not len(values) or kind not in ("int", "float", "date", "id"):
        return None, None
    if kind == "date" and all(_ISO.match(value) for value in values[:2000]):
        return str(min(values)), str(max(values))
    if kind in ("int", "float") or (kind == "id" and is_numeric(values)):
        numbers = pd.to_numeric(pd.Series(values, dtype=object).str.strip())
        return str(values[int(numbers.argmin())]).strip(), str(values[int(numbers.argmax())]).strip()
    return None, None


def link_columns(statistics: FileStatistics, table: pd.DataFrame, name: str, train: pd.DataFrame) -> FileStatistics:
    """Record which columns of a further table hold the values of a column of train: what they can be joined by."""
    linked = []
    for column in statistics.columns:
        found = column.name in table and [str(key) for key in train if _joins(column, table, str(key), train)]
        linked.append(column.model_copy(update={"shared_with": tuple(f"{name}:{key}" for key in found or [])}))
    return statistics.model_copy(update={"columns": tuple(linked)})


def _joins(column: ColumnStatistics, table: pd.DataFrame, key: str, train: pd.DataFrame) -> bool:
    """A key covers train's values, and bears the same name or is unlikely to do so by chance."""
    telling = column.kind in ("date", "id", "category") or column.distinct == len(table) > 20
    if not (key == column.name or telling) or column.distinct < 2:
        return False
    wanted = set(train[key].iloc[:5000]) - set(MISSING)
    held = set(table[column.name])
    dates = {value[:10] for value in wanted} if column.kind == "date" else wanted
    return len(wanted) > 1 and max(len(wanted & held) / len(wanted), len(dates & held) / len(dates)) > 0.8
