"""Commands of a benchmark: nothing that they started is left, and their logs do not fill the disk."""

import sys
from pathlib import Path

import pytest

from mlestar.bench.watched import MAX_LOG, run_watched
from tests.unit.processes_of_tests import is_gone, kill_caller, wait_for

DAEMON = """
import os, pathlib, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
        os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
    os._exit(0)
os.wait()
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.02)
"""
"""Starts a process in a session of its own, without the environment and with another parent."""
WATCH = """
import sys; from pathlib import Path; from mlestar.bench.watched import run_watched
run_watched(sys.argv[1:], log=Path("log"), seconds=None)
"""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has left the process group")


@on_linux
def test_what_left_the_process_group_ends_with_the_command(tmp_path: Path) -> None:
    ended = run_watched([sys.executable, "-c", DAEMON, tmp_path / "pid"], log=tmp_path / "log", seconds=None)
    assert ended.status == 0
    assert is_gone(wait_for(tmp_path / "pid"))


@on_linux
def test_what_left_the_process_group_ends_with_the_process_that_watches(tmp_path: Path) -> None:
    code = DAEMON + "time.sleep(600)"
    command = [sys.executable, "-c", WATCH, sys.executable, "-c", code, str(tmp_path / "pid")]
    kill_caller(command, tmp_path)


def test_orphans_that_end_do_not_end_the_command(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nif os.fork() == 0:\n  os.fork()\n  os._exit(0)\nos.wait(); time.sleep(0.3); sys.exit(4)"
    )
    assert run_watched([sys.executable, "-c", code], log=tmp_path / "log", seconds=None).status == 4


def test_a_log_that_grows_too_large_begins_anew(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        f"for _ in range({MAX_LOG // 2**20 + 1}): os.write(1, b'x' * 2**20)\n"
        "while not 0 < os.fstat(1).st_size < 2**20: time.sleep(0.02)\n"
        "print('the end')"
    )
    run_watched([sys.executable, "-c", code], log=tmp_path / "log", seconds=None)
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "were cut]\n" in text
    assert "the end\n" in text
    assert len(text) < MAX_LOG
