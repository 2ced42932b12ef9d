"""What a model's tokens cost, from the table `prices.toml`."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """US dollars per token."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the US dollars of one call."""
        return input_tokens * self.input + output_tokens * self.output


FREE = Price(0.0, 0.0)


def price(model: str) -> Price | None:
    """Return the price of a model by its name, with or without its provider; None when it is unknown."""
    if model == "offline":
        return FREE
    table = tomllib.loads(files("mlestar.models").joinpath("prices.toml").read_text(encoding="utf-8"))
    wanted = model.removeprefix("models/")
    for name, row in table.items():
        if wanted in (name, name.partition(":")[2]):
            return Price(row["input"] / MILLION, row["output"] / MILLION)
    return None
