"""Parsers of replies: a script, other code, a typed JSON object, plain text."""

import ast
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mlestar.agents.script import ScriptError, check_script, extract_code, fenced

M = TypeVar("M", bound=BaseModel)
REFUSAL = re.compile(
    r"(sorry|i'm sorry|i am sorry|i apologi[sz]e|as an ai|i (cannot|can't|can not|am unable|'m unable|won't|will not)|"
    r"i'm (unable|not able)|unfortunately, i)\b",
    re.IGNORECASE,
)
MAX_REFUSAL = 600
"""Characters; a longer reply answers the question, whatever it begins with. Chosen by judgement; not measured."""


def parse_script(reply: str) -> str:
    """Return the script of a reply."""
    return check_script(extract_code(reply))


def parse_code(reply: str) -> str:
    """Return the code of a reply; it need not compile by itself."""
    code = extract_code(reply)
    if not code.strip():
        msg = "the code fence is empty"
        raise ScriptError(msg)
    return code


def parse_prose(reply: str) -> str:
    """Return a short plain text."""
    text = reply.strip()
    if text.startswith("{") or not any(c.isalpha() for c in text):
        msg = "answer with sentences of plain text"
        raise ScriptError(msg)
    return text[:6000]


def parse_json(model: type[M], check: Callable[[M], object] | None = None) -> Callable[[str], M]:
    """Return a parser for a JSON object of this model; `check` may refuse its content with a ScriptError."""

    def parse(reply: str) -> M:
        try:
            value = model.model_validate(json_object(reply))
        except ValidationError as error:
            first = error.errors()[0]
            msg = f"field {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ScriptError(msg) from None
        if check:
            check(value)
        return value

    return parse


def json_object(reply: str) -> dict[str, Any]:
    """Return the JSON object of a reply: fenced, bare, or between prose; a Python literal is accepted.

    Raises:
        ScriptError: there is no object, or it is cut off.
    """
    texts = [*fenced(reply, {"json"}), *fenced(reply, {""}), reply.strip()]
    start, end = reply.find("{"), reply.rfind("}")
    if 0 <= start < end:
        texts.append(reply[start : end + 1])
    for text in texts:
        value = _load(text)
        if isinstance(value, dict):
            return value
    msg = "the reply has no complete JSON object; answer with one ```json fence"
    raise ScriptError(msg)


def find_refusal(reply: str) -> str:
    """Return the sentence with which a reply refuses to answer; empty when it answers."""
    text = " ".join(reply.replace("\u2019", "'").split())
    return text[:200] if len(text) < MAX_REFUSAL and REFUSAL.match(text) else ""


def _load(text: str) -> object:
    loaders: tuple[Callable[[str], object], ...] = (_load_json, ast.literal_eval)
    for load in loaders:
        try:
            return load(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _load_json(text: str) -> object:
    """Load JSON whose strings may contain unescaped line breaks, which models often write."""
    return json.loads(text, strict=False)
