"""Changing names in a staged holdout: ids and paths in the cells of its tables, in its texts, and in names of files."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from mlestar.data.tables import is_table, read_table, table_suffix
from mlestar.data.tables.writer import write_cells
from mlestar.errors import UserError

logger = logging.getLogger("mlestar.evaluation")

_MOST = 0.9
"""Share of cells that must be ids for a column of numbers to hold ids. Chosen by judgement; not measured."""
_TOKEN = re.compile(r"[\w.-]*\w")
_MAX_TEXT = 2**26
"""Bytes of a text in which ids are replaced; a larger one is left out. Chosen by judgement; not measured."""


def move_files(folder: Path, moved: Mapping[str, str]) -> None:
    """Rename staged files, and remove folders that are empty then."""
    for old, new in moved.items():
        target = folder / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / old).rename(target)
    for parent in sorted({(folder / old).parent for old in moved}, key=lambda path: -len(path.parts)):
        remove_empty(parent, folder)


def remove_empty(path: Path, root: Path) -> None:
    """Remove a folder and those above it, as far as they are empty."""
    while path != root and path.is_dir() and not any(path.iterdir()):
        path.rmdir()
        path = path.parent


def files_with_ids(names: list[str], ids: Mapping[str, str]) -> dict[str, str]:
    """Return new names for the files that are named after an id."""
    changes: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        stem = path.name.split(".")[0]
        if "/" in name and (new := ids.get(stem)) is not None:
            changes[name] = str(path.with_name(new + path.name[len(stem) :]))
    return changes


def rename_cells(folder: Path, names: list[str], cells: Mapping[str, str], ids: Mapping[str, str], key: str) -> None:
    """Replace paths and ids in staged files; a file in which they cannot be replaced is removed.

    Args:
        folder: the staged input.
        names: of its files.
        cells: new cells by old ones, such as paths.
        ids: made-up ids by real ones.
        key: the column of the ids.
    """
    if not cells and not ids:
        return
    for name in names:
        path = folder / name
        if is_table(path):
            try:
                _rename_in_table(path, cells, ids, key)
                continue
            except UserError:
                logger.debug("%s is no table", name)
        if ids and not _rename_in_text(path, ids):
            logger.warning("%s is left out: it may name rows by ids that reveal their labels", name)
            path.unlink()


def _rename_in_table(path: Path, cells: Mapping[str, str], ids: Mapping[str, str], key: str) -> None:
    table = read_table(path)
    changed = {
        column: new
        for column in table.columns
        if (new := _rename_column(table.frame[column], column, cells, ids, key)) is not None
    }
    if not changed:
        return
    partial = path.with_name(f".{path.name}")
    if table_suffix(path) == ".parquet":
        _write_parquet(path, partial, changed)
    else:
        write_cells(table.frame.assign(**changed), table, partial)
    partial.replace(path)


def _rename_column(
    column: pd.Series, name: str, cells: Mapping[str, str], ids: Mapping[str, str], key: str
) -> pd.Series | None:
    """Return the new cells of a column; None where none changes."""
    stripped = column.str.strip()
    changes = dict(cells)
    has_ids = bool(ids) and (name == key or _holds_ids(stripped, ids))
    changes |= ids if has_ids else {}
    affected = stripped.isin(set(changes))
    return column.where(~affected, stripped.map(changes)) if affected.any() else None


def _holds_ids(cells: pd.Series, ids: Mapping[str, str]) -> bool:
    """Return whether cells are ids: words that are ids are nothing else, numbers may be."""
    filled = cells[cells != ""]
    if not len(filled):
        return False
    known = filled.isin(set(ids))
    if not filled.iloc[0].isdigit():
        return bool(known.any())
    return bool(known.mean() >= _MOST and filled.nunique() >= _MOST * len(filled))


def _write_parquet(path: Path, target: Path, changed: Mapping[str, pd.Series]) -> None:
    table = pyarrow.parquet.read_table(path)
    for column, cells in changed.items():
        place = table.schema.get_field_index(column)
        values = pyarrow.array(cells.tolist(), pyarrow.string())
        table = table.set_column(place, column, pyarrow.compute.cast(values, table.schema.field(place).type))
    pyarrow.parquet.write_table(table, target)


def _rename_in_text(path: Path, ids: Mapping[str, str]) -> bool:
    """Replace ids in a text; return False where the file may name them and is no text, or ids are numbers."""
    if path.stat().st_size > _MAX_TEXT:
        return False
    data = path.read_bytes()
    numbers = all(name.isdigit() for name in ids)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return numbers or not any(name.encode() in data for name in ids)
    if numbers:
        return sum(token in ids for token in set(_TOKEN.findall(text))) < _MOST * len(ids)
    new = _TOKEN.sub(lambda match: ids.get(match[0], match[0]), text)
    if new != text:
        partial = path.with_name(f".{path.name}")
        partial.write_text(new, encoding="utf-8", newline="")
        partial.replace(path)
    return True
