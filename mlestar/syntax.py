"""Parsing Python source in several threads at once, the names in it, and other text in place of parts of it."""

import ast
import symtable
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_LOCK = threading.Lock()
"""CPython 3.11 counts the depth of a tree for all threads together: where two parse at once, one can end with a
`SystemError` about a recursion depth mismatch (issue 106905 of CPython)."""


def parse(source: str | bytes) -> ast.Module:
    """Return the syntax tree of a module, one thread at a time.

    Raises:
        SyntaxError: it is no Python source.
        ValueError: it holds null bytes.
        RecursionError, MemoryError: it is nested too deeply.
    """
    with _LOCK:
        return ast.parse(source)


def first_statement(tree: ast.Module) -> int:
    """Return the line of the first statement after the docstring and imports from the future."""
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not docstring and not future:
            decorators: list[ast.expr] = getattr(node, "decorator_list", [])
            return min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return 1


def symbol_tables(source: str) -> Iterator[symtable.SymbolTable]:
    """Yield the symbol table of a module, then those of what it contains.

    Raises:
        SyntaxError, ValueError, RecursionError: as `parse`.
    """
    tables = [symtable.symtable(source, "<script>", "exec")]
    while tables:
        table = tables.pop()
        yield table
        tables += table.get_children()


def read_literal(text: str) -> Any:
    """Return the value of a literal, parsed one thread at a time.

    Raises:
        SyntaxError, ValueError: it is none.
        RecursionError, MemoryError: it is nested too deeply.
    """
    with _LOCK:
        return ast.literal_eval(text)


def replace_nodes(code: str, changes: Iterable[tuple[ast.expr | ast.stmt, str]]) -> str:
    """Return the code with other text in place of some of its nodes, none of which is inside another."""
    lines = [line.encode() for line in code.split("\n")]
    ordered = sorted(changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True)
    for node, text in ordered:
        end_row, end = (node.end_lineno or node.lineno) - 1, node.end_col_offset or 0
        row = node.lineno - 1
        joined = lines[row][: node.col_offset] + text.encode() + lines[end_row][end:]
        lines[row : end_row + 1] = joined.split(b"\n")
    return b"\n".join(lines).decode()


def insert_before(code: str, line: int, text: str) -> str:
    """Return the code with more lines before one of its lines, counted from 1."""
    lines = code.split("\n")
    return "\n".join([*lines[: line - 1], *text.removesuffix("\n").split("\n"), *lines[line - 1 :]])
