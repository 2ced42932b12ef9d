"""Rows that a text names, with the words beside each name: a label near an id is found whatever form the text has."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# The limits below were chosen by judgement; none was measured.
MAX_SCANNED = 2**24
"""Characters of a text that are looked at: half of them from its beginning, half from its end."""
_MIN_NAMED = 20
"""Different rows that a text must name."""
_NEAR = 4
"""Number of words before and after a name that are checked one by one."""
_WIDEST = 200
"""Words after a name among which common ones are looked for."""
_COMMON = (0.02, 0.98)
"""Shares of the rows between which a word is common but not everywhere."""
_MAX_WORDS = 60
_MIN_LENGTH = 4
"""Fewest characters of a name that is unlikely to occur by chance."""
_FEW_LENGTHS = 3
_PLAIN = re.compile(r"[^\W_]+")
_WHOLE = re.compile(r"[^\s,;|:=<>(){}\[\]\"'`*#!?/\\]+")
_MOST = 0.9
"""Share of the names that must be single words."""


@dataclass(frozen=True)
class Names:
    """The values of a column of train by which a text may name rows."""

    column: str
    values: frozenset[str]
    word: re.Pattern[str]
    lengths: tuple[int, ...]
    """How long they are, where they have few lengths and are long."""

    @classmethod
    def of_column(cls, cells: pd.Series, *, is_id: bool) -> "Names | None":
        """Return the names in a column; None where its values are too short to be recognised."""
        values = [value for value in cells.str.strip().str.lower() if value]
        if not values or (not is_id and np.mean([len(value) >= _MIN_LENGTH for value in values]) < _MOST):
            return None
        plain = np.mean([_PLAIN.fullmatch(value) is not None for value in values]) >= _MOST
        word = _PLAIN if plain else _WHOLE
        lengths = sorted({len(value) for value in values}, reverse=True)
        is_fixed = len(lengths) <= _FEW_LENGTHS and lengths[-1] >= _MIN_LENGTH
        return cls(str(cells.name), frozenset(values), word, tuple(lengths) if is_fixed else ())


@dataclass
class _Mention:
    """What stands beside the name of one row."""

    before: Sequence[str]
    after: Sequence[str]
    heading: str
    """The last word before it that names no row."""
    marks: str
    """The characters beside it."""
    following: set[str] = field(default_factory=set)
    """The words between it and the next name, wherever the row is named."""
    count: int = 0


def read_mentions(text: str, names: Names) -> pd.DataFrame | None:
    """Return a record for each row that a text names; None where it names few."""
    text = text if len(text) <= MAX_SCANNED else f"{text[: MAX_SCANNED // 2]}\n{text[-MAX_SCANNED // 2 :]}"
    spans = [part for match in names.word.finditer(text) for part in _divide(match[0].lower(), *match.span(), names)]
    words = [text[start:end] for start, end in spans]
    lowered = [word.lower() for word in words]
    places = [place for place, word in enumerate(lowered) if word in names.values]
    if len({lowered[place] for place in places}) < _MIN_NAMED:
        return None
    found: dict[str, _Mention] = {}
    heading = ""
    for place, following in zip(places, [*places[1:], len(words)], strict=True):
        if place and lowered[place - 1] not in names.values:
            heading = words[place - 1]
        mention = found.get(lowered[place])
        if mention is None:
            start, end = spans[place]
            marks = text[max(0, start - 1) : start] + text[end : end + 1]
            near = words[max(0, place - _NEAR) : place][::-1], words[place + 1 : place + 1 + _NEAR]
            mention = found[lowered[place]] = _Mention(*near, heading, marks)
        mention.following.update(words[place + 1 : min(following, place + 1 + _WIDEST)])
        mention.count += 1
    return pd.DataFrame(dict(_columns(names.column, found)), dtype=str)


def _divide(word: str, start: int, end: int, names: Names) -> Iterator[tuple[int, int]]:
    """Yield where a word is, in two parts where it begins or ends with a name, as in a file without separators."""
    if word not in names.values:
        for length in names.lengths:
            if word[:length] in names.values:
                yield start, start + length
                yield start + length, end
                return
            if word[-length:] in names.values:
                yield start, end - length
                yield end - length, end
                return
    yield start, end


def _columns(key: str, found: Mapping[str, _Mention]) -> Iterator[tuple[str, list[str]]]:
    mentions = list(found.values())
    yield key, list(found)
    for distance in range(_NEAR):
        yield f"word {distance + 1} before", [_word(mention.before, distance) for mention in mentions]
        yield f"word {distance + 1} after", [_word(mention.after, distance) for mention in mentions]
    yield "heading", [mention.heading for mention in mentions]
    yield "marks", [mention.marks for mention in mentions]
    yield "place", [str(place) for place in range(len(mentions))]
    yield "times named", [str(mention.count) for mention in mentions]
    counts = Counter(word for mention in mentions for word in mention.following)
    low, high = (share * len(mentions) for share in _COMMON)
    common = [word for word, count in counts.most_common() if low <= count <= high][:_MAX_WORDS]
    for word in common:
        yield f"has {word!r}", [str(int(word in mention.following)) for mention in mentions]


def _word(words: Sequence[str], distance: int) -> str:
    return words[distance] if distance < len(words) else ""
