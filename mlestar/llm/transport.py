"""Calls of chat models over the network: retries, time limits, how many calls at once.

A fault is of one of three kinds. After a transient one (rate limit, server error, lost connection, time limit) the call
is tried again, with growing pauses. A permanent one (bad key, unknown model, refused request) stops the run, as does a
transient one that remains. An unanswerable question (blocked, too long) is left to the agent that asked.
"""

import asyncio
import json
import logging
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

logger = logging.getLogger("mlestar.llm")

MAX_PAUSE = 60.0
"""Seconds between two attempts, unless the provider asks for more. Chosen by judgement; not measured."""
MAX_RETRY_AFTER = 300.0
"""Seconds that a provider may ask us to wait; beyond them the run stops and can be resumed later. Chosen by judgement;
not measured."""
MAX_MESSAGE = 300
"""Characters of another library's error that a message repeats. Chosen by judgement; not measured."""
TRANSIENT = {408, 409, 425, 429}
"""Statuses below 500 after which the same request may succeed."""
QUOTA_SPENT = re.compile(r"insufficient_quota|credit balance is too low|billing", re.IGNORECASE)
"""Rate limits that waiting does not lift."""
FILTERED = re.compile(r"content_filter|content management policy|responsible_ai", re.IGNORECASE)
RETRY_DELAY = re.compile(r"retryDelay['\"]?\s*:\s*['\"](\d+(?:\.\d+)?)s")
ADVICE = {
    400: "the request is invalid",
    401: "check the key",
    402: "check the account",
    403: "the key may not use this model",
    404: "check the model's name and the address",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often one call is tried."""

    attempt_seconds: float = 600
    attempts: int = 6
    backoff_seconds: float = 2.0
    """Before the second attempt; doubled with each further one."""
    parallel_calls: int = 8
    """Calls at once to one provider."""


@dataclass(frozen=True)
class Fault:
    """What an error of a client library means."""

    kind: Literal["transient", "permanent", "unanswerable"]
    message: str
    retry_after: float | None = None
    """Seconds that the provider asks us to wait."""


class UnanswerableError(Exception):
    """The question got no usable answer and will not get one; the message says why."""


class Transport:
    """Asks chat models over the network."""

    def __init__(self, policy: RetryPolicy | None = None, emit: Callable[[str], None] = lambda line: None) -> None:
        self._policy = policy or RetryPolicy()
        self._emit = emit
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(self._policy.parallel_calls)
        )

    async def ask(self, role: str, chosen: ChosenModel, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return the model's answer; `options` are passed to the model unchanged.

        Raises:
            UnanswerableError: the answer has no content, or the prompt is too long.
            ModelError: the provider refuses, or cannot be reached after all attempts.
        """
        async with self._slots[chosen.provider]:
            return await self._retry(role, chosen, messages, options)

    async def _retry(
        self, role: str, chosen: ChosenModel, messages: Sequence[BaseMessage], options: dict[str, Any]
    ) -> AIMessage:
        seconds = self._policy.attempt_seconds
        attempts = max(1, self._policy.attempts // (chosen.retries + 1))
        for attempt in range(1, attempts + 1):
            try:
                return await asyncio.wait_for(chosen.model.ainvoke(list(messages), **options), seconds)
            except Exception as error:  # every provider has its own errors; they are mapped here
                fault = read_fault(error, chosen, seconds)
                if fault.kind != "transient" or attempt == attempts:
                    raise _final_error(fault, role, chosen, attempts) from error
                pause = self._pause(attempt, fault, chosen, role)
            line = f"{role}: {fault.message}; attempt {attempt + 1} of {attempts} in {pause:.1f} s"
            logger.info("%s fault of %s: %s", fault.kind, chosen.name, line)
            self._emit(line)
            await asyncio.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    def _pause(self, attempt: int, fault: Fault, chosen: ChosenModel, role: str) -> float:
        """Return the seconds before the next attempt: random, growing, and at least what the provider asks for."""
        retry_after = fault.retry_after or 0.0
        if retry_after > MAX_RETRY_AFTER:
            msg = f"model {chosen.name} asks to wait {retry_after:.0f} s as {role}: {fault.message}"
            logger.info(msg)
            raise ModelError(msg)
        doubled = self._policy.backoff_seconds * 2.0 ** (attempt - 1)
        pause = min(MAX_PAUSE, doubled) * random.uniform(0.5, 1.5)
        return max(retry_after + pause / 10, pause) if retry_after else pause


def _final_error(fault: Fault, role: str, chosen: ChosenModel, attempts: int) -> Exception:
    """Return the error that ends a call, and log it."""
    if fault.kind == "unanswerable":
        logger.info("no answer from %s as %s: %s", chosen.name, role, fault.message)
        return UnanswerableError(fault.message)
    if fault.kind == "permanent":
        msg = f"model {chosen.name} refused as {role}: {fault.message}"
    else:
        msg = f"model {chosen.name} cannot be reached as {role}: {fault.message} ({attempts} attempts)"
    logger.info("%s fault: %s", fault.kind, msg)
    return ModelError(msg)


def read_fault(error: Exception, chosen: ChosenModel, seconds: float) -> Fault:
    """Return what an error of a client library means."""
    chain = list(_chain(error))
    if any(isinstance(link, langchain.ContextOverflowError) for link in chain):
        return Fault("unanswerable", "the prompt is longer than the model can read; be briefer")
    status = next((status for link in chain if (status := _status(link))), None)
    if status is not None:
        return _read_status(status, chain, chosen)
    if any(_is(link, "ModelTimeout", "Timeout") for link in chain):
        return Fault("transient", f"no answer within {seconds:g} s")
    if any(isinstance(link, ConnectionError) or _is(link, "ModelConnection", "Transport") for link in chain):
        return Fault("transient", f"the connection failed ({_message(chain[-1]) or type(chain[-1]).__name__})")
    if any(isinstance(link, json.JSONDecodeError) or _is(link, "Validation") for link in chain):
        return Fault("transient", "the answer was not the provider's protocol")
    if isinstance(error, langchain.ModelError) and error.is_retryable:
        return Fault("transient", _message(error))
    if isinstance(error, IndexError) and chosen.provider:  # clients raise it for an answer without candidates
        return Fault("unanswerable", "the provider returned no candidate")
    return Fault("permanent", f"{type(error).__name__}: {_message(error)}")


def _read_status(status: int, chain: Sequence[BaseException], chosen: ChosenModel) -> Fault:
    """Return what an HTTP status means."""
    text = str(chain[0])
    if status == 400 and FILTERED.search(text):
        return Fault("unanswerable", "the prompt was blocked by the provider's content filter")
    quota_spent = status == 429 and QUOTA_SPENT.search(text)
    if (status in TRANSIENT or status >= 500) and not quota_spent:
        retry_after = next((seconds for link in chain if (seconds := _retry_after(link))), None)
        return Fault("transient", f"{_transient_name(status)} ({status})", retry_after)
    advice = _advice(status, chosen)
    message = _message(chain[0])
    return Fault("permanent", f"{advice} ({status}: {message})" if advice else f"{status}: {message}")


def _transient_name(status: int) -> str:
    if status == 429:
        return "rate limit"
    return "server error" if status >= 500 else "refused for the moment"


def _advice(status: int, chosen: ChosenModel) -> str:
    """Return what a person should check; empty when it is not known."""
    if status == 429:
        return "the account's limit is reached"
    provider = PROVIDERS.get(chosen.provider)
    if status == 401 and provider and provider.keys:
        return f"{ADVICE[401]} in {' or '.join(provider.keys)}"
    return ADVICE.get(status, "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error; each library keeps it in another attribute."""
    response = getattr(error, "response", None)
    values = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return next((value for value in values if isinstance(value, int) and 400 <= value < 600), None)


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
    delay = RETRY_DELAY.search(str(error))
    return float(delay.group(1)) if delay else None


def _is(error: BaseException, *kinds: str) -> bool:
    """Return whether an error is of a kind by its name; each client brings its own HTTP library."""
    names = {f"{kind}{ending}" for kind in kinds for ending in ("Error", "Exception")}
    return any(cls.__name__ in names for cls in type(error).__mro__)


def _message(error: BaseException) -> str:
    """Return the first line of an error without secrets."""
    first_line = str(error).strip().split("\n")[0]
    return mask_secrets(first_line)[:MAX_MESSAGE]
