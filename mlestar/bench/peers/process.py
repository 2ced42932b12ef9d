"""Running a command of another tool: on some CPUs, with a time limit, and without leaving a process behind."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar.bench.logs import last_line
from mlestar.bench.watched import run_watched
from mlestar.runners.local.processes import EXECUTION_VARIABLE, kill_members
from mlestar.runners.variables import thread_variables

SCRIPTS = Path(__file__).parent / "scripts"
_GRACE_SECONDS, _GRACE_SHARE = 30.0, 0.25
"""How long a tool may run beyond its time before it is killed: the longer of the two. Tools stop searching at their
limit, then predict. Chosen by judgement; not measured."""
_TERMINATION_SECONDS = 5.0
"""Between the signal to end and the kill. Chosen by judgement; not measured."""
_NO_GROUP = -1
"""No process group: that of the command has been killed, and processes that left it are found by their environment."""


@dataclass(frozen=True)
class End:
    """How a command ended."""

    seconds: float
    exit_status: int | None
    """None where it was killed at its time limit."""
    log: Path

    @property
    def reason(self) -> str:
        """Why it did not succeed, in a line; empty where it did."""
        if self.exit_status is None:
            return f"killed after {self.seconds:.0f} s, beyond its time limit{self._last_line()}"
        if self.exit_status < 0:
            return f"ended by signal {-self.exit_status}{self._last_line()}"
        return f"exit status {self.exit_status}{self._last_line()}" if self.exit_status else ""

    def _last_line(self) -> str:
        line = last_line(self.log)
        return f": {line}" if line else ""


def grace(seconds: float) -> float:
    """Return how long a command may run beyond its time."""
    return max(_GRACE_SECONDS, _GRACE_SHARE * seconds)


def run_command(
    command: Sequence[str], log: Path, *, seconds: float, cpus: int, variables: Mapping[str, str], folder: Path
) -> End:
    """Run a command, with its output in a log; its processes are killed when it ends or its time and grace are over.

    Args:
        command: the program and its arguments; no shell reads them.
        log: where its output goes.
        seconds: its time limit; it is killed after some grace.
        cpus: how many it may use.
        variables: all its environment variables.
        folder: its current folder.
    """
    name, start = uuid.uuid4().hex, time.monotonic()
    log.unlink(missing_ok=True)
    try:
        ended = run_watched(
            command,
            log=log,
            seconds=seconds + grace(seconds),
            grace=_TERMINATION_SECONDS,
            cpus=cpus,
            cwd=folder,
            env={**variables, **thread_variables(cpus), EXECUTION_VARIABLE: name},
        )
    finally:
        kill_members(_NO_GROUP, name)
    return End(time.monotonic() - start, None if ended.timed_out else ended.status, log)
