"""Archives and compressed files: their members, each read like a file."""

import bz2
import gzip
import lzma
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pandas as pd

from mlestar.data.formats.archives import open_members
from mlestar.data.formats.arrow import convert_arrow
from mlestar.data.formats.workbooks import convert_workbook
from mlestar.evaluation.holdout.revealing.readers.bounds import Allowance, TooLargeError
from mlestar.evaluation.holdout.revealing.readers.media import HEAD_BYTES, is_media
from mlestar.evaluation.holdout.revealing.records import Records

Read = Callable[[Path, Allowance], tuple[Records, ...] | None]
"""Reads an unpacked file."""
OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COMPRESSED = tuple(OPENERS)
_BLOCK = 2**20


def read_archive(path: Path, folder: Path, allowance: Allowance, read: Read) -> tuple[Records, ...] | None:
    """Return the records of all members and their names; None when one of them cannot be read.

    Args:
        path: a zip or tar archive.
        folder: a temporary folder to unpack into.
        allowance: what is left of the limits.
        read: reads a member.

    Raises:
        TaskError: it cannot be unpacked.
        TooLargeError: it exceeds a limit.
    """
    if allowance.level == 0:
        msg = "too many archives in each other"
        raise TooLargeError(msg)
    allowance.level -= 1
    records: list[Records] = []
    names: list[str] = []
    with open_members(path) as members:
        for member in members:
            names.append(member.name)
            with member.open() as source:
                if is_media(member.name, source.read(HEAD_BYTES)):
                    continue
            target = folder / f"{allowance.new_name()}-{PurePosixPath(member.name).name}"
            with member.open() as source:
                _copy(source, target, allowance)
            inner = read(target, allowance)
            target.unlink()
            if inner is None:
                return None
            records += [Records(_join(member.name, one.where), one.cells) for one in inner]
    allowance.level += 1
    return (*records, *name_records(names, allowance))


def read_compressed(path: Path, folder: Path, allowance: Allowance, read: Read) -> tuple[Records, ...] | None:
    """Return the records of a file that is compressed by itself.

    Raises:
        OSError: it cannot be unpacked.
        TooLargeError: it exceeds a limit.
    """
    target = folder / f"{allowance.new_name()}-{path.stem}"
    with OPENERS[path.suffix.lower()](path, "rb") as source:
        _copy(source, target, allowance)
    return read(target, allowance)


def read_converted(path: Path, folder: Path, allowance: Allowance, read: Read) -> tuple[Records, ...] | None:
    """Return the records of a workbook or an Arrow file.

    Raises:
        TaskError: it cannot be converted.
        TooLargeError: it exceeds a limit.
    """
    allowance.take_bytes(path.stat().st_size)
    target = folder / allowance.new_name()
    target.mkdir()
    if path.suffix.lower() in (".feather", ".arrow", ".ipc"):
        convert_arrow(path, target / "table.parquet")
        written = ["table.parquet"]
    else:
        written, _ = convert_workbook(path, target, lambda name: False)
    records: list[Records] = []
    for name in written:
        inner = read(target / name, allowance)
        if inner is None:
            return None
        records += [Records(_join(name, one.where), one.cells) for one in inner]
    shutil.rmtree(target)
    return tuple(records)


def name_records(names: Sequence[str], allowance: Allowance) -> tuple[Records, ...]:
    """Return the parts of paths as records: a folder, or what is before a number, may be the class of a row."""
    if len(names) < 2:
        return ()
    parts = [PurePosixPath(name) for name in names]
    depth = max(len(part.parts) for part in parts)
    allowance.take_cells(len(names) * (depth + 2))
    columns = {"path": list(names), "stem": [part.name.split(".")[0] for part in parts]}
    for level in range(depth - 1):
        columns[f"folder {level}"] = [part.parts[level] if level < len(part.parts) - 1 else "" for part in parts]
    return (Records("names", pd.DataFrame(columns, dtype=str)),)


def _copy(source: IO[bytes], target: Path, allowance: Allowance) -> None:
    with target.open("wb") as output:
        while block := source.read(_BLOCK):
            allowance.take_bytes(len(block))
            output.write(block)


def _join(name: str, where: str) -> str:
    return f"{name}: {where}" if where else name
