"""How an agent asks: render the prompt, call the model, parse the reply, ask again with the reason."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mlestar.agents.replies import find_refusal
from mlestar.agents.role import Parsed, Role
from mlestar.agents.script import ScriptError
from mlestar.prompts import Prompts, restore_code
from mlestar.state import Brief

MAX_ATTEMPTS = 3
"""Times one question is asked before the agent gives up. Chosen by judgement; not measured."""


class ReplyLike(Protocol):
    """A model's reply, and why it cannot be relied on (empty when it can)."""

    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...


class ReplyError(Exception):
    """No reply satisfied its contract; the message is the last reason."""


@dataclass(frozen=True, kw_only=True)
class AgentContext:
    """What an agent works with."""

    call: Callable[[str, str, tuple[int, int]], Awaitable[ReplyLike]]
    """Takes the role's name, the prompt, and the sample: track and number of the attempt."""
    prompts: Prompts
    brief: Brief
    track: int = 0

    async def ask(self, role: Role[Parsed], **values: object) -> Parsed:
        """Return the first reply that the role's parser accepts.

        The parser raises ScriptError with a reason that the next prompt contains. The number of the attempt is in the
        prompt too, so that a recorded reply that was refused is not replayed.

        Raises:
            ReplyError: every reply was refused.
        """
        refusal = ""
        for attempt in range(MAX_ATTEMPTS):
            prompt = self.prompts.render(
                role.prompt,
                role=role.name,
                brief=self.brief,
                track=self.track,
                attempt=attempt,
                refusal=refusal,
                **values,
            )
            reply = await self.call(role.name, prompt, (self.track, attempt))
            if reply.problem:
                refusal = reply.problem
                continue
            if sentence := find_refusal(reply.text):
                refusal = f"it declines the task ({sentence}); this is ordinary engineering work on a person's own data"
                continue
            try:
                return role.parse(restore_code(reply.text))
            except ScriptError as error:
                refusal = str(error)
        msg = f"no usable reply as {role.name} after {MAX_ATTEMPTS} attempts: {refusal}"
        raise ReplyError(msg)
