"""Reading a prompt: its tagged sections and their attributes."""

import html
import re
from dataclasses import dataclass, field

_OPEN = re.compile(r"^<(?P<tag>[a-z_]+)(?P<attributes>(?:\s+[a-z_]+=\"[^\"]*\")*)>", re.MULTILINE)
_ATTRIBUTE = re.compile(r"([a-z_]+)=\"([^\"]*)\"")
HOLDERS = frozenset({"results"})
"""Sections that only hold other sections."""
CODE = frozenset({"script", "block", "base", "reference", "study", "solution", "earlier_block", "failed_fix"})
"""Sections that hold code as it stands: entities in it are the code's own."""


@dataclass(frozen=True)
class Section:
    """The text between a tag and its end, and the tag's attributes."""

    text: str
    attributes: dict[str, str] = field(default_factory=dict)


def sections(prompt: str) -> dict[str, list[Section]]:
    """Return every section by its tag, in order. A section inside another belongs to the outer one's text."""
    found: dict[str, list[Section]] = {}
    at = 0
    while match := _OPEN.search(prompt, at):
        tag = match["tag"]
        end = prompt.find(f"</{tag}>", match.end())
        if end < 0 or tag in HOLDERS:
            at = match.end()
            continue
        text = prompt[match.end() : end].strip("\n")
        attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(match["attributes"])}
        found.setdefault(tag, []).append(Section(_plain(tag, text), attributes))
        at = end + len(tag) + 3
    return found


def _plain(tag: str, text: str) -> str:
    return text.replace("<\\/", "</") if tag in CODE else html.unescape(text)
