"""Model calls of a run that wait for an answer of a client."""

import asyncio

from langchain_core.messages import AIMessage

from mlestar.errors import UserError
from mlestar.llm.external import ModelCall

MAX_REPLY = 2_000_000
"""Characters of a reply. Chosen by judgement; not measured: a hundred times a long script."""


class OpenCalls:
    """Calls of one run's external model, from when they are made until they are answered."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[ModelCall, asyncio.Future[AIMessage]]] = {}
        self.sampled: set[str] = set()
        """Ids of calls that a client is being asked to sample."""

    async def ask(self, call: ModelCall) -> AIMessage:
        """Wait for the answer to a call; `on_model_call` of the run."""
        reply: asyncio.Future[AIMessage] = asyncio.get_running_loop().create_future()
        self._waiting[call.id] = call, reply
        try:
            return await reply
        finally:
            del self._waiting[call.id]

    @property
    def all(self) -> list[ModelCall]:
        """Calls without an answer, the one that was returned by `take` longest ago first."""
        return [call for call, reply in self._waiting.values() if not reply.done()]

    @property
    def unsampled(self) -> list[ModelCall]:
        """Calls without an answer that no client is being asked to sample."""
        return [call for call in self.all if call.id not in self.sampled]

    def take(self) -> ModelCall | None:
        """Return an open call, another one each time, so that several workers can share them; none is lost."""
        call = next(iter(self.all), None)
        if call is not None:
            self._waiting[call.id] = self._waiting.pop(call.id)
        return call

    def answer(self, call_id: str, reply: AIMessage) -> None:
        """Answer an open call.

        Raises:
            UserError: there is no such call, or the reply is too long.
        """
        if call_id not in [call.id for call in self.all]:
            msg = f"no call {call_id!r} waits for an answer: it was answered, or its run has stopped"
            raise UserError(msg)
        if (length := len(reply.text)) > MAX_REPLY:
            msg = f"the reply to {call_id} has {length:,} characters, more than {MAX_REPLY:,}: send a shorter one"
            raise UserError(msg)
        self._waiting[call_id][1].set_result(reply)
