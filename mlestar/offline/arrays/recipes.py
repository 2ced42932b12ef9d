"""Writing a script for rows that are vectors or signals."""

from typing import Any

from mlestar.offline.arrays.recordings import find_recordings
from mlestar.offline.arrays.signals import RowArrays, are_signals, find_arrays, find_cells, list_arrays
from mlestar.offline.facts import Facts
from mlestar.offline.readers import find_delimiter, reader_values, separator_argument, tables_of
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render, sort_imports
from mlestar.offline.signals import signal_values

_HDF5 = (".h5", ".hdf5")
_MANY_ROWS = 3000
"""Rows from which there are fewer random convolutions. Chosen by judgement; not measured."""
_TEMPLATES = {
    "convolutions": "arrays/models/convolutions",
    "lightgbm": "signal_lightgbm",
    "histogram": "signal_histogram",
    "extratrees": "signal_extratrees",
    "ridge": "arrays/models/ridge",
}
"""The template of each model."""


def suits(facts: Facts) -> bool:
    """Return whether the rows are arrays that are no pictures, or tables with cells or files of such arrays."""
    if facts.spec.layout == "arrays":
        return are_signals(facts) and bool(find_arrays(facts).signals)
    in_tables = facts.spec.modality in ("table", "text", "time series", "unknown")
    return in_tables and bool(find_cells(facts) or find_recordings(facts))


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model."""
    values = _values(facts, model, title)
    values["model"] = render(f"{_TEMPLATES[model.name]}.py.jinja", values)
    return finish(render("arrays/script.py.jinja", values), "STORE", "SECONDS")


def _values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    arrays = find_arrays(facts) if facts.spec.layout == "arrays" else RowArrays((), {}, ())
    cells = [] if arrays.signals else find_cells(facts)
    recordings = None if arrays.signals or cells else find_recordings(facts)
    files = {recordings.train_column, recordings.test_column} if recordings else set()
    values = signal_values(facts, model, title, {*cells, *files})
    read = reader_values(facts, [*tables_of(facts), recordings.test_rows]) if recordings else {}
    places = [place for pair in arrays.signals for place in pair]
    places += [place for pair in arrays.fields.values() for place in pair if place] + list(arrays.labels)
    hdf5 = any(file.lower().endswith(_HDF5) for file, _ in places)
    imports = {*values["imports"], *(["import h5py"] if hdf5 else [])}
    if values["classes"] and model.name in ("convolutions", "ridge"):
        imports.add("from scipy.special import softmax")
    sample = facts.spec.sample_submission
    return {
        **values,
        **read,
        "noun": "signal",
        "label_separator": separator_argument(find_delimiter(facts, arrays.label_table)),
        "imports": sort_imports(imports),
        "channels": recordings is not None or any(len(array.shape) > 2 for array in list_arrays(facts)),
        "arrays": arrays if arrays.signals else None,
        "cells": cells,
        "recordings": recordings,
        "hdf5": hdf5,
        "keys": any(key for file, key in places if not file.lower().endswith(_HDF5)),
        "single": any(not key for _, key in places),
        "ids_of_sample": sample if facts.spec.id and facts.spec.id not in arrays.fields and arrays.signals else "",
        "convolutions": 1000 if facts.spec.train_rows > _MANY_ROWS else 4000,
    }
