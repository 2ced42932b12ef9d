"""The host of the abuse tests: its state must be the same after each hostile script."""

import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.runners import Execution
from tests.abuse.case import Case

SECRET = "the secret of the host"
KEY = "sk-abuse-0123456789"
WATCHED = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/randomize_va_space")


@dataclass
class Host:
    """A host with secrets, and with a listener that no script may reach."""

    folder: Path
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("", 0)))
    connections: int = 0

    def __post_init__(self) -> None:
        (self.folder / "secret").write_text(SECRET)
        (self.folder / "other").mkdir()
        (self.folder / "other" / "main.py").write_text("another run")
        (self.folder / "input").mkdir()
        (self.folder / "input" / "train.csv").write_text("x,y\n1,2\n")
        threading.Thread(target=self._accept, daemon=True).start()
        self.before = self.state()
        self.started = time.time() - time.monotonic()

    def fill_in(self, case: Case) -> str:
        """Return the script with the paths and addresses of this host."""
        hosts = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        values = {
            "@SECRET@": str(self.folder / "secret"),
            "@OTHER@": str(self.folder / "other"),
            "@HOSTS@": repr(hosts),
            "@FIRST@": (hosts or ["127.0.0.1"])[0],
            "@PORT@": str(self.listener.getsockname()[1]),
        }
        script = case.script
        for name, value in values.items():
            script = script.replace(name, value)
        return script

    def state(self) -> dict[str, str]:
        """Return what no script may change."""
        paths = [Path(name) for name in WATCHED if Path(name).exists()]
        paths += sorted(path for path in self.folder.rglob("*") if path.is_file() and "work" not in path.parts)
        paths = [path for path in paths if "collect" not in path.parts]
        return {str(path): f"{path.read_text()} {path.stat().st_mode:o}" for path in paths}

    def check(self, execution: Execution, collect: Path) -> None:
        """Fail if a script has changed this host, reached it, or learned a secret."""
        assert self.state() == self.before
        assert self.connections == 0
        assert abs(time.time() - time.monotonic() - self.started) < 5
        assert collect.stat().st_uid == os.getuid()
        for path in collect.rglob("*"):
            assert path.is_file()
            assert not path.is_symlink()
            assert not path.stat().st_mode & 0o7111
            assert SECRET not in path.read_text(errors="replace")
        for text in (execution.stdout, execution.stderr, execution.detail):
            assert SECRET not in text
            assert KEY not in text

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:
                return
            self.connections += 1
