"""The model `ask`: every call of it is a question that is answered from outside."""

from collections.abc import Awaitable, Callable

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict

ASK = "ask"
"""Name of the external model in the settings and in the ledger."""
ID_LENGTH = 16
"""Characters of the id of a call: few enough to copy, enough to distinguish the calls of a run. Chosen by judgement."""


class ModelCall(BaseModel):
    """A model call that waits for an answer from outside."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The same each time it is asked."""
    role: str
    """Agent that asks."""
    track: int
    system: str
    """The system prompt, the same in every call."""
    prompt: str


Answerer = Callable[[ModelCall], Awaitable[AIMessage]]
"""Returns the reply to a call."""


def text_message(text: str, *, is_cut: bool = False) -> AIMessage:
    """Return a reply, whole or cut off at a limit, as a model's message."""
    return AIMessage(text, response_metadata={"finish_reason": "length" if is_cut else "stop"})
