"""Ids that reveal the label of their row, and the made-up ids that take their place in a holdout."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mlestar.data.layouts.made_up import make_up_names
from mlestar.data.tables import is_table
from mlestar.data.task import Task
from mlestar.evaluation.holdout.guessing import DividedLabels, secret_generator, sorted_places
from mlestar.evaluation.holdout.holdout import Holdout
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.row_order import MIN_Z
from mlestar.metrics import canonical_labels

_PART = re.compile(r"[^\W\d_]+|\d+")
_NUMBER = re.compile(r"\d{1,15}")
# The limits below were chosen by judgement; none was measured.
_REVEALS = 0.5
"""Share of the information on labels from which ids reveal them: a weak trend with the number of a row is usual."""
_MOST = 0.9
"""Share of ids that must have one form, and of ids that contain the class."""
_MAX_PARTS = 6
"""Parts of an id that are looked at."""
_PER_CLASS = 2
"""Different words for each class up to which a part of an id names classes; more name people, places or the like."""
_KNOWN = 0.5
"""Share of the test ids with parts that train has too from which such a part is a feature."""


def make_up_ids(task: Task, plan: SplitPlan, holdout: Holdout) -> dict[str, str]:
    """Return a made-up id for each id of train where ids reveal labels; none where they do not, or the split uses them.

    The made-up ids are in the form of those of test where these have one of their own.
    """
    key = task.spec.id
    if key is None or uses_ids(task, plan) or not _are_tables(task) or not ids_reveal(task, holdout):
        return {}
    ids = list(dict.fromkeys(task.train.rows[key].tolist()))
    rng = secret_generator(task, "made-up ids")
    tests = [*task.test.rows.get(key, pd.Series([], dtype=str)).str.strip()]
    names = _new_names(len(ids), ids, tests)
    return dict(zip((ids[place] for place in rng.permutation(len(ids))), names, strict=True))


def uses_ids(task: Task, plan: SplitPlan) -> bool:
    """Return whether a split is by the id, so that scripts need the real ones to validate alike."""
    return task.spec.id in (*plan.keys, *plan.series)


def _are_tables(task: Task) -> bool:
    """Return whether train and test are tables: ids in arrays and in names of files by themselves stay."""
    return all(is_table(task.input / file.name) for file in (task.train, task.test))


def ids_reveal(task: Task, holdout: Holdout) -> bool:
    """Return whether the label of a withheld row can be told from its id and those of kept rows."""
    key = task.spec.id
    if key is None or key not in task.train.rows.columns or not len(holdout.withheld) or not len(holdout.train):
        return False
    cells = task.train.rows[key].str.strip()
    if cells.duplicated().any():
        return False
    labels = DividedLabels.of_task(task, holdout.train, holdout.withheld, holdout.units)
    if labels.are_classes and _contains_class(task, cells):
        return True
    tests = task.test.rows[key].str.strip() if key in task.test.rows.columns else pd.Series([], dtype=str)
    return any(_part_reveals(labels, holdout, parts, others) for parts, others in _parts(cells, tests))


def _contains_class(task: Task, cells: pd.Series) -> bool:
    """Return whether nearly all ids contain the name of their class, and hardly any that of another one."""
    truth = canonical_labels(task.train.rows[task.spec.target[0]])
    classes = [str(name).lower() for name in pd.unique(truth) if re.search(r"[^\W\d_]", str(name))]
    if len(classes) < 2:
        return False
    words = [(str(name).lower(), cell.lower()) for name, cell in zip(truth, cells, strict=True)]
    has_own = np.mean([bool(name) and name in cell for name, cell in words])
    has_first = np.mean([classes[0] in cell for _, cell in words])
    return bool(has_own >= _MOST and has_first < _MOST)


def _parts(cells: pd.Series, tests: pd.Series) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each part of the ids: words and numbers, for ids that have equally many."""
    split = [_PART.findall(cell) for cell in cells]
    others = [_PART.findall(cell) for cell in tests]
    widths = pd.Series([len(parts) for parts in split]).value_counts()
    if not len(widths) or widths.iloc[0] < _MOST * len(split):
        return
    for place in range(min(int(widths.index[0]), _MAX_PARTS)):
        yield _part(split, place), _part(others, place)


def _part(split: Sequence[Sequence[str]], place: int) -> list[str]:
    return [parts[place] if place < len(parts) else "" for parts in split]


def _part_reveals(labels: DividedLabels, holdout: Holdout, parts: list[str], tests: list[str]) -> bool:
    if all(_NUMBER.fullmatch(part) for part in parts):
        numbers = np.array([int(part) for part in parts], dtype=float)
        places, order = sorted_places(numbers[holdout.train], numbers[holdout.withheld])
        guess = labels.by_place(places, order)
        if guess.z >= MIN_Z and guess.share >= _REVEALS:
            return True
    groups = pd.factorize(np.array(parts, dtype=object))[0]
    count = int(groups.max()) + 1
    if count < 2 or count > len(parts) / 2:
        return False
    guess = labels.by_group(groups[holdout.train], groups[holdout.withheld])
    if guess.z < MIN_Z or guess.share < _REVEALS:
        return False
    classes = len(np.unique(labels.kept)) if labels.are_classes else 0
    if count <= _PER_CLASS * classes:
        return True
    # Many different words that test has too, such as people, are features.
    known = set(parts)
    return not tests or float(np.mean([part in known for part in tests])) < _KNOWN


def _new_names(count: int, ids: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Return names that are no id of train or test: numbers after the highest, or in the form of test."""
    taken = {*ids, *tests}
    if all(_NUMBER.fullmatch(name) for name in taken):
        return [str(max(map(int, taken)) + 1 + number) for number in range(count)]
    stems = {re.sub(r"\d+$", "", name) for name in tests}
    has_form = len(stems) == 1 and not any(name.startswith(next(iter(stems))) for name in ids)
    names = make_up_names(count, tests if has_form and next(iter(stems)) else [])
    names = names if has_form and next(iter(stems)) else [f"row_{name}" for name in names]
    return [name if name not in taken else f"{name}_" for name in names]
