"""Where the signals of a task's rows are: in arrays of files, or in cells that hold lists of numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlestar.data.layouts.array_files import ArrayInfo
from mlestar.data.layouts.array_roles import base_name
from mlestar.data.statistics import ColumnStatistics
from mlestar.offline.facts import Facts

_MIN_ASPECT = 5
"""Length of the longer side, in sides of the other one, from which rows and columns are no picture but a signal with
several channels. Chosen by judgement; not measured."""
_MIN_NUMBERS = 8
"""Numbers in a cell from which it is a signal. Chosen by judgement; not measured."""
_MAX_CHANNELS = 4
"""Length of a last axis up to which it may be the colours of a picture."""
_ARRAY = re.compile(r"(?P<key>[^,]*?) (?P<type>[a-z]+\d*) (?P<shape>\d+(?: x \d+)*|one value)(?:, |$)")
_FILES = re.compile(r"([^,(]+?)(?: \(([^)]*)\))?(?:, |$)")
_CELL = re.compile(r"^\s*[\[(]?\s*-?\d[\d.eE+-]*(?:[,;|\s]+-?\d[\d.eE+-]*)+")


Place = tuple[str, str]
"""A file and the key of an array in it; an `npy` file has no key."""


@dataclass(frozen=True)
class RowArrays:
    """The arrays of a task by what they are for."""

    signals: tuple[tuple[Place, Place], ...]
    """Of train and of test."""
    fields: dict[str, tuple[Place | None, Place | None]]
    """One value for each row, by name: of train and of test."""
    labels: tuple[Place, ...]
    """Empty where a table has them."""
    label_table: str = ""
    one_hot: tuple[str, ...] = ()
    """The classes of an array with a column for each."""


def find_arrays(facts: Facts) -> RowArrays:
    """Return the arrays that the note of the layout lists."""
    note = f"{facts.spec.layout_note}; "
    known = {(array.file, array.key): array for array in list_arrays(facts)}
    train = _listed(note, "labelled rows are ")
    labels = [place for place in _listed(note, "their labels are ") if place in known]
    tables = [place[0] for place in _listed(note, "their labels are ") if place not in known]
    test = _listed(note, "rows to predict are ") or _without_test(note)
    by_name = {base_name(known.get(place, _unknown(place))): place for place in test}
    signals: list[tuple[Place, Place]] = []
    fields: dict[str, tuple[Place | None, Place | None]] = {}
    for place in train:
        array = known.get(place, _unknown(place))
        other = by_name.get(base_name(array))
        if len(array.shape) > 1 and other:
            signals.append((place, other))
        elif len(array.shape) == 1:
            fields[base_name(array)] = (place, other)
    for name, place in by_name.items():
        if name not in fields and len(known.get(place, _unknown(place)).shape) == 1:
            fields[name] = (None, place)
    match = re.search(r"is one-hot: a column for each class, in the order ([^;]*);", note)
    one_hot = tuple(match[1].split(", ")) if match else ()
    return RowArrays(tuple(signals), fields, tuple(labels), tables[0] if tables else "", one_hot)


def list_arrays(facts: Facts) -> list[ArrayInfo]:
    """Return the arrays that the prompt describes: `train.npz: 37.4 kB, arrays id int64 1257, x uint8 1257 x 8`."""
    found: list[ArrayInfo] = []
    for line in facts.text("files").split("\n"):
        file, _, described = line.partition(": ")
        _, separator, arrays = described.partition(", arrays ")
        for match in _ARRAY.finditer(arrays) if separator else ():
            shape = tuple(int(side) for side in re.findall(r"\d+", match["shape"]))
            key = "" if match["key"] == file else match["key"]
            found.append(ArrayInfo(file, key, shape, np.dtype(np.float64), compressed=False))
    return found


def _unknown(place: Place) -> ArrayInfo:
    """Return an array that the prompt does not describe, as one of signals."""
    return ArrayInfo(*place, (0, 0), np.dtype(np.float64), compressed=False)


def _listed(note: str, beginning: str) -> list[Place]:
    """Return files and keys of a part of the note: `train.npz (id, image), more.npy`."""
    match = re.search(rf"(?:^|; ){beginning}(.*?); ", note)
    places: list[Place] = []
    for file, keys in _FILES.findall(match[1]) if match else ():
        places += [(file, key) for key in keys.split(", ")]
    return places


def _without_test(note: str) -> list[Place]:
    """Return the arrays that hold withheld rows where the task has no test rows: `data.npz/x_test, y.npy`."""
    match = re.search(r"there are no test rows: (.*?) hold other rows", note)
    places = match[1].split(", ") if match else []
    pairs = [re.match(r"(.+?\.(?:npz|npy|h5|hdf5))(?:/(.+))?$", place) for place in places]
    return [(pair[1], pair[2] or "") for pair in pairs if pair]


def are_signals(facts: Facts) -> bool:
    """Return whether the arrays of rows are signals or vectors, and not pictures."""
    known = {(array.file, array.key): array for array in list_arrays(facts)}
    shapes = [known[train].shape[1:] for train, _ in find_arrays(facts).signals if train in known]
    return facts.spec.modality != "image" or (bool(shapes) and all(_is_signal(shape) for shape in shapes))


def _is_signal(shape: Sequence[int]) -> bool:
    """Return whether a row is a signal by its shape."""
    if len(shape) == 3 and shape[-1] <= _MAX_CHANNELS:
        shape = shape[:-1]
    longest, *others = sorted(shape, reverse=True)
    return len(shape) <= 2 and all(longest >= _MIN_ASPECT * side for side in others)


def find_cells(facts: Facts) -> list[str]:
    """Return the columns of train and test whose cells are lists of numbers."""
    return [column.name for column in facts.test_columns if _holds_signals(column)]


def _holds_signals(column: ColumnStatistics) -> bool:
    return bool(column.examples) and all(_is_list(value) for value in column.examples)


def _is_list(value: str) -> bool:
    """Return whether a cell is a list of measured values; a long one is cut in the prompt."""
    numbers, words = re.findall(r"\d+\.?\d*", value), re.search(r"[g-zA-DF-Z]", value)
    # A short list of whole numbers may name things.
    least = _MIN_NUMBERS if any("." in number for number in numbers) else 2 * _MIN_NUMBERS
    return len(numbers) >= least and _CELL.match(value) is not None and not words
