"""What a tool does while it waits for a run: it reports progress, and the client's model answers open calls."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import InputRequiredResult

from mlestar.integrations.runs import LiveRun
from mlestar.integrations.sampling import (
    MAX_ROUNDS,
    offers_sampling,
    require,
    rounds,
    sample,
    sends_requests,
    take_responses,
)
from mlestar.llm.external import ModelCall

GRACE = 30
"""Seconds that a sample may take after the time of `wait` is over: a reply that is dropped was paid for. Chosen by
judgement; not measured."""


async def follow(live: LiveRun, ctx: Context[None, Any], seconds: float) -> InputRequiredResult | None:
    """Report progress until a run ends or asks, or time is up; return the requests that the client must answer."""
    end = _now() + seconds
    if offers_sampling(ctx) and sends_requests(ctx):
        await _sample(live, ctx, end)
        return None
    take_responses(ctx, live.calls)
    await _until_open(live, end, ctx)
    if live.calls.all and offers_sampling(ctx) and rounds(ctx) < MAX_ROUNDS:
        return require(ctx, live.calls, live.settings.max_output_tokens)
    return None


async def _sample(live: LiveRun, ctx: Context[None, Any], end: float) -> None:
    """Report progress and have open calls sampled until a run ends or the time is over."""
    samples: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            while True:
                changed = live.changed
                await _report(live, ctx)
                if not live.is_running or _now() >= end:
                    break
                samples += [group.create_task(_sample_once(live, ctx, call)) for call in live.calls.unsampled]
                await _wait_for(changed, end)
            await _until_done(live, samples, _now() + GRACE)
            for task in samples:
                task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _sample_once(live: LiveRun, ctx: Context[None, Any], call: ModelCall) -> None:
    """Have a call sampled, unless another request of the client does so already."""
    if call not in live.calls.unsampled:
        return
    live.calls.sampled.add(call.id)
    try:
        await sample(ctx, live.calls, call, live.settings.max_output_tokens)
    finally:
        live.calls.sampled.discard(call.id)
        live.notify()


async def _until_done(live: LiveRun, samples: Sequence[asyncio.Task[None]], end: float) -> None:
    """Wait for samples until all are done, the run ends or the time is over."""
    while live.is_running and _now() < end and not all(task.done() for task in samples):
        await _wait_for(live.changed, end)


async def wait_until_open(live: LiveRun, seconds: float) -> None:
    """Wait until a run has an open model call or has ended, or the time is over."""
    await _until_open(live, _now() + seconds)


async def _until_open(live: LiveRun, end: float, ctx: Context[None, Any] | None = None) -> None:
    """Report progress until a run has an open model call or has ended, or the time is over."""
    while True:
        changed = live.changed
        if ctx is not None:
            await _report(live, ctx)
        if not live.is_running or live.calls.all or _now() >= end:
            return
        await _wait_for(changed, end)


async def _wait_for(event: asyncio.Event, end: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout_at(end):
            await event.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _report(live: LiveRun, ctx: Context[None, Any]) -> None:
    """Send the lines of progress that no earlier notification has sent."""
    for line in live.lines[live.reported :]:
        live.reported += 1
        await ctx.report_progress(live.reported, message=line)
