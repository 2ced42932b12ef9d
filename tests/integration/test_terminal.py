"""A run in a terminal: its live view, the same view from another process, Ctrl-C, and a question."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlestar.progress import read_events
from tests.integration.command import SECONDS, mlestar_command
from tests.integration.terminal import Terminal
from tests.unit.scenario import count_rows, make_task

QUICK = ["--model", "offline", "--runner", "local", "--profile", "quick", "--trust", "--set", "outer_steps=0"]
SMALLEST = [*QUICK, "--set", "retrieved_models=1", "--set", "fresh_splits=0", "--set", "baselines=false"]

Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a command in a terminal, which is ended after the test."""
    terminals: list[Terminal] = []

    def begin(*arguments: object, columns: int = 80) -> Terminal:
        terminals.append(Terminal(mlestar_command(*arguments), columns))
        return terminals[-1]

    yield begin
    for terminal in terminals:
        terminal.close()


def write_task(folder: Path) -> Path:
    return count_rows(make_task(folder / "signs"))


def test_a_run_and_its_watcher_fit_their_terminals(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = start("run", write_task(tmp_path), *SMALLEST, "--run-id", "r", "--runs-dir", "runs", columns=72)
    assert run.read_until("script 0:0", SECONDS), run.output[-2000:]
    watch = start("watch", "r", "--runs-dir", "runs", columns=100)
    assert run.wait(SECONDS) == 0, run.output[-2000:]
    assert watch.wait(SECONDS) == 0, watch.output[-2000:]
    assert run.widest <= 72
    assert watch.widest <= 100
    for terminal in (run, watch):
        assert sum("signs: solved" in line for line in terminal.screen) == 1
        assert sum(" is valid: exporting it" in line for line in terminal.screen) == 1
        assert not [line for line in terminal.screen if line.startswith(("run    r", "best   ", "t0     "))]
        assert "best   " in terminal.output
    assert read_events(tmp_path / "runs/r/events.jsonl")[-1].status == "solved"


def test_ctrl_c_removes_the_view_and_says_how_to_resume(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = start("run", write_task(tmp_path), *SMALLEST, "--run-id", "r", "--runs-dir", "runs")
    assert run.read_until("script 0:0", SECONDS), run.output[-2000:]
    run.interrupt()
    assert run.read_until("finishing what is running", 60)
    assert run.wait(SECONDS) == 130
    assert "mlestar resume r" in " ".join(run.screen[-4:])
    assert run.output.rstrip().rfind("\x1b[?25h") > run.output.rfind("\x1b[?25l")


def test_a_question_is_asked_without_the_view(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--run-id", "r", "--runs-dir", "runs", "--review", "models"]
    run = start("run", write_task(tmp_path), *SMALLEST, *options)
    assert run.read_until("(approve)", SECONDS), run.output[-2000:]
    assert "best   " not in run.read_for(3)
    assert "Which models does this track try first?" in "\n".join(run.screen)
    run.write("approve\n")
    assert run.wait(SECONDS) == 0, run.output[-2000:]
