"""When a provider that limits the rate of requests takes the next one."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mlestar.llm.error_body import ErrorBody

UNIT_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "ms": 0.001, "s": 1.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
IN_WORDS = re.compile(
    r"(?:try again|retry)(?: after| in)? ((?:\d+(?:\.\d+)?(?:ms|d|h|m|s)\s*)+|\d+(?:\.\d+)? ?seconds?)", re.IGNORECASE
)
"""How OpenAI, Groq, Azure and Gemini write the delay in the message when no field or header names it."""
REMAINING = re.compile(r"ratelimit(?:-(?P<before>[a-z-]+))?-remaining(?:-(?P<after>[a-z-]+))?$")
"""Headers with what is left of a limit: `x-ratelimit-remaining-tokens`, `anthropic-ratelimit-tokens-remaining`."""
EPOCH = 1e9
"""Numbers above it are seconds since 1970; smaller ones are seconds from now."""
EPOCH_MILLISECONDS = 1e12
MAX_RETRY_AFTER = 300.0
"""Seconds that a provider may ask us to wait; beyond them the run stops and can be resumed later. Chosen by judgement;
not measured."""
MAX_DELAY = 366 * 86_400.0
"""Seconds of the longest delay that is believed: longer ones are faulty, and no date may follow from them. Chosen by
judgement; not measured."""


def read_delay(body: ErrorBody) -> float | None:
    """Return the seconds after which the provider says it will take a request; None when it does not say.

    Sources in order of trust: the field of Google's `RetryInfo`, `Retry-After`, the reset of a limit of which nothing
    is left, and the delay that the message names.
    """
    for delay in _delays(body):
        if delay is not None:
            return min(max(0.0, delay), MAX_DELAY)
    return None


def _delays(body: ErrorBody) -> Iterator[float | None]:
    yield from (read_duration(str(part["retryDelay"])) for part in body.parts if "retryDelay" in part)
    milliseconds = body.headers.get("retry-after-ms", "")
    yield float(milliseconds) / 1000 if _is_number(milliseconds) else None
    yield read_duration(body.headers.get("retry-after", ""))
    yield max(_resets(body.headers), default=None)
    words = IN_WORDS.search(body.message)
    yield read_duration(words.group(1)) if words else None


def _resets(headers: Mapping[str, str]) -> Iterator[float]:
    """Yield the seconds until each limit of which nothing is left is filled again."""
    for name, left in headers.items():
        match = REMAINING.search(name)
        if match and _is_number(left) and float(left) <= 0:
            reset = read_duration(headers.get(name.replace("remaining", "reset"), ""))
            if reset is not None:
                yield reset


def read_duration(text: str) -> float | None:
    """Return the seconds from now that a text names: a number, a duration, a date, or a time since 1970."""
    text = text.strip().removesuffix("seconds").removesuffix("second").strip()
    if not text:
        return None
    if _is_number(text):
        return _from_number(float(text))
    pieces = DURATION.findall(text)
    if pieces and not DURATION.sub("", text).strip():
        return sum(float(amount) * UNIT_SECONDS[unit] for amount, unit in pieces)
    return _from_date(text)


def _from_number(number: float) -> float:
    if number < EPOCH:
        return number
    seconds = number / 1000 if number >= EPOCH_MILLISECONDS else number
    return seconds - datetime.now(UTC).timestamp()


def _from_date(text: str) -> float | None:
    """Return the seconds until a date in HTTP or ISO 8601 format."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text.strip()) is not None
