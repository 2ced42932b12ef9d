"""How long a reply may take: a fixed time, and longer for a model that has proved slow."""

from dataclasses import dataclass

from langchain_core.messages import AIMessage

from mlestar.llm.prices import CHARACTERS_PER_TOKEN

MARGIN = 2.0
"""Factor by which a reply may take longer than the replies so far. Chosen by judgement; not measured."""
MIN_TOKENS = 200
"""Tokens of the shortest reply that shows the speed; a shorter one is mostly waiting. Chosen by judgement;
not measured."""
MAX_STRETCH = 16.0
"""Multiple of the fixed time that any reply may take. Chosen by judgement; not measured."""
UNKNOWN_STRETCH = 4.0
"""The same for a model that has not replied yet. Chosen by judgement; not measured."""


@dataclass
class _Seen:
    """What the replies of one model have shown."""

    tokens_per_second: float
    """Speed of the slowest reply."""
    longest: int
    """Tokens of the longest reply."""


class Speed:
    """The time limits of a run's models, by their names."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, _Seen] = {}

    def limit(self, name: str, timeouts: int, reply_limit: int | None) -> float:
        """Return the seconds in which a request must be answered.

        Args:
            name: of the model.
            timeouts: requests of the same call that were not answered in time; each doubles the limit.
            reply_limit: tokens that the reply may have; a longer time than it needs at the speed so far is never given.
        """
        doubled = self._seconds * 2.0**timeouts
        seen = self._seen.get(name)
        if seen is None:
            return min(doubled, self._seconds * UNKNOWN_STRETCH)
        usual = MARGIN * seen.longest / seen.tokens_per_second
        most = MARGIN * (reply_limit or seen.longest) / seen.tokens_per_second
        wanted = min(max(usual, doubled), max(usual, most))
        return min(max(wanted, self._seconds), self._seconds * MAX_STRETCH)

    def answered(self, name: str, message: AIMessage, seconds: float) -> None:
        """Record how long a reply took."""
        usage = message.usage_metadata
        tokens = usage["output_tokens"] if usage else len(message.text) // CHARACTERS_PER_TOKEN
        if tokens < MIN_TOKENS or seconds <= 0:
            return
        rate = tokens / seconds
        seen = self._seen.setdefault(name, _Seen(rate, tokens))
        seen.tokens_per_second = min(seen.tokens_per_second, rate)
        seen.longest = max(seen.longest, tokens)
