"""The lines of a submission that has one for each pixel of a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.layouts.pixel_sample import PixelForm
from mlestar.errors import TaskError


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
        parts = ids.str.rsplit("_", n=2, expand=True).reindex(columns=range(3))
        numbers = pd.Index([picture.name for picture in self.pictures]).get_indexer(pd.Index(parts[0]))
        rows, columns = (self._numbers(parts[part]) for part in (1, 2))
        heights = np.array([picture.height for picture in self.pictures])[numbers]
        widths = np.array([picture.width for picture in self.pictures])[numbers]
        inside = (numbers >= 0) & (rows >= 0) & (columns >= 0) & (rows < heights) & (columns < widths)
        within = columns * heights + rows if self.form.by_columns else rows * widths + columns
        starts = np.append(0, np.cumsum(self.counts)[:-1])[numbers]
        return np.where(inside, starts + within, -1)

    def _numbers(self, cells: pd.Series) -> np.ndarray:
        """Return rows or columns counted from 0; -1 for what is no number."""
        digits = cells.str.fullmatch(r"\d{1,9}", na=False)
        values = cells.where(digits, str(self.form.first - 1)).astype(np.int64)
        return values.to_numpy() - self.form.first


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
        if image.mode.startswith("I"):
            return np.asarray(image, dtype=float) / 65535
        return np.asarray(image.convert("L"), dtype=float) / 255


def _open(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        msg = "reading pictures whose pixels are to be predicted needs Pillow: pip install 'mlestar[images]'"
        raise TaskError(msg) from error
    try:
        return Image.open(path)
    except OSError as error:
        msg = f"{path.name} cannot be read as a picture: {error}"
        raise TaskError(msg) from error
