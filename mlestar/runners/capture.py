"""What a script prints: the first and the last bytes of each stream are kept."""

import time
from collections import deque

HEAD_BYTES = 64 * 1024
TAIL_BYTES = 192 * 1024
"""Bytes of a stream that are kept; more of its end, which has score or traceback. Chosen by judgement; not measured."""


class Capture:
    """One stream: its head, its tail, and how much there was."""

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        self.total = 0
        self.last_time = time.monotonic()
        """When the last bytes were printed."""
        self._head_left = head
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_limit = tail
        self._tail_size = 0

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        self.last_time = time.monotonic()
        first, rest = data[: self._head_left], data[self._head_left :]
        self._head += first
        self._head_left -= len(first)
        if rest:
            self._tail.append(rest[-self._tail_limit :])
            self._tail_size += len(self._tail[-1])
        while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_limit:
            self._tail_size -= len(self._tail.popleft())

    def content(self) -> bytes:
        """Return the whole stream, or its head and tail with a line between them that states how much is left out."""
        tail = b"".join(self._tail)[-self._tail_limit :]
        missing = self.total - len(self._head) - len(tail)
        gap = f"\n[... {missing} bytes left out ...]\n".encode() if missing else b""
        return bytes(self._head) + gap + tail

    def cut(self, mark: bytes) -> bytes | None:
        """Remove everything from the last `mark` on; return what followed it, None when it is not there."""
        data = self.content()
        if mark not in data:
            return None
        before, _, after = data.rpartition(mark)
        self._head, self.total = bytearray(before), len(before)
        self._tail.clear()
        return after


class Output:
    """Both streams of one execution, fed by a reader thread."""

    def __init__(self, limit: int) -> None:
        self.stdout = Capture()
        self.stderr = Capture()
        self._limit = limit

    @property
    def overflowed(self) -> bool:
        """Whether both streams together exceed the limit in bytes."""
        return self.stdout.total + self.stderr.total > self._limit

    @property
    def silent(self) -> float | None:
        """Seconds since anything was printed, None before the first output."""
        if not self.stdout.total + self.stderr.total:
            return None
        return time.monotonic() - max(self.stdout.last_time, self.stderr.last_time)


def decode(data: bytes) -> str:
    """Return any bytes as text; invalid ones become U+FFFD."""
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n")
