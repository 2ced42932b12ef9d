"""Calls of chat models over the network: retries, waits, time limits, how many calls at once.

What an error means is read in `mlestar/llm/faults.py`. After a transient fault (server error, lost connection, time
limit) the call is tried again, with growing pauses. After a rate limit the call waits as long as the provider says, and
all callers of that provider keep to the rate that it accepted. A permanent fault (bad key, unknown model, empty
account, exhausted daily quota) stops the run, as does a transient one that remains. A refused parameter is left out. A
prompt that is too long is shortened once. An unanswerable question (blocked, still too long) is left to the agent.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from mlestar.errors import ModelError
from mlestar.llm.delay import MAX_RETRY_AFTER
from mlestar.llm.faults import Fault, describe_reset, read_end, read_fault
from mlestar.llm.limits import names_reply_limit, output_setting
from mlestar.llm.models import ChosenModel
from mlestar.llm.pace import Pace
from mlestar.llm.parameters import Parameters
from mlestar.llm.shortening import shorten_prompt
from mlestar.llm.speed import Speed
from mlestar.llm.structured import structured_options
from mlestar.llm.usage import with_counts
from mlestar.llm.window import PromptExcessError, Windows

logger = logging.getLogger("mlestar.llm")

MAX_PAUSE = 60.0
"""Seconds between two attempts, unless the provider asks for more. Chosen by judgement; not measured."""
MAX_LIMITED_SECONDS = 3600.0
"""Seconds that one call may wait for announced limits in all. Chosen by judgement; not measured."""

REPLY_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""How clients name the tokens that a reply may have."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often one call is tried."""

    attempt_seconds: float = 600
    """Time in which a request must be answered; longer for a model that has proved slow."""
    attempts: int = 6
    backoff_seconds: float = 2.0
    """Before the second attempt; doubled with each further one."""
    parallel_calls: int = 8
    """Calls at once to one provider."""


class UnanswerableError(Exception):
    """The question got no usable answer and will not get one; the message says why."""


class BrokenOffError(Exception):
    """A request may have to be paid for although it was not answered; nothing more is sent before that is recorded."""

    def __init__(self, message: AIMessage | None, pause: float, final: Exception | None) -> None:
        super().__init__("the request was not answered")
        self.message = message
        """The reply that the provider broke off; None where the outcome is unknown."""
        self.pause = pause
        """Seconds before the next request."""
        self.final = final
        """Why there is no next request; None when there may be one."""


class PromptTooLongError(UnanswerableError):
    """The prompt is longer than the model can read."""

    def __init__(self, message: str, excess: float, *, of_account: bool = False) -> None:
        super().__init__(message)
        self.excess = excess
        """How many times too long it is; 0 when the provider does not say."""
        self.of_account = of_account
        """The account may not send as much, whatever the model can read."""


async def _nothing() -> None:
    pass


@dataclass
class Attempts:
    """The requests of one call so far, and what is done around each."""

    before: Callable[[], Awaitable[None]] = _nothing
    """Awaited before a request is sent."""
    refused: Callable[[], Awaitable[None]] = _nothing
    """Awaited when the provider has refused a request, so that it cost nothing."""
    failures: int = 0
    refusals: int = 0
    """Times it was refused because of an announced limit; they do not count as failures."""
    waited: float = 0.0
    """Seconds of the announced limits."""
    timeouts: int = 0
    """Requests that were not answered in time."""


@dataclass
class _Call:
    """One call on its way to an answer."""

    role: str
    chosen: ChosenModel
    options: dict[str, Any]
    allowed: int
    """Times that it may fail."""
    attempts: Attempts
    left_out: int = 0
    """Parameters that were left out of the last request."""


class Transport:
    """Asks chat models over the network."""

    def __init__(self, policy: RetryPolicy | None = None, emit: Callable[[str], None] = lambda line: None) -> None:
        self._policy = policy or RetryPolicy()
        self._emit = emit
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(self._policy.parallel_calls)
        )
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)
        self._parameters = Parameters()
        self._windows = Windows()
        self._speed = Speed(self._policy.attempt_seconds)

    async def ask(
        self,
        role: str,
        chosen: ChosenModel,
        messages: Sequence[BaseMessage],
        attempts: Attempts | None = None,
        **options: Any,
    ) -> AIMessage:
        """Return the model's answer; `options` are passed to the model, except what it has refused.

        Args:
            role: that asks.
            chosen: the model.
            messages: what is sent.
            attempts: the requests of the call so far, after a `BrokenOffError`.
            options: of the request.

        Raises:
            BrokenOffError: a request was not answered and may have to be paid for.
            UnanswerableError: the answer has no content, or the prompt is too long even when it is shortened.
            ModelError: the provider refuses, or cannot be reached after all attempts.
        """
        async with self._slots[chosen.provider]:
            try:
                return await self._shortened(role, chosen, messages, options, attempts or Attempts())
            except PromptTooLongError as error:
                if not error.of_account:
                    raise
                msg = f"model {chosen.name} refused as {role}: {error}"
                raise ModelError(msg) from error.__cause__

    async def _shortened(
        self,
        role: str,
        chosen: ChosenModel,
        messages: Sequence[BaseMessage],
        options: dict[str, Any],
        attempts: Attempts,
    ) -> AIMessage:
        """Return the answer to a question, which is asked once more with less data when it is too long."""
        try:
            return await self._retry(role, chosen, messages, options, attempts)
        except PromptTooLongError as error:
            sent_limit = output_setting(chosen.model)
            if names_reply_limit(error, sent_limit):  # a shorter reply is enough, which the caller asks for
                raise
            shorter = _shorten(messages, error.excess)
            if shorter is None:
                raise
            self._report(role, chosen, f"{error}; asked again with a shorter prompt")
            return await self._retry(role, chosen, shorter, options, attempts)

    async def _retry(
        self,
        role: str,
        chosen: ChosenModel,
        messages: Sequence[BaseMessage],
        options: dict[str, Any],
        attempts: Attempts,
    ) -> AIMessage:
        chosen = await self._with_window(chosen, messages)
        if "tools" not in options:  # an answer that is based on a search has another form
            options = {**structured_options(role, chosen), **options}
        allowed_failures = max(1, self._policy.attempts // (chosen.retries + 1))
        call = _Call(role, chosen, options, allowed_failures, attempts)
        pace = self._paces[chosen.provider]
        while True:
            started = await pace.wait()
            model, allowed = self._parameters.apply(chosen, options)
            call.left_out = self._parameters.count(chosen)
            await attempts.before()
            try:
                message = await self._attempt(call, model, messages, allowed)
            except _FaultError as error:
                attempts.timeouts += error.fault.timed_out
                if error.paid is not None or error.fault.may_cost:
                    raise self._break_off(call, error) from None
                await attempts.refused()
                pause = self._react(call, error.fault, error.__cause__)
                if error.fault.kind == "limited":
                    pace.refused(started, pause)
                else:
                    await asyncio.sleep(pause)
            else:
                pace.answered()
                return message

    async def _with_window(self, chosen: ChosenModel, messages: Sequence[BaseMessage]) -> ChosenModel:
        """Return the model with a window that holds the prompt, where it has one that can be set.

        Raises:
            PromptTooLongError: the prompt is longer than the model can read.
        """
        try:
            return await self._windows.fit(chosen, "\n".join(str(message.text) for message in messages))
        except PromptExcessError as error:
            msg = f"{error}; be briefer"
            raise PromptTooLongError(msg, error.excess) from None

    async def _attempt(
        self, call: _Call, model: BaseChatModel, messages: Sequence[BaseMessage], options: dict[str, Any]
    ) -> AIMessage:
        """Return the answer to one request.

        Raises:
            _FaultError: there is none.
        """
        seconds = self._speed.limit(call.chosen.name, call.attempts.timeouts, _reply_limit(model, options))
        started = time.monotonic()
        try:
            message = with_counts(await asyncio.wait_for(model.ainvoke(list(messages), **options), seconds))
        except Exception as error:  # every provider has its own errors; they are mapped here
            raise _FaultError(read_fault(error, call.chosen, seconds)) from error
        if fault := read_end(message):
            usage = message.usage_metadata
            raise _FaultError(fault, message if usage and usage["total_tokens"] else None)
        self._speed.answered(call.chosen.name, message, time.monotonic() - started)
        return message

    def _break_off(self, call: _Call, error: "_FaultError") -> BrokenOffError:
        """Return the error by which the caller records the cost of a request, then asks again or gives up."""
        try:
            pause = self._react(call, error.fault, error.__cause__)
        except (ModelError, UnanswerableError) as final:
            return BrokenOffError(error.paid, 0.0, final)
        return BrokenOffError(error.paid, pause, None)

    def _react(self, call: _Call, fault: Fault, cause: BaseException | None) -> float:
        """Return the seconds before the next request of a call.

        Raises:
            UnanswerableError: the model cannot answer.
            ModelError: the call is given up.
        """
        if fault.parameters and self._leave_out(call, fault):
            return 0.0
        if fault.kind not in ("transient", "limited"):
            raise _final_error(fault, call) from cause
        retry_after = fault.retry_after or 0.0
        self._check_wait(call, fault, retry_after)
        if fault.kind == "limited" and retry_after > 0:
            return self._wait_for_limit(call, fault, retry_after)
        call.attempts.failures += 1
        if call.attempts.failures >= call.allowed:
            raise _final_error(fault, call) from cause
        pause = self._backoff(call.attempts.failures)
        pause = max(retry_after + pause / 10, pause) if retry_after else pause
        next_attempt = f"attempt {call.attempts.failures + 1} of {call.allowed} in {pause:.1f} s"
        self._report(call.role, call.chosen, f"{fault.message}; {next_attempt}", fault.kind)
        return pause

    def _leave_out(self, call: _Call, fault: Fault) -> bool:
        """Return whether a parameter that was refused is left out from now on."""
        parameter = self._parameters.refuse(
            call.chosen, call.options, fault.parameters, unknown=fault.unknown, count=call.left_out
        )
        if parameter:
            line = f"{call.chosen.name} refuses the parameter {parameter}; asked again without it"
            self._report(call.role, call.chosen, line)
        return bool(parameter)

    def _check_wait(self, call: _Call, fault: Fault, retry_after: float) -> None:
        """Stop when a provider asks to wait too long."""
        if retry_after <= MAX_RETRY_AFTER and call.attempts.waited + retry_after <= MAX_LIMITED_SECONDS:
            return
        until = describe_reset(retry_after)
        msg = (
            f"model {call.chosen.name} asks to wait {retry_after:.0f} s, until {until}, as {call.role}: {fault.message}"
        )
        logger.info(msg)
        raise ModelError(msg)

    def _wait_for_limit(self, call: _Call, fault: Fault, retry_after: float) -> float:
        """Return the seconds to wait for an announced limit; they grow when one call is refused again and again."""
        attempts = call.attempts
        attempts.refusals += 1
        many = attempts.refusals - call.allowed
        extra = self._backoff(many) if many > 0 else 0.0
        pause = max(retry_after, extra) + random.uniform(0.0, self._policy.backoff_seconds / 10)
        attempts.waited += pause
        self._report(call.role, call.chosen, f"{fault.message}; next request in {pause:.1f} s", fault.kind)
        return pause

    def _backoff(self, failures: int) -> float:
        """Return a random pause that doubles with each failure."""
        doubled = self._policy.backoff_seconds * 2.0 ** min(failures - 1, 30)
        return min(MAX_PAUSE, doubled) * random.uniform(0.5, 1.5)

    def _report(self, role: str, chosen: ChosenModel, text: str, kind: str = "handled") -> None:
        line = f"{role}: {text}"
        logger.info("%s fault of %s: %s", kind, chosen.name, line)
        self._emit(line)


class _FaultError(Exception):
    """One request was not answered."""

    def __init__(self, fault: Fault, paid: AIMessage | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.paid = paid
        """A reply that was broken off and has a cost."""


def _reply_limit(model: BaseChatModel, options: Mapping[str, Any]) -> int | None:
    """Return the tokens that a reply may have; None where no limit is sent."""
    values = [source for name in REPLY_LIMITS for source in (options.get(name), getattr(model, name, None))]
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _shorten(messages: Sequence[BaseMessage], excess: float) -> list[BaseMessage] | None:
    """Return the messages with a shorter question; None when it cannot be shortened."""
    *context, question = messages
    shorter = shorten_prompt(str(question.text), excess)
    return None if shorter is None else [*context, HumanMessage(shorter)]


def _final_error(fault: Fault, call: _Call) -> Exception:
    """Return the error that ends a call, and log it."""
    name, role = call.chosen.name, call.role
    if fault.kind in ("unanswerable", "too_long"):
        logger.info("no answer from %s as %s: %s", name, role, fault.message)
        if fault.kind == "unanswerable":
            return UnanswerableError(fault.message)
        return PromptTooLongError(fault.message, fault.excess, of_account=fault.of_account)
    if fault.kind == "permanent":
        msg = f"model {name} refused as {role}: {fault.message}"
    else:
        msg = f"model {name} cannot be reached as {role}: {fault.message} ({call.allowed} attempts)"
    logger.info("%s fault: %s", fault.kind, msg)
    return ModelError(msg)
