"""The human's chair in the terminal: show what is proposed, take an answer."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.prompt import Prompt
from rich.text import Text

from mlestar.api import Question
from mlestar.errors import SettingsError
from mlestar.search.cards import read_card
from mlestar.state import Answer

EDITABLE = {"ablation": "summary", "block": "block", "plan": "plan", "ensemble": "plan"}
"""Review points at which a text can be replaced, and the key of that text in the proposal."""


def ask_in_terminal(console: Console, question: Question) -> Answer:
    """Show a proposal and return the person's answer."""
    point, proposal = question.point, question.proposal
    for name, value in proposal.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        console.print(Panel(Text(text), title=Text(name), title_align="left", border_style="cyan"))
    choices = ["approve"]
    choices += ["edit"] if point in EDITABLE else []
    choices += ["add", "replace"] if point == "models" else []
    choices += ["veto"] if point == "submission" else []
    said = Prompt.ask(f"[bold]{point}[/bold]", choices=choices, default="approve", console=console)
    if said == "edit":
        return Answer(text=_edit(str(proposal[EDITABLE[point]])))
    if said in ("add", "replace"):
        path = Path(Prompt.ask("card file (Markdown)", console=console))
        return Answer(approve=said == "add", cards=(read_card(path),))
    return Answer(approve=said == "approve")


def as_answer(items: Sequence[str]) -> tuple[Answer | None, list[str]]:
    """Return the answer that `key=value` items make up, None when there is none, and the items that are settings.

    Raises:
        SettingsError: a file cannot be read.
    """
    values: dict[str, Any] = {}
    cards, settings = [], []
    for item in items:
        key, _, value = item.partition("=")
        if key == "text":
            values["text"] = value
        elif key == "file":
            values["text"] = _read_text(Path(value))
        elif key == "card":
            cards.append(read_card(Path(value)))
        elif key == "approve":
            values["approve"] = value.lower() not in ("false", "no", "0")
        else:
            settings.append(item)
    return (Answer(**values, cards=tuple(cards)) if values or cards else None), settings


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--set file={path}: it cannot be read as UTF-8 text"
        raise SettingsError(msg) from error


def is_terminal() -> bool:
    """Tell whether a person can be asked here."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _edit(text: str) -> str:
    """Return the text after the person's editor has had it."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposal.txt"
        path.write_text(text, encoding="utf-8")
        subprocess.run([*editor.split(), str(path)], check=True)
        return path.read_text(encoding="utf-8")
