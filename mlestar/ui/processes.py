"""Processes that work on runs: started by the page, and found by the lock that they hold."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mlestar.errors import UserError
from mlestar.store import RunFolder
from mlestar.ui.order import Order

PROGRAM = "mlestar.ui.process"
COMMANDS = frozenset({"run", "resume", "fork", "demo"})
"""Commands that work on one run and save it at Ctrl-C."""
LAST_BYTES = 4096
"""Of what a process has written, from which its last line is read."""
_PROC = Path("/proc")


@dataclass
class _Process:
    """A process of this server."""

    run: subprocess.Popen[bytes]
    output: IO[bytes]
    stops: int = 0
    """Times it was asked to stop."""
    has_begun: bool = False
    """It has held its run."""

    @property
    def is_working(self) -> bool:
        return self.run.poll() is None


@dataclass
class Processes:
    """Processes that work on runs of one folder."""

    runs_dir: Path
    _own: dict[str, _Process] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, order: Order) -> None:
        """Start a process, which goes on when this one ends.

        Raises:
            UserError: a process works on the run already.
        """
        with self._lock:
            if self.is_working(order.run_id):
                msg = f"a process works on run {order.run_id} already"
                raise UserError(msg)
            # Without a name, so that nothing is left behind whichever of the two processes ends first.
            output = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the entry that it belongs to
            command = [sys.executable, "-m", PROGRAM]
            run = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True, close_fds=True
            )
            previous = self._own.get(order.run_id)
            self._own[order.run_id] = _Process(run, output)
        if previous is not None:
            previous.output.close()
        if run.stdin is not None:
            # A process that has ended at once reads no order; why it ended is in its output.
            with contextlib.suppress(BrokenPipeError), run.stdin as given:
                given.write(order.model_dump_json().encode())

    def is_starting_or_working(self, run_id: str) -> bool:
        """Return whether a process of this server works on a run, also before it holds the run."""
        own = self._own.get(run_id)
        return own is not None and own.is_working

    def is_working(self, run_id: str) -> bool:
        """Return whether any process works on a run."""
        return self.is_starting_or_working(run_id) or RunFolder(self.runs_dir, run_id).is_in_use()

    def is_starting(self, run_id: str) -> bool:
        """Return whether a process of this server has not held its run yet."""
        own = self._own.get(run_id)
        if own is None or not own.is_working:
            return False
        own.has_begun = own.has_begun or RunFolder(self.runs_dir, run_id).is_in_use()
        return not own.has_begun

    def is_stopping(self, run_id: str) -> bool:
        own = self._own.get(run_id)
        return own is not None and own.is_working and own.stops > 0

    def knows(self, run_id: str) -> bool:
        """Return whether this server has started a process for a run."""
        return run_id in self._own

    def working(self) -> list[str]:
        """Return the runs that processes of this server work on."""
        return [run_id for run_id, own in self._own.items() if own.is_working]

    def can_stop(self, run_id: str) -> bool:
        return self.is_starting_or_working(run_id) or find_command(RunFolder(self.runs_dir, run_id)) is not None

    def problem(self, run_id: str) -> str:
        """Return why the last process of this server for a run ended with an error, empty when it did not."""
        own = self._own.get(run_id)
        if own is None or own.stops or not own.run.poll():
            return ""
        number = own.output.fileno()
        end = os.pread(number, LAST_BYTES, max(0, os.fstat(number).st_size - LAST_BYTES))
        lines = end.decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with status {own.run.returncode}"

    def stop(self, run_id: str) -> None:
        """Ask the process of a run to stop, as Ctrl-C does.

        Once it finishes what runs and saves it, twice it stops at once.

        Raises:
            UserError: no process works on the run, or none that can be stopped from here.
        """
        own = self._own.get(run_id)
        if own is not None and own.is_working:
            own.stops += 1
            own.run.send_signal(signal.SIGINT)
            return
        folder = RunFolder(self.runs_dir, run_id)
        number = find_command(folder)
        if number is not None:
            os.kill(number, signal.SIGINT)
            return
        if folder.is_in_use():
            msg = f"run {run_id} belongs to another program: stop it there"
            raise UserError(msg)
        msg = f"no process works on run {run_id}"
        raise UserError(msg)


def find_command(folder: RunFolder) -> int | None:
    """Return the number of the process of this user that works on a run and can be stopped by Ctrl-C; None without one.

    The number in the lock is not enough, because any program could have written it: the process must have the lock open
    and be one of our commands. A notebook or a server does other things besides, so that it is not stopped from here.
    """
    lock = folder.path / ".lock"
    if not folder.is_in_use():
        return None
    try:
        number = int(folder.read_own_text(lock))
        process = _PROC / str(number)
        opened = {file.readlink() for file in (process / "fd").iterdir()}
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return None
    return number if lock.resolve() in opened and is_command(words) else None


def is_command(words: Sequence[str]) -> bool:
    """Return whether a command line is that of a command that works on one run."""
    if PROGRAM in words[:3]:
        return True
    program = next((place for place, word in enumerate(words) if _is_ours(word)), len(words))
    return next((word for word in words[program + 1 :] if not word.startswith("-")), "") in COMMANDS


def _is_ours(word: str) -> bool:
    return Path(word).name == "mlestar" or word.endswith("mlestar/__main__.py")
