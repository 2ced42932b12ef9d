"""Everything done to generated code as text: fences, blocks, compiling, the score line."""

import ast
import math
import re

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
    if not reply.strip() or syntax_error(reply):
        msg = "the reply has no ```python fence with code"
        raise ScriptError(msg)
    return reply


def check_script(code: str) -> str:
    """Return the code when it can be run as a script.

    Raises:
        ScriptError: it is empty, does not compile, never prints the score line or never names the submission.
    """
    problem = syntax_error(code)
    if problem:
        raise ScriptError(problem)
    if not ast.parse(code).body:
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
        ast.parse(code)
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
        ScriptError: the block is not found once, or the result does not compile.
    """
    first, last = _span(script, block)
    lines = script.split("\n")
    found = "\n".join(lines[first:last])
    imports, body = _split_imports(_reindent(replacement.strip("\n"), _indent(found)), found)
    patched = _add_imports("\n".join([*lines[:first], body, *lines[last:]]), imports)
    problem = syntax_error(patched)
    if problem:
        msg = f"with the new block in place, {problem}"
        raise ScriptError(msg)
    return patched


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


def _reindent(text: str, indent: str) -> str:
    if not text.strip():
        return text
    shift = _indent(text)
    lines = text.split("\n")
    if any(line.strip() and not line.startswith(shift) for line in lines):
        return text
    return "\n".join(indent + line[len(shift) :] if line.strip() else "" for line in lines)


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
    try:
        statements = ast.parse(line.strip()).body
    except SyntaxError:
        return False
    return len(statements) == 1 and isinstance(statements[0], ast.Import | ast.ImportFrom)


def _add_imports(script: str, imports: list[str]) -> str:
    present = {line.strip() for line in script.split("\n")}
    missing = [line for line in imports if line not in present]
    if not missing:
        return script
    lines = script.split("\n")
    return "\n".join([*lines[: (at := _import_line(script))], *missing, *lines[at:]])


def _import_line(script: str) -> int:
    """Return the line index after the docstring and `__future__` imports, where imports may be added."""
    at = 0
    try:
        body = ast.parse(script).body
    except SyntaxError:
        return at
    for node in body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (docstring or future):
            break
        at = node.end_lineno or at
    return at
