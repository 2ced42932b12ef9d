"""Code fences of a reply, as models write them: indented, nested, not closed, with any name for Python."""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mlestar.agents.script import parse_tree

OPENING = re.compile(
    r"^(?P<lead>[ \t]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(?:>[ \t]?)*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$"
)
LATE_OPENING = re.compile(r"^(?P<lead>)\s*[^`'\"\s][^`'\"]*(?P<mark>```)(?P<info>[ \t]*(?:python3?|py|json)[ \t]*)$")
"""An opening at the end of a line of prose. Markdown does not allow it, but models write it."""
PYTHON_NAMES = {
    *("python", "py", "ipython", "ipython3", "py3", "python-script", "tool_code", "tool-code", "code", "jupyter"),
    *("pycode", "python_code", "python-code", "code-python", "sage"),
}
JSON_NAMES = {"json", "json5", "jsonc", "javascript", "js"}
MAX_ENDS = 20
"""Lines that are tried as the end of one fence. Chosen by judgement; not measured."""
WRAPPERS = {"markdown", "md"}
"""Fences around a whole reply; what counts is inside them."""


@dataclass(frozen=True)
class Fence:
    """One code fence."""

    language: str
    """In lower case; `python` and `json` for all their other names."""
    text: str
    """The content, without the indentation of the fence."""
    closed: bool


@dataclass(frozen=True)
class _Opening:
    lead: str
    mark: str
    language: str


def read_fences(reply: str) -> list[Fence]:
    """Return the fences of a reply in order, without those that are empty."""
    lines = reply.split("\n")
    fences: list[Fence] = []
    index = 0
    while index < len(lines):
        opening = _read_opening(lines[index])
        if opening is None or _is_wrapper(opening, lines[index + 1 :]):
            index += 1
            continue
        end = _find_end(lines, index + 1, opening)
        text = _content(lines[index + 1 : end], opening)
        closed = end < len(lines) and _is_closing(lines[end], opening)
        glued = None if closed else _find_glued_end(lines, index + 1, opening)
        if glued is not None:
            last_line = lines[glued].rstrip().removesuffix(opening.mark)
            text, closed, end = _content([*lines[index + 1 : glued], last_line], opening), True, glued + 1
        if text.strip():
            fences.append(Fence(opening.language, text, closed))
        index = end + 1 if end in range(len(lines)) and _is_closing(lines[end], opening) else end
    return fences


def has_fence(text: str) -> bool:
    """Return whether a line of the text opens a fence."""
    return any(_read_opening(line) for line in text.split("\n"))


def _read_opening(line: str) -> _Opening | None:
    if "```" not in line and "~~~" not in line:
        return None
    match = OPENING.match(line) or LATE_OPENING.match(line)
    return _Opening(match["lead"], match["mark"], _language(match["info"])) if match else None


def _language(info: str) -> str:
    """Return the language that the text after an opening names: `python` of `{python}`, `Python 3` or `main.py`."""
    match = re.match(r"[\s{.]*([\w.+#-]+)", info.lower())
    name = match[1].rstrip(".") if match else ""
    if name in PYTHON_NAMES or re.fullmatch(r"python[\d.]*|[\w.-]+\.py", name):
        return "python"
    return "json" if name in JSON_NAMES else name


def _is_wrapper(opening: _Opening, below: list[str]) -> bool:
    """Return whether a fence only holds other fences."""
    if opening.language in WRAPPERS:
        return True
    first = next((_read_opening(line) for line in below if line.strip()), None)
    return first is not None and bool(first.language) and opening.language in ("", "text")


def _find_end(lines: list[str], start: int, opening: _Opening) -> int:
    """Return the index of the line that ends a fence: the first at which its content is whole, else the first."""
    for end in islice(_possible_ends(lines, start, opening), MAX_ENDS):
        if _is_whole(_content(lines[start:end], opening), opening.language):
            return end
    closings = (index for index in range(start, len(lines)) if _is_closing(lines[index], opening))
    return next(closings, len(lines))


def _find_glued_end(lines: list[str], start: int, opening: _Opening) -> int | None:
    """Return the index of the line that ends with the closing mark, None without one."""
    return next((index for index in range(start, len(lines)) if lines[index].rstrip().endswith(opening.mark)), None)


def _possible_ends(lines: list[str], start: int, opening: _Opening) -> Iterator[int]:
    """Yield the lines that close a fence, and those that open another named one, which end one that was not closed."""
    for index in range(start, len(lines)):
        next_opening = _read_opening(lines[index])
        if _is_closing(lines[index], opening) or (next_opening and next_opening.language):
            yield index


def _is_closing(line: str, opening: _Opening) -> bool:
    if opening.mark not in line:
        return False
    return bool(re.fullmatch(rf"[\s>]*{re.escape(opening.mark)}{opening.mark[0]}*\s*", line))


def _content(lines: list[str], opening: _Opening) -> str:
    """Return the lines without the indentation, or the marks of a quotation, of their fence."""
    if ">" in opening.lead:
        lines = [re.sub(r"^[ \t]*>[ \t]?", "", line) for line in lines]
    lines = [line if line.strip() else "" for line in lines]
    indents = [len(line) - len(line.lstrip(" \t")) for line in lines if line]
    width = min([len(opening.lead), *indents])
    return "".join(f"{line[width:]}\n" for line in lines)


def _is_whole(text: str, language: str) -> bool:
    """Return whether a content is complete in its language; of another language nothing is known."""
    if language == "json":
        return _is_json(text)
    tree = parse_tree(textwrap.dedent(text)) if language in ("python", "") else None
    return tree is not None and bool(tree.body)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
