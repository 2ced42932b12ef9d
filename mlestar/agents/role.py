"""A row of the role table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from mlestar.agents.choices import Choices

Parsed = TypeVar("Parsed")
Accepted = TypeVar("Accepted")

EXACT = 0.0
"""Temperature of roles that check, copy, carry out or summarize."""
VARIED = 1.0
"""Temperature of roles that propose, where different answers are useful."""


@dataclass(frozen=True)
class Role(Generic[Parsed]):
    """All that is fixed about one agent role."""

    name: str
    """Used in the settings `models`, `temperatures` and `effort`, in the ledger, and for the prompt file."""
    group: str
    """Roles that the settings can address together."""
    temperature: float
    parse: Callable[[str], Parsed]
    """Turns the text of a reply into what the agent returns; raises ScriptError with a reason for the model."""
    schema: type[BaseModel] | None = None
    """Schema of a reply in JSON, for models that support one; `parse` reads the reply in any case."""

    @property
    def prompt(self) -> str:
        """File name of its prompt."""
        return f"{self.name}.md"

    def then(self, accept: Callable[[Parsed], Accepted]) -> "Role[Accepted]":
        """Return the role with a second step of parsing, for checks that need what one call asks about."""
        first = self.parse

        def parse(reply: str) -> Accepted:
            return accept(first(reply))

        second = first.then(accept) if isinstance(first, Choices) else parse
        return Role(self.name, self.group, self.temperature, second, self.schema)
