"""Other tools of a benchmark as processes: scikit-learn on its tables, what noise gives, kills, environments."""

import os
import sys
import time
from pathlib import Path

import pytest

from mlestar.bench.peers import find_peers
from mlestar.bench.peers.environment import Environment
from mlestar.bench.peers.library import Library, LibraryPeer
from mlestar.bench.peers.process import run_command
from mlestar.bench.reliability import is_beyond_noise, measure_reliability
from tests.unit.peer_tasks import make_task


@pytest.mark.parametrize("style", ["csv", "german", "json"])
def test_scikit_learn_reads_any_style_of_table(tmp_path: Path, style: str) -> None:
    task = make_task(tmp_path / "task", style=style)
    (tmp_path / "out").mkdir()
    [tool] = find_peers(["sklearn"], [], seconds=60, cpus=1)
    outcome = tool.run(task, 0, tmp_path / "out")
    assert outcome.status == "graded", outcome.reason
    assert outcome.submission is not None
    assert (task.answers.grade(outcome.submission).score or 0) > 0.8


def test_models_that_learn_are_beyond_noise_and_in_order(tmp_path: Path) -> None:
    measured = measure_reliability(make_task(tmp_path / "task"), tmp_path / "noise", seconds=60, cpus=1, shuffles=3)
    assert len(measured.shuffled) == 3
    assert measured.in_order
    assert is_beyond_noise(measured.naive, measured)
    assert is_beyond_noise(measured.careful, measured)


def test_no_model_is_beyond_noise_where_features_say_nothing(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", informative=False)
    measured = measure_reliability(task, tmp_path / "noise", seconds=60, cpus=1)
    assert is_beyond_noise(measured.naive, measured) is False
    assert is_beyond_noise(measured.careful, measured) is False


def test_a_measurement_is_not_repeated(tmp_path: Path) -> None:
    task, folder = make_task(tmp_path / "task"), tmp_path / "noise"
    measured = measure_reliability(task, folder, seconds=60, cpus=1, shuffles=2)
    (folder / "log.txt").unlink()
    assert measure_reliability(task, folder, seconds=60, cpus=1, shuffles=2) == measured
    assert not (folder / "log.txt").exists()


def test_everything_that_a_command_started_is_killed_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlestar.bench.peers.process._GRACE_SECONDS", 0.0)
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    end = run_command(
        [sys.executable, "-c", parent], tmp_path / "log", seconds=2, cpus=1, variables=dict(os.environ), folder=tmp_path
    )
    assert end.exit_status is None
    assert end.reason.startswith("killed after")
    assert not is_alive(int(pid.read_text()))


def test_a_command_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    starter = (
        "import os, sys, pathlib, threading, time; from mlestar.bench.peers.process import run_command\n"
        f"pid, folder = pathlib.Path({str(pid)!r}), pathlib.Path({str(tmp_path)!r})\n"
        f"command = [sys.executable, '-c', {code!r}]\n"
        "options = dict(seconds=600, cpus=1, variables=dict(os.environ), folder=folder)\n"
        "threading.Thread(target=run_command, args=(command, folder / 'log'), kwargs=options, daemon=True).start()\n"
        "while not pid.exists() or not pid.read_text(): time.sleep(0.02)\n"
        "os._exit(9)"
    )
    os.waitpid(os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", starter]), 0)
    deadline = time.monotonic() + 10
    while is_alive(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(int(pid.read_text()))


def test_an_environment_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    environment = Environment("absent", (str(tmp_path / "absent-1.0-py3-none-any.whl"),), tmp_path / "cache")
    peer = LibraryPeer(Library("absent", "sklearn_model", environment=environment), 60, 1)
    outcome = peer.run(make_task(tmp_path / "task"), 0, tmp_path / "out")
    assert outcome.status == "unavailable"
    assert outcome.reason.startswith("the environment absent cannot be made")
    assert (tmp_path / "cache" / "absent.log").exists()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
