"""Shortening a prompt that is longer than the model can read: sections of data are cut in their middle, code never."""

import re

from mlestar.prompts import CODE_TAGS, shorten

SECTION = re.compile(r"<(?P<tag>[a-z_]+)(?: [^>]*)?>(?P<text>.*?)</(?P=tag)>", re.DOTALL)
MIN_SECTION = 600
"""Characters that a section keeps. Chosen by judgement; not measured."""
MARGIN = 0.9
"""Share of the allowed length that is used: tokens are not characters. Chosen by judgement; not measured."""
UNKNOWN_EXCESS = 2.0
"""How many times too long a prompt is taken to be when the provider does not say. Chosen by judgement; not measured."""


def shorten_prompt(prompt: str, excess: float) -> str | None:
    """Return a prompt that is short enough; None when its data is not long enough to cut.

    The longest section is cut first. Sections of code stay whole: a reply must quote them exactly.

    Args:
        prompt: the text, whose sections have tags.
        excess: how many times too long it is; 1 or less when that is not known.
    """
    allowed = int(len(prompt) / (excess if excess > 1 else UNKNOWN_EXCESS) * MARGIN)
    surplus = len(prompt) - allowed
    sections = [match for match in SECTION.finditer(prompt) if match["tag"] not in CODE_TAGS]
    lengths = _shares([len(match["text"]) for match in sections], surplus)
    if lengths is None:
        return None
    for match, length in sorted(zip(sections, lengths, strict=True), key=lambda pair: -pair[0].start()):
        if length < len(match["text"]):
            prompt = prompt[: match.start("text")] + shorten(match["text"], length) + prompt[match.end("text") :]
    return prompt


def _shares(lengths: list[int], surplus: int) -> list[int] | None:
    """Return the lengths of the sections once the longest are cut to one common length; None if that is not enough."""
    low, high = MIN_SECTION, max(lengths, default=0)
    if sum(max(0, length - low) for length in lengths) < surplus:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = sum(max(0, length - middle) for length in lengths) >= surplus
        low, high = (middle, high) if enough else (low, middle)
    return [min(length, low) for length in lengths]
