"""Masking keys and passwords in a script, so that neither prompts nor the sandbox contain them."""

import ast
import io
import re
import tokenize

from mlestar.agents.script import parse_tree
from mlestar.errors import mask_secrets

MASK = "[masked]"
_SECRET_NAME = re.compile(
    r"(?:api|secret|access|auth|private|kaggle|client|account|bearer)_?-?(?:key|token|secret)|passw(?:or)?d|\bpwd\b|"
    r"^token$|_token$|^secret$|connection_?string",
    re.IGNORECASE,
)
"""Names under which keys are stored: variables, arguments, keys of dictionaries, environment variables."""
_KEY = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[\w+/=.~:-]{16,}")
"""A value that may be a key, and is not a word, a file name or the name of a column."""
_FILE = re.compile(r"\.\w{2,7}$|^[\w.-]+/[\w.-]+$")
_PASSWORD = re.compile(r"passw(?:or)?d|\bpwd\b", re.IGNORECASE)


def mask_keys(code: str) -> str:
    """Return a script without keys in its texts and comments; the rest of the code stays unchanged."""
    tree = parse_tree(code)
    if tree is None:
        return code
    named = _values_of_secret_names(tree)
    edits = [edit for token in _tokens(code) if (edit := _masked(token, named)) is not None]
    lines = code.split("\n")
    for (row, start), (end_row, end), text in sorted(edits, reverse=True):
        before, after = lines[row - 1][:start], lines[end_row - 1][end:]
        lines[row - 1 : end_row] = f"{before}{text}{after}".split("\n")
    return "\n".join(lines)


Edit = tuple[tuple[int, int], tuple[int, int], str]


def _tokens(code: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return []


def _masked(token: tokenize.TokenInfo, named: set[str]) -> Edit | None:
    """Return the change of a token; None where it contains no key."""
    kinds = (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    if token.type not in kinds:
        return None
    text = mask_secrets(token.string)
    for value in named:
        text = text.replace(value, MASK)
    if text == token.string or (token.type == tokenize.STRING and not _is_text(text)):
        return None
    return token.start, token.end, text


def _is_text(text: str) -> bool:
    """Return whether a token is still one text: a mask must not break its quotes."""
    tree = parse_tree(text)
    return tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def _values_of_secret_names(tree: ast.Module) -> set[str]:
    """Return the texts that a script gives to what is named like a key."""
    values: set[str] = set()
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_last_name(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(_last_name(node.target), node.value)]
        elif isinstance(node, ast.Call):
            pairs = [(keyword.arg or "", keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Dict):
            pairs = [(_last_name(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        for name, value in pairs:
            text = value.value if isinstance(value, ast.Constant) else None
            if isinstance(text, str) and _SECRET_NAME.search(name) and _is_key(name, text):
                values.add(text)
    return values


def _is_key(name: str, value: str) -> bool:
    if _PASSWORD.search(name):
        return len(value) >= 4
    return bool(_KEY.fullmatch(value)) and not _FILE.search(value)


def _last_name(node: ast.expr | None) -> str:
    """Return the last name of a target: of a variable, an attribute, or a key in brackets."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _last_name(node.slice)
    return str(node.value) if isinstance(node, ast.Constant) else ""
