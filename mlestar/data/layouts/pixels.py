"""The lines of a submission that has one for each pixel of a picture."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.layouts.pixel_sample import PixelForm
from mlestar.errors import TaskError

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Picture:
    """A picture by its name in ids, and its size in pixels."""

    name: str
    height: int
    width: int
    answer: Path | None
    """The picture that is to be predicted, of a labelled one."""


@dataclass(frozen=True)
class PixelLines:
    """A line for each pixel of some pictures, with an id such as `name_row_column`."""

    pictures: tuple[Picture, ...]
    form: PixelForm

    @property
    def id(self) -> str:
        return self.form.id

    @property
    def value(self) -> str:
        return self.form.value

    @cached_property
    def counts(self) -> np.ndarray:
        return np.array([picture.height * picture.width for picture in self.pictures], dtype=np.int64)

    def ids(self, row: int) -> pd.Series:
        return pd.Series(list(self._ids(self.pictures[row])), dtype=object)

    def _ids(self, picture: Picture) -> Iterator[str]:
        first, name = self.form.first, picture.name
        rows = range(first, first + picture.height)
        columns = range(first, first + picture.width)
        if self.form.by_columns:
            return (f"{name}_{row}_{column}" for column in columns for row in rows)
        return (f"{name}_{row}_{column}" for row in rows for column in columns)

    def truth(self, row: int) -> np.ndarray:
        picture = self.pictures[row]
        if picture.answer is None:
            msg = f"the pixels of {picture.name} are not known"
            raise ValueError(msg)
        pixels = read_pixels(picture.answer)
        if not self.form.unit:
            pixels = pixels * 255
        return (pixels.T if self.form.by_columns else pixels).reshape(-1)

    def locate(self, ids: pd.Series) -> np.ndarray:
        return np.fromiter(map(self._position, ids), dtype=np.int64, count=len(ids))

    @cached_property
    def _starts(self) -> dict[str, tuple[int, int, int]]:
        """The first line, the height and the width of each picture."""
        starts = np.append(0, np.cumsum(self.counts)).tolist()
        pairs = zip(self.pictures, starts, strict=False)
        return {picture.name: (start, picture.height, picture.width) for picture, start in pairs}

    def _position(self, identity: str) -> int:
        name, _, numbers = identity.rpartition("_")
        name, _, rows = name.rpartition("_")
        if name not in self._starts or not (_NUMBER.fullmatch(rows) and _NUMBER.fullmatch(numbers)):
            return -1
        start, height, width = self._starts[name]
        row, column = int(rows) - self.form.first, int(numbers) - self.form.first
        if not (0 <= row < height and 0 <= column < width):
            return -1
        return start + (column * height + row if self.form.by_columns else row * width + column)


def read_sizes(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Return height and width of pictures, from their headers.

    Raises:
        TaskError: Pillow is not installed, or a file is no picture.
    """
    sizes: list[tuple[int, int]] = []
    for path in paths:
        with _open(path) as image:
            sizes.append((image.height, image.width))
    return sizes


def read_pixels(path: Path) -> np.ndarray:
    """Return a picture in grey, from 0 (black) to 1 (white).

    Raises:
        TaskError: Pillow is not installed, or the file is no picture.
    """
    with _open(path) as image:
        try:
            if image.mode.startswith("I"):
                return np.asarray(image, dtype=float) / 65535
            return np.asarray(image.convert("L"), dtype=float) / 255
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises each of them for damaged pictures
            msg = f"{path.name} cannot be read as a picture: {error}"
            raise TaskError(msg) from error


def _open(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        msg = "reading pictures whose pixels are to be predicted needs Pillow: pip install 'mlestar[images]'"
        raise TaskError(msg) from error
    try:
        return Image.open(path)
    except (OSError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        msg = f"{path.name} cannot be read as a picture: {error}"
        raise TaskError(msg) from error
