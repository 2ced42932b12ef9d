"""Folders of CSV files that are one table: `train/part-0.csv`, `train/part-1.csv`, or `train/data.csv` alone."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlestar.data.formats.arrow import is_part
from mlestar.data.formats.text import read_head
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.tables.delimited import column_names, header_delimiter

_SUFFIXES = (".csv", ".tsv")
_MARKERS = ("_success",)
"""Files that writers leave beside the parts, in lower case."""


def csv_folders(files: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return a folder of train and one of test with their parts; none unless test lacks some column of train.

    Files that are called train or test themselves need no folder to say it. Tables of one row's data, such as a
    recording, have the same columns in both folders.
    """
    tables = [name for name in files if name.lower().endswith(_SUFFIXES)]
    if any(role_of_name(name) in ("train", "test") for name in tables):
        return {}
    headers = {folder: header for folder in _parents(tables) if (header := _shared_header(folder, files))}
    by_role: dict[str, list[str]] = {"train": [], "test": []}
    for folder in headers:
        if (role := role_of_name(folder)) in by_role:
            by_role[role].append(folder)
    if any(len(folders) != 1 for folders in by_role.values()):
        return {}
    train, test = by_role["train"][0], by_role["test"][0]
    if not set(headers[test]) < set(headers[train]):
        return {}
    return {folder: sorted(_directly_in(folder, files)) for folder in (train, test)}


def join_csv(parts: list[Path], target: Path) -> None:
    """Write the parts as one file, with the header of the first."""
    with target.open("wb") as output:
        for number, part in enumerate(parts):
            with part.open("rb") as source:
                header = source.readline()
                if number == 0:
                    output.write(header)
                shutil.copyfileobj(source, output)
                if part.stat().st_size and not _ends_line(part):
                    output.write(b"\n")


def _parents(names: list[str]) -> set[str]:
    return {name.rpartition("/")[0] for name in names} - {""}


def _directly_in(folder: str, files: Mapping[str, Path]) -> list[str]:
    names = [name for name in files if name.rpartition("/")[0] == folder]
    return [name for name in names if name.rpartition("/")[2].lower() not in _MARKERS]


def _shared_header(folder: str, files: Mapping[str, Path]) -> list[str]:
    """Return the columns of the parts in a folder; none when it holds other files, or other columns."""
    names = _directly_in(folder, files)
    if any(name.startswith(f"{folder}/") and name.rpartition("/")[0] != folder for name in files):
        return []
    if len({Path(name).suffix for name in names}) != 1 or not names[0].lower().endswith(_SUFFIXES):
        return []
    if len(names) > 1 and not all(is_part(name.rpartition("/")[2]) for name in names):
        return []
    lines = {read_head(files[name]).partition(b"\n")[0].rstrip(b"\r") for name in names}
    if len(lines) != 1:
        return []
    try:
        line = lines.pop().decode("utf-8-sig")
    except UnicodeDecodeError:
        return []
    mark = "\t" if names[0].lower().endswith(".tsv") else header_delimiter(line)
    return list(column_names(line, mark))


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
