"""A chat model that answers from a function: for tests and dry runs of the graphs."""

import re
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from mlestar.llm.prices import CHARACTERS_PER_TOKEN

ROLE = re.compile(r"<role>(\w+)</role>")


class ScriptedModel(BaseChatModel):
    """Answers every prompt with `answer(role, prompt)`: a text, or a message with more, such as why it ended."""

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
        role = ROLE.search(prompt)
        answer = self.answer(role.group(1) if role else "", prompt)
        message = answer if isinstance(answer, AIMessage) else AIMessage(answer)
        inputs = len(prompt) // CHARACTERS_PER_TOKEN
        outputs = len(message.text) // CHARACTERS_PER_TOKEN
        usage = UsageMetadata(input_tokens=inputs, output_tokens=outputs, total_tokens=inputs + outputs)
        message = message.model_copy(update={"usage_metadata": message.usage_metadata or usage})
        return ChatResult(generations=[ChatGeneration(message=message)])
