"""Notebooks as scripts: cells joined, magics and shell lines removed, what only shows values made harmless."""

import ast
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from mlestar.agents.script import parse_tree
from mlestar.errors import SettingsError
from mlestar.syntax import first_statement, parse, replace_nodes

_OTHER_CELL = re.compile(r"\s*%%\s*(\w+)")
"""The first line of a cell that is no Python, or that IPython runs in a way of its own."""
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun"})
"""Magics of cells whose content is Python."""
_KEEPS = frozenset({"time", "prun"})
"""Magics of lines that execute the statement after them."""
_MAGIC = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!|\?)|\s*\w[\w.]*\?{1,2}\s*$")
_ASSIGNED = re.compile(r"(\s*)([\w, ]+?)\s*=\s*((?:%[A-Za-z]|!).*)")
_STATEMENT = re.compile(rf"\s*%(?:{'|'.join(sorted(_KEEPS))})\s+(?!-)(\S.*)")
_COMMAND = re.compile(r"[%!?]*\s*[\w./-]*")
"""What a note shows of a line that is left out: its arguments may hold keys."""
_MOST_LINES = 200
"""Lines of a cell that are found one by one, by where Python stops reading. Chosen by judgement; not measured."""
_KERNELS = {"ir": "R", "julia": "Julia", "octave": "Octave", "bash": "Bash", "scala": "Scala", "sas": "SAS"}
"""Other languages by the beginning of the names of their kernels."""
_DISPLAY = '''\
def display(*values, **options):
    """Show nothing: a script has no notebook to show values in."""


'''


def read_notebook(content: bytes, name: str, notes: list[str], limit: int) -> str:
    """Return the code cells of a notebook as one script.

    Args:
        content: of the file.
        name: of the notebook, for errors.
        notes: gets what was left out.
        limit: of the characters of all code.

    Raises:
        SettingsError: the file is not a notebook, or is a notebook in another language.
    """
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"start {name}: it is no notebook (its JSON cannot be read); save it again in Jupyter"
        raise SettingsError(msg) from error
    cells = list(_cells(notebook))
    if sum(map(len, cells)) > limit:
        msg = f"start {name}: it has more than {limit:,} bytes of code; name a shorter script"
        raise SettingsError(msg)
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
        cells = holder.get("cells")
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                source = cell.get("source", cell.get("input")) or ""
                text = "".join(map(str, source)) if isinstance(source, list) else str(source)
                if text.strip():
                    yield text


def _language(notebook: Any) -> str:
    """Return the language of a notebook, empty where it does not say; a kernel may have the name of an environment."""
    metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    for name, key in (("language_info", "name"), ("kernelspec", "language"), ("kernelspec", "name")):
        part = metadata.get(name)
        value = part.get(key) if isinstance(part, dict) else ""
        if not isinstance(value, str) or not value:
            continue
        if value.lower().startswith(("python", "conda", "ipython")):
            return "python"
        kernel = _KERNELS.get(re.split(r"[-_ \d.]", value.lower())[0])
        if kernel or key != "name" or name == "language_info":
            return kernel or value
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
    lines, removed = cell.split("\n"), list[str]()
    for _ in range(_MOST_LINES):
        number = _error_line(lines)
        # A line that is read as Python stays, also where it looks like a magic: it may be inside of a text.
        if number is None or not _replace_line(lines, number, removed):
            break
    if _error_line(lines) is not None:
        for number in range(len(lines)):
            _replace_line(lines, number, removed)
    if removed:
        notes.append(f"left out: {', '.join(dict.fromkeys(removed))}"[:200])
    return "\n".join(lines)


def _error_line(lines: list[str]) -> int | None:
    """Return the index of the line at which Python stops reading, None where it reads all of them."""
    try:
        parse("\n".join(lines))
    except SyntaxError as error:
        return min(max((error.lineno or 1) - 1, 0), len(lines) - 1)
    except (ValueError, RecursionError, MemoryError):
        return 0
    return None


def _replace_line(lines: list[str], number: int, removed: list[str]) -> bool:
    """Replace a line that only IPython understands by what it has of Python; return whether it was one."""
    line = lines[number]
    assigned = _ASSIGNED.match(line)
    if not assigned and not _MAGIC.match(line):
        return False
    indent = line[: len(line) - len(line.lstrip())]
    target = f"{assigned[2].strip()} = " if assigned else ""
    command = assigned[3] if assigned else line.strip()
    statement = _STATEMENT.match(command)
    if statement:
        lines[number] = f"{indent}{target}{statement[1]}"
        return True
    removed.append((_COMMAND.match(command) or [""])[0].strip() or "?")
    lines[number] = f"{indent}{f'{target}[]' if target else 'pass'}"
    while line.rstrip().endswith("\\") and number + 1 < len(lines):  # the command goes on in the next line
        number += 1
        line, lines[number] = lines[number], ""
    return True


def without_shell(code: str, notes: list[str]) -> str:
    """Return a script without calls of IPython, which a notebook leaves when it is saved as a script.

    The code of a cell and the statement of a line that are only timed stay.
    """
    tree = parse_tree(code)
    if tree is None:
        return code
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Expr | ast.Assign) and _calls_shell(node)]
    if not calls:
        return _with_display(code, tree)
    changes: list[tuple[ast.expr | ast.stmt, str]] = []
    for node in calls:
        kept = _timed_code(node.value, notes)
        names = " = ".join(ast.unparse(target) for target in getattr(node, "targets", ()))
        text = f"{names} = {kept or '[]'}" if names else kept or "pass"
        changes.append((node, textwrap.indent(text, " " * node.col_offset).lstrip(" ")))
    changed = replace_nodes(code, changes)
    changed = changed if parse_tree(changed) is not None else replace_nodes(code, [(node, "pass") for node in calls])
    notes.append(f"{len(calls)} calls of IPython were left out")
    tree = parse_tree(changed)
    return changed if tree is None else _with_display(changed, tree)


def _timed_code(call: ast.expr, notes: list[str]) -> str:
    """Return the Python that a call of IPython executes, empty where it executes none of the script."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return ""
    texts = [part.value if isinstance(part, ast.Constant) else None for part in call.args]
    if not texts or not all(isinstance(text, str) for text in texts):
        return ""
    name, *rest = map(str, texts)
    if call.func.attr == "run_cell_magic" and name in _PYTHON_CELLS and len(rest) == 2:
        return _cell_code(rest[1], notes).strip("\n")
    if call.func.attr == "run_line_magic" and name in _KEEPS and rest and not rest[0].startswith("-"):
        return rest[0].strip()
    statement = _STATEMENT.match(f"%{name}") if call.func.attr == "magic" else None
    return statement[1] if statement else ""


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
