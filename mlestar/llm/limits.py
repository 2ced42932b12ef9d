"""How long a reply may be: what a model allows, what its window leaves, and what a provider's refusal names."""

import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from langchain_core.language_models import BaseChatModel

from mlestar.llm.models import ChosenModel
from mlestar.llm.prices import Price, Prices
from mlestar.store import Amount, Reservation

logger = logging.getLogger("mlestar.llm")

DEFAULT_OUTPUT = 32_768
"""Tokens of a reply of a model whose limit is unknown; the same as the setting `max_output_tokens`."""
LEAST_OUTPUT = 256
"""Limit below which a call is not worth making; the same as the smallest `max_output_tokens`."""
LEAST_FIRST = 4096
"""Tokens that the first replies of a role need at least: a script of 12 KB. Chosen by judgement; not measured."""
STEP = 256
"""Limits from usual lengths are multiples of this, so that there are few different ones. Chosen by judgement."""
LEAST_USUAL = 2048
"""Tokens that every reply may have, however short the role's replies were so far. Chosen by judgement; not measured."""
MARGIN = 2.0
"""How much longer than the 95th percentile a reply may be. Chosen by judgement; not measured."""
PERCENTILE = 0.95
BYTES_PER_TOKEN = 3
"""Bytes per token of a prompt, to estimate what it leaves of the window. English and code have about 4; numbers have
fewer. Chosen by judgement; not measured. A refusal of the provider corrects it."""
MESSAGE_OVERHEAD = 32
"""Tokens that a provider may add around two messages. Chosen by judgement; not measured."""
OUTPUT_FIELDS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict", "max_new_tokens")
"""Fields of LangChain's chat models that bound a reply."""
_PARAMETER = r"(?:max_(?:completion_|output_|new_)?tokens|maxOutputTokens|maximum tokens)"
_NUMBER = r"(\d[\d,]*)"
OUTPUT_LIMITS = (
    re.compile(rf"supports at most {_NUMBER} (?:completion|output) tokens"),
    re.compile(rf"{_PARAMETER}: \d+ > {_NUMBER}, which is the maximum"),
    re.compile(rf"range of {_PARAMETER} (?:is|should be) \[\d+, ?{_NUMBER}\]", re.IGNORECASE),
    re.compile(rf"{_PARAMETER}.{{0,80}}?less than or equal to `?{_NUMBER}", re.DOTALL | re.IGNORECASE),
    re.compile(rf"{_PARAMETER}.{{0,120}}?expected a value <= {_NUMBER}", re.DOTALL | re.IGNORECASE),
    re.compile(rf"{_PARAMETER}.{{0,80}}?exceeds the model limit of {_NUMBER}", re.DOTALL | re.IGNORECASE),
)
OUTPUT_RANGE = re.compile(rf"{_PARAMETER}.{{0,120}}?to {_NUMBER} \(exclusive\)", re.DOTALL | re.IGNORECASE)
"""A range whose end is not allowed."""
AFFORDABLE = re.compile(rf"requested up to \d+ tokens, but can only afford {_NUMBER}")
"""The longest reply that the credits of an account pay for, in a refusal of OpenRouter."""
MINUTE = re.compile(rf"\bLimit:? {_NUMBER},(?: Used:? \d+,)? Requested:? (\d+)")
"""The tokens that an account may send in a minute and those of a request, its longest reply included: OpenAI, Groq."""
WINDOWS = (
    re.compile(rf"maximum context length is\s+{_NUMBER} tokens", re.IGNORECASE),
    re.compile(rf"exceed context limit: \d+ \+ \d+ > {_NUMBER}"),
    re.compile(rf"must be <= {_NUMBER}\. Given: \d+ `inputs`"),
    re.compile(rf"exceed context window of {_NUMBER}"),
)
PROMPT_LENGTHS = (
    re.compile(rf"\({_NUMBER} (?:in the messages|of text input|in your prompt)"),
    re.compile(rf"messages resulted in {_NUMBER} tokens"),
    re.compile(rf"(?:request has|prompt contains at least) {_NUMBER} input tokens"),
    re.compile(rf"exceed context limit: {_NUMBER} \+"),
    re.compile(rf"Given: {_NUMBER} `inputs`"),
)


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """Tokens that a model allows; None where it is unknown."""

    output: int | None = None
    """Tokens of one reply, thinking included."""
    window: int | None = None
    """Tokens of prompt and reply together."""
    source: str = "unknown"
    """Where the limits come from."""


@dataclass(frozen=True, kw_only=True)
class NamedLimits:
    """Tokens that a provider named when it refused a request; None for what it did not name."""

    output: int | None = None
    window: int | None = None
    prompt: int | None = None
    """Tokens of the prompt that was refused."""


@dataclass(frozen=True, kw_only=True)
class CallSize:
    """What one call may take at most."""

    input: int
    """Tokens of the prompt; no tokenizer makes more of them than there are bytes."""
    output: int
    """Tokens of the reply that it asks for."""
    least: int
    """Tokens of the reply below which the call is not worth making."""
    price: Price | None = None
    grounded: bool = False
    requests: int = 1
    """Times that the client may send it without asking us."""
    overrun: float = 1.0
    """How many times longer than its limit a reply of this model may be: a reply was."""

    def worst(self, output: int) -> Amount:
        """Return what the call takes at most with a reply that is limited to so many tokens."""
        written = math.ceil(output * self.overrun)
        usd = self.price.worst(self.input, written, grounded=self.grounded) if self.price else 0.0
        return Amount(usd=self.requests * usd, tokens=self.requests * (self.input + written))

    def affordable(self, usd: float | None, tokens: int | None) -> int:
        """Return the limit of the longest reply, up to `output`, that costs no more than this."""
        most = self.output
        if tokens is not None:
            most = min(most, int((tokens // self.requests - self.input) / self.overrun))
        if usd is not None and self.price:
            written = self.price.affordable(usd / self.requests, self.input, grounded=self.grounded)
            most = min(most, int(written / self.overrun))
        return max(0, most)


Reserve = Callable[[Callable[[], CallSize]], AbstractAsyncContextManager[Reservation]]
"""Reserves a call. Its size is asked for again while the call waits, since other replies change what is usual."""


class OutputLimits:
    """The limits of every model of a run: listed ones, and those that a provider named in a refusal."""

    def __init__(self, prices: Prices, most: int | None = None) -> None:
        """Describe the limits.

        Args:
            prices: their table lists limits too.
            most: tokens that a reply may have by the user's choice.
        """
        self._prices = prices
        self._most = most
        self._named: dict[str, ModelLimits] = {}
        self._copies: dict[tuple[int, int], tuple[ChosenModel, ChosenModel]] = {}
        """A model and its copy with a limit, by the model's id; kept, so that no other model gets either id."""

    def of(self, chosen: ChosenModel) -> ModelLimits:
        """Return what is known of a model: from a refusal, the user's table, LangChain's profile, our table."""
        listed = self._listed(chosen)
        named = self._named.get(chosen.name)
        if named is None:
            return listed
        return ModelLimits(
            output=_lower(named.output, listed.output),
            window=_lower(named.window, listed.window),
            source=named.source,
        )

    def allowed(self, chosen: ChosenModel, prompt: str, prompt_tokens: int | None = None) -> int:
        """Return the tokens that a reply to this prompt may have.

        Args:
            chosen: the model.
            prompt: all that is sent.
            prompt_tokens: of the prompt, where the provider counted them.
        """
        limits = self.of(chosen)
        own = output_setting(chosen.model)
        known = [value for value in (self._most, own, limits.output) if value]
        allowed = min(known, default=DEFAULT_OUTPUT)
        if limits.window is None:
            return allowed
        read = estimate_tokens(prompt) if prompt_tokens is None else prompt_tokens
        return min(allowed, max(LEAST_OUTPUT, limits.window - read - MESSAGE_OVERHEAD))

    def for_request(self, chosen: ChosenModel, prompt: str, granted: int | None) -> int | None:
        """Return the limit to send with a request; None to send none.

        None is for a model that was passed in without a limit, of which nothing is known, when no cap needs one.

        Args:
            chosen: the model.
            prompt: all that is sent.
            granted: tokens that the budget has reserved; None without a cap.
        """
        known = self.of(chosen)
        if granted is not None:
            return min(granted, self.allowed(chosen, prompt))
        if output_setting(chosen.model) or known.output or known.window:
            return self.allowed(chosen, prompt)
        return None

    def apply(self, chosen: ChosenModel, tokens: int | None) -> ChosenModel:
        """Return the model with this limit of a reply; unchanged without one, or when its class takes none."""
        field = _output_field(chosen.model)
        if tokens is None or not field or getattr(chosen.model, field) == tokens:
            return chosen
        key = (id(chosen.model), tokens)
        if key not in self._copies:
            copy = replace(chosen, model=chosen.model.model_copy(update={field: tokens}))
            self._copies[key] = chosen, copy
        return self._copies[key][1]

    def learn(self, chosen: ChosenModel, prompt: str, error: BaseException, sent: int | None = None) -> int | None:
        """Remember the limits that a refusal names; return what a reply may have now, None when it names none.

        Args:
            chosen: the model.
            prompt: all that was sent.
            error: the refusal.
            sent: the limit of a reply in the refused request.
        """
        if not names_reply_limit(error, sent):
            return None
        named = read_named_limits(error, sent)
        before = self.of(chosen)
        self._named[chosen.name] = ModelLimits(
            output=_lower(named.output, before.output),
            window=_lower(named.window, before.window),
            source="named by the provider in a refusal",
        )
        logger.info("%s refused a request and named its limits: %s", chosen.name, named)
        return self.allowed(chosen, prompt, named.prompt)

    def _listed(self, chosen: ChosenModel) -> ModelLimits:
        sources = (
            _limits_of_price(self._prices.user_price(chosen.name), "your file of prices"),
            _limits_of_profile(chosen.model),
            _limits_of_price(self._prices.price(chosen.name), "mlestar/llm/prices.toml"),
        )
        known = [limits for limits in sources if limits.output or limits.window]
        return ModelLimits(
            output=next((limits.output for limits in known if limits.output), None),
            window=next((limits.window for limits in known if limits.window), None),
            source=known[0].source if known else "unknown",
        )


def _limits_of_price(price: Price | None, source: str) -> ModelLimits:
    return ModelLimits(output=price.output_limit, window=price.window, source=source) if price else ModelLimits()


def _limits_of_profile(model: BaseChatModel) -> ModelLimits:
    profile = model.profile or {}
    output, window = profile.get("max_output_tokens"), profile.get("max_input_tokens")
    return ModelLimits(output=output or None, window=window or None, source="LangChain's profile")


def read_named_limits(error: BaseException, sent: int | None = None) -> NamedLimits:
    """Return the limits that the messages of a client's errors name.

    Args:
        error: the refusal, with its causes.
        sent: the limit of a reply in the refused request; a limit per minute counts it as a part of the request.
    """
    text = "\n".join(str(link) for link in _chain(error))
    if minute := _read_minute(text, sent):
        return minute
    exclusive = OUTPUT_RANGE.search(text)
    output = _number(exclusive) - 1 if exclusive else _first(OUTPUT_LIMITS, text) or _read_affordable(text)
    return NamedLimits(output=output, window=_first(WINDOWS, text), prompt=_first(PROMPT_LENGTHS, text))


def _read_minute(text: str, sent: int | None) -> NamedLimits | None:
    """Return the limit per minute as a window that holds prompt and reply; None when the reply was not counted."""
    match = MINUTE.search(text)
    if match is None or sent is None:
        return None
    limit, requested = _number(match), int(match.group(2))
    if requested <= max(limit, sent):
        return None
    return NamedLimits(window=limit, prompt=requested - sent)


def _read_affordable(text: str) -> int | None:
    """Return the reply that an account can pay for; None when it is too short to be of use."""
    tokens = _first((AFFORDABLE,), text)
    return tokens if tokens is not None and tokens >= LEAST_USUAL else None


def names_reply_limit(error: BaseException, sent: int | None = None) -> bool:
    """Return whether a refusal says that the reply may be shorter, rather than that the prompt is too long."""
    named = read_named_limits(error, sent)
    if named.window:
        return named.window - (named.prompt or 0) >= LEAST_USUAL
    return named.output is not None


def usual_output(lengths: Sequence[int]) -> int | None:
    """Return what a reply may have after replies of these lengths: twice their 95th percentile; None without any."""
    if not lengths:
        return None
    rank = math.ceil(PERCENTILE * len(lengths))
    length = MARGIN * sorted(lengths)[rank - 1]
    return max(LEAST_USUAL, math.ceil(length / STEP) * STEP)


def thinking_tokens(model: BaseChatModel) -> int:
    """Return the tokens that a model may think by its own arguments, which count towards the limit of a reply."""
    thinking = getattr(model, "thinking", None)
    budgets = [getattr(model, "thinking_budget", None)]
    if isinstance(thinking, dict):
        budgets.append(thinking.get("budget_tokens"))
    return max((budget for budget in budgets if isinstance(budget, int) and budget > 0), default=0)


def output_setting(model: BaseChatModel) -> int | None:
    """Return the limit of a reply that a model was made with."""
    field = _output_field(model)
    value = getattr(model, field) if field else None
    return value if isinstance(value, int) and value > 0 else None


def takes_output_limit(model: BaseChatModel) -> bool:
    """Return whether the class of a model has a field that bounds a reply."""
    return bool(_output_field(model))


def estimate_tokens(prompt: str) -> int:
    return count_bytes(prompt) // BYTES_PER_TOKEN


def count_bytes(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))


def _output_field(model: BaseChatModel) -> str:
    return next((field for field in OUTPUT_FIELDS if field in type(model).model_fields), "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> int | None:
    match = next((match for pattern in patterns if (match := pattern.search(text))), None)
    return _number(match) if match else None


def _number(match: re.Match[str]) -> int:
    return int(match.group(1).replace(",", ""))


def _lower(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
