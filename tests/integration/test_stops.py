"""What stops a run from outside: a full disk, a lost engine, a dead provider, Ctrl-C, a question without a terminal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.command import SECONDS, mlestar_command, run_mlestar
from tests.integration.provider import Provider
from tests.integration.socket_proxy import SocketProxy
from tests.unit.method import METHOD
from tests.unit.scenario import Scenario, count_rows, make_task

OPTIONS = ["--runner", "local", "--profile", "quick", "--json"]
OFFLINE = ["--model", "offline", *OPTIONS]


def write_task(folder: Path) -> Path:
    return count_rows(make_task(folder / "signs"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk that can be made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def work(folder: Path, runs: Path, provider: Provider) -> subprocess.CompletedProcess[str]:
    """Run a scripted session in a process of its own, whose errors are printed as on the command line."""
    code = (
        "import sys; from pathlib import Path; from mlestar.errors import OperatorError\n"
        "from tests.integration import session\n"
        "folder, runs, url = sys.argv[1:]\n"
        "try: session.work(Path(folder), url, Path(folder) / 'log', 0.0, {'runs_dir': Path(runs)})\n"
        "except OperatorError as error: sys.exit(f'{type(error).__name__}: {error}')\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(runs), provider.url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)


def test_a_full_disk_stops_the_run_and_with_more_space_it_resumes(tmp_path: Path, small_disk: Path) -> None:
    write_task(tmp_path)
    with Provider(Scenario(METHOD).answer) as provider:
        stopped = work(tmp_path, small_disk, provider)
        prompts = list(provider.prompts)
        assert stopped.stderr.startswith("StoreError: "), stopped.stderr[-2000:]
        assert len(stopped.stderr.strip().splitlines()) == 1
        resize = ["mount", "-o", "remount,size=100m", str(small_disk)]
        subprocess.run(resize, check=True)
        done = work(tmp_path, small_disk, provider)
        assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((small_disk / "run/result.json").read_text(encoding="utf-8"))
    assert result["status"] == "solved"
    repeated = set(prompts) & set(provider.prompts[len(prompts) :])
    assert len(repeated) <= 6, "at most the calls in flight when the disk was full are repeated"
    assert len(prompts) > len(repeated)


def test_a_dead_provider_stops_the_run_with_the_best_so_far(tmp_path: Path) -> None:
    write_task(tmp_path)

    def answer(role: str, prompt: str) -> str:
        provider.dead = provider.dead or role == "ablator"
        return scenario.answer(role, prompt)

    scenario = Scenario(METHOD)
    with Provider(answer) as provider:
        stopped = work(tmp_path, tmp_path / "runs", provider)
        assert stopped.stderr.startswith("ModelError: "), stopped.stderr[-2000:]
        result = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
        assert result["status"] == "stopped"
        assert Path(result["submission"]).is_file()
        provider.dead = False
        provider.answer = scenario.answer
        assert work(tmp_path, tmp_path / "runs", provider).returncode == 0


@pytest.mark.docker
def test_a_lost_engine_stops_the_run_and_it_resumes_once_the_engine_is_back(tmp_path: Path) -> None:
    options = ["--runs-dir", tmp_path / "runs"]
    command = [
        "run",
        write_task(tmp_path),
        "--model",
        "offline",
        "--profile",
        "quick",
        "--runner",
        "docker",
        "--run-id",
        "run",
    ]
    with SocketProxy("/var/run/docker.sock") as proxy:
        arguments = mlestar_command(*command, *options)
        environment = {**os.environ, "DOCKER_HOST": proxy.address}
        with subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "candidate" in line:
                    break
            proxy.cut()
            _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "continue with: mlestar resume run" in errors
    done = run_mlestar("resume", "run", *options, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "solved"


def start_offline_run(folder: Path) -> subprocess.Popen[str]:
    """Start a run with the offline engineer in a session of its own, with its progress in a pipe."""
    command = mlestar_command("run", folder / "signs", *OFFLINE, "--runs-dir", folder / "runs", "--run-id", "run")
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def interrupt(folder: Path, times: int) -> tuple[int, str]:
    """Send Ctrl-C to a run when its first solution has been graded; return its status and its progress."""
    with start_offline_run(folder) as process:
        assert process.stderr is not None
        progress = ""
        for line in process.stderr:
            progress += line
            if "candidate" in line and times:
                process.send_signal(signal.SIGINT)
                times -= 1
            if "once more stops at once" in line and times:
                process.send_signal(signal.SIGINT)
                times -= 1
        process.wait(timeout=120)
    return process.returncode, progress


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_saves_the_run_and_prints_how_to_resume(tmp_path: Path, times: int) -> None:
    write_task(tmp_path)
    status, progress = interrupt(tmp_path, times)
    assert status == 130, progress
    assert f"continue with: mlestar resume run --runs-dir {tmp_path / 'runs'}" in progress.splitlines()[-1]
    assert ("what was running is finished" in progress) == (times == 1)
    result = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert result["status"] == "stopped"
    done = run_mlestar("resume", "run", "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr


def test_without_a_terminal_a_question_pauses_with_status_3_and_a_file_answers_it(tmp_path: Path) -> None:
    options = ["--runs-dir", tmp_path / "runs"]
    paused = run_mlestar("run", write_task(tmp_path), *OFFLINE, *options, "--run-id", "run", "--review", "submission")
    assert paused.returncode == 3, paused.stderr
    questions = tmp_path / "runs/run/questions.json"
    assert run_mlestar("resume", "run", *options).returncode == 3
    done = run_mlestar("resume", "run", *options, "--answer", questions, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "solved"


def test_a_second_process_on_a_run_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path)
    with start_offline_run(tmp_path) as process:
        assert process.stderr is not None
        process.stderr.readline()
        refused = run_mlestar("resume", "run", "--runs-dir", tmp_path / "runs")
        process.kill()
    assert refused.returncode == 1
    assert f"in use by process {process.pid}" in refused.stderr
