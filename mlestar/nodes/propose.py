"""Ask an agent for a script: a refusal becomes the draft's problem."""

from collections.abc import Awaitable

from mlestar.agents.context import ReplyError
from mlestar.runtime.context import RunContext
from mlestar.state import Draft


async def propose(ctx: RunContext, draft: Draft, script: Awaitable[str]) -> Draft:
    """Return a draft with the script that an agent writes for it, or with the reason why there is none."""
    try:
        code = await script
    except ReplyError as error:
        return draft.model_copy(update={"problem": str(error)})
    return draft.model_copy(update={"script": await ctx.services.keep(code)})
