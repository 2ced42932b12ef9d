"""A process that answers requests; it is started when needed and ended when a request takes too long."""

import base64
import binascii
import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlestar.errors import OperatorError, first_line

_MAX_ANSWER = 2**30
"""Most bytes of an answer. Chosen by judgement; not measured."""
_END_SECONDS = 5
"""Seconds in which a process must end after its input is closed. Chosen by judgement; not measured."""
_START_SECONDS = 300
"""Seconds for importing a predictor. Chosen by judgement; not measured."""
KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
"""The only environment variables of a predictor's process, because others may contain secrets."""


class PredictorProcess:
    """Answers one request at a time; after a failure the next request starts it again."""

    def __init__(
        self,
        command: Callable[[], Sequence[str]],
        *,
        environment: Mapping[str, str],
        seconds: float,
        log: bool = False,
        on_kill: Callable[[], None] = lambda: None,
    ) -> None:
        """Store the command that starts the process.

        Args:
            command: returns the command.
            environment: its variables.
            seconds: longest time of a request.
            log: let what it prints appear among the errors of this process; elsewhere it is dropped.
            on_kill: ends what the end of the process leaves, as a container.
        """
        self._command, self._environment, self._seconds, self._on_kill = command, environment, seconds, on_kill
        self._errors = None if log else subprocess.DEVNULL
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, if it does not run, and wait until it is ready.

        Raises:
            OperatorError: it cannot be started, or refuses its files.
        """
        with self._lock:
            self._started()

    def predict(self, files: Mapping[str, bytes]) -> str:
        """Return the submission for the files of new rows.

        Raises:
            OperatorError: the predictor fails or takes too long.
        """
        request = {"files": {name: base64.b64encode(content).decode() for name, content in files.items()}}
        with self._lock:
            answer = self._ask(self._started(), json.dumps(request).encode() + b"\n", self._seconds)
        if "submission" in answer:
            try:
                return base64.b64decode(answer["submission"]).decode()
            except (binascii.Error, UnicodeDecodeError, TypeError) as error:
                msg = "the predictor wrote no text"
                raise OperatorError(msg) from error
        msg = f"the predictor failed: {first_line(str(answer.get('error', '')))}"
        raise OperatorError(msg)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(self._environment),
            start_new_session=True,
        )
        answer = self._ask(self._process, b"", _START_SECONDS)
        if not answer.get("ready"):
            self._end()
            msg = f"the predictor cannot be used: {first_line(str(answer.get('error', '')))}"
            raise OperatorError(msg)
        return self._process

    def _ask(self, process: "subprocess.Popen[bytes]", request: bytes, seconds: float) -> dict[str, Any]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._kill(process)

        timer = threading.Timer(seconds, expire)
        timer.start()
        try:
            if process.stdin is None or process.stdout is None:
                return {}
            process.stdin.write(request)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline(_MAX_ANSWER))
        except (OSError, ValueError) as error:
            timer.cancel()
            self._end()
            why = f"took more than {seconds:g} s" if expired.is_set() else f"ended with status {process.returncode}"
            msg = f"the process of the predictor {why}"
            raise OperatorError(msg) from error
        finally:
            timer.cancel()
        return answer if isinstance(answer, dict) else {}

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill(process)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process and those that it started: any of them could keep its pipe open."""
        self._on_kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()


def kept_variables() -> dict[str, str]:
    """Return the environment variables of this process that a predictor's process gets."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}
