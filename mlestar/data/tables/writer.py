"""Writing text cells in the file format of another table, where raw records cannot be copied."""

import gzip
import json
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.tables import Table, table_suffix
from mlestar.data.tables.delimited import header_delimiter, quote
from mlestar.data.tables.source import is_gzip
from mlestar.data.tables.table import open_output
from mlestar.errors import HoldoutError

_DELIMITED = (".csv", ".tsv")
_PART_CELLS = 1_000_000
"""Cells that are Python texts at a time. Chosen by judgement; not measured."""
_SAMPLE_CELLS = 200
"""Cells that decide whether a JSON field is a string. Chosen by judgement; not measured."""


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
        HoldoutError: the format needs types, which text does not have.
    """
    header, suffix = _header(like, path.parent), table_suffix(like.path)
    if suffix in _DELIMITED:
        data = _delimited(cells, header)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        data = _objects(cells, like, array=header.lstrip().startswith("["))
    else:
        msg = f"{like.path.name}: rows cannot be converted to {suffix}; give train and test in one format"
        raise HoldoutError(msg)
    with open_output(path, compressed=is_gzip(like.path)) as file:
        for part in data:
            file.write(part.encode())


def _header(table: Table, folder: Path) -> str:
    """Return what the table's format writes for no rows: the header line or brackets; nothing for Parquet."""
    probe = folder / f".header-{table.path.name}"
    try:
        table.write(probe, [])
        raw = probe.read_bytes()
    finally:
        probe.unlink(missing_ok=True)
    if table_suffix(table.path) == ".parquet":
        return ""
    return (gzip.decompress(raw) if is_gzip(table.path) else raw).decode()


def _format(table: Table, folder: Path) -> tuple[str, bool, str]:
    suffix = table_suffix(table.path)
    header = _header(table, folder)
    mark = header_delimiter(header) if suffix in _DELIMITED else header.lstrip()[:1]
    return suffix, is_gzip(table.path), mark


def _delimited(cells: pd.DataFrame, header: str) -> Iterator[str]:
    mark = header_delimiter(header)
    end = "\r\n" if header.endswith("\r\n") else "\n"
    yield header.rstrip("\r\n") + end
    for part in _parts(cells):
        columns = [[quote(str(cell), mark) for cell in part[column]] for column in part.columns]
        lines = [mark.join(fields) for fields in zip(*columns, strict=True)]
        # Readers skip a blank line, so a lone blank field needs quotes.
        lines = [line if line.strip(" \t") else f'"{line}"' for line in lines]
        yield "".join(line + end for line in lines)


def _objects(cells: pd.DataFrame, like: Table, *, array: bool) -> Iterator[str]:
    texts = {column for column in cells.columns if not _is_json(like.frame[column])}
    opening, between, closing = ("[", ",\n", "]\n") if array else ("", "\n", "\n" if len(cells) else "")
    separator = opening
    for part in _parts(cells):
        rows = [_object(row, texts) for row in part.to_dict(orient="records")]
        yield separator + between.join(rows)
        separator = between
    yield closing if len(cells) else opening + closing


def _parts(cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows in parts with a limited number of cells."""
    step = max(1, _PART_CELLS // max(1, len(cells.columns)))
    for first in range(0, len(cells), step):
        yield cells.iloc[first : first + step]


def _object(row: dict[Hashable, str], texts: set[str]) -> str:
    members = [f"{json.dumps(name)}: {_member(cell, is_text=name in texts)}" for name, cell in row.items()]
    return "{" + ", ".join(members) + "}"


def _is_json(cells: pd.Series) -> bool:
    """Return whether the first filled cells are JSON numbers, literals or containers rather than strings."""
    return all(_raw_json(cell) is not None for cell in cells[cells != ""].iloc[:_SAMPLE_CELLS])


def _raw_json(cell: str) -> str | None:
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        return cell if cell in ("True", "False") else None
    return cell


def _member(cell: str, *, is_text: bool) -> str:
    if is_text:
        return json.dumps(cell, ensure_ascii=False)
    raw = _raw_json(cell)
    if raw is None:
        return json.dumps(cell, ensure_ascii=False) if cell else "null"
    return raw.lower() if raw in ("True", "False") else raw
