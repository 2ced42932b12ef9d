"""Everything done to generated code as text: fences, blocks, compiling, the score line."""

import ast
import math
import re
import warnings
from collections.abc import Callable

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
SCORE_LINE = re.compile(r"Final Validation Performance:\s*(\S+)")
PYTHON_NAMES = {"python", "py", "python3"}
TINY_SCRIPT = 30
"""Lines up to which a block may be most of the script."""
LARGEST_BLOCK = 0.6
"""Share of a script that a block may be."""


class ScriptError(ValueError):
    """Code cannot be used; the message tells an agent why."""


def fenced(reply: str, languages: set[str]) -> list[str]:
    """Return the contents of the fences with one of these languages, longest first."""
    found = [code for _, language, code in FENCE.findall(reply.replace("\r\n", "\n")) if language.lower() in languages]
    return sorted(found, key=len, reverse=True)


def extract_code(reply: str) -> str:
    """Return the Python code of a reply: its one Python fence, else its one unnamed fence, else the bare reply.

    Raises:
        ScriptError: there is no code, or more than one candidate.
    """
    for languages in (PYTHON_NAMES, {""}):
        codes = fenced(reply, languages)
        if len(codes) == 1:
            return codes[0]
        if len(codes) > 1:
            msg = f"the reply has {len(codes)} code fences; put all code into one ```python fence"
            raise ScriptError(msg)
    if "```" in reply:
        msg = "the code fence is not closed: the reply was cut off; answer with less text and the whole code"
        raise ScriptError(msg)
    if not _is_code(reply):
        msg = "the reply has no ```python fence with code"
        raise ScriptError(msg)
    return reply.replace("\r\n", "\n")


def check_script(code: str) -> str:
    """Return the code when it can be run as a script.

    Raises:
        ScriptError: it is empty, does not compile, never prints the score line or never names the submission.
    """
    problem = syntax_error(code)
    if problem:
        raise ScriptError(problem)
    tree = _tree(code)
    if tree is None or not tree.body:
        msg = "the script is empty"
        raise ScriptError(msg)
    if "Final Validation Performance" not in code:
        msg = "the script never prints 'Final Validation Performance: <number>'"
        raise ScriptError(msg)
    if "submission.csv" not in code:
        msg = "the script never writes ./submission.csv"
        raise ScriptError(msg)
    return code


def syntax_error(code: str) -> str:
    """Return what keeps the code from compiling, or an empty text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "script.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return f"the code does not compile: {error}" + (f" (line {line})" if line and "line" not in str(error) else "")
    return ""


def reported_score(stdout: str) -> float | None:
    """Return the number of the last score line, None when there is none or it is not finite."""
    found = SCORE_LINE.findall(stdout)
    if not found:
        return None
    try:
        value = float(found[-1].replace(",", "").rstrip(".;%)"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def locate(script: str, block: str) -> str:
    """Return the exact text of the script, in whole lines, that a block names.

    The block must occur once, to the letter; where it occurs nowhere, white space around lines and blank lines are
    disregarded.

    Raises:
        ScriptError: it is empty, missing, ambiguous, or nearly the whole script.
    """
    first, last = _span(script, block)
    lines = script.split("\n")
    found = "\n".join(lines[first:last])
    if len(lines) > TINY_SCRIPT and len(found) > LARGEST_BLOCK * len(script):
        msg = "the block is nearly the whole script; name one component of it"
        raise ScriptError(msg)
    return found


def replace_block(script: str, block: str, replacement: str) -> str:
    """Return the script with the block replaced once, re-indented, and the imports it needs merged at the top.

    Raises:
        ScriptError: the block is not found once, the result does not compile, or the script uses a name that the
            block defined and the replacement does not.
    """
    script = script.replace("\r\n", "\n")
    first, last = _span(script, block)
    lines = script.split("\n")
    found = "\n".join(lines[first:last])
    problem = ""
    for text in _readings(replacement.replace("\r\n", "\n").strip("\n"), _indent(found)):
        imports, body = _split_imports(_drop_decorators(text, lines[:first]), found)
        patched = _add_imports("\n".join([*lines[:first], body, *lines[last:]]), imports)
        refusal = syntax_error(patched)
        if not refusal:
            _check_names(script, range(first + 1, last + 1), patched)
            return patched
        problem = problem or refusal
    msg = f"with the new block in place, {problem}"
    raise ScriptError(msg)


def _span(script: str, block: str) -> tuple[int, int]:
    """Return the half-open range of line indices that a block names."""
    if not block.strip():
        msg = "the block is empty"
        raise ScriptError(msg)
    for clean in (str.rstrip, str.strip):
        keep_blank = clean is str.rstrip
        lines = [(i, clean(line)) for i, line in enumerate(script.split("\n")) if keep_blank or line.strip()]
        wanted = [clean(line) for line in block.strip("\n").split("\n") if keep_blank or line.strip()]
        texts = [text for _, text in lines]
        starts = [i for i in range(len(texts) - len(wanted) + 1) if texts[i : i + len(wanted)] == wanted]
        if len(starts) > 1:
            msg = (
                f"the block occurs {len(starts)} times in the script; include the lines around it so that it is unique"
            )
            raise ScriptError(msg)
        if starts:
            return lines[starts[0]][0], lines[starts[0] + len(wanted) - 1][0] + 1
    msg = "the block does not occur in the script; copy it exactly, in whole lines"
    raise ScriptError(msg)


def _indent(text: str) -> str:
    first = next(line for line in text.split("\n") if line.strip())
    return first[: len(first) - len(first.lstrip())]


def _readings(text: str, indent: str) -> list[str]:
    """Return the replacement indented as the block was, in the ways it may have been meant.

    A first line without the indentation of the others is a copy that began after the blanks.
    """
    if not text.strip():
        return [text]
    head, *rest = text.split("\n")
    inner = next((_indent(line) for line in rest if line.strip()), "")
    return [_reindent(text, indent), _reindent("\n".join([inner + head.lstrip(), *rest]), indent)]


def _reindent(text: str, indent: str) -> str:
    shift, lines, inside = _indent(text), text.split("\n"), _string_lines(text)
    if any(line.strip() and not line.startswith(shift) for i, line in enumerate(lines) if i not in inside):
        return text
    return "\n".join(
        line if i in inside else indent + line[len(shift) :] if line.strip() else "" for i, line in enumerate(lines)
    )


def _string_lines(text: str) -> set[int]:
    """Return the indices of lines that begin inside a string of several lines: their blanks are its content."""
    tree = _tree(f"if True:\n{text}" if _indent(text) else f"pass\n{text}")
    strings = [
        node
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
    ]
    return {line for node in strings for line in range(node.lineno - 1, (node.end_lineno or node.lineno) - 1)}


def _drop_decorators(text: str, above: list[str]) -> str:
    """Drop decorators that begin the text and already stand above the block."""
    headline = {line.strip() for line in above[-5:]}
    lines = text.split("\n")
    while lines[0].strip().startswith("@") and lines[0].strip() in headline:
        lines.pop(0)
    return "\n".join(lines)


def _check_names(script: str, block: range, patched: str) -> None:
    """Refuse a patch that loses a name: a run of statements wrapped in a function, a function that was renamed."""
    before, after = _tree(script), _tree(patched)
    if before is None or after is None:
        return
    inside = _bound(before, lambda line: line in block)
    lost = (inside & _borrowed(before, block)) - _bound(after, lambda line: True)
    if lost:
        msg = f"the new block no longer defines {', '.join(sorted(lost))}, which the rest of the script uses"
        raise ScriptError(msg)


def _borrowed(tree: ast.AST, block: range) -> set[str]:
    """Return the names that code outside the block reads and nothing there binds."""
    outside = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) not in block]
    names = [node for node in outside if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return read - bound - {node.arg for node in outside if isinstance(node, ast.arg)}


def _bound(tree: ast.AST, where: Callable[[int], bool]) -> set[str]:
    """Return the names that functions, classes, imports and the outermost assignments bind on these lines."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and where(line):
            names.add(node.name)
        elif isinstance(node, ast.alias) and where(line):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and where(line):
            names.add(node.id)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            names |= _bound(node, where)
    return names


def _tree(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_code(text: str) -> bool:
    """Tell code from a word or two of prose, which Python would read as names."""
    tree = _tree(text)
    bare = (ast.Name, ast.Constant, ast.Tuple)
    return tree is not None and any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, bare)) for node in tree.body
    )


def _split_imports(body: str, found: str) -> tuple[list[str], str]:
    """Take the import lines that lead a new block out of it, unless the old block began with imports too."""
    if re.match(r"\s*(import|from)\s", found):
        return [], body
    lines = body.split("\n")
    imports: list[str] = []
    while lines and (not lines[0].strip() or _is_import(lines[0])):
        line = lines.pop(0).strip()
        if line:
            imports.append(line)
    return (imports, "\n".join(lines)) if lines else ([], body)


def _is_import(line: str) -> bool:
    tree = _tree(line.strip())
    statements = tree.body if tree else []
    return len(statements) == 1 and isinstance(statements[0], ast.Import | ast.ImportFrom)


def _add_imports(script: str, imports: list[str]) -> str:
    present = {line.rstrip() for line in script.split("\n")}
    missing = sorted((line for line in imports if line not in present), key=lambda line: "__future__" not in line)
    if not missing:
        return script
    lines = script.split("\n")
    return "\n".join([*lines[: (at := _import_line(script))], *missing, *lines[at:]])


def _import_line(script: str) -> int:
    """Return the line index after the docstring and `__future__` imports, where imports may be added."""
    at = 0
    tree = _tree(script)
    for node in tree.body if tree else ():
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (docstring or future):
            break
        at = node.end_lineno or at
    return at
