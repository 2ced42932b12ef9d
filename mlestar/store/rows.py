"""Rows that the ledger returns of a run's course."""

from dataclasses import dataclass
from typing import NamedTuple


class Executed(NamedTuple):
    """An execution that has ended."""

    label: str
    kind: str
    """`execution` or `export`."""
    status: str
    seconds: float
    finished: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class RoleSpend:
    """What the model calls of a role took."""

    role: str
    calls: int
    seconds: float
    input_tokens: int
    output_tokens: int
    usd: float | None
    """None when the price of a call is unknown."""
