"""What a provider's error means, read from its status, codes and fields; from its message only sizes and parameters."""

import json
import re
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from langchain_core import exceptions as langchain
from langchain_core.messages import AIMessage

from mlestar.errors import first_line
from mlestar.llm.delay import MAX_RETRY_AFTER, read_delay
from mlestar.llm.error_body import ErrorBody, read_body
from mlestar.llm.limits import LEAST_USUAL, output_setting
from mlestar.llm.models import ChosenModel
from mlestar.llm.provider import PROVIDERS

TRANSIENT = {408, 409, 425, 429}
"""Statuses below 500 after which the same request may succeed."""
REFUSED_REQUEST = {400, 422}
"""Statuses of a request that the provider cannot use as it is."""
ADVICE = {
    400: "the request is invalid",
    401: "check the key",
    402: "the account is empty; check it",
    403: "the key may not use this model",
    404: "check the model's name and the address",
}
EMPTY_ACCOUNT = {
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
    "insufficient_credits",
}
"""Codes of an account that has nothing left to spend."""
DAILY = ("perday", "per_day", "per-day", "daily")
"""How the name of a quota (`quotaId`, `quota_limit`, `limit_source`) says that it is a daily one."""
QUOTA_KEYS = ("quotaId", "quota_limit", "limit_source")
NO_QUOTA = re.compile(r"\blimit:? 0(?![\d.]*\d)|doesn't have a free quota tier", re.IGNORECASE)
"""How messages of Google and OpenAI say that the account may not use a model at all."""
FILTERED = {"content_filter", "responsibleaipolicyviolation", "content_policy_violation", "data_inspection_failed"}
"""Codes of a prompt that a content filter has blocked."""
OVERFLOW = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "request_too_large",
    "3051",
}
"""Codes of a prompt that is longer than the model can read; the last one is of Mistral."""
OVERFLOW_STATUS = 413
"""The status of a request that is too large."""
MIN_REPLY = 256
"""Tokens of the shortest reply that is worth asking for. Chosen by judgement; not measured."""
OVERFLOW_MESSAGES = (
    re.compile(
        r"maximum context length is (?P<limit>\d+) tokens.*?(?:resulted in|requested)(?: about)? (?P<size>\d+) tokens"
        r"(?: \([^)]*?(?P<reply>\d+) (?:in|for) the (?:completion|output))?",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(r"prompt is too long: (?P<size>\d+) tokens > (?P<limit>\d+) maximum"),
    re.compile(r"input token count \(?(?P<size>\d+)\)? exceeds the maximum number of tokens allowed \(?(?P<limit>\d+)"),
    re.compile(r"Prompt contains (?P<size>\d+) tokens.{0,60}? too large for model with (?P<limit>\d+) maximum"),
    re.compile(r"maximum prompt length is (?P<limit>\d+) but the request contains (?P<size>\d+) tokens"),
    re.compile(r"request \((?P<size>\d+) tokens\) exceeds the available context size \((?P<limit>\d+) tokens\)"),
    re.compile(r"keep the first (?P<size>\d+) tokens when .{0,200}?context length of only (?P<limit>\d+)", re.DOTALL),
    re.compile(r"n_keep: (?P<size>\d+) ?>= n_ctx: (?P<limit>\d+)"),
)
"""Sentences that name the sizes: vLLM, OpenAI and OpenRouter, Anthropic, Google, Mistral, xAI, llama.cpp, LM Studio.
Several providers give no code."""
OVERFLOW_WITHOUT_SIZES = re.compile(
    r"exceeds the available context size|context size has been exceeded|input is too long for requested model"
    r"|exceeds (?:the )?(?:model )?context window",
    re.IGNORECASE,
)
"""Sentences that name no sizes, some without a code: llama.cpp, Bedrock, Anthropic."""
MINUTE_MESSAGE = re.compile(r"\bLimit:? (?P<limit>[1-9]\d*), Requested:? (?P<size>\d+)")
"""The sizes of a request that has more tokens than the account may send in a minute: OpenAI and Groq count the longest
reply too, and waiting does not help."""
UNKNOWN_PARAMETER = {"unsupported_parameter", "unknown_parameter", "extra_forbidden", "unsupported", "unrecognized"}
"""Codes, and words of messages, about a parameter that a model does not know."""
WORD = re.compile(r"[A-Za-z_][\w.]*")
PASSED_ON = {408, 499, 502, 504, 524}
"""Statuses of a request that was passed on or given up after it had begun, so that it may be billed: request timeout,
client closed, bad gateway, gateway timeout, and the last one of Cloudflare."""
BROKEN_OFF = {"error", "network_error", "insufficient_system_resource"}
"""Finish reasons of a reply that the provider could not complete: OpenRouter, Z.ai, DeepSeek."""


@dataclass(frozen=True)
class Fault:
    """What went wrong with a call, and what that means for it."""

    kind: Literal["transient", "limited", "permanent", "unanswerable", "too_long"]
    message: str
    retry_after: float | None = None
    """Seconds that the provider asks us to wait."""
    parameters: frozenset[str] = frozenset()
    """Parameters of the request that a refusal may be about."""
    unknown: bool = False
    """The provider does not know the parameter, rather than its value."""
    timed_out: bool = False
    """There was no answer in time."""
    may_cost: bool = False
    """The request may have been answered and billed, although no answer arrived."""
    excess: float = 0.0
    """How many times longer than allowed the prompt is; 0 when the provider does not say."""
    of_account: bool = False
    """The prompt is too long for what the account may send in a minute, not for the model."""


def read_fault(error: BaseException, chosen: ChosenModel, seconds: float) -> Fault:
    """Return what an error of a client library means."""
    chain = list(_chain(error))
    body = read_body(chain)
    if fault := _read_overflow(chain, body, chosen):
        return fault
    if body is not None:
        return _read_answer(body, chosen)
    if any(_is(link, "ModelTimeout", "Timeout") for link in chain):
        message = f"no answer within {seconds:g} s"
        return Fault("transient", message, timed_out=True, may_cost=not _was_not_sent(chain))
    if any(isinstance(link, ConnectionError) or _is(link, "ModelConnection", "Transport") for link in chain):
        reason = first_line(str(chain[-1])) or type(chain[-1]).__name__
        return Fault("transient", f"the connection failed ({reason})", may_cost=not _was_not_sent(chain))
    if any(isinstance(link, json.JSONDecodeError) or _is(link, "Validation") for link in chain):
        return Fault("transient", "the answer was not the provider's protocol", may_cost=True)
    if isinstance(error, langchain.ModelError) and error.is_retryable:
        return Fault("transient", first_line(str(error)), may_cost=True)
    if isinstance(error, IndexError) and chosen.provider:  # clients raise it for an answer without candidates
        return Fault("unanswerable", "the provider returned no candidate", may_cost=True)
    return Fault("permanent", f"{type(error).__name__}: {first_line(str(error))}", may_cost=True)


def read_end(message: AIMessage) -> Fault | None:
    """Return the fault of a reply that the provider broke off; None for any other reply."""
    reason = str(message.response_metadata.get("finish_reason") or "")
    if reason not in BROKEN_OFF:
        return None
    return Fault("transient", f"the provider broke the reply off (finish reason {reason})")


def describe_reset(seconds: float) -> str:
    """Return the time at which a limit ends."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"{moment:%H:%M} UTC" if seconds < 86_400 else f"{moment:%Y-%m-%d %H:%M} UTC"


def _read_overflow(chain: Sequence[BaseException], body: ErrorBody | None, chosen: ChosenModel) -> Fault | None:
    """Return the fault of a prompt that is too long; None for any other error."""
    text = body.message if body else str(chain[0])
    if body is not None and (request := MINUTE_MESSAGE.search(body.message)):
        return _read_minute(request.groupdict(), output_setting(chosen.model) or 0)
    sizes = next((match for pattern in OVERFLOW_MESSAGES if (match := pattern.search(text))), None)
    excess = _excess(sizes.groupdict()) if sizes else 0.0
    of_client = any(isinstance(link, langchain.ContextOverflowError) for link in chain)
    by_code = body is not None and (body.status == OVERFLOW_STATUS or bool(body.codes & OVERFLOW))
    if not (of_client or by_code or sizes or OVERFLOW_WITHOUT_SIZES.search(text)):
        return None
    numbers = f" ({sizes['size']} tokens, {sizes['limit']} allowed)" if sizes else ""
    if 0 < excess < 1:
        text = f"prompt and longest reply together do not fit into the model's window{numbers}"
        return Fault("unanswerable", f"{text}; a lower max_output_tokens leaves more room for the prompt")
    return Fault("too_long", f"the prompt is longer than the model can read{numbers}; be briefer", excess=excess)


def _read_minute(sizes: Mapping[str, str], reply: int) -> Fault:
    """Return the fault of a request with more tokens than the account may send in a minute.

    Args:
        sizes: of the limit and the request.
        reply: tokens of the longest reply, which the request includes where it is longer than that.
    """
    size, limit = int(sizes["size"]), int(sizes["limit"])
    counted = 0 < reply < size
    excess = (size - reply) / max(1, limit - LEAST_USUAL) if counted else size / limit
    text = f"the request has {size} tokens, its longest reply included, and the account may send {limit} in a minute"
    return Fault("too_long", f"{text}; lower max_output_tokens", excess=excess, of_account=True)


def _excess(sizes: Mapping[str, str | None]) -> float:
    """Return how many times longer the prompt is than allowed, with room for the shortest useful reply."""
    size, limit, reply = (int(sizes.get(name) or 0) for name in ("size", "limit", "reply"))
    return (size - reply) / max(1, limit - (MIN_REPLY if reply else 0))


def _read_answer(body: ErrorBody, chosen: ChosenModel) -> Fault:
    """Return what an error means with which the provider answered."""
    if body.codes & FILTERED:
        return Fault("unanswerable", "the prompt was blocked by the provider's content filter")
    if body.status == 402 or body.codes & EMPTY_ACCOUNT:
        return Fault("permanent", f"{ADVICE[402]} ({body.status}: {first_line(body.message)})")
    if body.status == 429:
        return _read_limit(body)
    if body.status in TRANSIENT or body.status >= 500:
        message = f"{_transient_name(body.status)} ({body.status})"
        return Fault("transient", message, read_delay(body), may_cost=body.status in PASSED_ON)
    advice = _advice(body.status, chosen)
    message = f"{body.status}: {first_line(body.message)}"
    text = f"{advice} ({message})" if advice else message
    if body.status not in REFUSED_REQUEST:
        return Fault("permanent", text)
    words = frozenset(word.lower() for word in WORD.findall(body.message))
    named = _pieces(body.parameters) or _pieces(words)
    return Fault("permanent", text, parameters=named, unknown=bool(UNKNOWN_PARAMETER & (body.codes | words)))


def _read_limit(body: ErrorBody) -> Fault:
    """Return what a rate limit or a quota means: a daily quota or one of 0 stops the run, others are waited for."""
    if _has_no_quota(body):
        text = f"the account has no quota for this model (429: {first_line(body.message)})"
        return Fault("permanent", f"{text}; name another model, or enable billing")
    delay = read_delay(body)
    daily = next((name for name in _quotas(body) if any(mark in name.lower() for mark in DAILY)), None)
    if daily is None:
        return Fault("limited", "rate limit (429)", delay)
    of_day = delay is not None and delay > MAX_RETRY_AFTER  # Gemini adds the delay of its limit per minute
    reset = f"; the provider takes requests again at {describe_reset(delay)}" if delay and of_day else ""
    return Fault("permanent", f"the daily quota is used up (429: {first_line(daily)}){reset}")


def _has_no_quota(body: ErrorBody) -> bool:
    """Return whether a quota is 0, so that waiting does not help."""
    values = (str(part.get("quotaValue", "")) for part in body.parts)
    return "0" in values or bool(NO_QUOTA.search(body.message))


def _quotas(body: ErrorBody) -> Iterator[str]:
    """Yield the names of the quotas that a body says are used up."""
    for part in body.parts:
        yield from (str(part[key]) for key in QUOTA_KEYS if isinstance(part.get(key), str))


def _pieces(names: Collection[str]) -> frozenset[str]:
    """Return names and the parts of dotted ones, such as `thinking.type`."""
    return frozenset(piece.lower() for name in names for piece in (name, *name.split(".")))


def _transient_name(status: int) -> str:
    return "server error" if status >= 500 else "temporarily refused"


def _advice(status: int, chosen: ChosenModel) -> str:
    """Return what a person should check; empty when it is not known."""
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


def _was_not_sent(chain: Sequence[BaseException]) -> bool:
    """Return whether a request failed before it could reach the provider."""
    return any(isinstance(link, ConnectionRefusedError | socket.gaierror) or _is(link, "Connect") for link in chain)


def _is(error: BaseException, *kinds: str) -> bool:
    """Return whether an error is of a kind by its name; each client brings its own HTTP library."""
    names = {f"{kind}{ending}" for kind in kinds for ending in ("Error", "Exception")}
    return any(cls.__name__ in names for cls in type(error).__mro__)
