"""What people send from the page, as orders; what cannot be used is an error of one line."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl

from starlette.requests import Request

from mlestar.errors import SettingsError, UserError
from mlestar.llm.external import ModelCall
from mlestar.retrieval.cards import format_card, parse_card
from mlestar.settings import BUDGET, ReviewPoint
from mlestar.settings.sources import read_layers
from mlestar.state import Action, Answer, ModelCard, Question
from mlestar.store import RunFolder, make_run_id
from mlestar.ui.order import Order

MOST_BYTES = 8 * 2**20
"""Of a form. An answer may be a whole script, and a page can have several. Chosen by judgement."""
CAPS = tuple(name for name in BUDGET if name != "parallel")
TEXT_FIELDS = ("goal", "target", "metric", "profile", "model", "runner", *CAPS)
"""Settings of the form for a new run, besides the review points."""
REVIEW_POINTS: tuple[ReviewPoint, ...] = get_args(ReviewPoint)
SETTINGS = "settings"
"""Name of the decision of a fork in which only settings differ."""
CHANGING: tuple[Action, ...] = ("edit", "replace", "add")
"""Actions that take a text or cards."""
BETWEEN_CARDS = "\n\n---\n\n"


class Form:
    """The fields of a form."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            # Browsers end the lines of a text area by two characters.
            self._values.setdefault(name, []).append(value.replace("\r\n", "\n"))

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a field."""
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])


async def read_form(request: Request) -> Form:
    """Return the form that a request brings.

    Raises:
        UserError: it is too large or not a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        msg = "send a form (application/x-www-form-urlencoded)"
        raise UserError(msg)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            msg = f"the form is larger than {MOST_BYTES >> 20} MB"
            raise UserError(msg)
    return Form(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))


def start_order(form: Form, runs_dir: Path, taken: Sequence[str] = ()) -> Order:
    """Return the order for a new run.

    Args:
        form: of the page for a new run.
        runs_dir: folder that holds the run folders.
        taken: ids of runs whose folders need not exist yet.

    Raises:
        UserError: there is no such folder, or a setting cannot be used.
    """
    text = form.get("folder").strip()
    if not text:
        msg = "folder: give the path of a folder with a task, or of the file of a table"
        raise SettingsError(msg)
    task = Path(text).expanduser().absolute()
    if not task.exists():
        msg = f"folder: there is no {task}"
        raise SettingsError(msg)
    values: dict[str, Any] = {name: form.get(name).strip() for name in TEXT_FIELDS if form.get(name).strip()}
    if points := form.all("review"):
        values["review"] = points
    read_layers({**values, "runs_dir": runs_dir}).settings()
    name = form.get("run_id").strip() or _free_name(runs_dir, make_run_id(task.stem), taken)
    folder = RunFolder(runs_dir, name)
    if folder.path.exists() or name in taken:
        msg = f"run_id: run {name} exists: choose another name"
        raise SettingsError(msg)
    return Order(do="solve", run_id=name, runs_dir=runs_dir.absolute(), task=str(task), settings=values)


def _free_name(runs_dir: Path, name: str, taken: Sequence[str]) -> str:
    """Return a name that no run has."""
    candidates = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(one for one in candidates if one not in taken and not (runs_dir / one).exists())


def resume_order(form: Form, folder: RunFolder) -> Order:
    """Return the order to resume a run, perhaps with other caps."""
    caps = {name: form.get(name).strip() for name in CAPS if form.get(name).strip()}
    return Order(do="resume", run_id=folder.run_id, runs_dir=folder.path.parent, settings=caps)


def answer_order(form: Form, folder: RunFolder, questions: Sequence[Question | ModelCall]) -> Order:
    """Return the order to resume a run with the answers of a form; what is left open is asked again.

    Raises:
        UserError: no question of the run is answered, or an answer lacks its text.
    """
    answers: dict[str, Answer | str] = {}
    known = {question.id: question for question in questions}
    for number, identity in enumerate(form.all("question")):
        question = known.get(identity)
        if question is None:
            msg = f"run {folder.run_id} does not ask {identity} any more: open its page again"
            raise UserError(msg)
        answer = _answer(form, number, question)
        if answer is not None:
            answers[identity] = answer
    if not answers:
        msg = "nothing is answered"
        raise UserError(msg)
    return Order(do="resume", run_id=folder.run_id, runs_dir=folder.path.parent, answers=answers)


def _answer(form: Form, number: int, question: Question | ModelCall) -> Answer | str | None:
    text = form.get(f"text-{number}")
    if isinstance(question, ModelCall):
        return text if text.strip() else None
    action = form.get(f"action-{number}")
    if not action:
        return None
    if question.point == "submission" and action == "replace":
        text = form.get(f"other-{number}")
    proposed = [ModelCard.model_validate(card) for card in question.proposal.get("cards", ())]
    return make_answer(question.point, question.id, action, text, question.actions, proposed)


def make_answer(
    point: str, identity: str, action: str, text: str, actions: Sequence[Action], proposed: Sequence[ModelCard] = ()
) -> Answer:
    """Return an answer from what a person chose and wrote.

    Raises:
        UserError: the action is not possible here, or it lacks its text.
    """
    chosen = next((one for one in actions if one == action), None)
    if chosen is None:
        msg = f"{identity}: {action} is not possible here; choose one of {', '.join(actions)}"
        raise UserError(msg)
    if chosen not in CHANGING:
        return Answer(action=chosen)
    if not text.strip():
        msg = f"{identity}: to {action}, write the text"
        raise UserError(msg)
    if point != "models":
        return Answer(action=chosen, text=text)
    cards = read_cards(text)
    unchanged = {format_card(card) for card in proposed} if chosen == "edit" else set()
    changed = tuple(card for card in cards if format_card(card) not in unchanged)
    if not changed:
        msg = f"{identity}: no card is changed; approve the proposal, or edit a card"
        raise UserError(msg)
    return Answer(action=chosen, cards=changed)


def format_cards(cards: Iterable[ModelCard]) -> str:
    """Return cards as one text that a person edits."""
    return BETWEEN_CARDS.join(format_card(card) for card in cards)


def read_cards(text: str) -> list[ModelCard]:
    """Return the cards in a text: separated by lines of `---` outside of code."""
    parts, is_code = [""], False
    for line in text.split("\n"):
        is_code ^= line.lstrip().startswith("```")
        if line.strip() == "---" and not is_code:
            parts.append("")
        else:
            parts[-1] += line + "\n"
    texts = [part.strip() for part in parts if part.strip()]
    return [parse_card(part, f"card {number}", "a person") for number, part in enumerate(texts, 1)]


def fork_order(
    form: Form, folder: RunFolder, decisions: Sequence[str], actions: Mapping[ReviewPoint, Sequence[Action]]
) -> Order:
    """Return the order to run again with one decision replaced.

    Raises:
        UserError: there is no such decision, nothing replaces it, or a setting cannot be used.
    """
    at = form.get("at")
    if at != SETTINGS and at not in decisions:
        msg = f"run {folder.run_id} has no decision {at!r}"
        raise UserError(msg)
    settings = read_settings_lines(form.get("settings"))
    answer = None
    if at != SETTINGS:
        point = next(point for point in REVIEW_POINTS if at.startswith(f"{point}:"))
        answer = make_answer(point, at, form.get("action"), form.get("text"), actions[point])
    elif not settings:
        msg = "settings: write at least one setting that differs, as name=value"
        raise SettingsError(msg)
    candidates = (f"{folder.run_id}-fork{number}" for number in range(1, 1000))
    name = next(one for one in candidates if not (folder.path.parent / one).exists())
    return Order(
        do="fork",
        run_id=name,
        runs_dir=folder.path.parent,
        source=folder.run_id,
        at=at,
        answer=answer,
        settings=settings,
    )


def read_settings_lines(text: str) -> dict[str, Any]:
    """Return the settings in lines of `name=value`; `name.part=value` sets a part of one.

    Raises:
        SettingsError: a line has no name or no value.
    """
    settings: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.split("\n"))):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name:
            msg = f"settings: {line!r}: write name=value"
            raise SettingsError(msg)
        name, dot, part = name.partition(".")
        if dot:
            settings[name] = {**(settings[name] if isinstance(settings.get(name), dict) else {}), part: value}
        else:
            settings[name] = value
    return settings
