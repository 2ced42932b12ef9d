"""New rows as arrays: checked against those of the task, and written in the place of the rows to predict."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mlestar.data.layouts.array_cells import as_cells
from mlestar.data.layouts.array_files import ArrayInfo, NewArray, is_array_file, list_arrays, read_array, write_arrays
from mlestar.data.layouts.array_roles import base_name, is_label, side_of
from mlestar.data.layouts.arrays import Arrays, new_test
from mlestar.errors import UserError
from mlestar.predictor.cells import ROLE
from mlestar.predictor.frames import NoteCallback
from mlestar.predictor.given import GivenFiles, GivenRows

_NUMBERS = "biuf"


def arrays_of_rows(layout: Arrays) -> dict[str, ArrayInfo]:
    """Return the arrays that new rows must have by their base names: those of test, else of train."""
    if layout.has_test:
        return dict(layout.roles.test)
    return {base_name(array): array for array in layout.roles.train}


def array_files(layout: Arrays) -> list[str]:
    """Return the files of the rows to predict in an input."""
    arrays = arrays_of_rows(layout).values()
    return [array.file if layout.has_test else new_test(array)[0] for array in arrays]


def read_arrays(
    layout: Arrays, given: GivenRows, identifier: str | None, on_note: NoteCallback | None
) -> dict[str, np.ndarray]:
    """Return the arrays of new rows by their base names, of the types of the task's arrays.

    Args:
        layout: of the task.
        given: what a caller gave.
        identifier: the name of an array of ids, which may be left out.
        on_note: receives a line about arrays that are left out.

    Raises:
        UserError: an array is missing or has another shape or type, or a file has none of them; the message names it.
    """
    needed = arrays_of_rows(layout)
    found = _of_memory(given.arrays) if given.arrays is not None else _of_files(given.files, needed)
    if given.frame is not None:
        msg = f"{ROLE}: rows of this task are arrays, not rows of a table: give {_titles(needed.values())}"
        raise UserError(msg)
    if list(found) == [""]:
        found = {next(iter(needed)) if len(needed) == 1 else "": found[""]}
    if missing := [name for name in needed if name not in found and name != identifier]:
        there = f"; there are {', '.join(map(repr, found))}" if found else ""
        msg = f"{ROLE}: there is no array {missing[0]!r}, in the task {needed[missing[0]]}{there}"
        raise UserError(msg)
    if (extra := [name for name in found if name not in needed]) and on_note is not None:
        on_note(f"{ROLE}: left out: the arrays {', '.join(map(repr, extra))}")
    arrays = {name: _checked(name, found[name](), array) for name, array in needed.items() if name in found}
    _check_lengths(arrays)
    return arrays


def _of_memory(arrays: Mapping[str, np.ndarray]) -> dict[str, Callable[[], np.ndarray]]:
    found: dict[str, Callable[[], np.ndarray]] = {}
    for name, array in arrays.items():
        base = base_name(ArrayInfo("", name, array.shape, array.dtype, False)) if name else ""
        found[base] = lambda array=array: array  # type: ignore[misc]
    return found


def _of_files(given: GivenFiles | None, needed: Mapping[str, ArrayInfo]) -> dict[str, Callable[[], np.ndarray]]:
    """Return what reads each array of the files by its base name; of test where a file has several of one name."""
    found: dict[str, Callable[[], np.ndarray]] = {}
    for name, path in given.paths.items() if given is not None else ():
        arrays = list_arrays(path.parent, path.name) if is_array_file(name) else []
        if not any(base_name(array) in needed for array in arrays) and not (len(arrays) == 1 == len(needed)):
            msg = f"{ROLE}: {name!r} has no array of rows: give {_titles(needed.values())}"
            raise UserError(msg)
        for array in sorted(arrays, key=lambda array: side_of(array) == "test"):
            base = base_name(array)
            if is_label(array):
                continue
            if len(arrays) == 1 == len(needed):
                base = next(iter(needed))
            found[base] = lambda path=path, array=array: read_array(path.parent, array)  # type: ignore[misc]
    return found


def _titles(arrays: object) -> str:
    return ", ".join(map(str, arrays))  # type: ignore[call-overload]


def _checked(name: str, array: np.ndarray, like: ArrayInfo) -> np.ndarray:
    """Return an array of the type of the task's."""
    if array.shape[1:] != like.shape[1:] or not array.shape:
        shape = " x ".join(map(str, array.shape)) or "one value"
        msg = f"{ROLE}: the array {name!r} has the shape {shape}; that of the task is {like}, with a row for each row"
        raise UserError(msg)
    kinds = array.dtype.kind, like.dtype.kind
    texts = all(kind in "US" for kind in kinds)
    if not (texts or (all(kind in _NUMBERS for kind in kinds) and np.can_cast(array.dtype, like.dtype, "same_kind"))):
        msg = f"{ROLE}: the array {name!r} has values of the type {array.dtype.name}, not {like.dtype.name}"
        raise UserError(msg)
    if texts:
        return array
    converted = array.astype(like.dtype, copy=False)
    if like.dtype.kind in "iu" and not np.array_equal(converted, array):
        msg = f"{ROLE}: the array {name!r} has values that {like.dtype.name} cannot hold"
        raise UserError(msg)
    return np.asarray(converted)


def _check_lengths(arrays: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        rows = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        msg = f"{ROLE}: the arrays have different numbers of rows: {rows}"
        raise UserError(msg)
    if not lengths or not next(iter(lengths.values())):
        msg = f"{ROLE}: the arrays have no rows"
        raise UserError(msg)


def cells_of(arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the fields of the rows, those of one-dimensional arrays, as text."""
    count = len(next(iter(arrays.values())))
    fields = {name: as_cells(array) for name, array in arrays.items() if array.ndim == 1}
    return pd.DataFrame(fields, index=pd.RangeIndex(count), dtype=object)


def put_arrays(layout: Arrays, folder: Path, arrays: Mapping[str, np.ndarray], ids: pd.DataFrame) -> None:
    """Write arrays into a staged input in the place of those of the rows to predict.

    Args:
        layout: of the task.
        folder: the staged input.
        arrays: of new rows, by their base names.
        ids: fields of the rows; they have the values of arrays that were not given.
    """
    files: dict[str, dict[str, tuple[str, ArrayInfo]]] = {}
    for base, array in arrays_of_rows(layout).items():
        name, key = (array.file, array.key) if layout.has_test else new_test(array)
        files.setdefault(name, {})[key] = (base, array)
    for name, new in files.items():
        present = {array.key: array for array in list_arrays(folder, name)} if (folder / name).is_file() else {}
        written = [NewArray(key, array, None) for key, array in present.items() if key not in new]
        for key, (base, like) in new.items():
            values = arrays[base] if base in arrays else _as_values(ids[base], like)
            written.append(NewArray(key, present.get(key, like), None, values))
        _write(folder, name, written)


def _as_values(cells: pd.Series, like: ArrayInfo) -> np.ndarray:
    texts = cells.to_numpy(dtype=str)
    return texts.astype(like.dtype) if like.dtype.kind in "iuf" else texts


def _write(folder: Path, name: str, arrays: Sequence[NewArray]) -> None:
    path = folder / name
    part = path.with_name(f".new-{PurePosixPath(name).name}")
    write_arrays(folder, part, arrays)
    path.unlink(missing_ok=True)
    part.rename(path)
