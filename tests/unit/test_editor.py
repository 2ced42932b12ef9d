"""The model `ask` in the terminal: an editor opens each prompt, and progress waits meanwhile."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mlestar.cli.console import Progress
from mlestar.cli.editor import MARKER, edit, write_reply
from mlestar.errors import OperatorError, StopRequested
from mlestar.events import Event
from mlestar.llm.external import ModelCall
from tests.unit.command_line import call as run_command
from tests.unit.scenario import signs

CALL = ModelCall(id="a1", role="coder", track=1, system="You are an engineer.", prompt="# Task\n\nWrite code.")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Make the streams of this process a terminal, with an editor."""
    monkeypatch.setenv("EDITOR", command)
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())


def editor(folder: Path, code: str) -> str:
    """Return an editor that does something to the file at `path`."""
    script = folder / "an editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{code}\n", encoding="utf-8")
    return f"{sys.executable} '{script}'"


def test_the_text_below_the_prompt_is_the_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = f"pathlib.Path({str(tmp_path / 'seen.txt')!r}).write_text(path.read_text())"
    reply = "```python\n# a comment of the reply\nprint(1)\n```"
    append = f"path.write_text(path.read_text() + {reply!r})"
    use_terminal(monkeypatch, editor(tmp_path, f"{copy}\n{append}"))
    assert write_reply(Progress(Console(file=io.StringIO())), CALL) == reply
    shown = (tmp_path / "seen.txt").read_text(encoding="utf-8").splitlines()
    assert {"# role coder, track 1", "# You are an engineer.", "# # Task", "# Write code."} <= set(shown)
    assert all(line.startswith("#") for line in shown if line)
    assert shown[-1] == MARKER


def test_a_file_that_is_left_as_it_was_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_terminal(monkeypatch, editor(tmp_path, ""))
    with pytest.raises(StopRequested):
        write_reply(Progress(Console(file=io.StringIO())), CALL)


QUOTING = CALL.model_copy(update={"prompt": f"Task\n{MARKER}\n{MARKER.removeprefix('# ')}\nimport os"})
"""Its prompt contains the line that ends the prompt, as it is and as it looks once it is a comment."""


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        ("", None),
        ("path.write_text(path.read_text().rstrip())", None),
        ("path.write_text('')", None),
        ("path.write_text(path.read_text() + 'reply')", "reply"),
        (f"path.write_text(path.read_text() + 'one\\n{MARKER}\\ntwo')", f"one\n{MARKER}\ntwo"),
        ("path.write_text(path.read_text()[100:] + 'reply')", "reply"),
        ("path.write_text('the reply and nothing else')", "the reply and nothing else"),
        (f"path.write_text(path.read_text().removesuffix({MARKER!r} + chr(10)) + 'reply')", "reply"),
    ],
)
def test_a_prompt_that_contains_the_marker_is_no_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reply: str | None
) -> None:
    use_terminal(monkeypatch, editor(tmp_path, code))
    progress = Progress(Console(file=io.StringIO()))
    if reply is None:
        with pytest.raises(StopRequested):
            write_reply(progress, QUOTING)
    else:
        assert write_reply(progress, QUOTING) == reply


@pytest.mark.parametrize("command", ["/nowhere/editor", f"{sys.executable} -c 'raise SystemExit(3)'", "'unclosed"])
def test_an_editor_that_fails_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("EDITOR", command)
    with pytest.raises(OperatorError, match="set EDITOR to another one") as error:
        edit("text")
    assert "\n" not in str(error.value)


def test_lines_of_progress_wait_for_the_editor_to_close() -> None:
    shown = io.StringIO()
    progress = Progress(Console(file=shown))
    with progress.held():
        progress(Event(stage="rank", message="first"))
        assert shown.getvalue() == ""
    progress(Event(stage="rank", message="second"))
    assert [line.split()[-1] for line in shown.getvalue().splitlines()] == ["first", "second"]


def test_without_a_terminal_the_model_is_refused_in_one_line(tmp_path: Path) -> None:
    options = ["--model", "ask", "--runner", "local", "--runs-dir", tmp_path / "runs", "--run-id", "run"]
    done = run_command("run", signs().folder, *options)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("mlestar: model ask needs a terminal")
    assert "mlestar resume run" in line
