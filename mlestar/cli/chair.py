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
