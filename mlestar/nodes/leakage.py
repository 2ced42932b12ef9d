"""Whether a script leaks labels: each version is checked once, and of a changed version only the change."""

import asyncio

from mlestar.agents.changes import Change, find_change, only_settings_differ
from mlestar.agents.context import ReplyError
from mlestar.agents.leakage import Leakage, find_leakage
from mlestar.agents.memorizing import find_memorizing
from mlestar.evaluation.blending.script import read_members
from mlestar.runtime.budget import Stage
from mlestar.runtime.context import RunContext
from mlestar.state import Brief, Draft, Solution
from mlestar.store import key_of

CLEAN = Leakage(leak=False)


async def check_literals(ctx: RunContext, brief: Brief, script: str) -> Leakage:
    """Return whether a script (blob) memorises rows, which needs no agent."""
    code, rows = await ctx.services.text(script), await ctx.row_values(brief)
    memorizing = await asyncio.to_thread(find_memorizing, code, rows)
    if memorizing is None:
        return CLEAN
    return Leakage(leak=True, block=memorizing.block, reason=memorizing.reason)


async def check_script(ctx: RunContext, brief: Brief, script: str, evidence: str = "") -> Leakage:
    """Return the finding on a whole script (blob), which the ledger keeps for every track."""
    return await _recorded(ctx, brief, script, key_of("leakage", script, evidence), evidence=evidence)


async def check_change(ctx: RunContext, brief: Brief, script: str, base: str, track: int) -> Leakage:
    """Return the finding on a script that was made from a checked one (both blobs).

    A change of nothing but layout and numeric settings of models needs no question. Where the change is most of the
    script, the whole script is checked.
    """
    before, after = await ctx.services.text(base), await ctx.services.text(script)
    if only_settings_differ(before, after):
        return CLEAN
    change = find_change(before, after)
    if change is None:
        return await check_script(ctx, brief, script)
    return await _recorded(ctx, brief, script, key_of("leakage", script, base), change=change, track=track)


async def check_finalist(ctx: RunContext, brief: Brief, finalist: Solution) -> Leakage:
    """Return the finding on the whole script of a finalist, of which perhaps only changes were checked so far.

    Of a blend the script of each member is checked: its own script only runs them.
    """
    for script in await checked_scripts(ctx, finalist):
        finding = await _check_finished(ctx, brief, script)
        if finding.leak:
            return finding
    return CLEAN


async def checked_scripts(ctx: RunContext, solution: Solution | Draft) -> tuple[str, ...]:
    """Return the scripts (blobs) in which a solution can leak: those of its members if it runs just these."""
    script = solution.script or ""
    if not solution.members:
        return (script,)
    held = read_members(await ctx.services.text(script))
    texts = {member.solution: await ctx.services.text(member.script) for member in solution.members}
    return tuple(member.script for member in solution.members) if held == texts else (script,)


async def _check_finished(ctx: RunContext, brief: Brief, script: str) -> Leakage:
    recorded = await asyncio.to_thread(ctx.services.ledger.recall, key_of("leakage", script, ""))
    if recorded is not None:
        return Leakage.model_validate(recorded)
    return await _recorded(ctx, brief, script, key_of("leakage", script, "finalist"), stage="rescoring")


async def _recorded(
    ctx: RunContext,
    brief: Brief,
    script: str,
    key: str,
    *,
    evidence: str = "",
    change: Change | None = None,
    track: int = 0,
    stage: Stage = "search",
) -> Leakage:
    """Return the recorded finding, else ask; a script about which no reply can be used counts as clean."""
    ledger = ctx.services.ledger
    recorded = await asyncio.to_thread(ledger.recall, key)
    if recorded is not None:
        return Leakage.model_validate(recorded)
    agent = ctx.services.agent(brief, track, stage)
    try:
        finding = await find_leakage(agent, await ctx.services.text(script), evidence, change)
    except ReplyError as error:
        return Leakage(leak=False, reason=f"unchecked, {error}")
    await asyncio.to_thread(ledger.note, "leakage", key, finding.model_dump())
    return finding
