"""Containers that a function creates and returns, and no longer fills."""

import ast
from collections.abc import Iterator

from mlestar.agents.calls import called_name, functions
from mlestar.agents.script import Function

CREATORS = {"zeros", "zeros_like", "empty", "empty_like", "full", "full_like", "list", "dict", "set"}
"""Functions that make a container which other statements fill."""


def find_unfilled(before: ast.Module, after: ast.Module) -> str:
    """Find a container that was created and filled, and now is only created."""
    old_functions = dict(functions(before))
    for path, node in functions(after):
        old = old_functions.get(path)
        if old is None or ast.dump(old) == ast.dump(node):
            continue
        for name, creation in _returned_unfilled(node):
            if (name, creation) in _filled_containers(old):
                return f"in `{path}`, {name} is returned as it was created; the statements that fill it are missing"
    return ""


def _creations(function: Function) -> dict[str, str]:
    """Return the containers and counters that a function creates, with the expression that creates each."""
    return {name: ast.dump(value) for name, value in _assignments(function) if _is_creation(value)}


def _assignments(function: Function) -> Iterator[tuple[str, ast.expr]]:
    """Yield every name that is assigned with what it is set to."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def _is_creation(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return called_name(value) in CREATORS
    return _is_counter(value) or (isinstance(value, ast.List | ast.Dict) and not list(ast.walk(value))[2:])


def _is_counter(value: ast.expr) -> bool:
    """Return whether a value is where a sum or product starts."""
    return isinstance(value, ast.Constant) and type(value.value) in (int, float) and value.value in (0, 1)


def _filled_containers(function: Function) -> set[tuple[str, str]]:
    """Return the containers that a function creates and names again, and the counters that it adds to."""
    targets = [node.target for node in ast.walk(function) if isinstance(node, ast.AugAssign)]
    added = {target.id for target in targets if isinstance(target, ast.Name)}
    counters = {name for name, value in _assignments(function) if _is_counter(value)}
    filled = set(_creations(function).items()) - set(_returned_unfilled(function))
    return {(name, creation) for name, creation in filled if name in added or name not in counters}


def _returned_unfilled(function: Function) -> list[tuple[str, str]]:
    """Return the containers that a function creates, does nothing with, and returns."""
    returned = {name for node in ast.walk(function) if isinstance(node, ast.Return) for name in ast.walk(node)}
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    unfilled = []
    for name, creation in _creations(function).items():
        occurrences = [node for node in uses if node.id == name]
        loads = [node for node in occurrences if isinstance(node.ctx, ast.Load)]
        if loads and all(node in returned for node in loads) and len(occurrences) - len(loads) == 1:
            unfilled.append((name, creation))
    return unfilled
