"""Whole scripts: is the script complete, and is it one of this task?"""

import ast
import re
from collections.abc import Callable

from mlestar.agents.items import read_items, text_item, written_items
from mlestar.agents.names import undefined_names
from mlestar.agents.script import ScriptError, parse_tree
from mlestar.agents.shortened import find_gap
from mlestar.state import Brief

READS_DATA = re.compile(r"\bread_\w+\(|\binput/")
GENERIC = re.compile(
    r"\.columns\s*\[|sample\w*\.columns|\.columns\.\w+\(|columns\)\s*-|set\(\w+\.columns|iloc\[\s*:\s*,\s*-?\d",
)
"""Code that finds the target by its position, or as the column that the test file lacks."""


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
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    others = [node for node in body if not isinstance(node, definitions)]
    return bool(functions) and all(_sets_constant(node, functions) for node in others)


def _sets_constant(node: ast.stmt, functions: set[str]) -> bool:
    """Return whether a statement is a docstring, or sets a name without running one of the functions."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return docstring or (isinstance(node, ast.Assign | ast.AnnAssign) and not called & functions)


def _is_of_another_task(code: str, brief: Brief) -> bool:
    """Return whether a script names no target of the task, and more columns that are not the task's than its own."""
    columns, tree = task_columns(brief), parse_tree(code)
    if not columns or tree is None:
        return False
    names = _names(tree)
    if names & {*brief.spec.target, *brief.spec.prediction_columns}:
        return False
    if READS_DATA.search(code) and not names & columns - {brief.spec.id} and not GENERIC.search(code):
        return True
    read = {item for item in read_items(tree) if item.startswith("[")} - written_items(tree)
    own = {text_item(column) for column in columns if column != brief.spec.id}
    return len(read - own - {text_item(brief.spec.id or "")}) > len(own & {text_item(name) for name in names})


def _names(tree: ast.AST) -> set[str]:
    """Return the texts and attributes of a script."""
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {value for value in constants if isinstance(value, str)} | attributes
