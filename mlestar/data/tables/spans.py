"""Where the records of a text file begin and end, as two arrays of numbers instead of a text per record."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlestar.data.tables.source import CHUNK, Bytes, chunks, release


@dataclass(frozen=True)
class Spans:
    """Positions of records in a file, line ends included."""

    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def select(self, chosen: np.ndarray | slice) -> "Spans":
        """Return some of the spans, in this order."""
        return Spans(self.starts[chosen], self.ends[chosen])

    def runs(self) -> "Spans":
        """Return the spans with adjacent ones joined."""
        if not len(self):
            return self
        breaks = np.flatnonzero(self.starts[1:] != self.ends[:-1])
        return Spans(self.starts[np.r_[0, breaks + 1]], self.ends[np.r_[breaks, len(self) - 1]])

    def parts(self, limit: int) -> Iterator["Spans"]:
        """Yield consecutive spans of at most `limit` bytes together, or one span each."""
        sizes = np.cumsum(self.ends - self.starts)
        first, before = 0, 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(sizes, before + limit, side="right")))
            yield self.select(slice(first, last))
            first, before = last, int(sizes[last - 1])

    def texts(self, data: Bytes) -> Iterator[bytes]:
        """Yield the bytes of each span."""
        for part in self.parts(CHUNK):
            for start, end in zip(part.starts.tolist(), part.ends.tolist(), strict=True):
                yield data[start:end]
            release(data)

    def copy(self, data: Bytes, limit: int = CHUNK) -> Iterator[bytes]:
        """Yield the bytes of all spans in pieces of about `limit` bytes."""
        for part in self.parts(limit):
            yield b"".join(part.runs().texts(data))


def line_spans(data: Bytes, start: int = 0, *, returns: bool = True) -> Spans:
    r"""Return the lines from a position on; `\n`, `\r\n` and, with `returns`, a lone `\r` end one."""
    ends = [_line_ends(data, position, chunk, returns=returns) for position, chunk in chunks(data)]
    found = np.concatenate([np.zeros(0, dtype=np.int64), *ends])
    found = found[found > start]
    if len(data) > start and (not len(found) or found[-1] != len(data)):
        found = np.append(found, len(data))
    return Spans(np.r_[start, found[:-1]][: len(found)].astype(np.int64), found)


def holds(data: Bytes, mark: bytes, lines: Spans) -> np.ndarray:
    """Return for each line whether it holds a byte."""
    flags = np.zeros(len(lines), dtype=bool)
    for position, chunk in chunks(data):
        places = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == mark[0]) + position
        places = places[places >= lines.starts[0]] if len(lines) else places[:0]
        flags[np.searchsorted(lines.ends, places, side="right")] = True
    return flags


def blank_lines(data: Bytes, lines: Spans, blanks: bytes) -> np.ndarray:
    """Return for each line whether it holds only these characters."""
    flags = np.zeros(len(lines), dtype=bool)
    for position, chunk in chunks(data):
        first, last = np.searchsorted(lines.starts, [position, position + len(chunk)])
        initials = np.frombuffer(chunk, dtype=np.uint8)[lines.starts[first:last] - position]
        candidates = first + np.flatnonzero(np.isin(initials, np.frombuffer(blanks, dtype=np.uint8)))
        texts = lines.select(candidates).texts(data)
        flags[candidates] = np.fromiter((not text.strip(blanks) for text in texts), dtype=bool, count=len(candidates))
    return flags


def _line_ends(data: Bytes, position: int, chunk: bytes, *, returns: bool) -> np.ndarray:
    values = np.frombuffer(chunk, dtype=np.uint8)
    ends = np.flatnonzero(values == ord("\n")) + position + 1
    if not returns or b"\r" not in chunk:
        return ends
    after = np.flatnonzero(values == ord("\r")) + position + 1
    following = np.frombuffer(chunk + data[position + len(chunk) : position + len(chunk) + 1] + b"\0", dtype=np.uint8)
    alone = after[following[after - position] != ord("\n")]
    return np.sort(np.concatenate([ends, alone]))
