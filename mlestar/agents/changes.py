"""What differs between two versions of a script, with the lines that define what the changed lines use."""

import ast
import copy
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher

from mlestar.agents.calls import called_name
from mlestar.agents.script import Function, parse_tree

LARGEST_SHARE = 0.7
"""Share of a script above which an excerpt saves too little. Chosen by judgement; not measured."""
GAP = "# ..."
"""Stands for lines that an excerpt leaves out."""

ROUNDS = 2
"""Steps from a changed line to what defines its names, and what defines those. Chosen by judgement; not measured."""
DIVIDES = re.compile(r"Split|Fold|Window|Lag|Shift")
"""Classes whose numbers decide which rows belong together."""
IDENTIFIER = re.compile(r"[^\W\d]\w*")
ASSIGNED = re.compile(r"\s*(\w+)(?:\[.*\]|\.\w+)*\s*[-+*/|&]?=(?!=)")


@dataclass(frozen=True)
class Change:
    """The part of a change of a script that is needed to judge it."""

    removed: str
    """Lines of the former version that are no longer there."""
    added: str
    """Lines that are new."""
    context: str
    """Lines of the new version that define what the new ones use, in order."""


def only_settings_differ(before: str, after: str) -> bool:
    """Return whether two scripts are equal except for comments, layout, and numeric settings of imported models.

    No label flows through a setting such as `learning_rate=0.05` of an imported class. Numbers of functions, and of
    classes that divide rows, may decide which rows are read, such as `shift(periods=0)`.
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
    touched = added or set(_positions_of_removals(old, new))
    context = _context(tree, touched, [old[line] for line in removed]) - added
    rewritten = len(removed) > LARGEST_SHARE * len(old)
    if rewritten or len(added) + len(context) > LARGEST_SHARE * len(new):
        return None
    return Change(_excerpt(old, removed), _excerpt(new, added), _excerpt(new, context))


def _without_settings(tree: ast.Module) -> str:
    """Return a tree as text, with one mark for every numeric setting of an imported model."""
    tree = copy.deepcopy(tree)  # others share it
    imported = _imported_names(tree)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _makes_model(node.func, imported)]
    for keyword in [keyword for call in calls for keyword in call.keywords]:
        if _is_number(keyword.value):
            keyword.value = ast.Constant(0)
    return ast.dump(tree)


def _imported_names(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}


def _makes_model(function: ast.expr, imported: Set[str]) -> bool:
    """Return whether a call makes an object of an imported class that divides no rows."""
    names = ast.unparse(function).split(".")
    return names[0] in imported and names[-1][:1].isupper() and not DIVIDES.search(names[-1])


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


def _context(tree: ast.Module, touched: Set[int], removed: Sequence[str]) -> set[int]:
    """Return the line indices of what touched lines are in, of what defines the names that they read, and so on.

    Of removed lines, statements that read what these lines set count as well.
    """
    enclosing = [node for node in _statements(tree) if not isinstance(node, _SIMPLE) and touched & _lines(node)]
    lines = {line for node in enclosing for line in _head(node)}
    names = _names_on(tree, touched | lines) | set(IDENTIFIER.findall(" ".join(removed)))
    callers = {node.name for node in enclosing if isinstance(node, _DEFINITIONS)}
    lost = {match[1] for line in removed if (match := ASSIGNED.match(line))}
    for _ in range(ROUNDS):
        for statement in _statements(tree):
            if names & _defines(statement) or callers & _calls(statement) or lost & _reads(statement):
                lines |= _head(statement) if isinstance(statement, _BLOCKS) else _lines(statement)
        names |= _names_on(tree, lines)
        lost = set()
    return lines


_DEFINITIONS = Function | ast.ClassDef
_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Delete, ast.Raise, ast.Assert)


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield every statement of a script but imports, also those within other statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno - 1, node.end_lineno or node.lineno))


def _head(node: ast.stmt) -> set[int]:
    """Return the lines of a statement before its body."""
    body: list[ast.stmt] = getattr(node, "body", [])
    return set(range(node.lineno - 1, body[0].lineno - 1)) or {node.lineno - 1} if body else _lines(node)


def _names_on(tree: ast.AST, lines: Set[int]) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.lineno - 1 in lines}


def _defines(statement: ast.stmt) -> set[str]:
    """Return the names that the statement itself binds, or a column or attribute of which it sets."""
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For | ast.AsyncFor):
        targets = [statement.target]
    elif isinstance(statement, ast.With | ast.AsyncWith):
        targets = [item.optional_vars for item in statement.items if item.optional_vars]
    if isinstance(statement, _SIMPLE):
        targets += [node.target for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _calls(statement: ast.stmt) -> set[str]:
    """Return the names of functions and methods that a simple statement calls."""
    if not isinstance(statement, _SIMPLE):
        return set()
    return {called_name(node) for node in ast.walk(statement) if isinstance(node, ast.Call)}


def _reads(statement: ast.stmt) -> set[str]:
    """Return the names that a simple statement reads."""
    if not isinstance(statement, _SIMPLE):
        return set()
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return {node.id for node in names if isinstance(node.ctx, ast.Load)}


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
