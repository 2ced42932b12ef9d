"""Made-up names for files: in the form of real ones, and saying nothing about what the files are."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
# The limits below were chosen by judgement; none was measured.
_SAME_FORM = 0.9
"""Share of names that must have one form."""
_MAX_FORM_NAMES = 2000
"""Names from which a form is taken."""
_MAX_TRIES = 20
"""Draws of one name before a number is added to it."""


def make_up_names(count: int, like: Sequence[str]) -> list[str]:
    """Return different names in the form of others, none of them one of those; the same names for the same arguments.

    Numbers continue after the highest, in an order that is drawn. Other names have in each place one of the characters
    that real ones have there.
    """
    rng = np.random.default_rng(0)
    if not like:
        return _numbered(count, "", 1, len(str(count)), rng)
    matches = [_NUMBERED.fullmatch(name) for name in like]
    stems = Counter(match[1] for match in matches if match)
    stem, matching = stems.most_common(1)[0] if stems else ("", 0)
    if matching < _SAME_FORM * len(like):
        return _drawn(count, like, rng)
    numbers = [match[2] for match in matches if match and match[1] == stem]
    padded = any(number.startswith("0") and len(number) > 1 for number in numbers)
    width = max(map(len, numbers)) if padded else 0
    return _numbered(count, stem, max(map(int, numbers)) + 1, width, rng)


def _numbered(count: int, stem: str, first: int, width: int, rng: np.random.Generator) -> list[str]:
    return [f"{stem}{first + number:0{width}d}" for number in rng.permutation(count)]


def _drawn(count: int, like: Sequence[str], rng: np.random.Generator) -> list[str]:
    length = Counter(map(len, like)).most_common(1)[0][0]
    alphabet = [sorted(set(marks)) for marks in zip(*_same_length(like, length), strict=True)]
    taken = set(like)
    names: list[str] = []
    for number in range(count):
        name = _draw(alphabet, rng)
        tries = 1
        while name in taken and tries < _MAX_TRIES:
            name, tries = _draw(alphabet, rng), tries + 1
        if name in taken:
            name = f"{name}{number}"
        taken.add(name)
        names.append(name)
    return names


def _same_length(names: Sequence[str], length: int) -> list[str]:
    return [name for name in names if len(name) == length][:_MAX_FORM_NAMES]


def _draw(alphabet: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    return "".join(marks[int(rng.integers(len(marks)))] for marks in alphabet)
