"""Removing the exit at the end of a script, after which the added score would not be executed."""

import ast

from mlestar.offline.adapting.texts import last_name
from mlestar.syntax import parse, replace_nodes

_EXITS = frozenset({"exit", "quit", "_exit"})


def without_exit(script: str) -> str:
    """Return the script without `exit` calls at the end of its module; a call in their argument stays."""
    tree = parse(script)
    blocks = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.If))]
    changes: list[tuple[ast.expr | ast.stmt, str]] = []
    for block in blocks:
        if block and (status := _exit_call(block[-1])) is not None:
            value = status.args[0] if status.args else None
            changes.append((block[-1], ast.unparse(value) if isinstance(value, ast.Call) else "pass"))
    return replace_nodes(script, changes)


def _exit_call(node: ast.stmt) -> ast.Call | None:
    """Return the call by which a statement exits Python; None where it does not."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and last_name(node.exc.func) == "SystemExit":
        return node.exc
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and last_name(node.value.func) in _EXITS:
        return node.value
    return None
