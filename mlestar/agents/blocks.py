"""Blocks of a script: where a quoted block is, and the script with a block replaced."""

import ast
import re
from collections.abc import Callable, Collection
from contextlib import suppress

from mlestar.agents.declarations import add_needs, declare, lines_of_block, split_needs
from mlestar.agents.nearest import describe_nearest
from mlestar.agents.script import Function, ScriptError, parse_tree, syntax_error
from mlestar.agents.shortened import check_complete

TINY_SCRIPT = 30
"""Lines up to which a block may be most of the script. Chosen by judgement; not measured."""
LITERAL = re.compile(
    r"\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|\#[^\n]*"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')",
    re.DOTALL,
)
"""Comments and strings of code."""
ESCAPES = str.maketrans({"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
MAX_BLOCK_SHARE = 0.6
"""Share of a longer script that a block may be. Chosen by judgement; not measured."""


def locate(script: str, block: str) -> str:
    """Return the whole lines of the script that a block quotes.

    The block must occur exactly once; where it occurs nowhere, white space around lines and blank lines are ignored,
    and escapes of its strings that JSON read as characters are restored.

    Raises:
        ScriptError: it is empty, missing, ambiguous, or nearly the whole script.
    """
    try:
        return _locate(script, block)
    except ScriptError:
        restored = LITERAL.sub(_restore_escapes, block)
        if restored != block:
            with suppress(ScriptError):
                return _locate(script, restored)
        raise


def _restore_escapes(match: re.Match[str]) -> str:
    """Return a string with the escapes for its control characters; triple-quoted ones may contain line breaks."""
    if not match["string"]:
        return match[0].replace("\b", "\\b").replace("\f", "\\f")
    return match[0].translate(ESCAPES)


def _locate(script: str, block: str) -> str:
    """Return the whole lines of the script that a block quotes as it is written."""
    first, last = _span(script, block)
    lines = script.split("\n")
    text = "\n".join(lines[first:last])
    if len(lines) > TINY_SCRIPT and len(text) > MAX_BLOCK_SHARE * len(script):
        msg = "the block is nearly the whole script; name one component of it"
        raise ScriptError(msg)
    return text


def replace_block(script: str, block: str, replacement: str, columns: Collection[str] = ()) -> str:
    """Return the script with the block replaced once, re-indented, and the imports it needs merged at the top.

    What the replacement declares in a block `# /// script` is merged into that of the script.

    Args:
        script: that has the block once.
        block: its lines.
        replacement: the new lines.
        columns: of the task's files, for a check of those that the script makes; see `check_complete`.

    Raises:
        ScriptError: the block is not found once, the result does not compile, the script uses a name that the
            block defined and the replacement does not, or the replacement leaves out code that the script needs.
    """
    script = script.replace("\r\n", "\n")
    first, last = _span(script, block)
    lines = script.split("\n")
    old_block = "\n".join(lines[first:last])
    problems: list[str] = []
    declared, replacement = split_needs(replacement)
    for text in _indented_variants(replacement.replace("\r\n", "\n").strip("\n"), _indent(old_block)):
        imports, body = _split_imports(_drop_decorators(text, lines[:first]), old_block)
        patched = _add_imports("\n".join([*lines[:first], body, *lines[last:]]), imports)
        problem = syntax_error(patched)
        if not problem:
            _check_names(script, range(first + 1, last + 1), patched)
            check_complete(script, old_block, text, patched, columns)
            patched = add_needs(patched, script)
            return declare(patched, declared) if declared else patched
        problems.append(problem)
    msg = f"with the new block, {problems[0]}"
    raise ScriptError(msg)


def _span(script: str, block: str) -> tuple[int, int]:
    """Return the half-open range of line indices that a block quotes."""
    if not block.strip():
        msg = "the block is empty"
        raise ScriptError(msg)
    for exact in (True, False):
        lines = _comparable_lines(script, exact=exact)
        block_texts = [text for _, text in _comparable_lines(block.strip("\n"), exact=exact)]
        texts = [text for _, text in lines]
        size = len(block_texts)
        starts = [start for start in range(len(texts) - size + 1) if texts[start : start + size] == block_texts]
        if len(starts) > 1:
            msg = (
                f"the block occurs {len(starts)} times in the script; include the lines around it so that it is unique"
            )
            raise ScriptError(msg)
        if starts:
            first_line, last_line = lines[starts[0]][0], lines[starts[0] + size - 1][0]
            return first_line, last_line + 1
    msg = f"the block does not occur in the script; copy it exactly, in whole lines{describe_nearest(script, block)}"
    raise ScriptError(msg)


def _comparable_lines(text: str, *, exact: bool) -> list[tuple[int, str]]:
    """Return the index and text of each line; unless exact, without indentation and blank lines."""
    lines = text.split("\n")
    if exact:
        return [(index, line.rstrip()) for index, line in enumerate(lines)]
    return [(index, line.strip()) for index, line in enumerate(lines) if line.strip()]


def _indent(text: str) -> str:
    first = next(line for line in text.split("\n") if line.strip())
    return first[: len(first) - len(first.lstrip())]


def _indented_variants(text: str, indent: str) -> list[str]:
    """Return the replacement indented like the block, in the two ways that it may be meant.

    A first line without the indentation of the others may have been copied from its first letter on.
    """
    if not text.strip():
        return [text]
    head, *rest = text.split("\n")
    rest_indent = next((_indent(line) for line in rest if line.strip()), "")
    return [_reindent(text, indent), _reindent("\n".join([rest_indent + head.lstrip(), *rest]), indent)]


def _reindent(text: str, indent: str) -> str:
    """Return the text with another indentation; unchanged when its lines do not share one."""
    old_indent, lines, in_string = _indent(text), text.split("\n"), _lines_in_strings(text)
    shifted: list[str] = []
    for index, line in enumerate(lines):
        if index in in_string:
            shifted.append(line)
        elif not line.strip():
            shifted.append("")
        elif line.startswith(old_indent):
            shifted.append(indent + line[len(old_indent) :])
        else:
            return text
    return "\n".join(shifted)


def _lines_in_strings(text: str) -> set[int]:
    """Return the indices of lines that begin inside a string of several lines: their indentation is its content."""
    tree = parse_tree(f"if True:\n{text}" if _indent(text) else f"pass\n{text}")
    lines: set[int] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.JoinedStr | ast.Constant) and not _is_number(node):
            lines |= set(range(node.lineno - 1, (node.end_lineno or node.lineno) - 1))
    return lines


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str | bytes)


def _drop_decorators(text: str, above: list[str]) -> str:
    """Drop decorators at the beginning of the text that are also above the block."""
    present = {line.strip() for line in above[-5:]}
    lines = text.split("\n")
    while lines[0].strip().startswith("@") and lines[0].strip() in present:
        lines.pop(0)
    return "\n".join(lines)


def _check_names(script: str, block: range, patched: str) -> None:
    """Refuse a patch that loses a name, e.g. by renaming a function or wrapping statements in one."""
    before, after = parse_tree(script), parse_tree(patched)
    if before is None or after is None:
        return
    defined = _bound_names(before, lambda line: line in block)
    lost = (defined & _names_read_outside(before, block)) - _bound_names(after, lambda line: True)
    if lost:
        msg = f"the new block no longer defines {', '.join(sorted(lost))}, which the rest of the script uses"
        raise ScriptError(msg)


def _names_read_outside(tree: ast.AST, block: range) -> set[str]:
    """Return the names that code outside the block reads and does not bind."""
    outside = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) not in block]
    names = [node for node in outside if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in outside if isinstance(node, ast.arg)}
    return read - bound - arguments


def _bound_names(tree: ast.AST, where: Callable[[int], bool]) -> set[str]:
    """Return the names that functions, classes, imports and the outermost assignments bind on these lines."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, Function | ast.ClassDef) and where(line):
            names.add(node.name)
        elif isinstance(node, ast.alias) and where(line):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and where(line):
            names.add(node.id)
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            names |= _bound_names(node, where)
    return names


def _split_imports(body: str, old_block: str) -> tuple[list[str], str]:
    """Return the import lines that a new block begins with, and the rest; none when the old block had them too."""
    if re.match(r"\s*(import|from)\s", old_block):
        return [], body
    lines = body.split("\n")
    imports: list[str] = []
    while lines and (not lines[0].strip() or _is_import(lines[0])):
        line = lines.pop(0).strip()
        if line:
            imports.append(line)
    if not lines:
        return [], body
    return imports, "\n".join(lines)


def _is_import(line: str) -> bool:
    tree = parse_tree(line.strip())
    statements = tree.body if tree else []
    return len(statements) == 1 and isinstance(statements[0], ast.Import | ast.ImportFrom)


def _add_imports(script: str, imports: list[str]) -> str:
    """Return the script with the import lines that it lacks added at its top, those from `__future__` first."""
    lines = script.split("\n")
    present = {line.rstrip() for line in lines}
    missing = [line for line in imports if line not in present]
    missing.sort(key=lambda line: "__future__" not in line)
    if not missing:
        return script
    index = _import_index(script)
    return "\n".join([*lines[:index], *missing, *lines[index:]])


def _import_index(script: str) -> int:
    """Return the line index after the block, docstring and `__future__` imports, where imports may be added."""
    index = lines_of_block(script)
    tree = parse_tree(script)
    for node in tree.body if tree else ():
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (docstring or future):
            break
        index = node.end_lineno or index
    return index
