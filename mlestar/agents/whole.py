"""Whole scripts: is the script complete, and is it one of this task?"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from mlestar.agents.items import read_items, text_item, written_items
from mlestar.agents.names import sets_names_at_run_time, undefined_names
from mlestar.agents.script import Function, ScriptError, parse_tree
from mlestar.agents.shortened import find_gap
from mlestar.state import Brief

RUNS_OTHER_CODE = re.compile(r"\bexec\(|\brun_path\(|\bsubprocess\b")
"""Code that runs a script which it does not contain, so that its own text does not say which columns it reads."""
RESULTS = {"Final Validation Performance": "print the score", "submission.csv": "write the submission"}
"""Texts of the statements that every script must reach, with what those statements do."""


def task_columns(brief: Brief) -> frozenset[str]:
    """Return the names of the columns of all files of a task; none when they are not known."""
    columns = {column.name for file in brief.statistics for column in file.columns}
    return frozenset(columns | set(brief.spec.target) | set(brief.spec.prediction_columns)) if columns else frozenset()


def check_whole(brief: Brief) -> Callable[[str], str]:
    """Return a check that a script is complete and is one of this task."""

    def check(code: str) -> str:
        gap = find_gap(code)
        if gap:
            raise ScriptError(gap)
        if _only_defines(code):
            msg = "the script only defines functions and runs none of them; write the whole script"
            raise ScriptError(msg)
        unreached = _find_unreached(code)
        if unreached:
            raise ScriptError(unreached)
        undefined = undefined_names(code)
        if undefined:
            msg = f"the script uses {', '.join(sorted(undefined))}, which it neither defines nor imports"
            raise ScriptError(msg)
        if _is_of_another_task(code, brief):
            target = ", ".join(brief.spec.target)
            msg = f"the script names no target column of this task ({target}) and reads columns that it does not have"
            raise ScriptError(msg)
        return code

    return check


def _only_defines(code: str) -> bool:
    """Return whether running a script does nothing but define functions."""
    tree = parse_tree(code)
    body = tree.body if tree else []
    definitions = Function | ast.ClassDef | ast.Import | ast.ImportFrom
    names = {node.name for node in body if isinstance(node, Function | ast.ClassDef)}
    others = [node for node in body if not isinstance(node, definitions)]
    return bool(names) and all(_sets_constant(node, names) for node in others)


def _sets_constant(node: ast.stmt, names: set[str]) -> bool:
    """Return whether a statement is a docstring, or sets a name without one of these functions and classes."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return docstring or (isinstance(node, ast.Assign | ast.AnnAssign) and not called & names)


def _find_unreached(code: str) -> str:
    """Find a function that prints the score or writes the submission and that nothing calls."""
    tree = parse_tree(code)
    if tree is None or sets_names_at_run_time(tree):
        return ""
    reached, unreached = _divide(tree)
    texts = _long_texts(reached)
    for text, action in RESULTS.items():
        holders = [node.name for node in unreached if any(text in part for part in _long_texts([node]))]
        if holders and not any(text in part for part in texts):
            return f"nothing calls `{holders[0]}`, so that the script does not {action}; call it"
    return ""


def _divide(tree: ast.Module) -> tuple[list[ast.AST], list[Function]]:
    """Return the parts of a script that running it can reach, and the functions that it cannot reach.

    A function is reached by its name, as a variable, an attribute or a text; a method by the name of its class, too.
    """
    reached: list[ast.AST] = []
    waiting: list[tuple[set[str], Function]] = []
    for names, part in _parts(tree, set()):
        if isinstance(part, Function) and not part.decorator_list:
            waiting.append((names, part))
        else:
            reached.append(part)
    mentioned = _mentioned(reached)
    while called := [(names, part) for names, part in waiting if names & mentioned]:
        parts = [part for _, part in called]
        reached += parts
        mentioned |= _mentioned(parts)
        waiting = [(names, part) for names, part in waiting if part not in parts]
    return reached, [part for _, part in waiting]


def _parts(node: ast.AST, classes: set[str]) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield the functions and the other code outside of them, with the names that lead to each."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield {*classes, child.name}, child
        elif isinstance(child, ast.ClassDef):
            yield from _parts(child, {*classes, child.name})
        elif isinstance(child, ast.stmt | ast.ExceptHandler) and hasattr(child, "body"):
            yield from _parts(child, classes)
        else:
            yield set(), child


def _mentioned(parts: Iterable[ast.AST]) -> set[str]:
    nodes = [node for part in parts for node in ast.walk(part)]
    variables = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return variables | attributes | texts


def _long_texts(parts: Iterable[ast.AST]) -> list[str]:
    """Return the texts of code without its docstrings."""
    nodes = [node for part in parts for node in ast.walk(part)]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [node.value for node in constants if isinstance(node.value, str)]


def _is_of_another_task(code: str, brief: Brief) -> bool:
    """Return whether a script names no target of the task, and more columns that are not the task's than its own.

    A script may change the case of the names, and may find the target by its position, or as the column that the test
    file lacks: it then reads no column of another task.
    """
    columns, tree = {name.casefold() for name in task_columns(brief)}, parse_tree(code)
    if not columns or tree is None or RUNS_OTHER_CODE.search(code):
        return False
    names = {name.casefold() for name in _names(tree)}
    if names & {name.casefold() for name in (*brief.spec.target, *brief.spec.prediction_columns)}:
        return False
    read = {item.casefold() for item in read_items(tree) - written_items(tree) if item.startswith("[")}
    own = columns - {(brief.spec.id or "").casefold()}
    foreign = read - {text_item(column) for column in (*columns, "")}
    return len(foreign) > len(own & names)


def _names(tree: ast.AST) -> set[str]:
    """Return the texts and attributes of a script."""
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {value for value in constants if isinstance(value, str)} | attributes
