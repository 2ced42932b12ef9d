"""The window of an Ollama model: how many tokens it reads and writes, set with each request.

Ollama cuts a prompt that is longer than its window silently, and its default is shorter than most of ours. The window
is made long enough for prompt and reply, up to what the model itself can read. A longer window makes Ollama reload
the model, so that it grows in steps and never shrinks.
"""

import logging
from dataclasses import replace

from langchain_core.language_models import BaseChatModel

from mlestar.errors import ModelError
from mlestar.llm.models import ChosenModel

logger = logging.getLogger("mlestar.llm")

FIELD = "num_ctx"
"""The field of a client that sets the window; only Ollama's client has it."""
STEP = 4096
"""Tokens by which a window grows: the default of Ollama, which is the shortest useful one."""
BYTES_PER_TOKEN = 3
"""A low figure for English, code and JSON, so that a prompt is not cut. Not measured."""
DEFAULT_REPLY = 8192
"""Tokens of a reply of a model without a limit. Chosen by judgement; not measured."""
MIN_REPLY = 2048
"""Tokens of the shortest reply that can hold a script. Chosen by judgement; not measured."""
MIN_WINDOW = 8192
"""Tokens below which a model cannot do the work: the longest golden prompt has about 2,000; what a real task adds,
and a script as reply, is several times that. Chosen by judgement; not measured."""


class PromptExcessError(Exception):
    """The prompt does not fit into the longest window of the model."""

    def __init__(self, tokens: int, room: int) -> None:
        super().__init__(f"the prompt has about {tokens} tokens, and the model can read {room} beside a reply")
        self.excess = tokens / max(1, room)
        """How many times too long it is."""


class Windows:
    """The window of each Ollama model of a run."""

    def __init__(self) -> None:
        self._longest: dict[str, int] = {}
        """Tokens that each model can read at most, by its name, where its server says so."""
        self._sizes: dict[str, int] = {}

    async def fit(self, chosen: ChosenModel, prompt: str) -> ChosenModel:
        """Return the model with a window that holds the prompt and the reply; unchanged where no window is set.

        Raises:
            PromptExcessError: the prompt is too long for any window of the model.
            ModelError: the model's longest window is too short for this work.
        """
        model = chosen.model
        if FIELD not in type(model).model_fields or getattr(model, FIELD) is not None:
            return chosen
        longest = await self._read_longest(chosen)
        tokens = len(prompt.encode()) // BYTES_PER_TOKEN
        reply = getattr(model, "num_predict", None) or DEFAULT_REPLY
        if longest is not None:
            reply = min(reply, max(MIN_REPLY, longest - tokens))
            if tokens + MIN_REPLY > longest:
                raise PromptExcessError(tokens, longest - MIN_REPLY)
        size = self._grow(chosen.name, tokens + reply, longest)
        return replace(chosen, model=model.model_copy(update={FIELD: size, "num_predict": reply}))

    def _grow(self, name: str, needed: int, longest: int | None) -> int:
        """Return the window for so many tokens: no shorter than before, and no longer than the model can read."""
        stepped = -(-needed // STEP) * STEP
        size = max(stepped, self._sizes.get(name, 0))
        self._sizes[name] = size if longest is None else min(size, longest)
        return self._sizes[name]

    async def _read_longest(self, chosen: ChosenModel) -> int | None:
        """Return the tokens that a model can read, as its server says; None when it does not say.

        Raises:
            ModelError: they are too few.
        """
        if chosen.name in self._longest:
            return self._longest[chosen.name]
        longest = await _ask_server(chosen.model)
        if longest is None:
            return None
        logger.info("%s can read %d tokens", chosen.name, longest)
        if longest < MIN_WINDOW:
            msg = (
                f"model {chosen.name} can read {longest} tokens; a prompt and its reply need {MIN_WINDOW}: name another"
            )
            raise ModelError(msg)
        self._longest[chosen.name] = longest
        return longest


async def _ask_server(model: BaseChatModel) -> int | None:
    """Return the context length that Ollama reports for a model; None when it does not."""
    from ollama import AsyncClient

    host, arguments = getattr(model, "base_url", None), getattr(model, "client_kwargs", None) or {}
    try:
        async with AsyncClient(host=host, **arguments) as client:
            answer = await client.show(str(getattr(model, "model", "")))
    except Exception as error:  # the call itself meets the same fault and reports it
        logger.info("Ollama does not describe its model: %s", type(error).__name__)
        return None
    lengths = [value for name, value in (answer.modelinfo or {}).items() if name.endswith(".context_length")]
    return next((length for length in lengths if isinstance(length, int) and length > 0), None)
