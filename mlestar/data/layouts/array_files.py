"""Arrays in `npz`, `npy` and HDF5 files, read and written in pieces along the first axis. Nothing is unpickled."""

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from mlestar.errors import TaskError
from mlestar.files import unpacked_limit

SUFFIXES = (".npz", ".npy", ".h5", ".hdf5")
_HDF5 = (".h5", ".hdf5")
_PIECE = 2**25
"""Bytes of a piece. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class ArrayInfo:
    """One array of a file."""

    file: str
    """Relative to the input folder."""
    key: str
    """Its name in the file; empty in an `npy` file."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    compressed: bool

    @property
    def rows(self) -> int:
        return self.shape[0] if self.shape else 0

    @property
    def title(self) -> str:
        """The file and the key."""
        return f"{self.file}:{self.key}" if self.key else self.file

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "one value"
        return f"{self.key or self.file} {self.dtype.name} {shape}"


@dataclass(frozen=True)
class NewArray:
    """An array to write: some rows of another one."""

    key: str
    source: ArrayInfo
    rows: np.ndarray | None
    """Row numbers; None for the whole array. Where they do not increase, the whole array is read at once."""
    values: np.ndarray | None = None
    """The values themselves, where they are not those of the source."""
    dtype: np.dtype[Any] | None = None
    """None for that of the source."""

    @property
    def shape(self) -> tuple[int, ...]:
        if self.values is not None:
            return self.values.shape
        return self.source.shape if self.rows is None else (len(self.rows), *self.source.shape[1:])

    @property
    def type(self) -> np.dtype[Any]:
        if self.values is not None:
            return self.values.dtype
        return self.dtype or self.source.dtype


def is_array_file(name: str) -> bool:
    """Return whether a file holds arrays, by its name."""
    return name.lower().endswith(SUFFIXES)


def list_arrays(folder: Path, file: str) -> list[ArrayInfo]:
    """List the arrays of a file by their headers.

    Raises:
        TaskError: it cannot be read, or h5py is not installed.
    """
    path = folder / file
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as opened:
                shape, dtype, _ = _read_header(opened)
                _check_size(shape, dtype, path.stat().st_size - opened.tell())
            return [ArrayInfo(file, "", shape, dtype, compressed=False)]
        if path.suffix.lower() == ".npz":
            return list(_list_npz(path, file))
        return _list_hdf5(path, file)
    except TaskError:
        raise
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        msg = f"{file} cannot be read as arrays: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise TaskError(msg) from error


def read_array(folder: Path, array: ArrayInfo) -> np.ndarray:
    """Return a whole array.

    Raises:
        TaskError: it holds Python objects, which would have to be unpickled.
    """
    pieces = [piece for _, piece in read_pieces(folder, array)]
    return np.concatenate(pieces) if pieces else np.zeros(array.shape, array.dtype)


def read_pieces(folder: Path, array: ArrayInfo) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, rows) of consecutive pieces.

    Raises:
        TaskError: it holds Python objects, which would have to be unpickled.
    """
    if array.dtype.hasobject and not array.file.lower().endswith(_HDF5):
        msg = f"{array.title} holds pickled objects, which are never loaded: save it as numbers or as fixed-width text"
        raise TaskError(msg)
    path = folder / array.file
    if path.suffix.lower() == ".npz":
        yield from _read_npz(path, array)
    elif path.suffix.lower() == ".npy":
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        yield from ((start, np.asarray(mapped[start : start + count])) for start, count in _steps(array))
    else:
        with _h5py().File(path, "r") as opened:
            dataset = opened[array.key]
            if dataset.dtype.kind == "O":
                dataset = dataset.asstr()
            yield from ((start, np.asarray(dataset[start : start + count])) for start, count in _steps(array))


def write_arrays(folder: Path, path: Path, arrays: Sequence[NewArray]) -> None:
    """Write arrays of the task's files into a new file, in the format of its suffix.

    Args:
        folder: the input folder.
        path: the file to write; its suffix names the format.
        arrays: what to write; each with the compression of its source.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Path, Path, Sequence[NewArray]], None]] = {".npz": _write_npz, ".npy": _write_npy}
    writers.get(path.suffix.lower(), _write_hdf5)(folder, path, arrays)


def _selection(folder: Path, array: NewArray) -> Iterator[np.ndarray]:
    """Yield the rows to write, in pieces."""
    if array.values is not None:
        yield array.values
        return
    if array.rows is not None and np.any(np.diff(array.rows) < 0):
        yield read_array(folder, array.source)[array.rows].astype(array.type, copy=False)
        return
    for start, piece in read_pieces(folder, array.source):
        if array.rows is None:
            yield piece.astype(array.type, copy=False)
            continue
        first, end = np.searchsorted(array.rows, [start, start + len(piece)])
        if end > first:
            yield piece[array.rows[first:end] - start].astype(array.type, copy=False)


def _steps(array: ArrayInfo) -> Iterator[tuple[int, int]]:
    size = max(1, int(np.prod(array.shape[1:], dtype=np.int64)) * max(array.dtype.itemsize, 1))
    count = max(1, _PIECE // size)
    yield from ((start, min(count, array.rows - start)) for start in range(0, array.rows, count))


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Return shape, dtype and whether the order is Fortran's."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, dtype, fortran


def _write_header(file: IO[bytes], array: NewArray) -> None:
    header = {"descr": npy.dtype_to_descr(array.type), "fortran_order": False, "shape": array.shape}
    npy.write_array_header_1_0(file, header)


def _check_size(shape: tuple[int, ...], dtype: np.dtype[Any], available: int) -> None:
    """Check that a file can hold as much as the header of an array says."""
    # A pickled object takes a byte at least; it is never loaded.
    size = math.prod(shape) * (1 if dtype.hasobject else max(1, dtype.itemsize))
    if size > available:
        msg = f"its header says {size:,} bytes, the file holds or may unpack to {available:,}"
        raise ValueError(msg)


def _list_npz(path: Path, file: str) -> Iterator[ArrayInfo]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            with archive.open(entry) as opened:
                shape, dtype, _ = _read_header(opened)
                _check_size(shape, dtype, min(entry.file_size, unpacked_limit(path)))
            compressed = entry.compress_type != zipfile.ZIP_STORED
            yield ArrayInfo(file, entry.filename.removesuffix(".npy"), shape, dtype, compressed)


def _read_npz(path: Path, array: ArrayInfo) -> Iterator[tuple[int, np.ndarray]]:
    with zipfile.ZipFile(path) as archive, archive.open(f"{array.key}.npy") as opened:
        shape, dtype, fortran = _read_header(opened)
        if fortran and len(shape) > 1:
            # Its rows are not one after the other in the file.
            columns = np.frombuffer(opened.read(), dtype=dtype).reshape(shape[::-1])
            yield 0, columns.T
            return
        for start, count in _steps(array):
            wanted = (count, *shape[1:])
            data = opened.read(int(np.prod(wanted, dtype=np.int64)) * dtype.itemsize)
            yield start, np.frombuffer(data, dtype=dtype).reshape(wanted)


def _write_npz(folder: Path, path: Path, arrays: Sequence[NewArray]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for array in arrays:
            # Without a time of its own: equal rows give equal bytes.
            entry = zipfile.ZipInfo(f"{array.key}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED if array.source.compressed else zipfile.ZIP_STORED
            with archive.open(entry, "w", force_zip64=True) as file:
                _write_header(file, array)
                for piece in _selection(folder, array):
                    file.write(np.ascontiguousarray(piece).tobytes())


def _write_npy(folder: Path, path: Path, arrays: Sequence[NewArray]) -> None:
    (array,) = arrays
    with path.open("wb") as file:
        _write_header(file, array)
        for piece in _selection(folder, array):
            file.write(np.ascontiguousarray(piece).tobytes())


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        msg = "reading HDF5 files needs h5py: pip install 'mlestar[hdf5]'"
        raise TaskError(msg) from error
    return h5py


def _list_hdf5(path: Path, file: str) -> list[ArrayInfo]:
    h5py = _h5py()
    arrays: list[ArrayInfo] = []

    def visit(key: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            if node.external or node.is_virtual:
                msg = f"{key} is kept in another file; copy the data in"
                raise ValueError(msg)
            _check_size(node.shape or (), node.dtype, unpacked_limit(path))
            arrays.append(ArrayInfo(file, key, node.shape or (), node.dtype, node.compression is not None))

    with h5py.File(path, "r") as opened:
        opened.visititems(visit)
    return arrays


def _write_hdf5(folder: Path, path: Path, arrays: Sequence[NewArray]) -> None:
    h5py = _h5py()
    with h5py.File(path, "w") as written:
        for array in arrays:
            with h5py.File(folder / array.source.file, "r") as opened:
                node = opened[array.source.key]
                dtype, filters, attributes = node.dtype, _filters(node), dict(node.attrs)
            dataset = written.create_dataset(array.key, array.shape, dtype=array.dtype or dtype, **filters)
            dataset.attrs.update(attributes)
            start = 0
            for piece in _selection(folder, array):
                dataset[start : start + len(piece)] = piece
                start += len(piece)


def _filters(node: Any) -> dict[str, Any]:
    names = ("compression", "compression_opts", "shuffle", "fletcher32", "scaleoffset")
    return {name: getattr(node, name) for name in names if getattr(node, name)} if node.shape else {}
