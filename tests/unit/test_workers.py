"""A run that nobody closes is released when no node works on it any more."""

import asyncio

import pytest
from langgraph.errors import GraphInterrupt

from mlestar.runtime.workers import Workers


class Run:
    """A run with some tasks at work, and how often it was released."""

    def __init__(self, idle_seconds: float = 60.0) -> None:
        self.released = 0
        self.workers = Workers(self.release, idle_seconds=idle_seconds)

    async def release(self) -> None:
        self.released += 1

    def start(self, ends: asyncio.Event, error: BaseException | None = None) -> asyncio.Task[None]:
        async def work() -> None:
            self.workers.enter()
            await ends.wait()
            if error is not None:
                raise error

        return asyncio.create_task(work())


async def settle(*tasks: asyncio.Task[None]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)


async def test_a_cancelled_task_releases_the_run_when_the_last_one_leaves() -> None:
    run, ends = Run(), asyncio.Event()
    first, second = run.start(ends), run.start(ends)
    await asyncio.sleep(0)
    first.cancel()
    await settle(first)
    assert run.released == 0
    ends.set()
    await settle(second)
    assert run.released == 1


async def test_an_error_releases_the_run() -> None:
    run, ends = Run(), asyncio.Event()
    ends.set()
    await settle(run.start(ends, RuntimeError("broken")))
    assert run.released == 1


@pytest.mark.parametrize("error", [None, GraphInterrupt()], ids=["end of a node", "question"])
async def test_a_run_without_a_node_is_released_after_a_while(error: GraphInterrupt | None) -> None:
    run, ends = Run(0.2), asyncio.Event()
    ends.set()
    await settle(run.start(ends, error))
    assert run.released == 0
    await asyncio.sleep(0.3)
    assert run.released == 1


async def test_the_next_node_keeps_the_run_open() -> None:
    run, ends = Run(0.1), asyncio.Event()
    before = asyncio.Event()
    before.set()
    await settle(run.start(before))
    later = run.start(ends)
    await asyncio.sleep(0.2)
    assert run.released == 0
    ends.set()
    await settle(later)


async def test_a_run_that_is_busy_in_the_background_is_not_released() -> None:
    run, ends = Run(0.1), asyncio.Event()
    busy = True
    run.workers = Workers(run.release, lambda: busy, idle_seconds=0.1)
    ends.set()
    await settle(run.start(ends))
    await asyncio.sleep(0.2)
    assert run.released == 0
    busy = False
    await asyncio.sleep(0.2)
    assert run.released == 1
