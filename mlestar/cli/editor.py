"""The person's editor: for answers at review points, and for replies of the model `ask`."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from mlestar.cli.console import Progress
from mlestar.errors import ModelError, OperatorError, StopRequested
from mlestar.llm.external import ASK, ModelCall

MARKER = "# ---- Write the reply below this line. Without one the run stops and can be resumed. ----"
END = f"\n\n{MARKER}\n"
"""What follows the prompt in the file that a person edits."""


def is_terminal() -> bool:
    """Whether a person can be asked here."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def edit(text: str, name: str = "proposal.txt") -> str:
    """Open a text in the person's editor and return what it became.

    Raises:
        OperatorError: the editor cannot be started or fails.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    screen = None if sys.stdout.isatty() else sys.stderr
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), str(path)], stdout=screen, check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            msg = f"the editor {command!r} failed ({error}): set EDITOR to another one"
            raise OperatorError(msg) from error
        return path.read_text(encoding="utf-8", errors="replace")


def write_reply(progress: Progress, call: ModelCall) -> str:
    """Open a model call in the person's editor and return the reply; progress is shown after it.

    Raises:
        ModelError: no person can be asked here.
        StopRequested: the person wrote nothing.
    """
    if not is_terminal():
        msg = f"model {ASK} needs a terminal, where an editor shows each prompt; programs use on_model_call or MCP"
        raise ModelError(msg)
    lines = [f"role {call.role}, track {call.track}", "", *call.system.splitlines(), "", *call.prompt.splitlines()]
    comment = "\n".join(f"# {line}".rstrip() for line in lines)
    with progress.held():
        text = edit(f"{comment}{END}", f"{call.role}.md")
    reply = _read_reply(text, comment)
    if not reply:
        raise StopRequested
    return reply


def _read_reply(text: str, comment: str) -> str:
    """Return what a person wrote below the prompt, or in place of the whole file; the prompt may contain the marker."""
    if text.startswith(comment + END):
        return text.removeprefix(comment + END).strip()
    lines = text.removeprefix(comment).split("\n")
    markers = [position for position, line in enumerate(lines) if line.rstrip() == MARKER]
    return "\n".join(lines[markers[-1] + 1 :] if markers else lines).strip()
