"""The offline engineer: a chat model that answers every role from the prompt alone, without key or network."""

import json
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from mlestar.models.offline.facts import Facts
from mlestar.models.offline.recipes import choose_model, write_script

_CHARACTERS = 4
"""Per token, roughly."""


class OfflineEngineer(BaseChatModel):
    """Plays every agent role from a catalogue of recipes; the same prompt always gets the same reply."""

    @property
    def _llm_type(self) -> str:
        return "offline-engineer"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = str(messages[-1].text)
        text = reply(prompt)
        used = sum(len(str(message.text)) for message in messages) // _CHARACTERS
        written = len(text) // _CHARACTERS
        usage = {"input_tokens": used, "output_tokens": written, "total_tokens": used + written}
        message = AIMessage(text, usage_metadata=usage)  # type: ignore[arg-type]  # a TypedDict of these three keys
        return ChatResult(generations=[ChatGeneration(message=message)])


def reply(prompt: str) -> str:
    """Return the answer to a prompt.

    Raises:
        ValueError: the prompt names no role that is known.
    """
    facts = Facts.read(prompt)
    role = facts.text("role")
    if role not in ROLES:
        msg = f"no such role: {role!r}; one of {', '.join(ROLES)}"
        raise ValueError(msg)
    return ROLES[role](facts)


def _code(text: str) -> str:
    return f"```python\n{text.rstrip()}\n```"


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def initialize(facts: Facts) -> str:
    card = facts.data("card", {})
    return _code(write_script(facts, choose_model(card, facts), str(card.get("name", ""))))


ROLES: dict[str, Callable[[Facts], str]] = {
    "initializer": initialize,
}
