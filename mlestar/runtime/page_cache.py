"""Dropping the page cache of this machine, by which a script could tell what an earlier one has read."""

import os
from pathlib import Path

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
PAGES = "1"
"""What to drop: pages of files, but not what the kernel knows about folders."""


def dropping_problem() -> str:
    """Return why the page cache cannot be dropped here, empty when it can."""
    if not DROP_CACHES.exists():
        return "this system cannot drop its page cache"
    return "" if os.access(DROP_CACHES, os.W_OK) else "only root may drop the page cache of this machine"


def drop_page_cache() -> str:
    """Drop the page cache, as far as its pages are written to the disk; return why not."""
    if problem := dropping_problem():
        return problem
    os.sync()
    try:
        DROP_CACHES.write_text(PAGES, encoding="ascii")
    except OSError as error:
        return f"{DROP_CACHES} cannot be written: {error.strerror}"
    return ""
