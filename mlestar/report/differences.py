"""The scripts of a run as text, and how two of them differ."""

from contextlib import suppress
from difflib import unified_diff
from typing import TYPE_CHECKING

from mlestar.errors import UserError, clean_text, one_line
from mlestar.report.lineage import PARENT, find_solution, origin_of
from mlestar.store import RunFolder

if TYPE_CHECKING:
    from mlestar.report.result import Result, SolutionRow

CONTEXT = 3
"""Lines around a change."""


def read_script(result: "Result", row: "SolutionRow") -> str:
    """Return the script of a solution without control characters.

    Raises:
        UserError: it has none, or the file is gone or not the run's own.
    """
    if row.script is None:
        reason = "" if row.status == "ok" else f": {clean_text(row.message) or row.status}"
        msg = f"{row.id} of run {result.run_id} has no script{reason}"
        raise UserError(msg)
    folder = RunFolder.at(result.folder)
    try:
        return clean_text(folder.read_own_text(folder.path / row.script))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the script of {row.id} of run {result.run_id} cannot be read; `mlestar doctor` repairs it"
        raise UserError(msg) from error


def read_scripts(result: "Result") -> dict[str, str]:
    """Return the scripts of a run by the ids of their solutions, as far as they can be read."""
    scripts = {}
    for row in result.solutions:
        with suppress(UserError):
            scripts[row.id] = read_script(result, row)
    return scripts


def find_pair(result: "Result", before: str, after: str) -> tuple["SolutionRow", "SolutionRow"]:
    """Return two solutions by their names; `parent` is what the other one was made from.

    Raises:
        UserError: the run has no such solution, or one was made from none.
    """
    if before == after == PARENT:
        msg = "name the solution whose parent is meant, e.g. `parent winner`"
        raise UserError(msg)
    if before == PARENT:
        row = find_solution(result, after)
        return _parent(result, row), row
    if after == PARENT:
        row = find_solution(result, before)
        return row, _parent(result, row)
    return find_solution(result, before), find_solution(result, after)


def _parent(result: "Result", row: "SolutionRow") -> "SolutionRow":
    before = origin_of(row)
    if before is None:
        msg = f"{row.id} of run {result.run_id} was made from no other solution"
        raise UserError(msg)
    return find_solution(result, before)


def difference(result: "Result", before: str, after: str, *, context: int = CONTEXT) -> str:
    """Return the unified difference of two scripts as text without control characters; empty where they are equal.

    Raises:
        UserError: the run has no such solution, or one of them has no script.
    """
    left, right = find_pair(result, before, after)
    old, new = (read_script(result, row) for row in (left, right))
    return "\n".join(changed_lines(old, new, _name(left), _name(right), context))


def changed_lines(old: str, new: str, before: str, after: str, context: int = CONTEXT) -> list[str]:
    """Return the lines of the unified difference of two texts, with a name for each."""
    return list(unified_diff(old.split("\n"), new.split("\n"), before, after, lineterm="", n=context))


def _name(row: "SolutionRow") -> str:
    return one_line(f"{row.id} {row.title}")
