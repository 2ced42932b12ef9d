"""Finding a metric by what a person calls it, and adding one."""

import re
import unicodedata
from difflib import get_close_matches
from pathlib import Path

from mlestar.errors import UserError
from mlestar.metrics.definition import Metric
from mlestar.metrics.metric import METRICS
from mlestar.metrics.metric_file import read_metric_file
from mlestar.metrics.parameters import bind
from mlestar.metrics.spec import Direction, PredictionKind

_BUILT_IN = frozenset(METRICS)


def is_built_in(name: str) -> bool:
    """Return whether a name is that of a metric which every process has."""
    return name.partition("@")[0] in _BUILT_IN


def register_metric(metric: Metric) -> None:
    """Add a metric to the table of this process: settings and descriptions may name it, and scripts validate with it.

    Raises:
        UserError: its name or one of its aliases names a metric of the table.
    """
    if not squash(metric.name):
        msg = f"metric {metric.name!r}: give it a name with letters or digits"
        raise UserError(msg)
    names = _names()
    for name in _spellings(metric):
        if name in names:
            msg = f"metric {metric.name!r}: {name!r} already names {names[name].name}"
            raise UserError(msg)
    METRICS[metric.name] = metric


def get_metric(
    name: str,
    folder: Path | None = None,
    *,
    direction: Direction | None = None,
    kind: PredictionKind | None = None,
) -> Metric:
    """Return a metric by its name, an alias, or `file.py:function` with the file inside `folder`.

    A name such as `pinball@0.9` has the metric's parameter after the `@`. A user's own function needs a `direction`,
    here or in its file, which is read but not executed; its `kind` is `value` by default.

    Raises:
        UserError: no such metric (the nearest names are listed), its parameter is missing or wrong, or the function
            cannot be read.
    """
    if ".py:" in name:
        return read_metric_file(name, folder or Path(), direction, kind)
    names = _names()
    bare, _, argument = _spell_out(name).partition("@")
    if metric := names.get(squash(bare)):
        return _bind(metric, argument)
    # The cutoff was chosen by judgement; not measured.
    nearest = get_close_matches(squash(name), names, n=6, cutoff=0.4)
    suggestions = list(dict.fromkeys(names[word].name for word in nearest)) or sorted(METRICS)
    msg = f"unknown metric {name!r}; the nearest are {', '.join(suggestions)} (or use file.py:function)"
    raise UserError(msg)


def find_form(name: str) -> str:
    """Return what a cell of predictions for this metric must hold, empty where the kind of prediction says it all."""
    if ".py:" in name:
        return ""
    try:
        return get_metric(name).form
    except UserError:
        return ""


def squash(name: str) -> str:
    """Return a metric's name without case, spaces and marks, so that spellings compare equal."""
    folded = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[^a-z0-9]+", "", folded).removeprefix("neg")


def _spell_out(name: str) -> str:
    """Return a short name with its parameter after an `@`: F2 is f_beta@2, top-5 accuracy is top_k_accuracy@5."""
    name = re.sub(r"^\s*F[\s_-]?(?!1\b)(\d+(?:\.\d+)?)(?:[\s_-]*score)?\s*$", r"f_beta@\1", name, flags=re.IGNORECASE)
    return re.sub(r"^\s*top[\s_-]*(\d+)[\s_-]+accuracy\s*$", r"top_k_accuracy@\1", name, flags=re.IGNORECASE)


def _bind(metric: Metric, argument: str) -> Metric:
    if metric.parameter is None and not argument:
        return metric
    try:
        return bind(metric, argument)
    except ValueError as error:
        msg = f"metric {metric.name!r}: {error}"
        raise UserError(msg) from error


def _names() -> dict[str, Metric]:
    """Return every metric by every spelling of its names."""
    return {name: metric for metric in METRICS.values() for name in _spellings(metric)}


def _spellings(metric: Metric) -> list[str]:
    return [squash(name) for name in (metric.name, *metric.aliases, *metric.abbreviations)]
