"""Which reader reads a file, by its name and content."""

from pathlib import Path

from mlestar.evaluation.holdout.revealing.records import Records


def read_other(path: Path) -> tuple[Records, ...] | None:
    """Return the records of a file that is no plain table; None when it cannot be read."""
    del path
    return None
