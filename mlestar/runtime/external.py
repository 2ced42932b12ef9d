"""Who answers the calls of the model `ask`: a callback or, without one, whoever resumes the graph."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.config import get_config

from mlestar.errors import MlestarError, ModelError, first_line
from mlestar.llm.external import Answerer, ModelCall, text_message
from mlestar.runtime.answers import replies_to
from mlestar.store import Ledger, key_of

REPLY_FORM = {"type": "string", "description": "The text of the reply."}

OnModelCall = Callable[[ModelCall], str | AIMessage | Awaitable[str | AIMessage]]
"""Returns the reply to a call: its text, or a message of LangChain. A plain function works in a thread, on one call
at a time; what it returns may be awaitable. An async one is called for several calls at once."""


class AbandonedError(Exception):
    """The run was asked to stop before a call was answered; it is asked again when the run is resumed."""


def answer_by_callback(callback: OnModelCall, stop: asyncio.Event | None = None) -> Answerer:
    """Return a function that has calls answered by a callback of the user, until the run is asked to stop."""
    stopping = stop or asyncio.Event()
    one_at_a_time = asyncio.Lock()

    async def ask(call: ModelCall) -> object:
        if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__):
            return await _until(stopping, callback(call))
        async with one_at_a_time:
            if stopping.is_set():
                raise AbandonedError
            reply = await asyncio.to_thread(callback, call)
        return await _until(stopping, reply) if inspect.isawaitable(reply) else reply

    async def answer(call: ModelCall) -> AIMessage:
        try:
            return _read_reply(await ask(call), call)
        except (MlestarError, AbandonedError):
            raise
        except Exception as error:  # the callback is the user's code
            msg = f"on_model_call failed as {call.role}: {type(error).__name__}: {first_line(str(error))}"
            raise ModelError(msg) from error

    return answer


async def _until(stopping: asyncio.Event, answer: Any) -> object:
    """Wait for an answer until the run is asked to stop."""
    answering, stop = asyncio.ensure_future(answer), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([answering, stop], return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise AbandonedError
    finally:
        answering.cancel()
        stop.cancel()


def _read_reply(reply: object, call: ModelCall) -> AIMessage:
    """Return the reply in what a callback has returned.

    Raises:
        ModelError: it is not a reply.
    """
    if isinstance(reply, AIMessage):
        return reply
    if isinstance(reply, str):
        return text_message(reply)
    msg = f"on_model_call must return the text of the reply; as {call.role} it returned {type(reply).__name__}"
    raise ModelError(msg)


def answer_by_resuming(ledger: Ledger) -> Answerer:
    """Return a function that asks whoever resumes the graph: an interrupt with the call, resumed with the reply's text.

    LangGraph runs the whole node again after each answer and matches answers to interrupts by their order. Calls that
    are recorded ask nothing then, so the ledger keeps how many answers of the node were used: the next one belongs to
    the first call that is not recorded.
    """

    async def answer(call: ModelCall) -> AIMessage:
        node = get_config()["configurable"]["checkpoint_ns"]
        question = call.model_dump()
        replies, stop = replies_to(question, REPLY_FORM)
        texts = [reply for reply in replies if isinstance(reply, str)]
        text = await _unused(ledger, node, call, texts)
        if text is not None:
            return text_message(text)
        if replies and not isinstance(replies[-1], str):
            _, stop = replies_to({**question, "problem": "the reply must be a text"}, REPLY_FORM)
        raise stop

    return answer


async def _unused(ledger: Ledger, node: str, call: ModelCall, replies: Sequence[str]) -> str | None:
    """Return the first reply that no other call of the node has used, and note that this one uses it."""
    for position, reply in enumerate(replies):
        key, use = key_of("used_reply", node, position), {"call": call.id}
        first = await asyncio.to_thread(ledger.note, "used_reply", key, use)
        # A process may have ended after the note and before the answer was recorded.
        if first or await asyncio.to_thread(ledger.recall, key) == use:
            return reply
    return None
