"""Reading a prompt: its tagged sections and their attributes."""

import html
import re
from dataclasses import dataclass, field

from mlestar.prompts import CODE_TAGS

_OPENING_TAG = re.compile(r"^<(?P<tag>[a-z_]+)(?P<attributes>(?:\s+[a-z_]+=\"[^\"]*\")*)>", re.MULTILINE)
_ATTRIBUTE = re.compile(r"([a-z_]+)=\"([^\"]*)\"")
CONTAINERS = frozenset({"results"})
"""Sections that only contain other sections."""


@dataclass(frozen=True)
class Section:
    """The text between a tag and its end, and the tag's attributes."""

    text: str
    attributes: dict[str, str] = field(default_factory=dict)


def sections(prompt: str) -> dict[str, list[Section]]:
    """Return every section by its tag, in order. A section inside another belongs to the outer one's text."""
    by_tag: dict[str, list[Section]] = {}
    position = 0
    while match := _OPENING_TAG.search(prompt, position):
        tag = match["tag"]
        end = prompt.find(f"</{tag}>", match.end())
        if end < 0 or tag in CONTAINERS:
            position = match.end()
            continue
        text = prompt[match.end() : end].strip("\n")
        attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(match["attributes"])}
        by_tag.setdefault(tag, []).append(Section(_unescape(tag, text), attributes))
        position = end + len(f"</{tag}>")
    return by_tag


def _unescape(tag: str, text: str) -> str:
    """Undo the escapes of a section; entities in code are part of the code."""
    return text.replace("<\\/", "</") if tag in CODE_TAGS else html.unescape(text)
