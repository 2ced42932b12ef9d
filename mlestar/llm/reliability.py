"""Which model answers a role now: one whose replies are refused too often in a row is replaced by the next."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlestar.agents.context import ReplyLike
from mlestar.agents.retriever import WEB_RETRIEVER
from mlestar.errors import WeakModelError, clean_text, mask_secrets
from mlestar.llm.models import ChosenModel, Models
from mlestar.store import Ledger, RunFolder, key_of

logger = logging.getLogger("mlestar.llm")

MAX_REASON = 200
"""Characters of the reason of a refusal that a line repeats. Chosen by judgement; not measured."""
WARM = 2
"""A model that had a reply accepted in a role is given up there after this many times as many refused replies in a
row: it can keep the contract, so that the questions may be at fault. Chosen by judgement; not measured."""


class JudgedReply(BaseModel):
    """A note of the ledger: whether a reply satisfied its contract."""

    model_config = ConfigDict(frozen=True)

    role: str
    model: str
    refusal: str
    """Why it was refused; empty when it was accepted."""


class WeakModel(BaseModel):
    """A note of the ledger: a model that was given up, and the one that took over."""

    model_config = ConfigDict(frozen=True)

    model: str
    role: str
    """The role in which it was given up."""
    accepted: int
    refused: int
    """Refused replies in this role, at that time."""
    fallback: str
    roles: tuple[str, ...]
    """The roles that the fallback took over."""
    line: str
    """What a person was shown."""


@dataclass
class Tally:
    """How many replies of a model as one role were accepted and refused."""

    accepted: int = 0
    refused: int = 0
    in_a_row: int = 0
    """Refused since the last one that was accepted."""

    def count(self, refusal: str) -> None:
        self.accepted += not refusal
        self.refused += bool(refusal)
        self.in_a_row = self.in_a_row + 1 if refusal else 0


class Reliability:
    """Counts the refused replies of every role over all tracks of a run, and replaces a model that is too weak.

    Every judged reply and every replacement is a note of the ledger. A resumed run continues with the same counts and
    models, and a reply that is replayed is not counted again.
    """

    def __init__(
        self,
        models: Models,
        ledger: Ledger,
        folder: RunFolder,
        *,
        give_up_after: int,
        emit: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Begin with what the ledger has of an earlier session.

        Args:
            models: the model of every role, and its fallbacks.
            ledger: of the run.
            folder: of the run, which the advice names.
            give_up_after: refused replies in a row after which a model is given up in a role.
            emit: receives the line about a model that is replaced.
        """
        self._models = models
        self._ledger = ledger
        self._folder = folder
        self._give_up_after = give_up_after
        self._emit = emit
        self._replaced: dict[str, int] = {}
        """How many models of a role were given up."""
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.read_notes()

    def read_notes(self) -> None:
        """Set the counts and the models to what the ledger has of them."""
        self._replaced.clear()
        self._tallies.clear()
        for fact in self._ledger.notes("reply"):
            judged = JudgedReply.model_validate(fact)
            self._tally(judged.model, judged.role).count(judged.refusal)
        for fact in self._ledger.notes("weak_model"):
            weak = WeakModel.model_validate(fact)
            self._replace(weak.model, weak.roles)

    def model_of(self, role: str) -> ChosenModel:
        """Return the model that answers a role now."""
        return self._candidates(role)[self._replaced.get(role, 0)]

    def former_of(self, role: str) -> tuple[ChosenModel, ...]:
        """Return the models that were given up in a role, in order."""
        return self._candidates(role)[: self._replaced.get(role, 0)]

    def _candidates(self, role: str) -> tuple[ChosenModel, ...]:
        return self._models.of(role), *self._models.fallbacks.get(role, ())

    async def judge(self, role: str, reply: ReplyLike, refusal: str) -> bool:
        """Count a reply, and return whether it was refused and another model than its own answers the role from now on.

        Args:
            role: that was asked.
            reply: of a model.
            refusal: why the reply was refused; empty when it was accepted.

        Raises:
            WeakModelError: the model is given up, and no other takes over.
        """
        fact = JudgedReply(role=role, model=reply.model, refusal=_shorten(refusal))
        is_new = await self._note("reply", ["reply", reply.key], fact)
        if is_new:
            self._tally(reply.model, role).count(refusal)
        if reply.model != self.model_of(role).name:
            return bool(refusal)
        rate = self._hopeless_rate(reply.model, role) if is_new and refusal else ""
        if rate:
            await self._give_up(role, f"{rate}; the last reason: {_shorten(refusal)}")
        return bool(rate)

    def _hopeless_rate(self, model: str, role: str) -> str:
        """Return in words how many replies were refused when they are too many; empty while the model may continue."""
        tally = self._tally(model, role)
        by_role = {other: one for (name, other), one in self._tallies.items() if name == model}
        refused = sum(one.refused for one in by_role.values())
        if refused >= self._give_up_after and not any(one.accepted for one in by_role.values()):
            roles = ", ".join(f"{one.refused} as {other}" for other, one in by_role.items())
            return f"all of its {refused} replies so far were refused ({roles})"
        if tally.in_a_row >= self._give_up_after * (WARM if tally.accepted else 1):
            accepted = f"{tally.accepted} of {tally.accepted + tally.refused} accepted in this role"
            return f"{tally.in_a_row} replies in a row were refused ({accepted})"
        return ""

    async def _give_up(self, role: str, rate: str) -> None:
        """Let the next model take over a role, and every other role in which no reply of this one was accepted."""
        weak = self.model_of(role).name
        tally = self._tally(weak, role)
        problem = f"model {weak} is too weak as {role}: {rate}"
        if not self._has_next(role):
            logger.info(problem)
            raise WeakModelError(f"{problem}; {self._advice(role, weak)}")
        roles = tuple(other for other in self._models.fallbacks if self._hands_over(other, role, weak))
        self._replace(weak, roles)
        fallback = self.model_of(role).name
        others = " and the other roles where no reply of it was accepted" if len(roles) > 1 else ""
        line = f"{problem}; {fallback} takes over as {role}{others}"
        fact = WeakModel(
            model=weak,
            role=role,
            accepted=tally.accepted,
            refused=tally.refused,
            fallback=fallback,
            roles=roles,
            line=line,
        )
        logger.info(line)
        self._emit(line)
        await self._note("weak_model", ["weak_model", weak, role], fact)

    def _hands_over(self, other: str, role: str, weak: str) -> bool:
        """Return whether a role goes to the next model when one is given up as `role`."""
        if self.model_of(other).name != weak or not self._has_next(other):
            return False
        # The web retriever has no contract, and a fallback may not be able to search the web.
        return other == role or (other != WEB_RETRIEVER.name and not self._tally(weak, other).accepted)

    def _replace(self, weak: str, roles: tuple[str, ...]) -> None:
        for role in roles:
            if self._has_next(role) and self.model_of(role).name == weak:
                self._replaced[role] = self._replaced.get(role, 0) + 1

    def _has_next(self, role: str) -> bool:
        return self._replaced.get(role, 0) < len(self._models.fallbacks.get(role, ()))

    def _tally(self, model: str, role: str) -> Tally:
        return self._tallies.setdefault((model, role), Tally())

    def _advice(self, role: str, weak: str) -> str:
        setting = "model" if self._models.default.name == weak else f"models.{role}"
        command = f"mlestar fork {self._folder.arguments} --at settings --set {setting}=PROVIDER:NAME"
        return f"what was reached is saved; continue with a stronger model: {command}"

    async def _note(self, kind: Any, key: list[str], fact: BaseModel) -> bool:
        return await asyncio.to_thread(self._ledger.note, kind, key_of(*key), fact.model_dump(mode="json"))


def _shorten(refusal: str) -> str:
    """Return the reason of a refusal as one line; it may quote what a model wrote."""
    return " ".join(mask_secrets(clean_text(refusal)).split())[:MAX_REASON]
