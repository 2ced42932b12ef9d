"""Masking keys and passwords in a script, so that neither prompts nor the sandbox contain them."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlestar.agents.script import parse_tree
from mlestar.errors import mask_secrets

MASK = "[masked]"
_SECRET_NAME = re.compile(
    r"(?:api|secret|access|auth|private|kaggle|client|account|bearer)_?-?(?:key|token|secret)|passw(?:or)?d|"
    r"passphrase|credential|\bpwd\b|^-*token$|_token$|^-*secret$|^-*key$|connection_?string",
    re.IGNORECASE,
)
"""Names of what holds a key: variables, arguments, keys of dictionaries, environment variables."""
_PASSWORD = re.compile(r"passw(?:or)?d|passphrase|\bpwd\b", re.IGNORECASE)
_ACCOUNT = re.compile(r"user|login|host|account|e-?mail", re.IGNORECASE)
"""Names beside a password in a dictionary that is no description of columns."""
_SETTINGS = re.compile(r"environ|config|secret|setting|header|param|credential|session", re.IGNORECASE)
"""Names of what has keys in brackets and is no table."""
_NO_PASSWORDS = frozenset({"none", "null", "unknown", "missing", "password", "secret", "train", "test"})
"""Words that a script has in place of a password."""
_FILE = re.compile(r"\.[a-z]{2,7}$|^[a-z0-9]+(?:[-_.][a-z0-9]+)*/[\w.-]+$")
_IDENTIFIER = re.compile(r"[A-Za-z]{1,19}(?:[_.-][A-Za-z]{1,19})*(?:[_.-]?\d{1,3})?")
"""Words, as in the name of a column or a variable, perhaps with a number at the end."""
_COLUMN = re.compile(r"[A-Za-z]{1,19}(?:_[A-Za-z]{1,19})*(?:_?\d{1,4})?")
"""A text that is one name in snake case, such as `sk_id_of_customer` or `key_figure_2020`."""
_SETTERS = frozenset(
    {"setdefault", "putenv", "getenv", "setenv", "get", "set", "set_key", "add_argument", "add_option"}
)
"""Functions that take a name and then its value."""
_TEXTS = frozenset(
    {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)},
)
_PREFIX = re.compile(r"[A-Za-z]*")

Position = tuple[int, int]
Edit = tuple[Position, Position, str]


def mask_keys(code: str) -> str:
    """Return a script without keys in its texts and comments; the rest of the code stays unchanged."""
    tree = parse_tree(code)
    if tree is None:
        return code
    lines = code.split("\n")
    secrets = _find_secrets(tree, lines)
    edits = [edit for token in _tokens(code) if (edit := _masked(token, secrets)) is not None]
    for (row, start), (end_row, end), text in sorted(edits, reverse=True):
        before, after = lines[row - 1][:start], lines[end_row - 1][end:]
        lines[row - 1 : end_row] = f"{before}{text}{after}".split("\n")
    return "\n".join(lines)


@dataclass
class _Secrets:
    """Where a script has keys."""

    places: list[tuple[Position, Position]] = field(default_factory=list)
    """Constants that are keys."""
    texts: set[str] = field(default_factory=set)
    """Keys that are masked wherever a script repeats them."""

    def add(self, name: str, group: "_Group", lines: Sequence[str]) -> None:
        """Add the constants of a group if what they hold together is a key."""
        text = "".join(_text(node) for node in group.parts)
        if not _is_key(name, text, certain=group.certain):
            return
        if looks_like_key(text):
            self.texts |= {text} | ({text for node in group.parts if len(text := _text(node)) >= 8})
        if not group.formatted:
            self.places += [_place(node, lines) for node in group.parts]

    def contains(self, token: tokenize.TokenInfo) -> bool:
        """Return whether a token belongs to a constant that is a key."""
        return any(start <= token.start and token.end <= end for start, end in self.places)


@dataclass(frozen=True)
class _Group:
    """Constants that make one text together."""

    parts: tuple[ast.Constant, ...]
    certain: bool = True
    """The text itself is what has the name; else it is only likely, as an argument of a call is."""
    formatted: bool = False
    """Part of a text with values in it."""


def _find_secrets(tree: ast.Module, lines: Sequence[str]) -> _Secrets:
    secrets = _Secrets()
    for node in ast.walk(tree):
        for name, value, certain in _named_values(node):
            if value is None or not _SECRET_NAME.search(name):
                continue
            for group in _groups(value, certain=certain):
                secrets.add(name, group, lines)
    return secrets


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr | None, bool]]:
    """Yield what a node gives a name to, and whether the value is what the name says, and no cell of a table."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield from _assigned(node.target, node.value)
    elif isinstance(node, ast.Dict):
        names = [_last_name(key) for key in node.keys]
        certain = any(_ACCOUNT.search(name) for name in names)
        yield from ((name, value, certain) for name, value in zip(names, node.values, strict=True))
    elif isinstance(node, ast.arguments):
        names = [argument.arg for argument in (*node.posonlyargs, *node.args)]
        yield from ((name, value, True) for name, value in zip(names[::-1], node.defaults[::-1], strict=False))
        names = [argument.arg for argument in node.kwonlyargs]
        yield from ((name, value, True) for name, value in zip(names, node.kw_defaults, strict=True))
    elif isinstance(node, ast.Compare):
        for value in node.comparators:
            yield _last_name(node.left), value, not isinstance(node.left, ast.Subscript)
    elif isinstance(node, ast.Call):
        yield from ((keyword.arg or "", keyword.value, True) for keyword in node.keywords)
        first = node.args[0] if node.args else None
        if (
            isinstance(first, ast.Constant) and _last_name(node.func) in _SETTERS
        ):  # setdefault("API_KEY", "..."), add_argument("--api-key", default="...")
            values = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "default")]
            yield from ((str(first.value), value, True) for value in values)


def _assigned(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None, bool]]:
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        for one, its_value in zip(target.elts, value.elts, strict=False):
            yield from _assigned(one, its_value)
        return
    is_cell = isinstance(target, ast.Subscript) and not _SETTINGS.search(_last_name(target.value))
    yield _last_name(target), value, not is_cell


def _groups(node: ast.expr, *, certain: bool) -> Iterator[_Group]:
    """Yield the constants of an expression, those of a sum together."""
    if isinstance(node, ast.Constant):
        yield _Group((node,), certain)
    elif isinstance(node, ast.BinOp):
        yield _Group(tuple(part for part in ast.walk(node) if isinstance(part, ast.Constant)), certain=False)
    elif isinstance(node, ast.JoinedStr):
        formatted = any(isinstance(part, ast.FormattedValue) for part in node.values)
        for part in node.values:
            if isinstance(part, ast.Constant):
                yield _Group((part,), certain=certain and not formatted, formatted=True)
    else:
        likely = certain and isinstance(node, ast.IfExp | ast.BoolOp)
        for part in _alternatives(node):
            yield from _groups(part, certain=likely)


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Return the expressions of which one may be the value of another, or an element of it."""
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return node.elts
    if isinstance(node, ast.Call):
        return [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    return []


def _text(node: ast.Constant) -> str:
    if isinstance(node.value, bytes):
        return node.value.decode("latin-1")
    return node.value if isinstance(node.value, str) else ""


def _is_key(name: str, value: str, *, certain: bool) -> bool:
    """Return whether a text under the name of a key is one, and no word, file or column."""
    if _PASSWORD.search(name) and certain:
        return len(value) >= 4 and value.lower() not in _NO_PASSWORDS
    if name.lower().strip("-") == "key":
        return looks_like_key(value) and len(value) >= 16
    if not certain:
        return looks_like_key(value)
    return len(value) >= 8 and not re.search(r"\s", value) and not _FILE.search(value) and not _is_identifier(value)


def looks_like_key(value: str) -> bool:
    """Return whether a text has letters and digits as a key has them, and is no name of a column or a file."""
    mixed = re.search(r"[A-Za-z]", value) and re.search(r"\d", value)
    return bool(mixed and re.fullmatch(r"\S{8,}", value) and not _FILE.search(value)) and not _is_identifier(value)


def _is_identifier(value: str) -> bool:
    return _IDENTIFIER.fullmatch(value) is not None


def _place(node: ast.Constant, lines: Sequence[str]) -> tuple[Position, Position]:
    """Return where a constant begins and ends, in characters; the tree counts bytes."""
    end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
    ends = ((node.lineno, node.col_offset), (end_line, end))
    first, last = ((line, len(lines[line - 1].encode()[:column].decode())) for line, column in ends)
    return first, last


def _tokens(code: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return []


def _masked(token: tokenize.TokenInfo, secrets: _Secrets) -> Edit | None:
    """Return the change of a token, None where it holds no key."""
    if token.type not in _TEXTS:
        return None
    if token.type == tokenize.STRING and secrets.contains(token):
        prefix = "b" if "b" in (_PREFIX.match(token.string) or "")[0].lower() else ""
        return token.start, token.end, f'{prefix}"{MASK}"'
    if token.type == tokenize.STRING and _COLUMN.fullmatch(token.string.strip("'\"")):
        return None
    text = mask_secrets(token.string, _is_named_secret)
    for value in sorted(secrets.texts, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(value, MASK)
    if text == token.string or (token.type == tokenize.STRING and not _is_text(text)):
        return None
    return token.start, token.end, text


def _is_named_secret(name: str, value: str) -> bool:
    """Return whether what a text has after a name such as `key:` or `Basic` is a key, and no word."""
    if "key" in name.lower():
        return looks_like_key(value)
    return name.lower().strip() not in ("basic", "bearer") or re.search(r"[\d=]|(?<!^)[A-Z]", value) is not None


def _is_text(text: str) -> bool:
    """Return whether a token is still one text: a mask must not break its quotes."""
    tree = parse_tree(text)
    return tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def _last_name(node: ast.expr | None) -> str:
    """Return the last name of a target: of a variable, an attribute, or a key in brackets."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _last_name(node.slice)
    return str(node.value) if isinstance(node, ast.Constant) else ""
