"""What a person answers when the graph stops and asks: its form, and where the ledger keeps it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt
from pydantic import ValidationError

from mlestar.state import Action, Answer
from mlestar.store import Ledger, key_of

ANSWER_FORM = Answer.model_json_schema()
"""Form of an answer, as a schema: with the class itself, LangGraph would end the run at a reply in another form."""
PERMISSION: tuple[Action, ...] = ("approve", "reject")
"""What can be answered when a run asks whether it may add something."""


def read_answer(reply: object) -> Answer | str:
    """Return the answer in what somebody sent at an interrupt, or what is wrong with it."""
    if isinstance(reply, Answer):
        return reply
    try:
        return Answer.model_validate(reply)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "answer"
        return f'{field}: {first["msg"]}; send an object such as {{"action": "approve"}}'


def answer_key(decision: str, proposal: Mapping[str, Any]) -> str:
    """Return the ledger key of a person's answer to a proposal."""
    return key_of("answer", decision, {name: value for name, value in proposal.items() if name != "problem"})


async def ask_permission(
    ledger: Ledger, kind: Literal["packages", "weights"], names: tuple[str, ...], proposal: Mapping[str, Any]
) -> bool | None:
    """Return whether a person allows what is proposed; None where nobody can be asked, outside of a graph.

    A run asks once: its ledger keeps the answer. LangGraph runs the whole node again after each answer and matches
    answers to interrupts by their order. What is recorded is not asked again then, so the ledger keeps which answer of
    the node belongs to which question.

    Args:
        ledger: of the run.
        kind: of what would be added.
        names: of what would be added; they identify the question.
        proposal: what the person is shown; texts, numbers and lists of them.
    """
    decision = f"{kind}:{','.join(names)}"
    key = answer_key(decision, proposal)
    recorded = await asyncio.to_thread(ledger.recall, key)
    if recorded is not None:
        return Answer.model_validate(recorded).action == "approve"
    try:
        node = str(get_config()["configurable"]["checkpoint_ns"])
    except RuntimeError:
        return None
    question = {"id": decision, "point": kind, "actions": PERMISSION, **proposal}
    replies, stop = replies_to(question, ANSWER_FORM)
    wrong = ""
    for position, sent in enumerate(replies):
        if not await _belongs(ledger, node, position, decision):
            continue
        reply = read_answer(sent)
        if isinstance(reply, Answer) and reply.action in PERMISSION:
            await asyncio.to_thread(ledger.note, "answer", key, reply.model_dump(mode="json"), replace=True)
            return reply.action == "approve"
        wrong = reply if isinstance(reply, str) else f"{reply.action} is not possible here; choose approve or reject"
    if wrong:
        _, stop = replies_to({**question, "problem": wrong}, ANSWER_FORM)
    raise stop


async def _belongs(ledger: Ledger, node: str, position: int, decision: str) -> bool:
    """Return whether a reply with which a node was resumed answers this question; a new one does."""
    key, use = key_of("used_reply", node, "permission", position), {"decision": decision}
    return await asyncio.to_thread(ledger.note, "used_reply", key, use) or (
        await asyncio.to_thread(ledger.recall, key) == use
    )


def replies_to(question: Mapping[str, Any], form: dict[str, Any]) -> tuple[list[object], GraphInterrupt]:
    """Return every reply that the running node has been resumed with, and the interrupt that asks for the next.

    Args:
        question: what is asked.
        form: JSON schema of a reply.
    """
    replies: list[object] = []
    while True:
        try:
            replies.append(interrupt(dict(question), response_schema=form))
        except GraphInterrupt as stop:
            return replies, stop
