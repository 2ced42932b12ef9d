"""Human review in the terminal: ask for an answer to what is proposed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from rich.console import Console
from rich.prompt import Prompt

from mlestar.cli.editor import edit
from mlestar.cli.question_text import show_question
from mlestar.errors import SettingsError
from mlestar.files import read_regular
from mlestar.retrieval.cards import read_card
from mlestar.session.review_words import TEXTS
from mlestar.state import Action, Answer, Question


def ask_in_terminal(console: Console, question: Question) -> Answer:
    """Show a proposal and return the person's answer."""
    point, proposal = question.point, question.proposal
    show_question(console, question)
    choices: list[str] = list(question.actions)
    choice = Prompt.ask(f"[bold]{point}[/bold]", choices=choices, default="approve", console=console)
    action = next(action for action in question.actions if action == choice)
    if action in ("approve", "reject"):
        return Answer(action=action)
    if point == "models":
        path = Prompt.ask("card file (Markdown)", console=console)
        return Answer(action=action, cards=(read_card(Path(path)),))
    if point == "submission" and action == "replace":
        return Answer(action=action, text=Prompt.ask("solution", choices=proposal["others"], console=console))
    proposed = str(proposal[TEXTS[point]]) if action == "edit" else ""
    return Answer(action=action, text=edit(proposed))


def read_answer_items(items: Sequence[str]) -> tuple[Answer | None, list[str]]:
    """Return the answer that `key=value` items make up, None when there is none, and the items that are settings.

    A text or a card replaces what was decided, unless `action` names another action.

    Raises:
        SettingsError: a file cannot be read, or there is no such action.
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
        elif key == "action":
            values["action"] = value
        else:
            settings.append(item)
    if not values and not cards:
        return None, settings
    try:
        return Answer.model_validate({"action": "replace", **values, "cards": tuple(cards)}), settings
    except ValidationError:
        msg = f"--set action={values['action']}: choose one of {', '.join(get_args(Action))}"
        raise SettingsError(msg) from None


def _read_text(path: Path) -> str:
    try:
        return read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--set file={path}: it cannot be read as UTF-8 text"
        raise SettingsError(msg) from error
