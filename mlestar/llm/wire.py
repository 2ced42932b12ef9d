"""What goes wrong between us and a provider, in one place: retries, time limits, how many calls at once.

A fault is one of three. What may pass (rate limits, server errors, lost connections, time limits) is tried again with
growing pauses. What will not pass (bad key, unknown model, refused request) and what has not passed stop the run. What
belongs to this one question (an answer without content, a prompt that is too long) is the asking agent's to handle.
"""

import asyncio
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from langchain_core import exceptions as langchain
from langchain_core.messages import AIMessage, BaseMessage

from mlestar.errors import ModelError, mask_secrets
from mlestar.llm.models import ChosenModel
from mlestar.llm.provider import PROVIDERS

LONGEST_PAUSE = 60.0
"""Seconds between two attempts, unless the provider asks for more."""
MAX_RETRY_AFTER = 300.0
"""Seconds that a provider may ask us to wait; beyond them the run stops and can be resumed later."""
PASSING = {408, 409, 425, 429}
"""Statuses below 500 after which the same request may succeed."""
SPENT = re.compile(r"insufficient_quota|credit balance is too low|billing", re.IGNORECASE)
"""Rate limits that no waiting lifts."""
FILTERED = re.compile(r"content_filter|content management policy|responsible_ai", re.IGNORECASE)
DELAY = re.compile(r"retryDelay['\"]?\s*:\s*['\"](\d+(?:\.\d+)?)s")
ADVICE = {
    400: "the request was refused as it stands",
    401: "check the key",
    402: "check the account",
    403: "the key may not use this model",
    404: "check the model's name and the address",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a call is."""

    seconds: float = 600
    """Of one attempt."""
    attempts: int = 6
    backoff: float = 2.0
    """Seconds before the second attempt; doubled with each further one."""
    parallel: int = 8
    """Calls at once to one provider."""


@dataclass(frozen=True)
class Fault:
    kind: Literal["passing", "lasting", "question"]
    said: str
    retry_after: float | None = None
    """Seconds that the provider asks us to wait."""


class Unanswered(Exception):
    """This question got no answer that can be used; the message says why."""


class Wire:
    """Asks chat models over the network."""

    def __init__(self, limits: RetryPolicy | None = None, emit: Callable[[str], None] = lambda line: None) -> None:
        self._limits = limits or RetryPolicy()
        self._emit = emit
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(self._limits.parallel))

    async def ask(self, role: str, chosen: ChosenModel, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return the model's answer; `options` go to the model as they are.

        Raises:
            Unanswered: the answer has no content, or the prompt is too long.
            ModelError: the provider refuses, or cannot be reached after all attempts.
        """
        async with self._slots[chosen.provider]:
            return await self._try(role, chosen, messages, options)

    async def _try(
        self, role: str, chosen: ChosenModel, messages: Sequence[BaseMessage], options: dict[str, Any]
    ) -> AIMessage:
        attempts = max(1, self._limits.attempts // (chosen.retries + 1))
        for attempt in range(1, attempts + 1):
            try:
                return await asyncio.wait_for(chosen.model.ainvoke(list(messages), **options), self._limits.seconds)
            except Exception as error:  # every provider has errors of its own; this is the seam
                fault = read_fault(error, chosen, self._limits.seconds)
                if fault.kind == "question":
                    raise Unanswered(fault.said) from error
                if fault.kind == "lasting":
                    msg = f"model {chosen.name} refused as {role}: {fault.said}"
                    raise ModelError(msg) from error
                if attempt == attempts:
                    msg = f"model {chosen.name} cannot be reached as {role}: {fault.said} ({attempts} attempts)"
                    raise ModelError(msg) from error
                pause = self._pause(attempt, fault, chosen, role)
            self._emit(f"{role}: {fault.said}; attempt {attempt + 1} of {attempts} in {pause:.1f} s")
            await asyncio.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    def _pause(self, attempt: int, fault: Fault, chosen: ChosenModel, role: str) -> float:
        retry_after = fault.retry_after or 0.0
        if retry_after > MAX_RETRY_AFTER:
            msg = f"model {chosen.name} asks to wait {retry_after:.0f} s as {role}: {fault.said}"
            raise ModelError(msg)
        grown = min(LONGEST_PAUSE, self._limits.backoff * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        return max(retry_after + grown / 10, grown) if retry_after else grown


def read_fault(error: Exception, chosen: ChosenModel, seconds: float) -> Fault:
    """Return what an error of a client library means."""
    chain = list(_chain(error))
    if any(isinstance(link, langchain.ContextOverflowError) for link in chain):
        return Fault("question", "the prompt is longer than the model can read; be briefer")
    status = next((found for link in chain if (found := _status(link))), None)
    if status is not None:
        return _read_status(status, chain, chosen)
    if any(_is(link, "ModelTimeout", "Timeout") for link in chain):
        return Fault("passing", f"no answer within {seconds:g} s")
    if any(isinstance(link, ConnectionError) or _is(link, "ModelConnection", "Transport") for link in chain):
        return Fault("passing", f"the connection failed ({_said(chain[-1]) or type(chain[-1]).__name__})")
    if any(isinstance(link, json.JSONDecodeError) or _is(link, "Validation") for link in chain):
        return Fault("passing", "the answer was not the provider's protocol")
    if isinstance(error, langchain.ModelError) and error.is_retryable:
        return Fault("passing", _said(error))
    if isinstance(error, IndexError) and chosen.provider:  # what clients make of an answer without candidates
        return Fault("question", "the provider returned no candidate")
    return Fault("lasting", f"{type(error).__name__}: {_said(error)}")


def _read_status(status: int, chain: Sequence[BaseException], chosen: ChosenModel) -> Fault:
    said = _said(chain[0])
    if status == 400 and FILTERED.search(str(chain[0])):
        return Fault("question", "the prompt was blocked by the provider's content filter")
    if (status in PASSING or status >= 500) and not (status == 429 and SPENT.search(str(chain[0]))):
        name = "rate limit" if status == 429 else "server error" if status >= 500 else "refused for the moment"
        return Fault(
            "passing",
            f"{name} ({status})",
            next((retry_after for link in chain if (retry_after := _retry_after(link))), None),
        )
    listed = PROVIDERS.get(chosen.provider)
    keys = listed.keys if listed else ()
    advice = ADVICE.get(status, "the account's limit is reached" if status == 429 else "")
    advice += f" in {' or '.join(keys)}" if status == 401 and keys else ""
    return Fault("lasting", f"{advice} ({status}: {said})" if advice else f"{status}: {said}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, wherever its library keeps it."""
    response = getattr(error, "response", None)
    kept = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return next((value for value in kept if isinstance(value, int) and 400 <= value < 600), None)


def _retry_after(error: BaseException) -> float | None:
    """Return the seconds that a provider asks to wait: a header, in seconds or as a date, or a detail of the body."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("retry-after") or "")
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    if value:
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None
    found = DELAY.search(str(error))
    return float(found.group(1)) if found else None


def _is(error: BaseException, *kinds: str) -> bool:
    """Tell whether an error is of a kind by its name; each client brings an HTTP library of its own."""
    names = {f"{kind}{ending}" for kind in kinds for ending in ("Error", "Exception")}
    return any(cls.__name__ in names for cls in type(error).__mro__)


def _said(error: BaseException) -> str:
    """Return the first line of an error, without anything that looks like a key."""
    return mask_secrets(str(error).strip().split("\n")[0])[:300]
