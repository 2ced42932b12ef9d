"""One shape of a reply, and what must become of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mlestar.llm import ModelReply
from tests.unit.reply_materials import Material

Outcome = Literal["accepted", "asked again", "refused"]
Make = Callable[[Material, random.Random], str | ModelReply]


@dataclass(frozen=True)
class Shape:
    """One way to write a reply."""

    name: str
    outcome: Outcome
    """`asked again`: an attempt at the answer that cannot be used. `refused`: nothing that could become an answer."""
    make: Make
    reason: str = ""
    """A pattern of the reason that the model must read."""
    roles: tuple[str, ...] = ()
    """The only roles that it applies to; all of the kind when empty."""
    expected: Callable[[Material], str] | None = None
    """The content that must be read, when it is not the material's own."""


def accepted(
    name: str, make: Make, *, roles: tuple[str, ...] = (), expected: Callable[[Material], str] | None = None
) -> Shape:
    return Shape(name, "accepted", make, roles=roles, expected=expected)


def asked_again(name: str, make: Make, reason: str, *, roles: tuple[str, ...] = ()) -> Shape:
    return Shape(name, "asked again", make, reason, roles)


def refused(name: str, make: Make, reason: str, *, roles: tuple[str, ...] = ()) -> Shape:
    return Shape(name, "refused", make, reason, roles)
