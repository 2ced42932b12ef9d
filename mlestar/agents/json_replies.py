"""JSON objects of a reply, as models write them: with comments, single quotes, Python's words, invalid escapes."""

import html
import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from typing import Any

from mlestar.agents.choices import Candidate
from mlestar.agents.fences import read_fences
from mlestar.agents.reasoning import clean_reply, closed_fences
from mlestar.agents.script import ScriptError

TOKEN = re.compile(
    r'''(?P<triple>"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\')'''
    r"""|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"|(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*)"
    r"|(?P<key>[A-Za-z_]\w*(?=\s*:))"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
"""Parts of JSON, of JSON5 and of Python's literals."""
WORDS = {"True": "true", "False": "false", "None": "null"}
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)|(\")", re.DOTALL)
START = re.compile(r"""\{(?=\s*(?:["']|\}[`*.\s]*(?:\n|\Z)|//|/\*|\#|[A-Za-z_]\w*\s*:))|\[(?=\s*\{)""")
"""Where an object, or a list of objects, may begin."""
CLOSED = re.compile(r"""["'\d\]}el]\s*[}\]]\s*(?:\n|\Z)""")
"""A bracket after a value, at the end of a line."""
OBJECT_ONLY = re.compile(r"\A\s*(?:\w+\s*=\s*)?[\[{].*[}\]]\s*\Z", re.DOTALL)
"""A fence of another language, or of none, that holds an object and not code with one in it."""
NO_OBJECT = "the reply has no complete JSON object; answer with one ```json fence"


def read_objects(reply: str) -> list[list[Candidate[Any]]]:
    """Return the objects and lists of a reply: those of JSON fences, of other fences, and between prose.

    Raises:
        ScriptError: there is none.
    """
    text = _plain_quotes(clean_reply(reply))
    fences = read_fences(text)
    groups = [
        [candidate for fence in fences if fence.language == "json" for candidate in _candidates(fence.text)],
        [candidate for fence in fences if OBJECT_ONLY.match(fence.text) for candidate in _candidates(fence.text)],
        list(_candidates(text, outside_fences=True)),
    ]
    if not any(groups):
        raise ScriptError(NO_OBJECT)
    return [group for group in groups if group]


def _plain_quotes(text: str) -> str:
    """Return a text whose only quotes are typographic or HTML entities with plain ones."""
    if '"' in text:
        return text
    return html.unescape(text) if "&quot;" in text else text.replace("\u201c", '"').replace("\u201d", '"')


def load_json(text: str) -> Any:
    """Return the value of a JSON text, or of one that differs from JSON only in its notation.

    Raises:
        ScriptError: it cannot be read without guessing.
    """
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(_as_strict(text), strict=False)
    except (ValueError, RecursionError) as error:
        msg = f"the JSON object cannot be read: {error}; escape the quotes and backslashes inside its texts"
        raise ScriptError(msg) from None


def _candidates(text: str, *, outside_fences: bool = False) -> Iterator[Candidate[Any]]:
    """Yield every outermost object or list of a text; nothing is looked for inside one that cannot be read."""
    position = 0
    fences = closed_fences(text) if outside_fences else []
    while start := START.search(text, position):
        index = bisect_left(fences, (start.start(), 0)) - 1
        if index >= 0 and start.start() < fences[index][1]:
            position = start.end()
            continue
        end = _end_of(text, start.start())
        if end is None:
            yield partial(_load_open, text[start.start() :])
            return
        yield partial(load_json, text[start.start() : end])
        position = end


def _end_of(text: str, start: int) -> int | None:
    """Return the index after the bracket that closes the one at `start`; brackets in texts do not count."""
    depth = 0
    for token in TOKEN.finditer(text, start):
        if token[0] in ('"', "'") and token.lastgroup == "other":
            return None
        if token.lastgroup == "other":
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return None


def _load_open(text: str) -> Any:
    """Refuse an object whose closing bracket is not where it is expected, with the reason."""
    if CLOSED.search(text):
        return load_json(text[: max(text.rfind("}"), text.rfind("]")) + 1])
    msg = "the JSON object is not closed: the reply ends inside it; answer with less text and the whole object"
    raise ScriptError(msg)


def _as_strict(text: str) -> str:
    """Return a text as strict JSON: no comments and trailing commas, double quotes, valid escapes."""
    parts: list[str] = []
    for token in TOKEN.finditer(text):
        kind, part = token.lastgroup, token[0]
        if part in ("}", "]") and parts and parts[-1] == ",":
            parts.pop()
        if kind != "comment" and not (part.isspace() and parts and parts[-1] == ","):
            parts.append(_strict_part(kind, part))
    return "".join(parts)


def _strict_part(kind: str | None, part: str) -> str:
    if kind == "triple":
        return _strict_text(part[3:-3])
    if kind == "string":
        return _strict_text(part[1:-1])
    if kind == "key":
        return json.dumps(part)
    return " " if part.isspace() and part != "\n" else WORDS.get(part, part)


def _strict_text(content: str) -> str:
    """Return the content of a string as a JSON string.

    A backslash that escapes no quote, backslash, line break or tab is one of a regular expression.
    """
    return f'"{ESCAPE.sub(_strict_escape, content)}"'


def _strict_escape(match: re.Match[str]) -> str:
    escaped = match[1]
    if escaped is None:
        return '\\"'
    if escaped == "'":
        return "'"
    if len(escaped) == 5 or escaped in '"\\/nrt':
        return match[0]
    return f"\\\\{escaped}"
