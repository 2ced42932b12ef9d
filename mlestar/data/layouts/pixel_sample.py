"""The sample submission of pixels: how a line names a pixel, read from its first and last lines, and written anew."""

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlestar.data.tables.delimited import header_delimiter
from mlestar.data.tables.source import open_unpacked
from mlestar.errors import TaskError

_HEAD = 2**16
"""Bytes at the beginning from which the form is read. Chosen by judgement; not measured."""
_CHUNK = 2**20
_PIXEL = re.compile(r"(.+)_(\d+)_(\d+)")
SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True)
class PixelForm:
    """How a submission writes pixels."""

    id: str
    value: str
    delimiter: str
    first: int
    """Number of the first row and column."""
    by_columns: bool
    """The lines go down the columns of a picture, not along its rows."""
    unit: bool
    """Values are from 0 to 1, not from 0 to 255."""
    fill: str
    """The value of the sample's lines."""
    lines: int
    ends: tuple[str, str]
    """The pictures of the first and of the last line."""


@contextmanager
def open_sample(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open a table that may be compressed with gzip."""
    with open_unpacked(path) as file:
        yield file


def read_pixel_form(path: Path) -> PixelForm | None:
    """Return how a sample submission writes pixels; None where its lines are not pixels.

    Raises:
        TaskError: it cannot be read.
    """
    try:
        with open_sample(path) as file:
            head = file.read(_HEAD)
            count, tail = head.count(b"\n"), head
            while chunk := file.read(_CHUNK):
                count, tail = count + chunk.count(b"\n"), tail[-_HEAD:] + chunk
    except (OSError, EOFError) as error:
        msg = f"{path.name} cannot be read: {error}"
        raise TaskError(msg) from error
    count += not tail.endswith(b"\n")
    return _parse_head(head.decode("utf-8-sig", errors="replace"), tail.decode("utf-8", errors="replace"), count - 1)


def _parse_head(head: str, tail: str, lines: int) -> PixelForm | None:
    delimiter = header_delimiter(head.split("\n", 1)[0])
    rows = list(csv.reader(head.splitlines()[:1000], delimiter=delimiter))
    last = next(csv.reader(tail.splitlines()[-1:], delimiter=delimiter), [""])
    if len(rows) < 3 or any(len(row) != 2 for row in rows[:-1]):
        return None
    matches = [_PIXEL.fullmatch(row[0]) for row in (*rows[1:3], last)]
    if not all(matches):
        return None
    first, second, end = (match for match in matches if match)
    values = [row[1] for row in rows[1:-1]]
    return PixelForm(
        id=rows[0][0],
        value=rows[0][1],
        delimiter=delimiter,
        first=int(first[2]),
        by_columns=second[2] != first[2],
        unit=all(_is_at_most_one(value) for value in values),
        fill=values[0],
        lines=lines,
        ends=(first[1], end[1]),
    )


def _is_at_most_one(text: str) -> bool:
    try:
        return float(text) <= 1
    except ValueError:
        return False


def find_order(path: Path, form: PixelForm, names: Sequence[str]) -> list[str]:
    """Return the pictures in the order of the sample submission: as text, as numbers, or as it has them."""
    keys: list[Callable[[str], tuple[int, str]]] = [lambda name: (0, name), lambda name: (len(name), name)]
    for key in keys:
        ordered = sorted(names, key=key)
        if (ordered[0], ordered[-1]) == form.ends:
            return ordered
    return list(_scan(path, form))


def _scan(path: Path, form: PixelForm) -> dict[str, None]:
    order: dict[str, None] = {}
    with open_sample(path) as file:
        next(file)
        for line in file:
            name = line.decode("utf-8", errors="replace").split(form.delimiter, 1)[0].strip('"').rsplit("_", 2)[0]
            order.setdefault(name)
    return order


def write_sample(like: Path, target: Path, form: PixelForm, ids: Iterable[Iterable[str]]) -> None:
    """Write a sample submission of these lines, each with the constant of the real one, compressed alike.

    Args:
        like: the real sample submission.
        target: the file to write.
        form: of the real one.
        ids: of the lines, in pieces.
    """
    with _create(like, target) as file:
        file.write(f"{form.id}{form.delimiter}{form.value}\n".encode())
        for piece in ids:
            file.write("".join(f"{identity}{form.delimiter}{form.fill}\n" for identity in piece).encode())


@contextmanager
def _create(like: Path, target: Path) -> Iterator[io.BufferedIOBase]:
    if like.suffix.lower() == ".gz":
        # Without a time of its own: equal lines give equal bytes.
        with gzip.GzipFile(target, "wb", mtime=0) as file:
            yield file
    else:
        with target.open("wb") as file:
            yield file
