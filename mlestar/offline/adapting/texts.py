"""The string values of expressions in a script, as far as they are known without executing it."""

import ast
import re
from collections.abc import Iterable, Mapping

UNKNOWN = "\0"
"""Stands for a part of a text that is not known."""
READS = re.compile(r"(?:read|scan)_(?:csv|table|parquet|excel|feather|json|ipc|ndjson)|fread|loadtxt|genfromtxt")
"""Functions that read a table."""
_PATH_CLASSES = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath", "WindowsPath"})
_SAME_PATH = frozenset({"resolve", "absolute", "expanduser", "as_posix"})
_PATH_FUNCTIONS = frozenset({"str", "fspath", "abspath", "expanduser", "normpath", "realpath", "expandvars"})


def known_texts(tree: ast.AST) -> dict[str, str]:
    """Return the texts of variables and attributes; those with several values are unknown."""
    texts: dict[str, str] = {}
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign)]
    for node in sorted(assignments, key=lambda node: node.lineno):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        text = None if node.value is None else text_of(node.value, texts)
        for target in targets:
            name = last_name(target)
            if not name:
                continue
            if text is not None and texts.get(name, text) == text:
                texts[name] = text
            elif name in texts:
                texts[name] = UNKNOWN
    return texts


def text_of(node: ast.expr, texts: Mapping[str, str]) -> str | None:
    """Return the text of an expression, with `UNKNOWN` for unknown parts; None where it is not known to be a text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_known(part, texts) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, texts)
    if isinstance(node, ast.Name | ast.Attribute):
        return texts.get(last_name(node))
    if isinstance(node, ast.BinOp):
        return _text_of_operation(node, texts)
    return _text_of_call(node, texts) if isinstance(node, ast.Call) else None


def _known(node: ast.expr, texts: Mapping[str, str]) -> str:
    text = text_of(node, texts)
    return UNKNOWN if text is None else text


def _text_of_operation(node: ast.BinOp, texts: Mapping[str, str]) -> str | None:
    left, right = text_of(node.left, texts), text_of(node.right, texts)
    if isinstance(node.op, ast.Mod) and left is not None:
        return re.sub(r"%[-\d.]*[a-z]", UNKNOWN, left)
    if left is None and right is None:
        return None
    if isinstance(node.op, ast.Add):
        return (UNKNOWN if left is None else left) + (UNKNOWN if right is None else right)
    if isinstance(node.op, ast.Div) and right is not None:
        return join([UNKNOWN if left is None else left, right])
    return None


def _text_of_call(node: ast.Call, texts: Mapping[str, str]) -> str | None:
    name, owner = last_name(node.func), node.func.value if isinstance(node.func, ast.Attribute) else None
    parts = [_known(argument, texts) for argument in node.args]
    if name in _PATH_CLASSES:
        return join(parts)
    if name == "join" and (owner is None or last_name(owner) == "path"):
        return join(parts)
    if name == "joinpath" and owner is not None:
        return join([_known(owner, texts), *parts])
    if name in _SAME_PATH and owner is not None and not node.args:
        return text_of(owner, texts)
    if name in _PATH_FUNCTIONS and len(node.args) == 1:
        return text_of(node.args[0], texts)
    if name == "format" and owner is not None:
        form = text_of(owner, texts)
        return None if form is None else re.sub(r"\{[^{}]*\}", UNKNOWN, form)
    if name in ("getenv", "get") and len(node.args) == 2 and "environ" in ast.unparse(node.func) + name:
        return text_of(node.args[1], texts)
    if name == "getenv" and len(node.args) == 2:
        return text_of(node.args[1], texts)
    return None


def join(parts: Iterable[str]) -> str:
    """Return a path from its parts."""
    return "/".join(part.rstrip("/") for part in parts if part)


def last_name(node: ast.expr | None) -> str:
    """Return the name of a variable, or the last one of an attribute."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def file_name(text: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[/\\]", text)[-1]


def is_path_object(node: ast.expr) -> bool:
    """Return whether an expression is a path of pathlib, not a text."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div)
    if not isinstance(node, ast.Call):
        return False
    return last_name(node.func) in {*_PATH_CLASSES, "joinpath"} or last_name(node.func) in _SAME_PATH - {"as_posix"}


def read_texts(tree: ast.AST, texts: Mapping[str, str]) -> set[str]:
    """Return the paths of the tables that a script reads, as far as they are known."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    paths = [text_of(node.args[0], texts) for node in calls if READS.fullmatch(last_name(node.func))]
    return {path for path in paths if path}
