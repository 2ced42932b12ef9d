"""Notebooks as scripts: cells joined, magics and shell lines removed, what only shows values made harmless."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from mlestar.agents.script import parse_tree
from mlestar.errors import SettingsError
from mlestar.syntax import first_statement

_OTHER_CELL = re.compile(r"\s*%%\s*(\w+)")
"""The first line of a cell that is no Python, or that IPython runs in a way of its own."""
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun"})
"""Magics of cells whose content is Python."""
_MAGIC = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!|\?)|\s*\w[\w.]*\?{1,2}\s*$")
_ASSIGNED = re.compile(r"(\s*)([\w, ]+?)\s*=\s*(?:%[A-Za-z]|!)")
_DISPLAY = '''\
def display(*values, **options):
    """Show nothing: a script has no notebook to show values in."""


'''


def read_notebook(content: bytes, name: str, notes: list[str]) -> str:
    """Return the code cells of a notebook as one script.

    Args:
        content: of the file.
        name: of the notebook, for errors.
        notes: receives a line about each change.

    Raises:
        SettingsError: the file is not a notebook, or is a notebook in another language.
    """
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"start {name}: it is no notebook (its JSON cannot be read); save it again in Jupyter"
        raise SettingsError(msg) from error
    cells = list(_cells(notebook))
    language = _language(notebook)
    if language not in ("", "python"):
        msg = f"start {name}: a notebook in {language} cannot be used; give one in Python 3"
        raise SettingsError(msg)
    if not cells:
        msg = f"start {name}: the notebook has no code cell"
        raise SettingsError(msg)
    notes.append(f"{len(cells)} code cells of the notebook were joined")
    return without_shell("\n\n".join(_cell_code(cell, notes) for cell in cells), notes)


def _cells(notebook: Any) -> Iterator[str]:
    """Yield the source of each code cell; format 3 of notebooks is supported too."""
    if not isinstance(notebook, dict):
        return
    sheets = notebook.get("worksheets")
    holders = (
        [notebook, *(sheet for sheet in sheets if isinstance(sheet, dict))] if isinstance(sheets, list) else [notebook]
    )
    for holder in holders:
        for cell in holder.get("cells") or ():
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                source = cell.get("source", cell.get("input", ""))
                text = "".join(map(str, source)) if isinstance(source, list) else str(source)
                if text.strip():
                    yield text


def _language(notebook: Any) -> str:
    """Return the language of a notebook; empty where its metadata have none."""
    metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    for name, key in (("language_info", "name"), ("kernelspec", "language"), ("kernelspec", "name")):
        part = metadata.get(name)
        value = str(part.get(key) or "") if isinstance(part, dict) else ""
        if value:
            return (
                "python" if value.lower().startswith(("python", "conda", "ipython")) else {"ir": "R"}.get(value, value)
            )
    return ""


def _cell_code(cell: str, notes: list[str]) -> str:
    """Return the Python of a cell."""
    cell = cell.replace("\r\n", "\n")
    magic = _OTHER_CELL.match(cell)
    if magic and magic[1] not in _PYTHON_CELLS:
        notes.append(f"a cell of %%{magic[1]} was left out")
        return ""
    if magic:
        cell = cell.partition("\n")[2]
    if parse_tree(cell) is not None:
        return cell
    removed: list[str] = []
    lines = [_python_line(line, removed) for line in cell.split("\n")]
    if removed:
        notes.append(f"left out: {', '.join(removed)}"[:200])
    return "\n".join(lines)


def _python_line(line: str, removed: list[str]) -> str:
    """Return a line of a cell with IPython syntax replaced."""
    assigned = _ASSIGNED.match(line)
    if assigned:
        removed.append(line.strip())
        return f"{assigned[1]}{assigned[2].strip()} = []"
    if _MAGIC.match(line):
        removed.append(line.strip())
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    return line


def without_shell(code: str, notes: list[str]) -> str:
    """Return a script without calls of IPython, which scripts exported from notebooks contain."""
    tree = parse_tree(code)
    if tree is None:
        return code
    lines = code.split("\n")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _calls_shell(node)]
    for node in sorted(calls, key=lambda node: node.lineno, reverse=True):
        end = node.end_lineno or node.lineno
        names = ", ".join(ast.unparse(target) for target in getattr(node, "targets", ()))
        lines[node.lineno - 1 : end] = [f"{' ' * node.col_offset}{f'{names} = []' if names else 'pass'}"]
    if calls:
        notes.append(f"{len(calls)} calls of IPython were left out")
    code = "\n".join(lines)
    return _with_display(code, tree)


def _calls_shell(node: ast.stmt) -> bool:
    """Return whether a statement calls `get_ipython()`, or assigns the result of such a call."""
    if not isinstance(node, ast.Expr | ast.Assign) or not isinstance(node.value, ast.Call):
        return False
    part: ast.expr = node.value
    while isinstance(part, ast.Call | ast.Attribute):
        part = part.func if isinstance(part, ast.Call) else part.value
    return isinstance(part, ast.Name) and part.id == "get_ipython"


def _with_display(code: str, tree: ast.Module) -> str:
    """Return the script with a definition of `display` if it uses this function without defining or importing it."""
    uses = any(isinstance(node, ast.Name) and node.id == "display" for node in ast.walk(tree))
    if not uses or _binds_display(tree):
        return code
    start = first_statement(tree)
    lines = code.split("\n")
    return "\n".join([*lines[: start - 1], *_DISPLAY.split("\n")[:-1], *lines[start - 1 :]])


def _binds_display(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "display":
            return True
        if isinstance(node, ast.Name) and node.id == "display" and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [(alias.asname or alias.name) for alias in node.names]
            if "display" in names:
                return True
    return False
