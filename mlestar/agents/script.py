"""Generated code as text: fences, compiling, the score line."""

import ast
import math
import re
import warnings
from functools import lru_cache

from mlestar.syntax import parse

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
SCORE_LINE = re.compile(r"Final Validation Performance:\s*(\S+)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class ScriptError(ValueError):
    """Code cannot be used; the message explains to an agent why."""


class RepetitionError(ScriptError):
    """A reply has the right form and repeats an earlier one; this says nothing about how well the model keeps forms."""


def fenced(reply: str, languages: set[str]) -> list[str]:
    """Return the contents of the fences with one of these languages, longest first."""
    fences = FENCE.findall(reply.replace("\r\n", "\n"))
    codes = [code for _, language, code in fences if language.lower() in languages]
    return sorted(codes, key=len, reverse=True)


def check_script(code: str) -> str:
    """Return the code when it can be run as a script.

    Raises:
        ScriptError: it is empty, does not compile, never prints the score line or never names the submission.
    """
    problem = syntax_error(code)
    if problem:
        raise ScriptError(problem)
    tree = parse_tree(code)
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
    """Return why the code does not compile, empty when it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "script.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        position = f" (line {line})" if line and "line" not in str(error) else ""
        return f"the code does not compile: {error}{position}"
    return ""


def reported_score(stdout: str) -> float | None:
    """Return the number of the last score line, None when there is none or it is not finite."""
    numbers = SCORE_LINE.findall(stdout)
    if not numbers:
        return None
    try:
        value = float(numbers[-1].replace(",", "").rstrip(".;%)"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@lru_cache(maxsize=16)
def parse_tree(code: str) -> ast.Module | None:
    """Return the syntax tree of code, None when it does not parse; callers share it and do not change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_code(text: str) -> bool:
    """Return whether a text is code, and not a word or two of prose, which Python would parse as names."""
    tree = parse_tree(text)
    statements = tree.body if tree else []
    return any(not _is_bare(statement) for statement in statements)


def _is_bare(statement: ast.stmt) -> bool:
    """Return whether a statement is only a name, a constant or a container."""
    return isinstance(statement, ast.Expr) and isinstance(
        statement.value, ast.Name | ast.Constant | ast.Tuple | ast.Dict | ast.List
    )
