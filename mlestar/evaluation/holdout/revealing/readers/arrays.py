"""Arrays in `npy`, `npz` and HDF5 files. Nothing is unpickled."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts.array_files import ArrayInfo, list_arrays, read_array
from mlestar.evaluation.holdout.revealing.readers.bounds import MAX_BYTES, Allowance, TooLargeError
from mlestar.evaluation.holdout.revealing.records import Records

_MAX_WIDTH = 64
"""Values per row up to which an array of several dimensions can be fields of a row; more are pictures or the like.
Chosen by judgement; not measured."""


def read_arrays(path: Path, allowance: Allowance) -> tuple[Records, ...]:
    """Return the arrays of a file, a record for each step along the first axis.

    Raises:
        TaskError: it cannot be read, or it holds pickled objects.
        TooLargeError: it exceeds a limit.
    """
    return tuple(_read_all(path, allowance))


def _read_all(path: Path, allowance: Allowance) -> Iterator[Records]:
    for array in list_arrays(path.parent, path.name):
        if array.rows < 2 or _is_picture(array):
            continue
        if array.rows * max(array.dtype.itemsize, 1) * _width(array) > MAX_BYTES:
            msg = f"{array.title} is too large"
            raise TooLargeError(msg)
        allowance.take_cells(array.rows * _width(array) * max(1, len(array.dtype.names or ())))
        yield Records(array.key, _cells(read_array(path.parent, array)))


def _width(array: ArrayInfo) -> int:
    return int(np.prod(array.shape[1:], dtype=np.int64))


def _is_picture(array: ArrayInfo) -> bool:
    """Return whether the rows of an array are themselves arrays of many values."""
    return len(array.shape) > 2 and _width(array) > _MAX_WIDTH


def _cells(values: np.ndarray) -> pd.DataFrame:
    if names := values.dtype.names:
        return pd.DataFrame({name: _texts(values[name].reshape(len(values), -1)[:, 0]) for name in names})
    table = values.reshape(len(values), -1)
    return pd.DataFrame({str(number): _texts(table[:, number]) for number in range(table.shape[1])}, dtype=str)


def _texts(values: np.ndarray) -> list[str]:
    if values.dtype.kind == "S":
        return [value.decode(errors="replace") for value in values.tolist()]
    return [str(value) for value in values.tolist()]
