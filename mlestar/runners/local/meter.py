"""How much memory of its GPUs a local script uses, sampled from outside of it."""

import contextlib
import subprocess
import threading
from collections.abc import Sequence

from mlestar.runners.base import Gpu
from mlestar.runners.gpus import parse_usage, usage_command

SAMPLE_MS = 500
"""Time between two samples. Chosen by judgement; not measured."""


class Meter:
    """The largest memory in use on one of some devices."""

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self.peak_mb: int | None = None
        """None before the first sample."""
        self._uuids = [gpu.uuid for gpu in gpus]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start sampling; without devices, or where `nvidia-smi` cannot be started, nothing is known."""
        if not self._uuids:
            return
        nothing, command = subprocess.DEVNULL, usage_command(SAMPLE_MS)
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(command, text=True, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
            self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
            self._reader.start()

    def stop(self) -> None:
        """End sampling."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(10)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        with process:
            for line in process.stdout or ():
                if used := parse_usage(line, self._uuids):
                    self.peak_mb = max(self.peak_mb or 0, used)
