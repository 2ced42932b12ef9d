"""How an agent asks: render the prompt, call the model, parse the reply, ask again with the reason."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mlestar.agents.replies import declined
from mlestar.agents.script import ScriptError
from mlestar.prompts import Prompts, restore_code
from mlestar.state import Brief

T = TypeVar("T")
ASKS = 3
"""Times one question is put before the agent gives up."""


class Answered(Protocol):
    """A model's answer, and why it cannot be relied on (empty when it can)."""

    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...


class ReplyError(Exception):
    """No reply satisfied its contract; the message is the last reason."""


@dataclass(frozen=True, kw_only=True)
class AgentContext:
    """What an agent works with."""

    call: Callable[[str, str, tuple[int, int]], Awaitable[Answered]]
    """Takes role, prompt, and the sample that is asked for: track and number of the attempt."""
    prompts: Prompts
    brief: Brief
    track: int = 0

    async def ask(self, role: str, parse: Callable[[str], T], **values: object) -> T:
        """Return the first reply that `parse` accepts.

        `parse` raises ScriptError with a reason that is shown to the model in the next attempt. The attempt's number
        stands in the prompt, so that a recorded refusal is never replayed as the answer to the next attempt.

        Raises:
            ReplyError: every reply was refused.
        """
        refusal = ""
        for attempt in range(ASKS):
            prompt = self.prompts.render(
                role, brief=self.brief, track=self.track, attempt=attempt, refusal=refusal, **values
            )
            reply = await self.call(role, prompt, (self.track, attempt))
            if reply.problem:
                refusal = reply.problem
                continue
            if sentence := declined(reply.text):
                refusal = f"it declines the task ({sentence}); this is ordinary engineering work on a person's own data"
                continue
            try:
                return parse(restore_code(reply.text))
            except ScriptError as error:
                refusal = str(error)
        msg = f"no usable reply as {role} after {ASKS} attempts: {refusal}"
        raise ReplyError(msg)
