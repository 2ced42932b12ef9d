"""What a run asks a person, and where the answers come from."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlestar.errors import UserError
from mlestar.nodes.review import answer_key
from mlestar.runtime.options import OnQuestion
from mlestar.state import Answer, Question
from mlestar.store import Ledger, RunFolder


def read_question(value: Mapping[str, Any]) -> Question:
    """Return the question in the value of an interrupt."""
    asked = ("id", "point", "actions")
    proposal = {key: text for key, text in value.items() if key not in asked}
    return Question.model_validate({**{key: value[key] for key in asked}, "proposal": proposal})


async def find_answers(
    ledger: Ledger, questions: Mapping[str, Question], given: Mapping[str, Answer], ask: OnQuestion | None
) -> dict[str, Any]:
    """Return the answers there are, by the ids that the graph gave the questions; an answer is given once."""
    answers: dict[str, Any] = {}
    for key, question in questions.items():
        again = "problem" in question.proposal
        said = await asyncio.to_thread(ledger.recall, answer_key(question.id, question.proposal))
        if question.id in given and not again:
            answers[key] = given[question.id].model_dump()
        elif said is not None and not again:
            answers[key] = said
        elif ask is not None:
            answers[key] = (await asyncio.to_thread(ask, question)).model_dump()
    return answers


def write_questions(folder: RunFolder, questions: Iterable[Question]) -> None:
    """Leave questions in `questions.json`, each with an answer that can be edited."""
    asked = [{**question.model_dump(mode="json"), "answer": Answer().model_dump()} for question in questions]
    folder.write_json(folder.questions, asked)


def read_answers(path: Path) -> dict[str, Answer]:
    """Return the answers of a file: a copy of `questions.json` with its answers edited, or an object of answers by id.

    Raises:
        UserError: the file cannot be read or is neither.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        pairs = found.items() if isinstance(found, dict) else [(asked["id"], asked["answer"]) for asked in found]
        return {identity: Answer.model_validate(said) for identity, said in pairs}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"answers {path}: {str(error).splitlines()[0]}; edit a copy of questions.json in the run folder"
        raise UserError(msg) from error
