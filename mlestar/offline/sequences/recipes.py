"""Writing a script for pairs of texts."""

import re
from pathlib import Path
from typing import Any

from mlestar.data.tables.table import SUFFIXES, table_suffix
from mlestar.errors import UserError
from mlestar.metrics import get_metric
from mlestar.offline.facts import Facts
from mlestar.offline.readers import reader_values
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render, sort_imports
from mlestar.offline.sequences.columns import find_pair_columns
from mlestar.offline.tables.recipes import table_values

_TABLE_MODEL = Model("linear", (), ())
"""A model of tables, of whose values only those of the split are used."""
_FOLDS = 5
_NUMBERS = re.compile(
    r"\b(?:numbers?|numerals?|dates?|digits?|currenc\w+|spoken|verbali[sz]\w+|measures?)\b", re.IGNORECASE
)
"""Words of a description of texts in which numbers are written out."""
_MIN_RESULTS = 0.1
"""Different results per different text from which results are texts, not labels. Chosen by judgement; not measured."""
_ROWS_PER_SAMPLED_ROW = 4
"""Factor on the limit of training rows: the time depends mostly on the number of different texts, and common texts
repeat. Chosen by judgement; not measured."""


def suits(facts: Facts) -> bool:
    """Return whether a text is predicted from another one, in tables; a list of labels is not such a text."""
    spec = facts.spec
    if spec.prediction_kind != "text" or len(spec.target) != 1 or facts.labels_file:
        return False
    if not all(table_suffix(Path(name)) in SUFFIXES for name in (spec.train, spec.test)):
        return False
    return not _is_of_labels(spec.metric) and _are_pairs(facts)


def _are_pairs(facts: Facts) -> bool:
    """Return whether the targets are texts and not labels: different texts rarely have the same result."""
    columns, target = find_pair_columns(facts), facts.column(facts.spec.target[0])
    before = facts.column(columns.before) if columns else None
    return bool(before and target and target.distinct >= _MIN_RESULTS * before.distinct)


def _is_of_labels(metric: str) -> bool:
    try:
        return get_metric(metric).several_labels
    except UserError:
        return False


def is_usable(facts: Facts, model: Model) -> bool:
    return True


def find_unused(facts: Facts, script: str) -> list[str]:
    """Return the column of texts and the word lists that a script does not mention."""
    columns = find_pair_columns(facts)
    names = [columns.before, *columns.kinds, *columns.word_lists] if columns else []
    return [name for name in names if name not in script]


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model."""
    return finish(render("sequences/script.py.jinja", _values(facts, model, title)))


def _values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    columns = find_pair_columns(facts)
    if columns is None:
        msg = "the task has no column of texts"
        raise ValueError(msg)
    values = table_values(facts, _TABLE_MODEL, title)
    limit = _ROWS_PER_SAMPLED_ROW * int(facts.environment.get("subsample_rows", 30_000))
    values |= {
        "rule": "texts",
        "classify": False,
        "multilabel": False,
        "stratify": False,
        "tuned": False,
        "common": False,
        "shape": "(len(y), SLOTS + 1)",
        "trend": False,
        "pairs": columns,
        "folds": _FOLDS,
        "subsample": limit if facts.spec.train_rows > limit else 0,
        "word_errors": facts.spec.metric == "word_error_rate",
        **reader_values(facts, (facts.spec.train, facts.spec.test)),
        "numbers": bool(_NUMBERS.search(facts.text("task"))),
    }
    values["imports"] = _imports(facts, model, values)
    values["model"] = render(f"sequences/models/{model.name}.py.jinja", values)
    return values


def _imports(facts: Facts, model: Model, values: dict[str, Any]) -> list[str]:
    lines = set(model.imports)
    if facts.split.kind not in ("time", "series") and not values["grouped"]:
        lines.add("from sklearn.model_selection import KFold")
    return sort_imports(lines)
