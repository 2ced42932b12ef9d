"""Choosing what a reply means: of all fences or objects in it, the one that satisfies the role's contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from mlestar.agents.script import ScriptError

Value = TypeVar("Value")
Accepted = TypeVar("Accepted")

Candidate = Callable[[], Value]
"""Returns one meaning of a reply, or raises ScriptError with the reason why it cannot be used."""


@dataclass(frozen=True)
class Choices(Generic[Value]):
    """A parser that takes the only candidate which satisfies the contract."""

    noun: str
    """What the candidates are, for the reason that a model reads."""
    read: Callable[[str], Sequence[Sequence[Candidate[Value]]]]
    """Returns the candidates of a reply in groups, the most likely group first; a later group counts when no candidate
    of the earlier ones can be used. Raises ScriptError when there is none."""

    def __call__(self, reply: str) -> Value:
        """Return the value of the only usable candidate.

        Raises:
            ScriptError: no candidate can be used, or several different ones can.
        """
        refusals: list[str] = []
        for group in self.read(reply):
            values, reasons = _try_all(group)
            if len(values) > 1:
                msg = (
                    f"the reply has {len(values)} different {self.noun} that could each be the answer; "
                    "answer with one of them only, complete"
                )
                raise ScriptError(msg)
            if values:
                return values[0]
            refusals += reasons
        if len(refusals) > 1:
            msg = (
                f"none of the {len(refusals)} {self.noun} in the reply is a usable answer "
                f"(one of them: {refusals[0]}); answer with one, complete"
            )
            raise ScriptError(msg)
        raise ScriptError(refusals[0] if refusals else f"the reply has no {self.noun}")

    def then(self, accept: Callable[[Value], Accepted]) -> "Choices[Accepted]":
        """Return the parser with a further check, which helps to choose."""

        def read(reply: str) -> Sequence[Sequence[Candidate[Accepted]]]:
            return [[partial(_apply, accept, candidate) for candidate in group] for group in self.read(reply)]

        return Choices(self.noun, read)


def _apply(accept: Callable[[Value], Accepted], candidate: Candidate[Value]) -> Accepted:
    return accept(candidate())


def _try_all(group: Sequence[Candidate[Value]]) -> tuple[list[Value], list[str]]:
    """Return the different values of the usable candidates, and the reasons of the others."""
    values: list[Value] = []
    reasons: list[str] = []
    for candidate in group:
        try:
            value = candidate()
        except ScriptError as error:
            reasons.append(str(error))
            continue
        if value not in values:
            values.append(value)
    return values, reasons
