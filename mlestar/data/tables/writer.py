"""Writing text cells in another table's file format, where raw records cannot be copied."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.tables import Table, table_suffix
from mlestar.data.tables.delimited import DELIMITERS, quote
from mlestar.errors import HoldoutError

_DELIMITED = (".csv", ".tsv")


def write_rows(source: Table, rows: Sequence[int] | np.ndarray, like: Table, path: Path) -> None:
    """Write rows with the fields and the format of `like`; raw text when the formats agree."""
    if _format(source, path.parent) == _format(like, path.parent) and set(like.columns) <= set(source.columns):
        source.write(path, rows, columns=like.columns)
        return
    cells = source.frame.iloc[np.asarray(rows)].reindex(columns=list(like.columns), fill_value="")
    write_cells(cells, like, path)


def write_cells(cells: pd.DataFrame, like: Table, path: Path) -> None:
    """Write text cells in the format and compression of `like`.

    Raises:
        HoldoutError: the format needs types that text does not carry.
    """
    header, suffix = _header(like, path.parent), table_suffix(like.path)
    if suffix in _DELIMITED:
        data = _delimited(cells, header)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        data = _objects(cells, like, array=header.lstrip().startswith("["))
    else:
        msg = f"{like.path.name}: rows cannot be turned into {suffix}; give train and test in one format"
        raise HoldoutError(msg)
    raw = data.encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if like.path.name.lower().endswith(".gz") else raw)


def _header(table: Table, folder: Path) -> str:
    """Return what the table's format writes for no rows: the header line, or the brackets."""
    probe = folder / f".header-{table.path.name}"
    try:
        table.write(probe, [])
        raw = probe.read_bytes()
    finally:
        probe.unlink(missing_ok=True)
    if table_suffix(table.path) == ".parquet":
        return ""
    return (gzip.decompress(raw) if table.path.name.lower().endswith(".gz") else raw).decode()


def _format(table: Table, folder: Path) -> tuple[str, bool, str]:
    suffix = table_suffix(table.path)
    header = _header(table, folder)
    mark = _delimiter(header) if suffix in _DELIMITED else header.lstrip()[:1]
    return suffix, table.path.name.lower().endswith(".gz"), mark


def _delimiter(header: str) -> str:
    line = header.removeprefix("\ufeff")
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader(io.StringIO(line, newline=""), delimiter=mark), [])))


def _delimited(cells: pd.DataFrame, header: str) -> str:
    mark = _delimiter(header)
    end = "\r\n" if header.endswith("\r\n") else "\n"
    columns = [[quote(str(cell), mark) for cell in cells[column]] for column in cells.columns]
    lines = [mark.join(fields) for fields in zip(*columns, strict=True)]
    # Readers skip a blank line, so a lone blank field needs quotes.
    lines = [line if line.strip(" \t") else f'"{line}"' for line in lines]
    return header.rstrip("\r\n") + end + "".join(line + end for line in lines)


def _objects(cells: pd.DataFrame, like: Table, *, array: bool) -> str:
    text = {column for column in cells.columns if not _is_json(like.frame[column])}
    rows = [
        "{" + ", ".join(f"{json.dumps(name)}: {_member(cell, name in text)}" for name, cell in row.items()) + "}"
        for row in cells.to_dict(orient="records")
    ]
    return "[" + ",\n".join(rows) + "]\n" if array else "".join(row + "\n" for row in rows)


def _is_json(cells: pd.Series) -> bool:
    """Tell whether every filled cell is a JSON number, word or container rather than a string."""
    return all(_raw_json(cell) is not None for cell in cells[cells != ""].iloc[:200])


def _raw_json(cell: str) -> str | None:
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        return cell if cell in ("True", "False") else None
    return cell


def _member(cell: str, text: bool) -> str:
    if text:
        return json.dumps(cell, ensure_ascii=False)
    raw = _raw_json(cell)
    if raw is None:
        return json.dumps(cell, ensure_ascii=False) if cell else "null"
    return raw.lower() if raw in ("True", "False") else raw
