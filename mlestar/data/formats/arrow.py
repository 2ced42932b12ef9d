"""Feather and Arrow files, and folders of Parquet files, as one Parquet file; written batch by batch."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet

from mlestar.errors import TaskError, first_line

ARROW = (".feather", ".arrow", ".ipc")
_PART = re.compile(r"part[-_.]?\d*|.*[-_.]\d+(-of-\d+)?", re.IGNORECASE)
_PARTITION = re.compile(r"[^/=]+=[^/=]*")
_MARKERS = ("_success", "_metadata", "_common_metadata")
"""Files that writers of Parquet folders leave beside the parts."""
_DIGITS = re.compile(r"(\d+)")


def parquet_folders(files: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the folders that are one table in parts, with their parts in the order of their numbers."""
    below: dict[str, list[str]] = {}
    for file in files:
        for folder in _parents(file):
            below.setdefault(folder, []).append(file)
    tables = {folder: parts for folder, names in below.items() if (parts := _parts(folder, names))}
    return {folder: parts for folder, parts in tables.items() if not any(up in tables for up in _parents(folder))}


def is_part(name: str) -> bool:
    """Return whether a file is called like a part of a table: the name says nothing about its rows."""
    return _PART.fullmatch(name.rsplit(".", 1)[0]) is not None


def convert_arrow(path: Path, target: Path) -> None:
    """Write a Feather or Arrow file as Parquet.

    Raises:
        TaskError: it cannot be read.
    """
    try:
        _write(_batches(path), target)
    except (pyarrow.ArrowException, OSError) as error:
        msg = f"{path.name} cannot be read as an Arrow file: {first_line(str(error))}"
        raise TaskError(msg) from error


def join_parquet(folder: Path, parts: list[Path], target: Path) -> None:
    """Write the parts of a Parquet folder as one file, with the columns that folder names like `year=2020` stand for.

    Raises:
        TaskError: a part cannot be read, or the parts do not fit together.
    """
    try:
        schemas = [pyarrow.parquet.read_schema(part) for part in parts]
        schema = pyarrow.unify_schemas(schemas, promote_options="permissive")
        partitioning = pyarrow.dataset.HivePartitioning.discover(infer_dictionary=False)
        dataset = pyarrow.dataset.dataset(
            [str(part) for part in parts],
            format="parquet",
            partitioning=partitioning,
            partition_base_dir=str(folder),
        )
        keys = [field for field in dataset.schema if field.name not in schema.names]
        dataset = dataset.replace_schema(pyarrow.schema([*schema, *keys], metadata=schema.metadata))
        _write(dataset.scanner(fragment_readahead=1, batch_readahead=1).to_reader(), target)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        msg = f"{folder.name} cannot be read as one Parquet table: {first_line(str(error))}"
        raise TaskError(msg) from error


def _parents(file: str) -> Iterator[str]:
    folders = file.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        yield "/".join(folders[:depth])


def _parts(folder: str, names: list[str]) -> list[str]:
    """Return the parts of a folder that is one table; empty when it is not."""
    parts = [name for name in names if name.rsplit("/", 1)[-1].lower() not in _MARKERS]
    if not parts or not all(name.lower().endswith((".parquet", ".pq")) for name in parts):
        return []
    inner = [name[len(folder) + 1 :].split("/") for name in parts]
    if not all(_PARTITION.fullmatch(step) for steps in inner for step in steps[:-1]):
        return []
    partitioned = all(len(steps) > 1 for steps in inner)
    numbered = len(parts) > 1 and all(is_part(steps[-1]) for steps in inner)
    if not (folder.lower().endswith((".parquet", ".pq")) or partitioned or numbered):
        return []
    return sorted(parts, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(piece), "") if piece.isdigit() else (0, piece) for piece in _DIGITS.split(name)]


def _batches(path: Path) -> Any:
    """Return a reader of the batches of an Arrow file, stream, or Feather file of the first version."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"FEA1"):
        return pyarrow.feather.read_table(path).to_reader()
    if magic != b"ARROW1":
        return pyarrow.ipc.open_stream(pyarrow.OSFile(str(path)))
    file = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
    batches = (file.get_batch(number) for number in range(file.num_record_batches))
    return pyarrow.RecordBatchReader.from_batches(file.schema, batches)


def _write(reader: Any, target: Path) -> None:
    with pyarrow.parquet.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
