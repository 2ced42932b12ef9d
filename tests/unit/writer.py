"""A chat model whose replies have a length in tokens and are cut at the limit of the request."""

from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from mlestar.llm import ScriptedModel


class Writer(ScriptedModel):
    """A model that writes as many tokens as `length` says, or as many as the request allows."""

    model_name: str = "some-model"
    max_tokens: int | None = None
    length: Callable[[str], float]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = super()._generate(messages, stop, run_manager, **kwargs)
        assert self.max_tokens is not None
        wanted = self.length(str(messages[-1].content))
        tokens = int(min(wanted, self.max_tokens))
        usage = UsageMetadata(input_tokens=1000, output_tokens=tokens, total_tokens=1000 + tokens)
        reason = "length" if wanted > tokens else "stop"
        message = result.generations[0].message.model_copy(
            update={"usage_metadata": usage, "response_metadata": {"finish_reason": reason}}
        )
        return ChatResult(generations=[ChatGeneration(message=message)])
