"""A command under a pseudo-terminal, and the screen that it leaves."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping

from rich.cells import cell_len

CONTROL = re.compile(r"\x1b\[(\?)?(\d*)(?:;\d+)*([A-Za-z])")
"""Commands that move the cursor, erase or colour."""


class Terminal:
    """A command in a terminal of some size; what it prints is kept."""

    def __init__(self, command: list[str], columns: int, rows: int = 24, env: Mapping[str, str] | None = None) -> None:
        """Start the command."""
        own, other = pty.openpty()
        self._own = own
        self._resize(columns, rows)
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            env={**environment, "TERM": "xterm", "LANG": "C.UTF-8", **(env or {})},
            start_new_session=True,
        )
        os.close(other)
        self.output = ""

    def _resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, text: str, seconds: float) -> bool:
        """Read what is printed until it contains a text; return False at the end of the command or of the time."""
        end = time.monotonic() + seconds
        while text not in self.output:
            if time.monotonic() > end or not self._read():
                return text in self.output
        return True

    def read_for(self, seconds: float) -> str:
        """Return what is printed within a time."""
        before, end = len(self.output), time.monotonic() + seconds
        while time.monotonic() < end and self._read():
            pass
        return self.output[before:]

    def wait(self, seconds: float) -> int:
        """Read all that is printed, and return the status of the command."""
        end = time.monotonic() + seconds
        while self._read() and time.monotonic() < end:
            pass
        return self.process.wait(timeout=max(1.0, end - time.monotonic()))

    def write(self, text: str) -> None:
        """Type a text."""
        os.write(self._own, text.encode())

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the command if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._own)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._own], [], [], 1.0)
        if not ready:
            return self.process.poll() is None
        try:
            part = os.read(self._own, 65536)
        except OSError:  # the command has closed its side
            return False
        self.output += part.decode("utf-8", errors="replace")
        return bool(part)

    @property
    def lines(self) -> list[str]:
        """Every line that was ever printed, without commands to the terminal."""
        return [CONTROL.sub("", line) for line in re.split(r"\r\n|\n|\r", self.output)]

    @property
    def widest(self) -> int:
        """Columns of the widest line."""
        return max(map(cell_len, self.lines))

    @property
    def screen(self) -> list[str]:
        """The lines that are left when what was drawn over or erased is gone, as a terminal that scrolls shows them."""
        shown, row = [""], 0
        for part in re.split(r"(\x1b\[\??[\d;]*[A-Za-z]|\r\n|\n|\r)", self.output):
            command = CONTROL.fullmatch(part)
            if part in ("\r\n", "\n"):
                row += 1
                shown += [""] * (row + 1 - len(shown))
            elif command and command[3] == "A":
                row = max(0, row - int(command[2] or 1))
            elif command and command[3] == "K":
                shown[row] = ""
            elif not command and part != "\r":
                shown[row] += part
        return [line.rstrip() for line in shown]
