"""A chat model that answers from a function: for tests and dry runs of the graphs."""

import re
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

ROLE = re.compile(r"<role>(\w+)</role>")


class ScriptedModel(BaseChatModel):
    """Answers every prompt with `answer(role, prompt)`."""

    answer: Callable[[str, str], str]

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
        text = self.answer(found.group(1) if found else "", prompt)
        usage = {"input_tokens": len(prompt) // 4, "output_tokens": len(text) // 4}
        message = AIMessage(text, usage_metadata={**usage, "total_tokens": sum(usage.values())})
        return ChatResult(generations=[ChatGeneration(message=message)])
