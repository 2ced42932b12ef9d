"""Operations on scripts as text, by their syntax tree: find, rename, move and replace functions."""

import ast
from collections.abc import Iterable, Mapping


def functions(script: str) -> dict[str, str]:
    """Return the text of every top-level function by name; nothing where the script does not parse."""
    lines = script.split("\n")
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in _body(script)
        if isinstance(node, ast.FunctionDef)
    }


def constants(script: str) -> dict[str, str]:
    """Return the text of every top-level assignment to one name."""
    lines = script.split("\n")
    return {
        node.targets[0].id: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in _body(script)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def imports(script: str) -> list[str]:
    """Return the top-level import lines."""
    return [ast.unparse(node) for node in _body(script) if isinstance(node, ast.Import | ast.ImportFrom)]


def add_imports(script: str, lines: Iterable[str]) -> str:
    """Put import lines that are missing behind the last import of a script."""
    present = set(imports(script))
    missing = [line for line in dict.fromkeys(lines) if line not in present]
    last = max((n.end_lineno or 0 for n in _body(script) if isinstance(n, ast.Import | ast.ImportFrom)), default=0)
    kept = script.split("\n")
    return "\n".join([*kept[:last], *missing, *kept[last:]])


def used(text: str) -> set[str]:
    """Return the names that a piece of code reads."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def needed(script: str, *starts: str) -> list[str]:
    """Return the functions and constants that the given functions need, themselves included, in the script's order."""
    known = {**constants(script), **functions(script)}
    found: set[str] = set()
    waiting = [name for name in starts if name in known]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in used(known[name]) if other in known]
    return [name for name in known if name in found]


def rename(text: str, names: Mapping[str, str]) -> str:
    """Rename functions and variables where they stand as names; attributes, keywords and strings stay."""
    lines = [line.encode() for line in text.split("\n")]
    for row, column, old in sorted(_places(text, names), reverse=True):
        line = lines[row]
        lines[row] = line[:column] + names[old].encode() + line[column + len(old.encode()) :]
    return b"\n".join(lines).decode()


def replace_function(script: str, name: str, text: str) -> str:
    """Replace a top-level function by other code."""
    return script.replace(functions(script)[name], text.strip("\n"), 1)


def _places(text: str, names: Mapping[str, str]) -> list[tuple[int, int, str]]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id in names:
            found.append((node.lineno - 1, node.col_offset, node.id))
        if isinstance(node, ast.FunctionDef) and node.name in names:
            found.append((node.lineno - 1, node.col_offset + len("def "), node.name))
    return found


def _body(script: str) -> list[ast.stmt]:
    try:
        return ast.parse(script).body
    except SyntaxError:
        return []
