"""The last line of the log of a tool, which usually says why it ended."""

from pathlib import Path

from mlestar.errors import MAX_MESSAGE, clean_text, mask_secrets

_TAIL_BYTES = 4000
"""Bytes at the end of a log that are read. Chosen by judgement; not measured."""


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank, cut and without control characters."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = clean_text(mask_secrets(file.read().decode("utf-8", errors="replace")))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:MAX_MESSAGE] if lines else ""
