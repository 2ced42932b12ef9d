"""Which solution was made from which: the chain of one solution, and the tree of all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlestar.errors import UserError, nearest
from mlestar.metrics.precision import format_score
from mlestar.report.baselines import is_noise
from mlestar.state import AS_GIVEN, START

if TYPE_CHECKING:
    from mlestar.report.result import Result, SolutionRow

WINNER, PARENT = "winner", "parent"
"""Words that name a solution where an id is expected, besides `start`."""
NAMED = 8
"""Ids that a message names at most. Chosen by judgement."""


@dataclass(frozen=True)
class Branch:
    """A solution in the tree of a run."""

    row: "SolutionRow"
    indent: str
    """What stands before its id: lines that lead to the solution that it was made from."""


def find_solution(result: "Result", name: str = WINNER) -> "SolutionRow":
    """Return a solution by its id, or by one of the words `winner` and `start`.

    Raises:
        UserError: the run has no such solution.
    """
    rows = {row.id: row for row in result.solutions}
    if name in rows:
        return rows[name]
    if name == WINNER:
        if result.winner and result.winner in rows:
            return rows[result.winner]
        msg = f"run {result.run_id} has no winner{_list(rows)}"
        raise UserError(msg)
    if name == START:
        starts = [row for origin in (START, AS_GIVEN) for row in result.solutions if row.origin == origin]
        if starts:
            return starts[0]
        msg = f"run {result.run_id} was not started from a script{_list(rows)}"
        raise UserError(msg)
    match = nearest(name, [*rows, WINNER, START])
    hint = f": did you mean {match!r}?" if match else _list(rows)
    msg = f"run {result.run_id} has no solution {name!r}{hint}"
    raise UserError(msg)


def _list(names: Sequence[str] | dict[str, "SolutionRow"]) -> str:
    shown = list(names)[:NAMED]
    rest = len(names) - len(shown)
    return f": it has {', '.join(shown)}{f' and {rest} more' if rest else ''}" if shown else ""


def origin_of(row: "SolutionRow") -> str | None:
    """Return the id of the solution that a solution was made from; of several the best one."""
    return row.parent or row.compared


def chain(result: "Result", name: str = WINNER) -> tuple["SolutionRow", ...]:
    """Return a solution after all that it was made from, the first one first.

    Raises:
        UserError: the run has no such solution.
    """
    rows = {row.id: row for row in result.solutions}
    steps: dict[str, SolutionRow] = {}
    row: SolutionRow | None = find_solution(result, name)
    while row is not None and row.id not in steps:
        steps[row.id] = row
        row = rows.get(origin_of(row) or "")
    return tuple(reversed(steps.values()))


def tree(result: "Result") -> list[Branch]:
    """Return all solutions, each below the one that it was made from."""
    children: dict[str | None, list[SolutionRow]] = {}
    names = {row.id for row in result.solutions}
    for row in result.solutions:
        before = origin_of(row)
        children.setdefault(before if before in names and before != row.id else None, []).append(row)
    branches = list(_grow(children, None, ""))
    # A file that was changed by hand may hold a circle, which no first solution leads to.
    shown = {branch.row.id for branch in branches}
    return [*branches, *(Branch(row, "") for row in result.solutions if row.id not in shown)]


def _grow(children: dict[str | None, list["SolutionRow"]], name: str | None, lines: str) -> Iterator[Branch]:
    rows = children.get(name, [])
    for number, row in enumerate(rows, 1):
        is_first, is_last = name is None, number == len(rows)
        corner, below = ("└ ", "  ") if is_last else ("├ ", "│ ")
        yield Branch(row, "" if is_first else lines + corner)
        yield from _grow(children, row.id, "" if is_first else lines + below)


def describe_gain(row: "SolutionRow") -> str:
    """Return by how much a solution is better than the one that it was made from, with the error of the difference.

    Only a difference beyond its error is called one.
    """
    if row.gain is None:
        return ""
    shown = format_score(abs(row.gain), row.gain_se)
    if is_noise(row.gain, row.gain_se or 0.0):
        return f"{format_gain(row)} against {row.compared}, within its error"
    return f"{'better' if row.gain > 0 else 'worse'} than {row.compared} by {shown}"


def format_gain(row: "SolutionRow") -> str:
    """Return the gain with its sign and its error, `-` where it is not known."""
    shown = format_score(row.gain, row.gain_se)
    return f"+{shown}" if row.gain is not None and row.gain > 0 else shown
