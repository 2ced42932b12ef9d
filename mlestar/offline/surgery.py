"""Operations on the source of scripts by its syntax tree: find, rename, move and replace functions."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from mlestar.syntax import parse, symbol_tables


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
    """Return the names that a piece of code uses and that are not local to one of its functions."""
    module, *inner = symbol_tables(text)
    outer = [symbol for symbol in module.get_symbols() if symbol.is_referenced()]
    outer += [one for table in inner for one in table.get_symbols() if one.is_referenced() and one.is_global()]
    return {symbol.get_name() for symbol in outer}


def needed(script: str, *starts: str) -> list[str]:
    """Return the functions and constants that the given functions use, including these, in the script's order."""
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
    """Return the code with functions and variables renamed; attributes, keywords and strings stay."""
    lines = [line.encode() for line in text.split("\n")]
    for row, column, old in sorted(_positions(text, names), reverse=True):
        line = lines[row]
        lines[row] = line[:column] + names[old].encode() + line[column + len(old.encode()) :]
    return b"\n".join(lines).decode()


def replace_function(script: str, name: str, text: str) -> str:
    """Replace a top-level function by other code."""
    return script.replace(functions(script)[name], text.strip("\n"), 1)


def without_unused(script: str, keep: Collection[str] = ()) -> str:
    """Return a script without the functions, constants and imports that the executed code does not use.

    Executed are all statements other than definitions and imports, and `main`, also where nothing calls it. Order,
    comments and docstrings of the rest do not change; a comment directly above a removed statement is removed too. A
    script that looks up names at run time, such as by `globals`, is returned unchanged.

    Args:
        script: the script.
        keep: names that are never removed.
    """
    body = _body(script)
    bound = [(node, _bound(node)) for node in body]
    runs = any("main" in names or (not names and not _is_text(node)) for node, names in bound)
    if not runs or used(script) & _LOOKUPS:
        return script
    required = _required(bound, ["main", *keep])
    lines: list[str | None] = list(script.split("\n"))
    taken = Counter(row for node in body for row in _rows(node))
    for node, names in bound:
        if not names or names & required == names or max(taken[row] for row in _rows(node)) > 1:
            continue
        rows = _rows(node) if names.isdisjoint(required) else []
        if isinstance(node, ast.Import | ast.ImportFrom) and not rows:
            lines[node.lineno - 1] = ast.unparse(_only(node, required))
            rows = list(_rows(node))[1:]
        above = min(rows, default=0) - 1
        while rows and above >= 0 and not taken[above] and (lines[above] or "").startswith("#"):
            rows = [above, *rows]
            above -= 1
        for row in rows:
            lines[row] = None
    return "\n".join(line for line in lines if line is not None)


def without_pass_through(script: str) -> str:
    """Return a script without functions that return their arguments unchanged, and without the calls of them."""
    for name, text in functions(script).items():
        definition = parse(text).body[0]
        last = ast.unparse(definition.body[-1]) if isinstance(definition, ast.FunctionDef) else ""
        call = re.compile(rf"^    x, \*others = {name}\(x, \*others\)\n", re.MULTILINE)
        uses = [node for node in ast.walk(parse(script)) if isinstance(node, ast.Name) and node.id == name]
        only_returns = all(map(_is_text, getattr(definition, "body", [])[:-1]))
        if last == "return [x, *others]" and only_returns and len(uses) == len(call.findall(script)):
            script = call.sub("", script).replace(f"{text}\n", "", 1)
    return script


_LOOKUPS = frozenset({"globals", "locals", "vars", "eval", "exec"})


def _is_text(node: ast.stmt) -> bool:
    """Return whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _rows(node: ast.stmt) -> list[int]:
    """Return the indices of the lines of a statement, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return list(range(first - 1, node.end_lineno or first))


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a definition or an import binds; empty for other statements."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {_name(alias) for alias in node.names}
        return set() if "*" in names or getattr(node, "module", "") == "__future__" else names
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and len(node.targets) == 1:
        return {node.targets[0].id}
    return set()


def _name(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _only(node: ast.Import | ast.ImportFrom, names: set[str]) -> ast.Import | ast.ImportFrom:
    """Return an import of these names only."""
    kept = [alias for alias in node.names if _name(alias) in names]
    if isinstance(node, ast.Import):
        return ast.Import(names=kept)
    return ast.ImportFrom(module=node.module, names=kept, level=node.level)


def _required(bound: Iterable[tuple[ast.stmt, set[str]]], starts: Iterable[str]) -> set[str]:
    """Return the names that are used, directly or indirectly, by executed statements and by the given definitions."""
    needs: dict[str, set[str]] = {}
    queue = list(starts)
    for node, names in bound:
        loaded = _read(node)
        for name in names:
            needs.setdefault(name, set()).update(() if isinstance(node, ast.Import | ast.ImportFrom) else loaded)
        queue += () if names else loaded
    required: set[str] = set()
    while queue:
        name = queue.pop()
        if name in needs and name not in required:
            required.add(name)
            queue += needs[name]
    return required


def _read(node: ast.stmt) -> set[str]:
    """Return the names that a statement reads or deletes, those of augmented assignments included."""
    changed = [part.target for part in ast.walk(node) if isinstance(part, ast.AugAssign)]
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    return {name.id for name in names if not isinstance(name.ctx, ast.Store) or name in changed}


def _positions(text: str, names: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield line index, byte offset and name of every use and definition of the names."""
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Name) and node.id in names:
            yield node.lineno - 1, node.col_offset, node.id
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield node.lineno - 1, node.col_offset + len("def "), node.name


def _body(script: str) -> list[ast.stmt]:
    try:
        return parse(script).body
    except SyntaxError:
        return []
