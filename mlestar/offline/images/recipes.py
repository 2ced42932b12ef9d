"""Writing a script for pictures: how they are read, their features and the model."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlestar.data.layouts.array_files import ArrayInfo, is_array_file
from mlestar.data.layouts.array_roles import base_name
from mlestar.offline.facts import Facts
from mlestar.offline.images.source import SUFFIXES, Source, find_source
from mlestar.offline.readers import reader_values, tables_of
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render
from mlestar.offline.tables.recipes import table_values

_MANY_CLASSES = 6
"""Classes from which there are fewer boosting rounds, each with a tree per class. Chosen by judgement; not measured."""
_SIDES = ((6_000, 64), (20_000, 48))
"""Rows up to which pictures are stored with this many pixels on a side: the arrays then take less than 600 MB."""
_SMALLEST_SIDE = 32
_FEW_PER_CLASS = 20
"""Rows per class below which linear models get weaker regularization. Measured on generated faces and on leaves: with 8
and 9 rows per class a tenth or less of the usual regularization had the lower log loss, with 60 and more the usual."""
_MOST_LISTED = 30
"""Columns besides the pictures up to which a script lists them; with more, it takes all columns. Chosen by judgement;
not measured."""
_MOST_TARGETS = 3
"""Targets up to which a network can be fitted for each within the time limit. Chosen by judgement; not measured."""


def suits(facts: Facts) -> bool:
    """Return whether each row has a picture and a prediction of its own."""
    spec = facts.spec
    return spec.modality == "image" and spec.problem != "sequence" and find_source(facts) is not None


def is_usable(facts: Facts, model: Model) -> bool:
    """Return whether a model can be used: a network for every label takes too long."""
    return model.name != "network" or _count_fits(facts) <= _MOST_TARGETS


def _count_fits(facts: Facts) -> int:
    """Return how many models a fold fits: one for each target, or for each label where a row has several."""
    labels = len(facts.spec.classes) if facts.spec.problem == "multilabel" else 1
    return max(len(facts.spec.target), labels)


def first_models(facts: Facts) -> Sequence[str]:
    """Return the models to begin with: linear ones where a class has few rows, which are too few for boosting."""
    return ("kernel", "linear") if _has_few_per_class(facts) else ()


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model.

    Raises:
        ValueError: the rows of the task have no pictures of their own.
    """
    source = find_source(facts)
    if source is None:
        msg = f"the layout {facts.spec.layout!r} has no pictures of single rows"
        raise ValueError(msg)
    values = _values(facts, source, model, title)
    values["model"] = render(f"images/models/{model.name}.py.jinja", values)
    return finish(render("images/script.py.jinja", values))


def _values(facts: Facts, source: Source, model: Model, title: str) -> dict[str, Any]:
    """Return the values of the templates: those of tables, where one row is one prediction too, and those of files."""
    # The model of a table is not used: `write_script` replaces it.
    values = table_values(facts, Model("linear", model.imports, model.words), title)
    columns = _table_columns(facts, source)
    values |= {
        "source": source,
        "suffixes": SUFFIXES,
        "few_per_class": _has_few_per_class(facts),
        "fits": _count_fits(facts),
        "table_columns": columns,
        "all_columns": source.form == "named_files" and (facts.cut_columns or len(columns) > _MOST_LISTED),
        "most_pixels": next((side for rows, side in _SIDES if _rows(facts) <= rows), _SMALLEST_SIDE),
        "needs_sample": _needs_sample(facts, source),
    }
    if values["needs_sample"] and facts.spec.sample_submission:
        values |= reader_values(facts, [*tables_of(facts), facts.spec.sample_submission])
    return values | (_array_values(facts, source) if source.form == "arrays" else {})


def _has_few_per_class(facts: Facts) -> bool:
    return facts.spec.train_rows < _FEW_PER_CLASS * _count_classes(facts)


def _count_classes(facts: Facts) -> int:
    """Return the number of classes, also of those that the prompt does not list; 0 for numbers."""
    column = facts.column(facts.spec.target[0])
    listed = len(facts.spec.classes)
    return max(listed, column.distinct) if column and listed else listed


def _rows(facts: Facts) -> int:
    limit = int(facts.environment.get("subsample_rows", 30_000))
    return min(facts.spec.train_rows, limit) + facts.spec.test_rows


def _needs_sample(facts: Facts, source: Source) -> bool:
    """Return whether the sample submission is read for more than its ids."""
    listed = source.form == "named_files" and source.test_rows == "sample"
    return bool(facts.spec.sample_submission) and (facts.cut_predictions or listed)


def _table_columns(facts: Facts, source: Source) -> list[str]:
    """Return the columns besides the pictures that are features: numbers and categories."""
    if source.form not in ("named_files", "arrays") or facts.cut_columns:
        return []
    kinds = ("int", "float", "bool", "category")
    return [column.name for column in facts.test_columns if column.kind in kinds and column.name != source.column]


def _array_values(facts: Facts, source: Source) -> dict[str, Any]:
    """Return what reading arrays needs: a table of labels, the names of columns, where ids come from."""
    arrays = source.arrays
    labels = next((name for name in arrays["labels"] if not is_array_file(name)), "")
    names = _column_names(arrays["train"]) | _column_names(arrays.get("test", {}))
    ids = facts.spec.id
    listed = ids is not None and ids not in _column_names(arrays.get("test", {})).values()
    return {
        **reader_values(facts, [labels]),
        "label_table": labels,
        "one_hot": _one_hot_order(facts),
        "names": {name: column for name, column in names.items() if name != column},
        "stores": sorted({_store(name) for side in arrays.values() for name in side if name != labels}),
        "sample_ids": listed and bool(facts.spec.sample_submission),
    }


def _store(name: str) -> str:
    """Return the format of a file of arrays: `hdf5`, `npy` for one array, or `npz`."""
    suffix = Path(name.lower()).suffix
    return "hdf5" if suffix in (".h5", ".hdf5") else suffix.removeprefix(".")


def _column_names(files: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the column of each array: its name without train or test."""
    pairs = [(file, key) for file, keys in files.items() for key in keys or ("",)]
    infos = [ArrayInfo(file, key, (), np.dtype("u1"), compressed=False) for file, key in pairs]
    return {info.key or Path(info.file).stem: base_name(info) for info in infos}


def _one_hot_order(facts: Facts) -> list[str]:
    """Return the classes of the columns of one-hot labels; empty where they are numbered."""
    order = re.search(r"is one-hot: a column for each class, in the order (.+?)(?:;|$)", facts.spec.layout_note)
    first = order[1].split(", ") if order else []
    named = first and first == list(facts.spec.prediction_columns[: len(first)])
    return list(facts.spec.prediction_columns) if named else []
