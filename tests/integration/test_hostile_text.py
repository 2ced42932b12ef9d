"""Hostile text on its way to a terminal, through the command line as people use it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from mlestar.cli.console import Progress, show_result
from mlestar.cli.terminal import Console
from mlestar.events import Event
from mlestar.report import Result
from tests.integration.command import mlestar_command, run_mlestar
from tests.unit.hostile import HOSTILE, hidden_marks

TEXT = (
    "".join(text for name, text in HOSTILE.items() if name not in ("surrogate", "nul and delete")) + "\x7fÜ界👩\u200d💻"
)
NAME = TEXT.replace("/", "")[:60] + "界"
"""A file name may have 255 bytes and no slash."""
STYLE = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|1A|2K)|\r(?=\x1b\[)")
"""What the console itself writes on a terminal: styles, and how the live view hides the cursor and clears its lines."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "task.md").write_text("Predict y. The metric is RMSE.\n")
    rows = range(60)
    (folder / "train.csv").write_text("id,a,y\n" + "".join(f"{row},{row % 7},{row % 5}\n" for row in rows))
    (folder / "test.csv").write_text("id,a\n" + "".join(f"{row + 60},{row % 7}\n" for row in rows))
    return folder


def toml(text: str) -> str:
    return "".join(f"\\U{ord(mark):08x}" for mark in text)


def name_a_folder(folder: Path) -> tuple[object, ...]:
    return ("check", folder / NAME)


def name_a_file(folder: Path) -> tuple[object, ...]:
    (folder / f"train{NAME}.csv").write_bytes(b"\xff\xfe\x00")
    (folder / "train.csv").unlink()
    return ("check", folder)


def set_a_value(folder: Path) -> tuple[object, ...]:
    (folder / "task.toml").write_text(f'metric = "{toml(TEXT)}"\n')
    return ("check", folder)


def set_a_key(folder: Path) -> tuple[object, ...]:
    (folder / "task.toml").write_text(f'"{toml(TEXT)}" = 1\n')
    return ("check", folder)


def name_a_column(folder: Path) -> tuple[object, ...]:
    column = '"' + TEXT.replace('"', "") + '"'
    (folder / "train.csv").write_text(f"id,{column},{column},y\n1,2,3,4\n", newline="")
    return ("check", folder)


def show_a_column(folder: Path) -> tuple[object, ...]:
    (folder / "task.toml").write_text(f'target = "{toml("y" + TEXT)}"\n')
    column = '"y' + TEXT.replace('"', "") + '"'
    lines = (folder / "train.csv").read_text().replace("id,a,y", f"id,a,{column}", 1)
    (folder / "train.csv").write_text(lines, newline="")
    return ("check", folder)


def name_a_run(folder: Path) -> tuple[object, ...]:
    return ("resume", TEXT, "--runs-dir", folder)


def name_an_option(folder: Path) -> tuple[object, ...]:
    return ("check", folder, f"--{TEXT}")


def name_a_command(folder: Path) -> tuple[object, ...]:
    return (TEXT,)


def name_a_card(folder: Path) -> tuple[object, ...]:
    options = ("--model", "offline", "--runner", "local", "--runs-dir", folder.parent / "runs")
    return ("run", folder, "--card", folder / NAME, *options)


COMMANDS = (
    name_a_folder,
    name_a_file,
    set_a_value,
    set_a_key,
    name_a_column,
    show_a_column,
    name_a_run,
    name_an_option,
    name_a_command,
    name_a_card,
)


def in_terminal(arguments: tuple[object, ...]) -> str:
    """Return what a command writes to a terminal, without the styles of the console."""
    screen, end = pty.openpty()
    process = subprocess.Popen(mlestar_command(*arguments), stdin=subprocess.DEVNULL, stdout=end, stderr=end)
    os.close(end)
    output = b""
    try:
        while block := os.read(screen, 2**16):
            output += block
    except OSError:  # Linux ends the reading side of a terminal with an error
        pass
    os.close(screen)
    process.wait()
    return STYLE.sub("", output.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_no_control_character_reaches_the_terminal(folder: Path, command: Callable[[Path], tuple[object, ...]]) -> None:
    arguments = command(folder)
    ended = run_mlestar(*arguments)
    printed = ended.stdout + ended.stderr
    assert hidden_marks(printed) == []
    assert hidden_marks(in_terminal(arguments)) == []
    assert "Traceback" not in printed
    assert "界" in printed or "red" in printed


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_progress_and_result_are_clean_on_a_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console: RichConsole = Console(force_terminal=True, width=100)
    Progress(console)(Event(stage="evaluate", message=f"ValueError: {text} 界"))
    result = Result.model_construct(run_id="run", status="no_solution", folder="/x", task=f"task{text}", message=text)
    show_result(console, result)
    shown = STYLE.sub("", capsys.readouterr().out)
    assert hidden_marks(shown) == []
    assert "界" in shown


def test_a_defect_prints_a_clean_traceback() -> None:
    code = "import mlestar.cli as cli; cli.app = lambda: {}['\\u202e']; cli.main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert hidden_marks(ended.stderr) == []
    assert "KeyError" in ended.stderr
