"""Names from files, as text for agents: on one line, and long lists of them in few words."""

import re
from collections.abc import Iterable, Sequence

from mlestar.errors import clean_text

_NUMBERED = re.compile(r"(.*?)(\d{1,9})", re.DOTALL)
_RANGE = re.compile(r"(?P<stem>.*?)(?P<first>\d{1,9})\.\.(?P=stem)(?P<last>\d{1,9})", re.DOTALL)
_MORE = re.compile(r"\.\.\. \d+ more")
_MAX_RANGE = 100_000
"""Most names that one range may stand for."""


def clean(text: str, longest: int = 60) -> str:
    """Return a text on one line, without control and formatting characters."""
    head = text[: 4 * longest]
    line = " ".join(clean_text(head).split())
    return line if len(line) <= longest and len(text) == len(head) else line[: longest - 3] + "..."


def shorten_names(names: Sequence[str], most: int | None = None) -> list[str]:
    """Return names with runs of numbered ones as `x0..x99`; beyond `most` entries, `... N more` ends the list."""
    entries = _join_runs(names)
    if most is None or len(entries) <= most:
        return [text for text, _ in entries]
    left_out = sum(count for _, count in entries[most:])
    return [text for text, _ in entries[:most]] + [f"... {left_out} more"]


def expand_names(entries: Iterable[str]) -> list[str]:
    """Return the names that `shorten_names` made a list of; those that it left out are unknown."""
    names: list[str] = []
    for entry in entries:
        match = _RANGE.fullmatch(entry)
        if match and 0 < int(match["last"]) - int(match["first"]) < _MAX_RANGE:
            names += _range(match["stem"], match["first"], int(match["last"]))
        elif not _MORE.fullmatch(entry):
            names.append(entry)
    return names


def is_cut(entries: Iterable[str]) -> bool:
    """Return whether `shorten_names` left names out."""
    return any(_MORE.fullmatch(entry) for entry in entries)


def _range(stem: str, first: str, last: int) -> list[str]:
    width = len(first) if first.startswith("0") else 0
    return [f"{stem}{number:0{width}}" for number in range(int(first), last + 1)]


def _join_runs(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return a text and the number of names that it stands for, for each run of numbered names and each other name."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return [pair for run in runs for pair in _shorten_run(run)]


def _shorten_run(run: list[str]) -> list[tuple[str, int]]:
    text = f"{run[0]}..{run[-1]}"
    return [(text, len(run))] if len(run) > 2 and expand_names([text]) == run else [(name, 1) for name in run]


def _follows(name: str, following: str) -> bool:
    """Return whether a name is another with the next number."""
    match = _NUMBERED.fullmatch(name)
    return match is not None and following == _range(match[1], match[2], int(match[2]) + 1)[-1]
