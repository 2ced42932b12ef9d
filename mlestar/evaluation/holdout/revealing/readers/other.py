"""Which reader reads a file, by its name and content."""

from pathlib import Path

import pandas as pd

from mlestar.evaluation.holdout.revealing.records import Records

_ASSETS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".wav", ".mp3", ".ogg", ".flac")
"""Pictures and sounds: what belongs to a row, without records of its own."""
_MAX_BYTES = 64 * 2**20
"""Bytes of text up to which its lines are read. Chosen by judgement; not measured."""


def read_other(path: Path) -> tuple[Records, ...] | None:
    """Return the records of a file that is no plain table; None when it cannot be read."""
    if path.suffix.lower() in _ASSETS:
        return ()
    if path.stat().st_size > _MAX_BYTES:
        return None
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return None
    return (Records("", pd.DataFrame({"0": lines}, dtype=str)),)
