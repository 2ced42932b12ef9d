"""Reasoning that models write before their answer, and how a reply is cleaned before it is read."""

import re

from mlestar.agents.script import ScriptError

NAMES = r"(?:seed:|ant)?(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad|inner_monologue)"
OPENING = re.compile(rf"^[ \t]*(?:<({NAMES})\b[^>\n]*>|\[(THINK)\]|◁(think)▷)", re.MULTILINE | re.IGNORECASE)
CLOSING = re.compile(rf"(?:</{NAMES}>|\[/THINK\]|◁/think▷)", re.IGNORECASE)
FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|[^|]*\|>[^<]*)?<\|message\|>")
"""Where the answer of a model begins that writes its reasoning into channels of their own."""
SPECIAL_TOKEN = re.compile(
    r"<[|\uff5c](?:im_end|eot_id|end_of_text|endoftext|end|return|eom_id|end\u2581of\u2581sentence)[|\uff5c]>"
)
"""Marks of the end of a message that a server did not remove."""
FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)


def clean_reply(reply: str) -> str:
    """Return a reply without reasoning, with plain line breaks.

    Raises:
        ScriptError: it is only reasoning, or its reasoning cannot be distinguished from its answer.
    """
    text = reply.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    channels = list(FINAL_CHANNEL.finditer(text))
    if channels:
        text = text[channels[-1].end() :]
    text = _drop_reasoning(SPECIAL_TOKEN.sub("", text))
    if reply.strip() and not text.strip():
        msg = "the reply is only reasoning; write the answer after it"
        raise ScriptError(msg)
    return text


def _drop_reasoning(text: str) -> str:
    """Drop every part between tags of reasoning; tags inside a fence are content."""
    position = 0
    while opening := OPENING.search(text, position):
        if inside_fence(text, opening.start()):
            position = opening.end()
            continue
        closing = CLOSING.search(text, opening.end())
        if closing is None:
            return text[: opening.start()] + _answer_at_end(text[opening.end() :], opening[0].strip())
        position = opening.start()
        text = text[:position] + text[closing.end() :]
    return _drop_to_closing(text)


def _drop_to_closing(text: str) -> str:
    """Drop everything up to a closing tag whose opening tag was in the prompt or was not sent."""
    for closing in CLOSING.finditer(text):
        if not inside_fence(text, closing.start()):
            return _drop_to_closing(text[closing.end() :])
    return text


def _answer_at_end(text: str, tag: str) -> str:
    """Return the fence that ends a reply whose reasoning was not closed.

    Raises:
        ScriptError: the reply does not end with a fence.
    """
    fences = list(FENCE_LINE.finditer(text))
    pair = fences[-2:]
    closed = len(pair) == 2 and not text[pair[1].end() :].strip() and pair[0][1] == pair[1][1]
    if closed:
        return text[pair[0].start() :]
    msg = f"the reply opens {tag} and never closes it, so that reasoning and answer cannot be distinguished"
    raise ScriptError(msg)


def inside_fence(text: str, position: int) -> bool:
    """Return whether a position is inside a fence that is closed after it."""
    mark = ""
    for fence in FENCE_LINE.finditer(text):
        if fence.start() > position:
            return bool(mark) and any(later[1].startswith(mark) for later in FENCE_LINE.finditer(text, position))
        if not mark:
            mark = fence[1]
        elif fence[1].startswith(mark):
            mark = ""
    return False
