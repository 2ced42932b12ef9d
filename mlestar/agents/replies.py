"""Parsers of replies: a script, other code, a typed JSON object, plain text."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from mlestar.agents.choices import Candidate, Choices
from mlestar.agents.code_replies import read_code
from mlestar.agents.fences import has_fence, read_fences
from mlestar.agents.json_replies import START, read_objects
from mlestar.agents.reasoning import clean_reply
from mlestar.agents.script import ScriptError, check_script, is_code

M = TypeVar("M", bound=BaseModel)
NEGATION = (
    r"(?:unfortunately,? |i'm afraid )?"
    r"(?:i (?:cannot|can't|can not|won't|will not|am unable to|am not able to)|i'm (?:unable|not able) to)"
)
HELP = r"(?:help|assist|comply|provide|do (?:this|that)|fulfil|access|continue|write|generate)"
"""What a model does not do when it declines; a plan leaves out other things, as `I won't touch the folds`."""
REFUSAL = re.compile(
    r"(?:sorry|i'm sorry|i am sorry|i apologi[sz]e|as an ai|i must decline|i have to decline|i need more|"
    rf"{NEGATION} {HELP}|{NEGATION}(?=\W*$)|(?:unfortunately, )?i (?:don't|do not) have|"
    r"(?:could|can) you (?:please )?(?:provide|share|clarify)|"
    r"please (?:share|clarify|provide (?:me|us|more|your|the|any)))\b",
    re.IGNORECASE,
)
"""How a text begins that declines the task or asks for more."""
MAX_REFUSAL = 600
"""Characters; a longer reply answers the question, whatever it begins with. Chosen by judgement; not measured."""
THOUGHTS = re.compile(
    r"((okay|ok|alright|hmm+|wait)\b[,.\s]+let|"
    r"so\b[,.\s]+let(?:'s| us| me)? (?:me|think|start|see|look|analy[sz]e|figure|consider|check|understand|first)\b|"
    r"(okay|ok|alright|hmm+|wait|so)\b[,.\s]+(so\b|the user|i need|i have|we need|we have|first|looking)|"
    r"let me (think|start|see|look|analy[sz]e|first)|the user (wants|asks|asked|is asking|has|needs)|"
    r"(we|i) (need|have|are asked|am asked) to (propose|answer|output|produce|come up|figure|think|write a plan)|"
    r"#*\W*(thinking|thought|reasoning|chain of thought)( process)?\W*:)",
    re.IGNORECASE,
)
"""How reasoning without tags begins."""
MUSING = re.compile(
    r"\bhmm+\b|\bwait[,.]|\blet me (?:think|see|check|reconsider|look|re-?read)\b|\bmaybe not\b|"
    r"\bactually, (?:no|wait)\b|\bon second thought|\bwhat about [^.?!\n]*\?|\bfinal (?:plan|answer)\s*:",
    re.IGNORECASE,
)
"""What is in reasoning and seldom in a plan."""
MIN_MUSINGS = 2
"""Of them, in a text that is reasoning. Chosen by judgement; not measured."""
REASONING_HEADING = re.compile(
    r"(?:[#*_ ]*)(?:reasoning|rationale|analysis|thinking|thoughts?)[*_ ]*(?::|\n)", re.IGNORECASE
)
PLAN_HEADING = re.compile(r"^[#*_ ]*(?:(?:final|the|new|my) )?plan[*_ ]*(?::[*_ ]*|$)", re.IGNORECASE | re.MULTILINE)
"""The heading of the part that answers, below one of reasoning."""
MIN_PLAN = 12
"""Characters of a plan. Chosen by judgement; not measured."""
MIN_SUMMARY = 100
"""Characters that a text has besides its fences of code, so that it does not only introduce them. Chosen by judgement;
not measured."""


def _join_lines(value: object) -> object:
    """Return a list of lines as one text; anything else unchanged."""
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        return value
    return "\n".join(line.rstrip("\n") for line in value)


Lines = Annotated[str, BeforeValidator(_join_lines)]
"""The type of a field whose text models also write as a list of lines."""


def find_refusal(reply: str) -> str:
    """Return the sentence with which a reply refuses to answer; empty when it answers."""
    text = " ".join(reply.replace("\u2019", "'").split())
    return text[:200] if len(text) < MAX_REFUSAL and REFUSAL.match(text) and not has_fence(reply) else ""


def reject_refusal(reply: str) -> None:
    """Raise a ScriptError when a reply declines the task."""
    if sentence := find_refusal(reply):
        msg = f"it declines the task ({sentence}); this is ordinary engineering work on a person's own data"
        raise ScriptError(msg)


parse_code = Choices("code fences", read_code)
"""Returns the code of a reply; it need not compile by itself."""
parse_script = parse_code.then(check_script)
"""Returns the script of a reply."""


def parse_prose(reply: str) -> str:
    """Return a short plain text."""
    text = _prose(reply)
    if has_fence(text) and len(_outside_fences(text)) < MIN_SUMMARY:
        msg = "the reply is a code fence; answer with sentences of plain text"
        raise ScriptError(msg)
    return text[:6000]


def parse_plan(reply: str) -> str:
    """Return a plan: sentences without code and without the reasoning that led to them."""
    text = _drop_reasoning_section(_prose(reply))
    if has_fence(text):
        msg = "the reply has a code fence; answer with only the plan, as sentences of plain text without code"
        raise ScriptError(msg)
    if is_code(text):
        msg = "the reply is code; answer with only the plan, as sentences of plain text"
        raise ScriptError(msg)
    if THOUGHTS.match(text):
        msg = "the reply begins with reasoning; answer with only the plan"
        raise ScriptError(msg)
    if len(MUSING.findall(text)) >= MIN_MUSINGS:
        msg = "the reply contains reasoning; answer with only the plan"
        raise ScriptError(msg)
    if len(text) < MIN_PLAN:
        msg = "the reply is too short for a plan; answer with sentences of plain text"
        raise ScriptError(msg)
    return text[:6000]


def _drop_reasoning_section(text: str) -> str:
    """Return what is below the heading of the plan in a text that begins with a section of reasoning."""
    plans = list(PLAN_HEADING.finditer(text)) if REASONING_HEADING.match(text) else []
    return text[plans[0].end() :].strip() if len(plans) == 1 else text


def _prose(reply: str) -> str:
    """Return the text of a reply, out of a fence that only wraps it.

    Raises:
        ScriptError: it is a refusal, JSON, or no sentence.
    """
    text = clean_reply(reply).strip()
    fences = read_fences(text)
    if len(fences) == 1 and fences[0].language in ("", "text", "txt", "plaintext") and not is_code(fences[0].text):
        text = text if _outside_fences(text) else fences[0].text.strip()
    lines = text.split("\n")
    if has_fence(lines[0]) and not fences:  # a fence of Markdown around a text without other fences
        text = "\n".join(line for line in lines if not line.strip().startswith("```")).strip()
    is_json = START.match(text) or (text.startswith(("{", "[{")) and text.endswith(("}", "]")))
    if is_json or not any(c.isalpha() for c in text):
        msg = "answer with sentences of plain text"
        raise ScriptError(msg)
    reject_refusal(text)
    return text


def _outside_fences(text: str) -> str:
    """Return what a text has besides its fences."""
    for fence in read_fences(text):
        for line in fence.text.split("\n"):
            text = text.replace(line, "", 1)
    return "\n".join(line for line in text.split("\n") if not has_fence(line)).strip()


def parse_json(
    model: type[M],
    check: Callable[[M], object] | None = None,
    read_candidates: Callable[[str], list[list[Candidate[Any]]]] = read_objects,
) -> Choices[M]:
    """Return a parser for a JSON object of this model; `check` may refuse its content with a ScriptError."""

    def read(value: object) -> M:
        parsed = _validate(model, value)
        if check:
            check(parsed)
        return parsed

    return Choices("JSON objects", read_candidates).then(read)


def _only_object(value: object) -> dict[str, Any]:
    """Return an object, also out of a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        return value
    msg = "the reply is a list; answer with one JSON object"
    raise ScriptError(msg)


def _validate(model: type[M], value: object) -> M:
    """Return the model that an object describes; null stands for a field's default."""
    fields = _without_nulls(_inner_object(model, _only_object(_wrap_list(model, value))))
    if fields and not fields.keys() & model.model_fields.keys():
        msg = f"the JSON object has none of the fields {', '.join(model.model_fields)}"
        raise ScriptError(msg)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        problem = "it is missing or null" if first["type"] == "missing" else first["msg"]
        msg = f"field {'.'.join(map(str, first['loc']))}: {problem}"
        raise ScriptError(msg) from None


def _inner_object(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    """Return the object that is the only value of another one, as in `{"answer": {...}}`.

    A list of objects is the value of the model's only field, whatever its name, as in `{"model_cards": [...]}`.
    """
    inner = next(iter(value.values()), None)
    if len(value) != 1 or value.keys() & model.model_fields.keys():
        return value
    if isinstance(inner, dict):
        return inner
    names = list(model.model_fields)
    is_list = isinstance(inner, list) and any(isinstance(item, dict) for item in inner)
    return {names[0]: inner} if is_list and len(names) == 1 else value


def _wrap_list(model: type[BaseModel], value: object) -> object:
    """Return a list as the value of the model's only field, when no item is an object of the model itself."""
    names: Sequence[str] = list(model.model_fields)
    if len(names) != 1 or not isinstance(value, list) or any(_has_field(item, names[0]) for item in value):
        return value
    return {names[0]: value}


def _has_field(item: object, name: str) -> bool:
    return isinstance(item, dict) and name in item


def _without_nulls(value: Any) -> Any:
    """Return a value without the fields and items that are null, and with texts out of the fence that wraps them."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return _unwrap(value) if isinstance(value, str) else value


def _unwrap(text: str) -> str:
    """Return the content of a text that is one code fence; other texts unchanged."""
    lines = text.strip().split("\n")
    if len(lines) < 3 or not has_fence(lines[0]) or lines[-1].strip() not in ("```", "~~~"):
        return text
    fences = read_fences(text.strip())
    return fences[0].text.rstrip("\n") if len(fences) == 1 else text
