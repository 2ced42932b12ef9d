"""The classes of a target: their values, their order in a submission, the positive one."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import takewhile

import pandas as pd

from mlestar.data.targets import missing_labels
from mlestar.metrics import canonical

_POSITIVE = ("1", "true", "yes", "y", "positive", "pos", "t", "+", "+1")
_LEAD = re.compile(
    r"^(?:p|prob|proba|probability|pred|prediction|class|target|label|is|score)(?=[\W_\d])[\W_]*", re.IGNORECASE
)


def classes_of(cells: pd.Series, named: Collection[str] = ()) -> tuple[str, ...]:
    """Return the different labels in their own spelling, without missing ones, in numeric order or else as text.

    Args:
        cells: of a target.
        named: labels that are classes although their word usually means that there is none.
    """
    labels = [label for cell in cells.unique() if (label := str(cell).strip())]
    missing = missing_labels(labels, named)
    labels = [label for label in labels if label not in missing]
    # Reversed, so that the first spelling of equal labels stays.
    spellings = {canonical(label): label for label in reversed(labels)}
    return tuple(spellings[label] for label in sort_labels(spellings))


def sort_labels(labels: Iterable[str]) -> list[str]:
    labels = list(labels)
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def align_classes(columns: Sequence[str], classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the class that each column names (`p3`, `prob_setosa`, `setosa`), or None when they do not match."""
    if len(columns) != len(classes):
        return None
    labels = {_fold(label): label for label in classes}
    if len(labels) < len(classes):
        return None
    for strip in _strippings(columns):
        names = [_fold(strip(column)) for column in columns]
        if set(names) == set(labels):
            return tuple(labels[name] for name in names)
    return None


def bare_classes(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that column names suggest when no labels can be read."""
    names = tuple(_LEAD.sub("", column) for column in columns)
    return names if len(set(names)) == len(columns) and all(names) else tuple(columns)


def _strippings(columns: Sequence[str]) -> list[Callable[[str], str]]:
    """Return functions that may leave the class of a column name, the most cautious first."""
    prefix = _shared_start(columns)
    suffix = _shared_start([column[::-1] for column in columns])[::-1]
    whole_words = re.sub(r"[^\W_]*$", "", prefix)
    return [
        lambda column: column,
        lambda column: _LEAD.sub("", column),
        lambda column: column.removeprefix(whole_words),
        lambda column: column.removeprefix(prefix),
        lambda column: column.removesuffix(suffix),
        lambda column: column.removeprefix(prefix).removesuffix(suffix),
    ]


def _shared_start(names: Sequence[str]) -> str:
    same = takewhile(lambda characters: len(set(characters)) == 1, zip(*names, strict=False))
    return "".join(characters[0] for characters in same)


def _fold(name: str) -> str:
    return re.sub(r"[\W_]+", " ", canonical(name).lower()).strip() or name


def positive_class(classes: Sequence[str], predictions: Sequence[str], description: str) -> tuple[str, str]:
    """Return the positive one of two classes and how it was inferred."""
    described = [label for label in classes if _is_described_as_positive(label, description)]
    if len(described) == 1:
        return described[0], "named in the description"
    for label in classes:
        if canonical(label).lower() in _POSITIVE:
            return label, "by convention"
    if len(predictions) == 1:
        words = _fold(predictions[0]).split()
        named = [label for label in classes if len(label) > 1 and _fold(label) in words]
        if len(named) == 1:
            return named[0], "named by the prediction column"
    return classes[-1], "a guess: the last in order; set pos_label if it is the other"


def _is_described_as_positive(label: str, description: str) -> bool:
    name = rf"[`'\"*\u201c\u2018]?{re.escape(label)}(?![\w.])"
    after = rf"positive (?:class|label)(?: is|:| =|,)? *\(?{name}"
    named = rf"\b(?:of|for) (?:the )?(?:positive )?(?:class|label) {name}"
    before = rf"{name}[`'\"*\u201d\u2019]? (?:is|as) (?:the )?positive\b"
    return re.search(f"{after}|{named}|{before}", description) is not None
