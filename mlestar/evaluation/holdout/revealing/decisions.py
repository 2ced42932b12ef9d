"""What is staged of each file: all of it, without some rows or columns, or nothing."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from mlestar.data.tables import is_table
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation.holdout.revealing.alignment import Alignment, KeySpace
from mlestar.evaluation.holdout.revealing.codes import with_codes
from mlestar.evaluation.holdout.revealing.hidden_text import forms_of_lines, hidden_texts
from mlestar.evaluation.holdout.revealing.labels import read_labels
from mlestar.evaluation.holdout.revealing.leaks import Leak, Secrets
from mlestar.evaluation.holdout.revealing.mentions import Names, read_mentions
from mlestar.evaluation.holdout.revealing.records import Records, read_records

logger = logging.getLogger("mlestar.evaluation")

_MAX_NAMED = 3
"""Columns and files that a line names. Chosen by judgement; not measured."""
_MAX_NAMING = 4
"""Columns by whose values a text may name rows, the id first. Chosen by judgement; not measured."""
FORM = "how it is written"
_UNIQUE = 0.9
"""Different values per row of train that such a column has. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Decision:
    """What is staged of a file."""

    name: str
    cuts: tuple[Alignment, ...] = ()
    """By which its records belong to rows: those of withheld rows are removed from a holdout."""
    dropped: tuple[str, ...] = ()
    """Columns that are left out of every input."""
    shuffled: bool = False
    """Its records are in a random order in a holdout."""
    left_out: bool = False
    """It is in no input."""
    vouched: bool = False
    """It is staged as it is, because a person has declared that it reveals nothing."""
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """It is staged as it is."""
        return not (self.cuts or self.dropped or self.shuffled or self.left_out)

    @property
    def line(self) -> str:
        """What a person reads about it; empty where nothing is left out, or only records of withheld rows are."""
        if self.vouched:
            return f"{self.name} is staged as it is, since `auxiliary` in task.toml vouches for it: {self.reason}"
        if self.left_out:
            return f"{self.name} is left out of every input: {self.reason}"
        if self.dropped:
            return f"{self.name} is staged without {', '.join(map(repr, self.dropped[:_MAX_NAMED]))}: {self.reason}"
        return ""

    def rows(self, count: int, kept: np.ndarray | None, records: int) -> np.ndarray:
        """Return the records to stage.

        Args:
            count: how many rows train has.
            kept: the rows that stay in train; None for all.
            records: how many records the file has.
        """
        removed = np.zeros(records, dtype=bool)
        if kept is not None:
            withheld = np.ones(count, dtype=bool)
            withheld[kept] = False
            for alignment in self.cuts:
                removed |= alignment.of_rows(withheld)
        return np.flatnonzero(~removed)


def decide(task: Task, name: str) -> Decision:
    """Return what is staged of a file that the layout does not own, decided once for a task."""
    return task.remember(f"decision of {name}", lambda: _decide(task, name))


def decide_all(task: Task) -> tuple[Decision, ...]:
    """Return the decision about every file that the layout does not own."""
    return tuple(decide(task, name) for name in _other_names(task))


def describe_left_out(task: Task) -> tuple[str, ...]:
    """Return a line for a person about each file that is left out, loses columns or is vouched for."""
    return tuple(decision.line for decision in decide_all(task) if decision.line)


def vouched_lines(task: Task) -> tuple[str, ...]:
    """Return what makes the scores of a task less certain: the files that a person vouches for."""
    return tuple(decision.line for decision in decide_all(task) if decision.vouched)


def _decide(task: Task, name: str) -> Decision:
    if task.layout.owns(name):
        return Decision(name)
    records = _records(task, name)
    if records is None:
        return _not_checked(task, name, "it cannot be read, so it may hold labels of withheld rows")
    if not task.labelled:
        return Decision(name)
    secrets = task.remember("secrets", lambda: _secrets(task))
    leaks = [leak for part in records for leak in _find(task, name, part, secrets)]
    leaks = leaks or _find_mentions(task, name, records, secrets)
    if not leaks:
        return Decision(name)
    rates = [leak for leak in leaks if leak.kind == "rate"]
    if len(rates) == len(leaks) and _is_vouched(task, name):
        return Decision(name, vouched=True, reason=rates[0].why)
    return _limit(task, name, leaks, records)


def _limit(task: Task, name: str, leaks: Sequence[Leak], records: Sequence[Records]) -> Decision:
    """Return the decision about a file that reveals something: cut where it can be, else left out."""
    reason = "; ".join(dict.fromkeys(leak.why for leak in leaks[:_MAX_NAMED]))
    dropped = tuple(dict.fromkeys(leak.column for leak in leaks if leak.kind == "rate"))
    cuts = tuple(leak.alignment for leak in leaks if leak.kind == "rows" and leak.alignment is not None)
    columns = [column for part in records for column in part.cells.columns]
    is_plain = is_table(task.input / name) and len(records) == 1 and not records[0].where
    can_cut = is_plain and not any(leak.kind == "order" for leak in leaks) and set(dropped) <= set(columns)
    if not can_cut or (dropped and len(columns) - len(dropped) <= 1):
        return Decision(name, left_out=True, reason=reason)
    shuffled = any(leak.kind == "place" for leak in leaks)
    return Decision(name, cuts=_once(cuts), dropped=dropped, shuffled=shuffled, reason=reason)


def _once(cuts: Sequence[Alignment]) -> tuple[Alignment, ...]:
    return tuple({id(cut): cut for cut in cuts}.values())


def _not_checked(task: Task, name: str, reason: str) -> Decision:
    vouched = _is_vouched(task, name)
    return Decision(name, left_out=not vouched, vouched=vouched, reason=reason)


def _is_vouched(task: Task, name: str) -> bool:
    """Return whether `auxiliary` of task.toml names a file, or a folder that it is in."""
    if "auxiliary" not in task.settled:
        return False
    return any(name == entry or name.startswith(f"{entry.rstrip('/')}/") for entry in task.spec.auxiliary)


def _find(task: Task, name: str, part: Records, secrets: Secrets) -> list[Leak]:
    cells = _as_text(part.cells)
    columns = list(cells.columns)
    if not len(cells) or not columns:
        return []

    forms = [] if part.where else forms_of_lines(task.input / name, len(cells))
    if forms:
        cells = cells.assign(**{FORM: forms})

    def siblings() -> list[pd.DataFrame]:
        others = [other for other in _other_names(task) if other != name]
        parts = [other for file in others for other in _records(task, file) or ()]
        return [cells for cells in map(_as_text, (other.cells for other in parts)) if list(cells.columns) == columns]

    return secrets.find(cells, siblings)


def _find_mentions(task: Task, name: str, records: Sequence[Records], secrets: Secrets) -> list[Leak]:
    """Return what the words beside the names of rows reveal."""
    for text in hidden_texts(task.input / name, records):
        for names in _names(task):
            cells = read_mentions(text, names)
            leaks = [] if cells is None else secrets.find_beside_names(cells)
            if leaks:
                return leaks
    return []


def _names(task: Task) -> tuple[Names, ...]:
    """Return the columns of train by whose values a text may name rows."""
    return task.remember("names of rows", lambda: tuple(islice(_read_names(task), _MAX_NAMING)))


def _read_names(task: Task) -> Iterator[Names]:
    rows, spec = task.train.rows, task.spec
    for column in sorted(rows.columns, key=lambda column: column != spec.id):
        if column in spec.target or rows[column].nunique() < _UNIQUE * len(rows):
            continue
        names = Names.of_column(rows[column], is_id=column == spec.id)
        if names is not None:
            yield names


def _as_text(cells: pd.DataFrame) -> pd.DataFrame:
    """Return records with a name of its own for each column, which files without a header or of a database may lack."""
    names = [str(name) for name in cells.columns]
    if len(set(names)) < len(names):
        names = [f"{name} ({place})" for place, name in enumerate(names)]
    return cells if names == list(cells.columns) else cells.set_axis(names, axis=1)


def _records(task: Task, name: str) -> tuple[Records, ...] | None:
    if is_table(task.input / name):
        try:
            return (Records("", task.table(name).frame),)
        except UserError:
            logger.debug("%s cannot be read as a table", name)
    return task.remember(f"records of {name}", lambda: read_records(task.input / name))


def _secrets(task: Task) -> Secrets:
    spec = task.spec
    hidden = frozenset({*spec.target, *spec.train_only})
    files = ((name, _as_text(part.cells)) for name in _other_names(task) for part in _records(task, name) or ())
    return Secrets(with_codes(KeySpace.of_task(task), files), read_labels(task), hidden, spec.id)


def _other_names(task: Task) -> list[str]:
    layout = task.layout
    return [name for name in layout.source.folder.files if not (layout.owns(name) or layout.hides(name))]
