"""Questions of a run to whoever answers, and the sources of answers."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlestar.errors import UserError
from mlestar.files import read_regular
from mlestar.llm.external import ModelCall
from mlestar.runtime.answers import answer_key, read_answer
from mlestar.runtime.options import OnQuestion
from mlestar.state import Answer, Question
from mlestar.store import Ledger, RunFolder
from mlestar.store.damage import damaged

REPLIES = 10
"""Replies of a callback to one question: after so many that cannot be used the run pauses. A program that errs would be
asked forever. Chosen by judgement; not measured."""


def read_question(value: Mapping[str, Any]) -> Question | ModelCall:
    """Return the question or the model call in the value of an interrupt."""
    if "prompt" in value:
        return ModelCall.model_validate(value)
    fields = {key: value[key] for key in ("id", "point", "actions")}
    proposal = {key: part for key, part in value.items() if key not in fields}
    return Question.model_validate({**fields, "proposal": proposal})


class Answers:
    """The answers of one session: those the caller has passed, those in the ledger, and those of a callback."""

    def __init__(self, ledger: Ledger, passed: Mapping[str, Answer | str], ask: OnQuestion | None) -> None:
        """Describe where answers come from.

        Raises:
            UserError: what was passed is no answer.
        """
        self._ledger = ledger
        self._passed = {identity: _check_answer(identity, reply) for identity, reply in passed.items()}
        self._ask = ask
        self._used: set[str] = set()
        """Passed answers that the graph has been given."""
        self._replies: Counter[str] = Counter()

    async def find(self, questions: Mapping[str, Question | ModelCall]) -> dict[str, Any]:
        """Return the answers there are, by the graph's ids of the questions.

        No answer is used twice, unless parallel branches ask whether the same package or weights may be added.
        """
        answers: dict[str, Any] = {}
        given: dict[str, Answer | str] = {}
        for key, question in questions.items():
            answer = given.get(question.id) or self._take_passed(question.id)
            if answer is None and isinstance(question, Question):
                answer = await self._find_one(question)
            if answer is not None:
                given[question.id] = answer
                answers[key] = answer.model_dump() if isinstance(answer, Answer) else answer
        return answers

    def _take_passed(self, identity: str) -> Answer | str | None:
        if identity in self._used:
            return None
        self._used.add(identity)
        return self._passed.get(identity)

    async def _find_one(self, question: Question) -> Answer | None:
        if "problem" not in question.proposal:
            recorded = await asyncio.to_thread(self._ledger.recall, answer_key(question.id, question.proposal))
            if recorded is not None:
                return Answer.model_validate(recorded)
        return await self._ask_callback(question)

    async def _ask_callback(self, question: Question) -> Answer | None:
        """Ask until there is an answer of the right form, which the graph checks further; None after `REPLIES`."""
        while self._ask is not None and self._replies[question.id] < REPLIES:
            self._replies[question.id] += 1
            reply = read_answer(await asyncio.to_thread(self._ask, question.model_copy(deep=True)))
            if isinstance(reply, Answer):
                return reply
            question.proposal["problem"] = reply
        return None


def write_questions(folder: RunFolder, questions: Iterable[Question | ModelCall]) -> None:
    """Write questions to `questions.json`, each with an answer that can be edited."""
    items = [{**question.model_dump(mode="json"), "answer": _blank_answer(question)} for question in questions]
    folder.write_json(folder.questions, items)


def read_open_questions(folder: RunFolder) -> list[Question | ModelCall]:
    """Return what a run has asked and nobody has answered."""
    if not folder.questions.is_file():
        return []
    try:
        items = json.loads(folder.questions.read_bytes())
        return _questions(items)
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(folder.path, folder.questions.name, "cannot be read") from error


def _questions(items: Any) -> list[Question | ModelCall]:
    return [ModelCall(**item) if "prompt" in item else Question(**item) for item in items]


def _blank_answer(question: Question | ModelCall) -> object:
    return "" if isinstance(question, ModelCall) else Answer().model_dump()


def read_answers(path: Path) -> dict[str, Answer | str]:
    """Return the answers of a file: a copy of `questions.json` with its answers edited, or an object of answers by id.

    A model call whose reply is left empty stays open.

    Raises:
        UserError: the file cannot be read or is neither.
    """
    try:
        content = json.loads(read_regular(path))
        return {identity: _check_answer(identity, reply) for identity, reply in _pairs(content) if reply != ""}
    except (OSError, ValueError, RecursionError) as error:
        msg = f"answers {path}: {error}; edit a copy of questions.json in the run folder"
        raise UserError(msg) from error


def _pairs(content: object) -> list[tuple[str, object]]:
    """Return the ids and answers in the content of an answers file."""
    if isinstance(content, dict):
        return list(content.items())
    if isinstance(content, list) and all(isinstance(item, dict) and {"id", "answer"} <= set(item) for item in content):
        return [(item["id"], item["answer"]) for item in content]
    msg = "it is neither a list of questions with an `answer` each nor an object of answers by id"
    raise UserError(msg)


def _check_answer(identity: str, reply: object) -> Answer | str:
    """Return an answer of the form that its question takes; names of decisions hold a colon, ids of calls do not."""
    if isinstance(reply, str) and ":" not in identity:
        return reply
    answer = read_answer(reply)
    if isinstance(answer, Answer):
        return answer
    msg = f"answer to {identity}: {answer}"
    raise UserError(msg)
