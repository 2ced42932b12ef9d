"""The human's chair in the terminal: show what is proposed, take an answer."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.prompt import Prompt
from rich.text import Text

from mlestar.api import Question
from mlestar.search.cards import read_card
from mlestar.state import Answer

TEXTS = {"ablation": "summary", "block": "block", "plan": "plan", "ensemble": "plan", "submission": "script"}
"""Review points that propose a text, and its key in the proposal."""


def ask_in_terminal(console: Console, question: Question) -> Answer:
    """Show a proposal and return the person's answer."""
    point, proposal = question.point, question.proposal
    for name, value in proposal.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        console.print(Panel(Text(text), title=Text(name), title_align="left", border_style="cyan"))
    choices: list[str] = list(question.actions)
    said = Prompt.ask(f"[bold]{point}[/bold]", choices=choices, default="approve", console=console)
    action = next(known for known in question.actions if known == said)
    if action in ("approve", "reject"):
        return Answer(action=action)
    if point == "models":
        return Answer(action=action, cards=(read_card(Path(Prompt.ask("card file (Markdown)", console=console))),))
    if point == "submission" and action == "replace":
        return Answer(action=action, text=Prompt.ask("solution", choices=proposal["others"], console=console))
    return Answer(action=action, text=_edit(str(proposal[TEXTS[point]]) if action == "edit" else ""))


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
