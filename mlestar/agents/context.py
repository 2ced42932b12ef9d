"""How an agent asks: render the prompt, call the model, parse the reply, ask again with the reason."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mlestar.agents.replies import reject_refusal
from mlestar.agents.role import Parsed, Role
from mlestar.agents.script import RepetitionError, ScriptError
from mlestar.prompts import Prompts, restore_code
from mlestar.state import Brief, StepFacts

MAX_ATTEMPTS = 3
"""Times one question is asked before the agent gives up. Chosen by judgement; not measured."""


class ReplyLike(Protocol):
    """A model's reply, why it cannot be relied on (empty when it can), who wrote it, and its key in the ledger."""

    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def key(self) -> str: ...


def advise_nothing(parsed: object) -> str:
    """Accept every reply that satisfies its contract."""
    return ""


class ReplyError(Exception):
    """No reply satisfied its contract; the message is the last reason."""


async def judge_nothing(role: str, reply: ReplyLike, refusal: str) -> bool:
    """Keep the model, whatever it replies."""
    return False


@dataclass(frozen=True, kw_only=True)
class AgentContext:
    """What an agent works with."""

    call: Callable[[str, str, tuple[int, int]], Awaitable[ReplyLike]]
    """Takes the role's name, the prompt, and the sample: track and number of the attempt."""
    prompts: Prompts
    brief: Brief
    track: int = 0
    judge: Callable[[str, ReplyLike, str], Awaitable[bool]] = judge_nothing
    """Takes the role's name, a reply, and why it was refused (empty when it was accepted); returns whether another
    model answers the role from now on."""
    facts: StepFacts = field(default_factory=StepFacts)
    """What the run knew when the step began."""

    async def ask(
        self, role: Role[Parsed], *, advise: Callable[[Parsed], str] = advise_nothing, **values: object
    ) -> Parsed:
        """Return the first reply that the role's parser accepts.

        The parser raises ScriptError with a reason that the next prompt contains. The number of the attempt is in the
        prompt too, so that a recorded reply that was refused is not replayed. A model that takes over the role is asked
        as if it were the first.

        Args:
            role: whose reply is parsed.
            advise: returns why an accepted reply should be better, empty when it need not. Its reason counts once, and
                the reply is used when no later one is accepted.
            values: of the prompt.

        Raises:
            ReplyError: every reply was refused.
            ModelError: the model is given up in this role, and no other takes over.
        """
        refusal, attempt = "", 0
        usable: list[Parsed] = []
        while attempt < MAX_ATTEMPTS:
            prompt = self._prompt(role, attempt, refusal, values)
            try:
                reply = await self.call(role.name, prompt, (self.track, attempt))
            except ReplyError:
                if not usable:
                    raise
                break
            try:
                parsed = read_reply(role, reply)
            except RepetitionError as error:
                refusal, replaced = str(error), False
            except ScriptError as error:
                refusal = str(error)
                replaced = await self.judge(role.name, reply, refusal)
            else:
                await self.judge(role.name, reply, "")
                advice = "" if usable else advise(parsed)
                if not advice:
                    return parsed
                refusal, replaced, usable = advice, False, [parsed]
            refusal, attempt = ("", 0) if replaced else (refusal, attempt + 1)
        if usable:
            return usable[0]
        msg = f"no usable reply as {role.name} after {MAX_ATTEMPTS} attempts: {refusal}"
        raise ReplyError(msg)

    def _prompt(self, role: Role[Parsed], attempt: int, refusal: str, values: Mapping[str, object]) -> str:
        return self.prompts.render(
            role.prompt,
            role=role.name,
            brief=self.brief,
            facts=self.facts,
            track=self.track,
            attempt=attempt,
            refusal=refusal,
            **values,
        )


def read_reply(role: Role[Parsed], reply: ReplyLike) -> Parsed:
    """Return what a reply says.

    Raises:
        ScriptError: it cannot be relied on, declines the task, or does not satisfy the role's contract.
    """
    if reply.problem:
        raise ScriptError(reply.problem)
    text = restore_code(reply.text)
    try:
        return role.parse(text)
    except RepetitionError:
        raise
    except ScriptError:
        reject_refusal(text)
        raise
