"""Writing a script for tables: its parts depend on the task, the columns and the model."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlestar.data.tables.table import SUFFIXES, table_suffix
from mlestar.data.targets import is_number
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.protocol import calendar_code, series_code, units_code
from mlestar.offline.facts import Facts
from mlestar.offline.metrics import Objective, find_objective
from mlestar.offline.readers import reader_values, tables_of
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render, sort_imports
from mlestar.offline.tables.columns import FeatureColumns, treat_columns
from mlestar.offline.tables.panels import add_history
from mlestar.offline.tables.written_dates import find_format

_MANY_CLASSES = 6
"""Classes from which there are fewer boosting rounds, each with a tree per class. Chosen by judgement; not measured."""
_MOST_SPLINES = 300
"""Features up to which each is expanded into splines, which take eight times the memory. Chosen by judgement; not
measured."""
_FEW_FEATURES = 6
"""Features up to which trees see all of them. Chosen by judgement; not measured."""
_TUNED = frozenset({"threshold", "prior", "cuts", "tags", "quantile", "values"})
"""Decision rules with parameters that are tuned on held-out predictions."""
_COMPACT = re.compile(r"\d{8}T?\d{6}Z?")
_LARGEST = 1e38
"""Slightly below the largest number of single precision, 3.4e38."""
_COMMON = 50
"""Rows of the rarest class from which every fold, and every part of one, has all classes. Chosen by judgement; not
measured."""


def suits(facts: Facts) -> bool:
    """Return whether train and test are tables."""
    return all(table_suffix(Path(name)) in SUFFIXES for name in (facts.spec.train, facts.spec.test))


def is_usable(facts: Facts, model: Model) -> bool:
    """Return whether a model can be used for a table: `text` needs a column of texts, `factors` needs categories.

    CatBoost refuses tables in which all columns are constant, as counts of values are where almost all values differ.
    """
    needs = {"text": "texts", "factors": "categories"}
    columns = treat_columns(facts)
    if model.name == "catboost":
        return bool(set(columns.steps) - {"frequency_features", "group_features"})
    return model.name not in needs or bool(getattr(columns, needs[model.name]))


def find_unused(facts: Facts, script: str) -> list[str]:
    """Return the columns and joinable tables that a script does not mention."""
    tables = [join.file for join in treat_columns(facts).joins]
    columns = [column.name for column in facts.test_columns if column.distinct > 1]
    return [name for name in tables + columns if name.split(".")[-1] not in script and name not in script]


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model."""
    values = add_history(facts, table_values(facts, model, title))
    return finish(render("tables/script.py.jinja", values))


def table_values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    """Return the values of a script's template for tables."""
    values = task_values(facts, model, title)
    return {**values, "model": render(f"tables/models/{model.name}.py.jinja", values)}


def task_values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    """Return the values that depend on the task, its columns and its split; every kind of data needs them."""
    objective, columns, split = find_objective(facts), treat_columns(facts), facts.split
    classes = _classes(facts, objective)
    values: dict[str, Any] = {
        "title": title,
        "spec": facts.spec,
        "columns": columns,
        "joins": columns.joins,
        "steps": columns.steps or ["position_features"],
        "classes": objective.classes,
        "labels": classes,
        "classify": objective.classify,
        "multilabel": objective.multilabel,
        "rule": objective.rule,
        "score_code": objective.code,
        "loss": objective.loss,
        "scale": objective.scale,
        "quantile": objective.quantile,
        "ranked": objective.ranked,
        **_list_form(facts, objective, classes),
        "targets": len(facts.spec.target),
        "positive": _positive(facts, classes),
        "labels_file": facts.labels_file.file if facts.labels_file else "",
        "labels_key": facts.labels_key,
        "cut_predictions": facts.cut_predictions,
        "cut_classes": facts.cut_classes and objective.classes and bool(classes),
        "class_name": _class_name(facts),
        "seed": int(facts.environment.get("seed", 0)),
        "folds": 5,
        "seconds": round(facts.seconds),
        "subsample": _subsample(facts),
        "dialect": dialect_arguments(facts),
        "most_splines": _MOST_SPLINES,
        "few_columns": columns.count <= _FEW_FEATURES,
        "many_classes": objective.classes and max(len(classes), len(facts.spec.target)) >= _MANY_CLASSES,
        **reader_values(facts, tables_of(facts, [join.file for join in columns.joins])),
        **_split_values(facts, objective, columns, split),
        "tuned": objective.rule in _TUNED or (objective.rule == "probabilities" and objective.classify),
        "shape": _shape(facts, objective),
        "spelled": _spelled_once(facts, classes),
        "plain": _are_plain(columns),
        "huge": _has_huge_numbers(facts),
        "compact_dates": _has_compact_dates(facts, columns),
    }
    values["fields"] = _fields(facts, values)
    values["early"] = not values["many_classes"]
    values["imports"] = _imports(model, columns, objective, split, values)
    values["decision"] = render("tables/decision.py.jinja", values)
    return values


def _shape(facts: Facts, objective: Objective) -> str:
    """Return the shape of a table of predictions for all rows, as code."""
    if objective.rule == "columns":
        return "(*y.shape, len(CLASSES))"
    if objective.classify:
        return "(len(y), len(CLASSES))"
    several = len(facts.spec.target) > 1 and objective.rule not in ("risk", "times")
    return "y.shape" if objective.multilabel or several else "len(y)"


def _fields(facts: Facts, values: Mapping[str, Any]) -> list[str]:
    """Return the columns that a file may lack: fields of JSON objects, as not every row has every field."""
    in_json = bool({"json", "json lines"} & {*values["forms"]})
    return [column.name for column in facts.test_columns if in_json or (values["nested"] and "." in column.name)]


def _has_huge_numbers(facts: Facts) -> bool:
    """Return whether a column has numbers that are too large for single precision."""
    ends = [end for column in facts.test_columns for end in (column.minimum, column.maximum) if end]
    return any(is_number(end) and abs(float(end)) > _LARGEST for end in ends)


def _spelled_once(facts: Facts, classes: Sequence[str]) -> bool:
    """Return whether the cells of the target equal the labels, so that no label has two spellings.

    A script formats values of Parquet itself: `true` for True, and `1.0` for 1 where a cell of the column is empty.
    """
    name = facts.labels_file.file if facts.labels_file else facts.spec.train
    if table_suffix(Path(name)) == ".parquet":
        return False
    column = facts.column(facts.spec.target[0])
    cells = {cell.strip() for cell in column.examples} if column else set()
    in_tables = facts.spec.layout in ("tables", "separate labels") and len(facts.spec.target) == 1
    return bool(in_tables and column and column.distinct == len(cells) and cells == set(classes))


def _are_plain(columns: FeatureColumns) -> bool:
    """Return whether all feature names are unique and accepted by every library."""
    names = [*columns.numbers, *columns.categories]
    simple = set(columns.steps) <= {"number_features", "category_features"} and len(set(names)) == len(names)
    return simple and all(name == plain for name, plain in plain_names(names).items())


def _has_compact_dates(facts: Facts, columns: FeatureColumns) -> bool:
    """Return whether a date is written as fourteen digits, down to the second."""
    joined = (column for join in columns.joins for column in join.statistics)
    dates = [column for column in (*facts.test_columns, *joined) if column.name in columns.dates]
    cells = (cell for column in dates for cell in (*column.examples, column.minimum or "", column.maximum or ""))
    # Without an example, dates may have this form.
    return any(not column.examples for column in dates) or any(_COMPACT.fullmatch(cell.strip()) for cell in cells)


def _are_common(facts: Facts, objective: Objective) -> bool:
    """Return whether the rarest class has enough rows for every fold to have some of them."""
    column, classes = facts.column(facts.spec.target[0]), _classes(facts, objective)
    if column is None or not len(column.shares) == column.distinct == len(classes):
        return False
    rows = min(facts.spec.train_rows, _subsample(facts) or facts.spec.train_rows)
    return bool(column.shares) and min(column.shares) * rows >= _COMMON


def dialect_arguments(facts: Facts) -> str:
    """Return the arguments of `to_csv` for the dialect of the sample submission; empty for the usual dialect."""
    spec = facts.spec
    delimiter = f", sep={spec.submission_delimiter!r}" if spec.submission_delimiter != "," else ""
    return delimiter + (f", decimal={spec.submission_decimal!r}" if spec.submission_decimal != "." else "")


def _classes(facts: Facts, objective: Objective) -> list[str]:
    """Return the labels, in the order of the prediction columns where there is one for each."""
    if not (objective.classify or objective.rule in ("cuts", "tags", "ranked", "columns")):
        return []
    column = facts.column(facts.spec.target[0])
    classes = list(facts.spec.classes) or sorted(column.examples if column else ())
    return sorted(classes, key=float) if objective.rule == "cuts" else classes


def _class_name(facts: Facts) -> str:
    """Return the code that turns the name of a prediction column into the name of its class."""
    column, label = next(zip(facts.spec.prediction_columns, facts.spec.classes, strict=False), ("", ""))
    if not label or label not in column:
        return ""
    before, _, after = column.partition(label)
    return f".removeprefix({before!r}).removesuffix({after!r})"


def _list_form(facts: Facts, objective: Objective, classes: Sequence[str]) -> dict[str, Any]:
    """Return the pattern that splits a cell into labels, and the separator between the labels of a prediction."""
    if objective.rule not in ("tags", "ranked"):
        return {}
    blanks = any(" " in label for label in classes)
    sample = facts.files.get(facts.spec.sample_submission or "")
    columns = [column for column in (sample.columns if sample else ()) if column.name in facts.spec.prediction_columns]
    examples = [
        value for column in (*columns, facts.column(facts.spec.target[0])) if column for value in column.examples
    ]
    marks = [match[0] for value in examples if (match := re.search(r"[,;|] *", value))]
    return {
        "marks": "[,;|]" if blanks else r"[,;|\s]+",
        "separator": marks[0] if marks else "," if blanks else " ",
    }


def _positive(facts: Facts, classes: list[str]) -> int:
    """Return the index of the positive class; that of the last class where the spec names none."""
    positive = (facts.spec.pos_label or "").lower()
    names = [name.lower() for name in classes]
    if facts.spec.pos_label is not None and positive in names:
        return names.index(positive)
    return max(len(classes) - 1, 0)


def _subsample(facts: Facts) -> int:
    """Return the number of rows to sample, 0 for all."""
    max_rows = int(facts.environment.get("subsample_rows", 30_000))
    return max_rows if facts.spec.train_rows > max_rows else 0


def _split_values(facts: Facts, objective: Objective, columns: FeatureColumns, split: SplitPlan) -> dict[str, Any]:
    rule, column = split.group_rule, facts.column(split.column)
    date_inside = rule is not None and rule.part == "date"
    written = rule is not None and rule.part == "written_date"
    written_format = find_format(column) if column is not None and not rule else ""
    dated = column is not None and not rule and (column.kind == "date" or bool(written_format))
    numeric = column is not None and column.kind in ("int", "float") and split.column != facts.spec.id and not rule
    counted = numeric and not dated
    grouped = split.kind in ("group", "space") or split.keep_duplicates
    apart = "times" if split.kind in ("time", "series") else "groups" if grouped else ""
    return {
        "split": split,
        "clock": "date" if dated or date_inside or written else "number",
        "clock_format": (column.date_format if dated and column else "") or written_format or "mixed",
        "date_inside": date_inside,
        "trend": split.kind == "time"
        and objective.rule in ("values", "quantile")
        and len(facts.spec.target) == 1
        and (dated or counted),
        "clock_name": plain_names(columns.numbers).get(split.column or "", ""),
        "grouped": grouped,
        "apart": apart,
        "common": objective.classify and not apart and _are_common(facts, objective),
        "units_code": units_code(split).strip(),
        "series_code": series_code(split).strip() if split.kind == "series" else "",
        "calendar_code": calendar_code(split).strip() if split.kind in ("time", "series") and split.columns else "",
        "time_code": rule.code if rule else "",
        "group_code": rule.code if rule else "cells",
        "stratify": objective.classify or objective.rule == "cuts",
    }


def plain_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the names that columns have in a script's feature table, of which they are the first columns."""
    names: dict[str, str] = {}
    for position, column in enumerate(columns):
        name = re.sub(r"[\W_]+", "_", column).strip("_") or "feature"
        while name in names:
            name = f"{name}_{position}"
        names[name] = column
    return {column: name for name, column in names.items()}


def _imports(
    model: Model, columns: FeatureColumns, objective: Objective, split: SplitPlan, values: dict[str, Any]
) -> list[str]:
    lines = set(model.imports)
    if columns.texts:
        lines |= {
            "from sklearn.decomposition import TruncatedSVD",
            "from sklearn.feature_extraction.text import TfidfVectorizer",
        }
    if "metrics." in objective.code:
        lines.add("from sklearn import metrics")
    if values["trend"]:
        lines.add("from sklearn.linear_model import RidgeCV")
    if split.kind not in ("time", "series") and not values["grouped"]:
        lines.add(f"from sklearn.model_selection import {'StratifiedKFold' if values['stratify'] else 'KFold'}")
    return sort_imports(lines)
