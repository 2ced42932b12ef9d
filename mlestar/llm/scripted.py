"""A chat model that answers from a function: for tests and dry runs of the graphs."""

import re
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

CHARACTERS = 4
"""Per token, roughly."""
ROLE = re.compile(r"<role>(\w+)</role>")


class ScriptedModel(BaseChatModel):
    """Answers every prompt with `answer(role, prompt)`: a text, or a message that says more, as why it ended."""

    answer: Callable[[str, str], str | AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = str(messages[-1].content)
        found = ROLE.search(prompt)
        answered = self.answer(found.group(1) if found else "", prompt)
        message = answered if isinstance(answered, AIMessage) else AIMessage(answered)
        read, written = len(prompt) // CHARACTERS, len(message.text) // CHARACTERS
        usage = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
        message = message.model_copy(update={"usage_metadata": message.usage_metadata or usage})
        return ChatResult(generations=[ChatGeneration(message=message)])
