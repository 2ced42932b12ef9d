"""Operations on scripts as text, by their syntax tree: find, rename, move and replace functions."""

import ast
from collections.abc import Iterable, Iterator, Mapping


def functions(script: str) -> dict[str, str]:
    """Return the text of every top-level function by name; none where the script does not parse."""
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
    """Return the script with the import lines that it lacks added after its last import."""
    present = set(imports(script))
    missing = [line for line in dict.fromkeys(lines) if line not in present]
    import_nodes = [node for node in _body(script) if isinstance(node, ast.Import | ast.ImportFrom)]
    last_line = max((node.end_lineno or 0 for node in import_nodes), default=0)
    script_lines = script.split("\n")
    return "\n".join([*script_lines[:last_line], *missing, *script_lines[last_line:]])


def used(text: str) -> set[str]:
    """Return the names that a piece of code mentions."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def needed(script: str, *starts: str) -> list[str]:
    """Return the functions and constants that the given functions need, themselves included, in the script's order."""
    definitions = {**constants(script), **functions(script)}
    required: set[str] = set()
    queue = [name for name in starts if name in definitions]
    while queue:
        name = queue.pop()
        if name not in required:
            required.add(name)
            queue += [other for other in used(definitions[name]) if other in definitions]
    return [name for name in definitions if name in required]


def rename(text: str, names: Mapping[str, str]) -> str:
    """Rename functions and variables; attributes, keywords and strings stay."""
    lines = [line.encode() for line in text.split("\n")]
    for row, column, old in sorted(_positions(text, names), reverse=True):
        line = lines[row]
        lines[row] = line[:column] + names[old].encode() + line[column + len(old.encode()) :]
    return b"\n".join(lines).decode()


def replace_function(script: str, name: str, text: str) -> str:
    """Replace a top-level function by other code."""
    return script.replace(functions(script)[name], text.strip("\n"), 1)


def _positions(text: str, names: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield line index, byte offset and name of every use and definition of the names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id in names:
            yield node.lineno - 1, node.col_offset, node.id
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield node.lineno - 1, node.col_offset + len("def "), node.name


def _body(script: str) -> list[ast.stmt]:
    try:
        return ast.parse(script).body
    except SyntaxError:
        return []
