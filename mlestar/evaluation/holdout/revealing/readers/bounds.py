"""How much of a file the readers take into memory, and for how long they read."""

import time
from dataclasses import dataclass, field
from itertools import count

# The limits below were chosen by judgement; none was measured.
MAX_TEXT = 2**26
"""Bytes of a text file that are read. As Python objects they take at most about sixteen times as much."""
MAX_BYTES = 2**28
"""Bytes of an array or a database, and bytes that the members of an archive or a compressed file unpack to."""
MAX_CELLS = 4_000_000
"""Cells of all records of a file. A short text takes about 60 bytes, so these are about 250 MB."""
MAX_SECONDS = 60.0
"""Seconds for one file."""
MAX_LEVELS = 3
"""Levels of archives inside archives that are opened."""


class TooLargeError(Exception):
    """A file exceeds a limit, so that it counts as one that cannot be read."""


@dataclass
class Allowance:
    """What is left of the limits for one file; members of an archive share it."""

    cells: int = MAX_CELLS
    unpacked: int = MAX_BYTES
    level: int = MAX_LEVELS
    ends: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)
    _names: "count[int]" = field(default_factory=count, repr=False)

    def take_cells(self, number: int) -> None:
        """Count cells.

        Raises:
            TooLargeError: there are too many.
        """
        self.cells -= number
        if self.cells < 0:
            msg = "too many cells"
            raise TooLargeError(msg)
        self.check_time()

    def take_bytes(self, number: int) -> None:
        """Count unpacked bytes.

        Raises:
            TooLargeError: there are too many.
        """
        self.unpacked -= number
        if self.unpacked < 0:
            msg = "unpacks to too many bytes"
            raise TooLargeError(msg)
        self.check_time()

    def check_time(self) -> None:
        """Raise TooLargeError when reading has taken too long."""
        if time.monotonic() > self.ends:
            msg = "takes too long to read"
            raise TooLargeError(msg)

    def new_name(self) -> str:
        """Return a name that no other unpacked file has."""
        return str(next(self._names))
