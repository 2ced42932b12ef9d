"""Token counts of providers, which may be any value: a negative one would give money back to a budget."""

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

MAX_COUNT = 10**9
"""Largest number that is accepted as a count: a thousand times the longest context windows. Chosen by judgement; not
measured."""


def with_counts(message: AIMessage) -> AIMessage:
    """Return a reply whose token counts are whole numbers that fit each other; anything else becomes 0."""
    usage = message.usage_metadata
    if not usage:
        return message
    read, written = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    inputs, outputs = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    cached = min(_count(read.get("cache_read")), inputs)
    created = min(_count(read.get("cache_creation")), inputs - cached)
    reasoning = min(_count(written.get("reasoning")), outputs)
    counts = UsageMetadata(
        input_tokens=inputs,
        output_tokens=outputs,
        total_tokens=inputs + outputs,
        input_token_details=InputTokenDetails(cache_read=cached, cache_creation=created),
        output_token_details=OutputTokenDetails(reasoning=reasoning),
    )
    return message.model_copy(update={"usage_metadata": counts})


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= MAX_COUNT else 0
