"""What tokens cost: the table in `prices.toml`; a file of the user takes precedence over it."""

import re
import sys
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlestar.errors import SettingsError
from mlestar.files import read_toml
from mlestar.llm.external import ASK

MILLION = 1_000_000
CHARACTERS_PER_TOKEN = 4
"""A rough figure for English and code, where a provider does not count tokens. Not measured."""
VERSION_SUFFIX = re.compile(r"(-\d{8}|-\d{4}-\d{2}-\d{2}|-\d{3}|-latest)$")
"""Endings of model names that pin a version."""


class TokenUsage(BaseModel):
    """Tokens of one call."""

    model_config = ConfigDict(frozen=True)

    input: int = 0
    """All input tokens; `cached` and `written` are among them."""
    output: int = 0
    """All output tokens; `reasoning` is among them."""
    cached: int = 0
    """Read from the provider's cache."""
    written: int = 0
    """Written to it."""
    reasoning: int = 0


class Rate(BaseModel):
    """Prices in US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(None, ge=0)
    cache_write: float | None = Field(None, ge=0)

    def cost(self, usage: TokenUsage) -> float:
        """Return US dollars."""
        cached_rate = self.input if self.cached is None else self.cached
        write_rate = self.input if self.cache_write is None else self.cache_write
        uncached = max(0, usage.input - usage.cached - usage.written)
        inputs = uncached * self.input + usage.cached * cached_rate + usage.written * write_rate
        return (inputs + usage.output * self.output) / MILLION


class LongRate(Rate):
    above: int = Field(gt=0)
    """Input tokens above which these prices apply."""


class Price(Rate):
    """What one model costs."""

    grounded: float | None = Field(None, ge=0)
    """US dollars for grounding one answer in a web search; None when unknown."""
    long: LongRate | None = None
    output_limit: int | None = Field(None, gt=0)
    """Tokens that one reply may have, thinking included; None when unknown."""
    window: int | None = Field(None, gt=0)
    """Tokens that prompt and reply may have together; None when unknown."""

    def of(self, usage: TokenUsage, *, grounded: bool = False) -> float | None:
        """Return US dollars of a call; None when a part of its price is unknown."""
        if grounded and self.grounded is None:
            return None
        rate = self.long if self.long and usage.input > self.long.above else self
        grounding = self.grounded if grounded else None
        return rate.cost(usage) + (grounding or 0.0)

    def worst(self, inputs: int, outputs: int, *, grounded: bool = False) -> float:
        """Return US dollars that a call of at most these tokens may cost."""
        input_rate, output_rate = self._highest(inputs)
        grounding = self.grounded if grounded else None
        return (inputs * input_rate + outputs * output_rate) / MILLION + (grounding or 0.0)

    def affordable(self, usd: float, inputs: int, *, grounded: bool = False) -> int:
        """Return how many output tokens a call with these input tokens may have for so many US dollars."""
        _, output_rate = self._highest(inputs)
        rest = usd - self.worst(inputs, 0, grounded=grounded)
        if rest < 0:
            return 0
        return int(rest * MILLION / output_rate) if output_rate else sys.maxsize

    def _highest(self, inputs: int) -> tuple[float, float]:
        """Return the highest prices of input and output of a call that has at most these input tokens."""
        rates: list[Rate] = [self]
        if self.long and inputs > self.long.above:
            rates.append(self.long)
        highest_input = max(max(rate.input, rate.cached or 0.0, rate.cache_write or 0.0) for rate in rates)
        return highest_input, max(rate.output for rate in rates)


FREE = Price(input=0, output=0, grounded=0)


class Prices:
    """Prices by `provider:name`.

    Raises:
        SettingsError: the user's file cannot be read.
    """

    def __init__(self, user_file: Path | None = None) -> None:
        builtin = files("mlestar.llm").joinpath("prices.toml").read_text(encoding="utf-8")
        self._user = _read(user_file) if user_file else {}
        self._builtin = _parse(tomllib.loads(builtin))

    def price(self, model: str) -> Price | None:
        """Return a model's price, None when it is unknown."""
        if model in ("offline", ASK):
            return FREE
        return self.user_price(model) or _price(self._builtin, model)

    def user_price(self, model: str) -> Price | None:
        """Return the entry of a model in the user's file."""
        return _price(self._user, model)


def _price(table: Mapping[str, Price], model: str) -> Price | None:
    names = (model, VERSION_SUFFIX.sub("", model))
    return next((price for name in names if (price := _lookup(table, name))), None)


def _lookup(table: Mapping[str, Price], name: str) -> Price | None:
    """Return the price under this name, else under the first pattern that matches it."""
    if name in table:
        return table[name]
    pattern = next((key for key in table if fnmatchcase(name, key)), None)
    return table[pattern] if pattern else None


def _read(path: Path) -> dict[str, Price]:
    try:
        return _parse(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"prices {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise SettingsError(msg) from error
    except ValueError as error:
        msg = f"prices {path}: {error}"
        raise SettingsError(msg) from error


def _parse(table: dict[str, Any]) -> dict[str, Price]:
    return {name: Price.model_validate(row) for name, row in table.items()}
