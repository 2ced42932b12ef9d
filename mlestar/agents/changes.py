"""What differs between two versions of a script, with the lines that define what the changed lines use."""

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass
from difflib import SequenceMatcher

from mlestar.agents.script import parse_tree

LARGEST_SHARE = 0.7
"""Share of a script above which an excerpt saves too little. Chosen by judgement; not measured."""
GAP = "# ..."
"""Stands for lines that an excerpt leaves out."""


@dataclass(frozen=True)
class Change:
    """The part of a change of a script that is needed to judge it."""

    removed: str
    """Lines of the former version that are no longer there."""
    added: str
    """Lines that are new."""
    context: str
    """Lines of the new version that define what the new ones use, in order."""


def only_numbers_differ(before: str, after: str) -> bool:
    """Return whether two scripts are equal except for comments, layout, and numbers that are passed by keyword.

    Such numbers are settings of a model (`learning_rate=0.05`); no label flows through them.
    """
    former, new = parse_tree(before), parse_tree(after)
    if former is None or new is None:
        return False
    return _without_settings(former) == _without_settings(new)


def find_change(before: str, after: str) -> Change | None:
    """Return the change from one version to the next; None where only the whole script shows what it does.

    That is where a version does not parse, or the change and its context are most of the script.
    """
    tree = parse_tree(after)
    if tree is None:
        return None
    old, new = before.split("\n"), after.split("\n")
    removed, added = _changed_lines(old, new)
    touched = added or {min(_positions_of_removals(old, new), default=0)}
    context = _context(tree, touched) - added
    rewritten = len(removed) > LARGEST_SHARE * len(old)
    if rewritten or len(added) + len(context) > LARGEST_SHARE * len(new):
        return None
    return Change(_excerpt(old, removed), _excerpt(new, added), _excerpt(new, context))


def _without_settings(tree: ast.Module) -> str:
    """Return a tree as text, with one mark for every number that is passed by keyword."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and _is_number(node.value):
            node.value = ast.Constant(0)
    return ast.dump(tree)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _changed_lines(old: list[str], new: list[str]) -> tuple[set[int], set[int]]:
    """Return the line indices that only the old version has, and those that only the new one has."""
    removed, added = set[int](), set[int]()
    for tag, start, end, new_start, new_end in _differences(old, new):
        if tag != "insert":
            removed |= set(range(start, end))
        if tag != "delete":
            added |= set(range(new_start, new_end))
    return removed, added


def _positions_of_removals(old: list[str], new: list[str]) -> list[int]:
    return [min(position, len(new) - 1) for _, _, _, position, _ in _differences(old, new)]


def _differences(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [code for code in codes if code[0] != "equal"]


def _context(tree: ast.Module, touched: Set[int]) -> set[int]:
    """Return the line indices of what touched lines are in and what defines the names that they read."""
    enclosing = [node for node in ast.walk(tree) if isinstance(node, _SCOPES) and touched & _lines(node)]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.lineno - 1 in touched}
    callers = {node.name for node in enclosing}
    lines = {line for node in enclosing for line in range(node.lineno - 1, node.body[0].lineno - 1)}
    for statement in _statements(tree):
        if names & _defines(statement) or callers & _calls(statement):
            lines |= _lines(statement)
    return lines


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield the simple statements and the definitions of a script, also those within other statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and (isinstance(node, _SCOPES) or not hasattr(node, "body")):
            yield node


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno - 1, node.end_lineno or node.lineno))


def _defines(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds, or a column or attribute of which it sets."""
    if isinstance(statement, _SCOPES):
        return {statement.name}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _calls(statement: ast.stmt) -> set[str]:
    """Return the names of functions that a simple statement calls."""
    if isinstance(statement, _SCOPES):
        return set()
    calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return {function.id for function in calls if isinstance(function, ast.Name)}


def _excerpt(lines: list[str], indices: Set[int]) -> str:
    """Return these lines in order, with a mark where others are left out."""
    excerpt: list[str] = []
    last = -1
    for index in sorted(indices):
        if index != last + 1 and excerpt:
            excerpt.append(GAP)
        excerpt.append(lines[index])
        last = index
    return "\n".join(excerpt)
