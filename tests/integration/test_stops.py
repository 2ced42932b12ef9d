"""Stops from outside: a full disk, a lost engine, a dead provider, Ctrl-C, a question that nobody answers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import session
from tests.integration.provider import Provider
from tests.integration.socket_proxy import SocketProxy
from tests.unit.scenario import Scenario, count_rows, make_task

OPTIONS = ["--runner", "local", "--profile", "quick", "--json"]
OFFLINE = ["--model", "offline", *OPTIONS]


def mlestar(*arguments: object, **options: object):
    command = [sys.executable, "-m", "mlestar", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, **options)


def task(folder: Path) -> Path:
    return count_rows(make_task(folder / "signs"))


@pytest.fixture
def small_disk(tmp_path: Path):
    """A separate disk that can be made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def work(folder: Path, runs: Path, provider: Provider) -> subprocess.CompletedProcess[str]:
    """Run a scripted session in another process; its errors end as on the command line."""
    code = (
        "import sys; from pathlib import Path; from mlestar.errors import OperatorError\n"
        "from tests.integration import session\n"
        "folder, runs, url = sys.argv[1:]\n"
        "try: session.work(Path(folder), url, Path(folder) / 'log', 0.0, {'runs_dir': Path(runs)})\n"
        "except OperatorError as error: sys.exit(f'{type(error).__name__}: {error}')\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(runs), provider.url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def test_a_full_disk_stops_the_run_and_with_more_space_it_continues(tmp_path: Path, small_disk: Path) -> None:
    task(tmp_path)
    with Provider(Scenario(**session.METHOD).answer) as provider:
        stopped = work(tmp_path, small_disk, provider)
        prompts = list(provider.asked)
        assert stopped.stderr.startswith("StoreError: "), stopped.stderr[-2000:]
        assert len(stopped.stderr.strip().splitlines()) == 1
        resize = ["mount", "-o", "remount,size=100m", str(small_disk)]
        subprocess.run(resize, check=True)
        done = work(tmp_path, small_disk, provider)
        assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((small_disk / "run/result.json").read_text(encoding="utf-8"))
    assert result["status"] == "solved"
    again = set(prompts) & set(provider.asked[len(prompts) :])
    assert len(again) <= 6, "at most the calls in flight when the disk was full are repeated"
    assert len(prompts) > len(again)


def test_a_dead_provider_stops_the_run_with_the_best_so_far(tmp_path: Path) -> None:
    task(tmp_path)

    def answer(role: str, prompt: str) -> str:
        provider.dead = provider.dead or role == "ablator"
        return scenario.answer(role, prompt)

    scenario = Scenario(**session.METHOD)
    with Provider(answer) as provider:
        stopped = work(tmp_path, tmp_path / "runs", provider)
        assert stopped.stderr.startswith("ModelError: "), stopped.stderr[-2000:]
        reached = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
        assert reached["status"] == "stopped"
        assert Path(reached["submission"]).is_file()
        provider.dead = False
        provider._answer = scenario.answer
        assert work(tmp_path, tmp_path / "runs", provider).returncode == 0


@pytest.mark.docker
def test_a_lost_engine_stops_the_run_and_once_it_is_back_the_run_continues(tmp_path: Path) -> None:
    folder, options = task(tmp_path), ["--runs-dir", tmp_path / "runs"]
    command = ["run", folder, "--model", "offline", "--profile", "quick", "--runner", "docker", "--run-id", "run"]
    with SocketProxy("/var/run/docker.sock") as proxy:
        arguments = [sys.executable, "-m", "mlestar", *map(str, [*command, *options])]
        environment = {**os.environ, "DOCKER_HOST": proxy.address}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(arguments, env=environment, **pipes) as process:
            for line in process.stdout:
                if "candidate" in line:
                    break
            proxy.cut()
            _, output = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "go on with: mlestar resume run" in output
    done = mlestar("resume", "run", *options, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "solved"


def interrupt(folder: Path, times: int) -> tuple[int, str]:
    """Run the offline engineer and send Ctrl-C when the first solution has been graded."""
    command = [sys.executable, "-m", "mlestar", "run", str(folder / "signs"), *OFFLINE]
    command += ["--runs-dir", str(folder / "runs"), "--run-id", "run"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        output = ""
        for line in process.stderr:
            output += line
            if "candidate" in line and times:
                process.send_signal(signal.SIGINT)
                times -= 1
            if "once more stops at once" in line and times:
                process.send_signal(signal.SIGINT)
                times -= 1
        process.wait(timeout=120)
    return process.returncode, output


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_saves_the_run_and_prints_how_to_resume_it(tmp_path: Path, times: int) -> None:
    task(tmp_path)
    status, output = interrupt(tmp_path, times)
    assert status == 130, output
    assert f"go on with: mlestar resume run --runs-dir {tmp_path / 'runs'}" in output.splitlines()[-1]
    assert ("finished and saved" in output) == (times == 1)
    reached = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert reached["status"] == "stopped"
    done = mlestar("resume", "run", "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr


def test_without_a_terminal_a_question_pauses_with_status_3_and_takes_a_file(tmp_path: Path) -> None:
    where = ["--runs-dir", tmp_path / "runs"]
    paused = mlestar("run", task(tmp_path), *OFFLINE, *where, "--run-id", "run", "--review", "submission")
    assert paused.returncode == 3, paused.stderr
    questions = tmp_path / "runs/run/questions.json"
    assert mlestar("resume", "run", *where).returncode == 3
    done = mlestar("resume", "run", *where, "--answer", questions, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "solved"


def test_a_second_process_on_a_run_is_refused(tmp_path: Path) -> None:
    task(tmp_path)
    command = [sys.executable, "-m", "mlestar", "run", str(tmp_path / "signs"), *OFFLINE]
    command += ["--runs-dir", str(tmp_path / "runs"), "--run-id", "run"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stderr.readline()
        refused = mlestar("resume", "run", "--runs-dir", tmp_path / "runs")
        process.kill()
    assert refused.returncode == 1
    assert f"in use by process {process.pid}" in refused.stderr
