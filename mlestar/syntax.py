"""Parsing Python source in several threads at once, and the names in it."""

import ast
import symtable
import threading
from collections.abc import Iterator
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
