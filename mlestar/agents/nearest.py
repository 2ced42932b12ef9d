"""The lines of a script that are most similar to a block which does not occur in it."""

import difflib

MIN_SIMILARITY = 0.5
"""Similarity from 0 to 1 below which lines are not shown. Chosen by judgement; not measured."""
MAX_LENGTH = 1200
"""Characters of a diff that a refusal shows; a prompt shows 2,000 of a refusal."""
MAX_LINES = 120
"""Lines of a block that are compared; a longer one is compared by these. Chosen by judgement; not measured."""


def describe_nearest(script: str, block: str) -> str:
    """Return the nearest lines of the script and how the block differs from them; empty when nothing is similar."""
    lines = [line.rstrip() for line in script.split("\n")]
    block_lines = [line.rstrip() for line in block.strip("\n").split("\n")]
    nearest = _find_nearest(lines, block_lines[:MAX_LINES])
    if nearest is None:
        return ""
    first, last = nearest
    difference = [
        line
        for line in difflib.unified_diff(block_lines, lines[first:last], lineterm="", n=1)
        if not line.startswith(("---", "+++", "@@"))
    ]
    text = "\n".join(difference)
    head = f"The nearest lines of the script are {first + 1} to {last} (- is the block, + is the script)"
    return f". {head}:\n{text[:MAX_LENGTH]}"


def _find_nearest(lines: list[str], block: list[str]) -> tuple[int, int] | None:
    """Return the half-open range of the lines that are most like a block."""
    stripped = [line.strip() for line in lines]
    sought = [line.strip() for line in block]
    matcher = difflib.SequenceMatcher(None, autojunk=False)
    best: tuple[float, int] | None = None
    for start in _likely_starts(stripped, sought):
        window = stripped[start : start + len(sought)]
        matcher.set_seqs("\n".join(window), "\n".join(sought))
        limit = best[0] if best else MIN_SIMILARITY
        if matcher.real_quick_ratio() > limit and matcher.quick_ratio() > limit:
            ratio = matcher.ratio()
            if ratio > limit:
                best = ratio, start
    return (best[1], min(best[1] + len(sought), len(lines))) if best else None


def _likely_starts(lines: list[str], block: list[str]) -> list[int]:
    """Return where the block may begin: where it shares a line with the script, else anywhere."""
    positions: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        positions.setdefault(line, []).append(index)
    shared = [
        index - offset
        for offset, line in enumerate(block)
        if len(line) > 3
        for index in positions.get(line, [])
        if index >= offset
    ]
    return sorted(set(shared)) or list(range(len(lines)))
