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
    kept: list[str] = []
    start = 0
    tags = _TagReader(text, OPENING)
    while opening := tags.next_outside():
        closing = CLOSING.search(text, opening.end())
        if closing is None:
            answer = _answer_at_end(text[opening.end() :], opening[0].strip())
            return "".join([*kept, text[start : opening.start()], answer])
        kept.append(text[start : opening.start()])
        start = closing.end()
        tags.skip_to(start)
    return _drop_to_closing("".join([*kept, text[start:]]))


def _drop_to_closing(text: str) -> str:
    """Drop everything up to the last closing tag whose opening tag was in the prompt or was not sent."""
    start = 0
    tags = _TagReader(text, CLOSING)
    while closing := tags.next_outside():
        start = closing.end()
        tags.skip_to(start)
        tags.mark = ""
    return text[start:]


class _TagReader:
    """Reads the tags of a text in one pass, without those inside a closed fence."""

    def __init__(self, text: str, tag: re.Pattern[str]) -> None:
        self.text, self.tag = text, tag
        self.position = 0
        """Where reading goes on."""
        self.mark = ""
        """Of the fence that is open at the position."""
        self._last = {fence[1]: fence.start() for fence in FENCE_LINE.finditer(text)}
        self._next = {pattern: pattern.search(text) for pattern in (FENCE_LINE, tag)}

    def next_outside(self) -> re.Match[str] | None:
        """Return the next tag outside fences, None when there is none."""
        while tag := self._find(self.tag):
            fence = self._find(FENCE_LINE)
            if fence and fence.start() < tag.start():
                self._pass(fence)
                continue
            self.position = tag.end()
            if not self._is_closed_after(tag.start()):
                return tag
        return None

    def skip_to(self, position: int) -> None:
        """Read on at a position as if a line began there."""
        self.position = position
        for pattern, match in self._next.items():
            at_position = re.compile(pattern.pattern.removeprefix("^"), pattern.flags).match(self.text, position)
            self._next[pattern] = at_position or match

    def _find(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the next match; one that was read before is used until the position passes it."""
        match = self._next[pattern]
        if match and match.start() < self.position:
            match = self._next[pattern] = pattern.search(self.text, self.position)
        return match

    def _pass(self, fence: re.Match[str]) -> None:
        self.position = fence.end()
        if not self.mark:
            self.mark = fence[1]
        elif fence[1].startswith(self.mark):
            self.mark = ""

    def _is_closed_after(self, position: int) -> bool:
        """Return whether the open fence is closed after a position."""
        marks = self._last.items()
        return bool(self.mark) and any(last > position and mark.startswith(self.mark) for mark, last in marks)


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


def closed_fences(text: str) -> list[tuple[int, int]]:
    """Return where each closed fence of a text begins and where its closing line begins, in order."""
    spans: list[tuple[int, int]] = []
    mark, start = "", 0
    for fence in FENCE_LINE.finditer(text):
        if not mark:
            mark, start = fence[1], fence.start()
        elif fence[1].startswith(mark):
            spans.append((start, fence.start()))
            mark = ""
    return spans
