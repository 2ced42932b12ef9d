"""What a run did and when, from its ledger: for charts and tables of the report."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite
from mlestar.state import Gain, Variant
from mlestar.store import LedgerQueries
from mlestar.store.rows import RoleSpend


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ExecutionRow(_Row):
    """An execution of a script."""

    label: str
    """The solution or study, and for what it was executed."""
    kind: str
    """`execution` in the search, `export` on the real input."""
    status: str
    started: float
    """Seconds after the first entry of the ledger."""
    seconds: float


class PointRow(_Row):
    """When a solution was evaluated."""

    solution: str
    seconds: float
    """After the first entry of the ledger."""
    executions: int
    """Executions that had ended by then."""


class StudyRow(_Row):
    """An ablation study: what switching off each part does to the score on the same rows."""

    label: str
    track: int
    variants: tuple[Variant, ...]


class TrialRow(_Row):
    """A plan for a block, and what it brought."""

    solution: str
    """Empty in runs of versions that did not keep it."""
    track: int
    component: str
    plan: str
    status: str
    gain: Gain | None


class History(_Row):
    """The course of a run."""

    seconds: Finite = None
    """From the first entry of the ledger to the last, with the time between sessions."""
    executions: tuple[ExecutionRow, ...] = ()
    roles: tuple[RoleSpend, ...] = ()
    points: tuple[PointRow, ...] = ()
    studies: tuple[StudyRow, ...] = ()
    trials: tuple[TrialRow, ...] = ()


def read_history(ledger: LedgerQueries) -> History:
    """Return the course of a run as far as its ledger has it; work that a fork took over is left out."""
    first, last = ledger.span()
    if first is None or last is None:
        return History()
    ended = [(row, _after(first, row.finished)) for row in ledger.executions()]
    executions = [
        ExecutionRow(
            label=row.label,
            kind=row.kind,
            status=row.status,
            started=max(0.0, at - row.seconds),
            seconds=row.seconds,
        )
        for row, at in ended
    ]
    points = [_point(name, _after(first, finished), ended) for name, finished in ledger.evaluated()]
    return History(
        seconds=_after(first, last),
        executions=tuple(executions),
        roles=tuple(ledger.spend_by_role()),
        points=tuple(points),
        studies=tuple(_study(number, note) for number, note in enumerate(ledger.notes("study"), 1)),
        trials=tuple(_trial(note) for note in ledger.notes("trial")),
    )


def _after(first: str, moment: str) -> float:
    """Return the seconds between two times of the ledger."""
    return max(0.0, (datetime.fromisoformat(moment) - datetime.fromisoformat(first)).total_seconds())


def _point(solution: str, seconds: float, ended: list[tuple[Any, float]]) -> PointRow:
    return PointRow(solution=solution, seconds=seconds, executions=sum(at <= seconds for _, at in ended))


def _study(number: int, note: dict[str, Any]) -> StudyRow:
    return StudyRow(label=note.get("label") or f"study {number}", track=note["track"], variants=note["variants"])


def _trial(note: dict[str, Any]) -> TrialRow:
    known = {name: note[name] for name in ("track", "component", "plan", "status", "gain")}
    return TrialRow(solution=note.get("solution", ""), **known)
