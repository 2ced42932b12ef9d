"""What the values of a target say: its classes, their order in a submission, the positive one."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

import pandas as pd

from mlestar.metrics import canonical

_POSITIVE = ("1", "true", "yes", "y", "positive", "pos", "t", "+", "+1")
_LEAD = re.compile(
    r"^(?:p|prob|proba|probability|pred|prediction|class|target|label|is|score)(?=[\W_\d])[\W_]*", re.IGNORECASE
)


def classes_of(cells: pd.Series) -> tuple[str, ...]:
    """Return the different labels as they stand, empty cells left out, in numeric order or else as text."""
    raw = {canonical(str(cell)): str(cell).strip() for cell in cells.unique()[::-1] if str(cell).strip()}
    return tuple(raw[label] for label in sort_labels(raw))


def sort_labels(labels: Iterable[str]) -> list[str]:
    labels = list(labels)
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def align_classes(columns: Sequence[str], classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the class that each column stands for (`p3`, `prob_setosa`, `setosa`), or None when they do not match."""
    if len(columns) != len(classes):
        return None
    known = {_fold(label): label for label in classes}
    for strip in _strippings(columns):
        bare = [_fold(strip(column)) for column in columns]
        if len(known) == len(classes) and set(bare) == set(known):
            return tuple(known[name] for name in bare)
    return None


def bare_classes(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that column names suggest when no labels can be read."""
    names = tuple(_LEAD.sub("", column) for column in columns)
    return names if len(set(names)) == len(columns) and all(names) else tuple(columns)


def _strippings(columns: Sequence[str]) -> list[Callable[[str], str]]:
    prefix = _shared_start(columns)
    suffix = _shared_start([column[::-1] for column in columns])[::-1]
    whole = re.sub(r"[^\W_]*$", "", prefix)
    return [
        lambda column: column,
        lambda column: _LEAD.sub("", column),
        lambda column: column.removeprefix(whole),
        lambda column: column.removeprefix(prefix),
        lambda column: column.removesuffix(suffix),
        lambda column: column.removeprefix(prefix).removesuffix(suffix),
    ]


def _shared_start(names: Sequence[str]) -> str:
    alike = takewhile(lambda marks: len(set(marks)) == 1, zip(*names, strict=False))
    return "".join(marks[0] for marks in alike)


def _fold(name: str) -> str:
    return re.sub(r"[\W_]+", " ", canonical(name).lower()).strip() or name


def positive_class(classes: Sequence[str], predictions: Sequence[str], description: str) -> tuple[str, str]:
    """Return the positive one of two classes and how it was told."""
    told = [label for label in classes if _is_told(label, description)]
    if len(told) == 1:
        return told[0], "named in the description"
    for label in classes:
        if canonical(label).lower() in _POSITIVE:
            return label, "by custom"
    if len(predictions) == 1:
        named = [label for label in classes if len(label) > 1 and _fold(label) in _fold(predictions[0]).split()]
        if len(named) == 1:
            return named[0], "named by the prediction column"
    return classes[-1], "a guess: the last in order; set pos_label if it is the other"


def _is_told(label: str, description: str) -> bool:
    name = rf"[`'\"*\u201c\u2018]?{re.escape(label)}(?![\w.])"
    after = rf"positive (?:class|label)(?: is|:| =|,)? *\(?{name}"
    named = rf"\b(?:of|for) (?:the )?(?:positive )?(?:class|label) {name}"
    return (
        re.search(rf"{after}|{named}|{name}[`'\"*\u201d\u2019]? (?:is|as) (?:the )?positive\b", description) is not None
    )
