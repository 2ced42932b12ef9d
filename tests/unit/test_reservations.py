"""Calls wait for the budget in the order of arrival, ask for what is usual, and never pass a cap."""

import asyncio
import contextlib
import itertools
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from langchain_core.outputs import ChatResult

from mlestar.errors import ModelError, StopRequested
from mlestar.llm import Caller, Models, Prices, RetryPolicy, Transport, wrap_model
from mlestar.llm.limits import LEAST_USUAL, CallSize
from mlestar.llm.prices import Price
from mlestar.runtime.budget import Budget, Refusal
from mlestar.settings import Settings
from mlestar.store import Amount, Blobs, Caps, Ledger, Record, Reservation, Shortage
from tests.unit.writer import Writer

DOLLAR = Price(input=0, output=1000)
"""A dollar for a thousand tokens of a reply."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def size(output: int, least: int | None = None) -> CallSize:
    return CallSize(input=0, output=output, least=output if least is None else least, price=DOLLAR)


def make_budget(ledger: Ledger, usd: float) -> Budget:
    """Return a budget whose search may take 90 % of the cap."""
    return Budget(Settings.resolve({"max_usd": usd}), ledger, [size(1000, least=1)])


@asynccontextmanager
async def running(budget: Budget, tokens: int, name: str = "running") -> AsyncIterator[Reservation]:
    async with budget.call(name, lambda: size(tokens)) as reservation:
        yield reservation


def apart(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start work that is not part of the call within which it is started."""
    return asyncio.create_task(work, context=Context())


async def begin(waiting: asyncio.Task[None]) -> None:
    """Wait until a task has had time to start or to be refused."""
    await asyncio.wait({waiting}, timeout=0.2)


async def test_a_call_that_does_not_fit_beside_a_running_one_waits_for_it(ledger: Ledger) -> None:
    budget, order = make_budget(ledger, usd=1), list[str]()

    async def late() -> None:
        async with running(budget, 500):
            order.append("late")

    async with running(budget, 500):
        task = apart(late())
        await begin(task)
        order.append("first")
    await task
    assert order == ["first", "late"]


async def test_calls_start_in_the_order_of_arrival_even_when_a_later_one_would_fit(ledger: Ledger) -> None:
    budget, order = make_budget(ledger, usd=1), list[str]()

    async def ask(name: str, tokens: int) -> None:
        async with running(budget, tokens):
            order.append(name)

    async with running(budget, 500):
        tasks = []
        for name, tokens in (("large", 800), ("small", 100), ("smaller", 50)):
            tasks.append(apart(ask(name, tokens)))
            await begin(tasks[-1])
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["large", "small", "smaller"]


async def test_a_call_that_would_not_fit_alone_is_refused_with_what_it_could_cost_and_what_is_left(
    ledger: Ledger,
) -> None:
    budget = make_budget(ledger, usd=1)
    with pytest.raises(Refusal, match=r"max_usd is reached; it could cost \$0\.9500, and \$0\.9000 of \$1\.00 is left"):
        async with running(budget, 950, "planner of t0"):
            pass
    (refusal,) = ledger.notes("refusal")
    assert (refusal["cap"], refusal["label"]) == ("max_usd", "planner of t0")
    assert "$0.9500" in refusal["reason"]


async def test_a_call_may_ask_for_less_when_less_is_left_but_never_for_less_than_it_needs(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    async with budget.call("long", lambda: size(5000, least=800)) as reservation:
        assert reservation.output is not None
        assert 890 <= reservation.output <= 900
    with pytest.raises(Refusal):
        async with budget.call("long", lambda: size(5000, least=901)):
            pass


async def test_a_waiting_call_is_sized_again_when_its_turn_comes(ledger: Ledger) -> None:
    budget, sizes = make_budget(ledger, usd=1), itertools.chain([800], itertools.repeat(100))
    granted: list[int | None] = []

    async def late() -> None:
        async with budget.call("late", lambda: size(next(sizes))) as reservation:
            granted.append(reservation.output)

    async with running(budget, 500):
        task = apart(late())
        await begin(task)
        assert granted == []
    await task
    assert granted == [100]


async def test_a_cancelled_call_leaves_the_queue(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)

    async def late(tokens: int) -> None:
        async with running(budget, tokens):
            pass

    async with running(budget, 500):
        cancelled, next_one = apart(late(800)), apart(late(300))
        await begin(next_one)
        assert not next_one.done()
        cancelled.cancel()
        await asyncio.wait_for(next_one, 5)
    assert cancelled.cancelled()


async def test_a_stop_empties_the_queue_once_all_that_runs_is_recorded(ledger: Ledger) -> None:
    budget, order = make_budget(ledger, usd=1), list[str]()

    async def late() -> None:
        with pytest.raises(StopRequested):
            async with running(budget, 800):
                pass
        order.append("stopped")

    async with running(budget, 500):
        tasks = [apart(late()) for _ in range(3)]
        await begin(tasks[0])
        budget.stop()
        await begin(tasks[0])
        order.append("recorded")
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert order == ["recorded", "stopped", "stopped", "stopped"]


async def test_a_call_within_a_call_never_waits_for_it(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    async with running(budget, 500):
        async with running(budget, 300):
            pass
        with pytest.raises(Refusal, match="does not wait"):
            async with asyncio.timeout(5), running(budget, 500):
                pass
    async with running(budget, 800):
        pass


async def test_a_call_waits_for_no_execution(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    async with budget.execution("t0.c1", "search", 1.0), asyncio.timeout(5), running(budget, 800):
        pass


async def test_a_call_that_is_cancelled_while_it_is_reserved_keeps_nothing(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)

    async def ask() -> None:
        async with running(budget, 800):
            await asyncio.sleep(0.01)

    for moment in range(12):
        task = asyncio.create_task(ask())
        await asyncio.sleep(moment / 1000)
        task.cancel()
        await asyncio.wait({task})
    async with asyncio.timeout(5), running(budget, 800):
        pass


async def test_any_mixture_of_calls_ends_within_the_cap(ledger: Ledger) -> None:
    budget, chance = make_budget(ledger, usd=1), random.Random(3)

    async def ask(number: int, tokens: int, share: float, seconds: float) -> None:
        async def work() -> Record:
            await asyncio.sleep(seconds)
            return Record(result={}, output_tokens=int(tokens * share), usd=tokens * share / 1000)

        within = budget.call(f"call {number}", lambda: size(tokens, least=tokens // 2))
        with contextlib.suppress(Refusal):
            await ledger.once(f"{number}", "model_call", "planner", work, within=within)

    tasks = []
    for number in range(60):
        tasks.append(
            asyncio.create_task(ask(number, chance.randint(1, 400), chance.random() / 4, chance.random() / 50))
        )
        await asyncio.sleep(chance.random() / 200)
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() or task.exception() is None for task in tasks)
    spent = ledger.spend()
    assert 0.5 < (spent.usd or 0) <= 0.9
    assert isinstance(ledger.reserve("all", Amount(usd=0.9 - (spent.usd or 0) - 1e-9), Caps(usd=0.9)), int)


class BudgetedCaller:
    """A caller and a budget around a model that writes replies of given lengths; `limits` has those of the requests."""

    def __init__(self, folder: Path, lengths: list[int], **settings: object) -> None:
        self.limits: list[int] = []
        waiting = iter(lengths)
        budgeted = self

        class Recorded(Writer):
            def _generate(self, *arguments: Any, **kwargs: Any) -> ChatResult:
                budgeted.limits.append(self.max_tokens or 0)
                return super()._generate(*arguments, **kwargs)

        folder.mkdir(exist_ok=True)
        (folder / "prices.toml").write_text('["some-model"]\ninput = 1\noutput = 10\noutput_limit = 20000\n')
        self.model = Recorded(answer=lambda role, prompt: "a plan", length=lambda prompt: next(waiting))
        self.ledger = Ledger(folder / "ledger.sqlite")
        prices, blobs = Prices(folder / "prices.toml"), Blobs(folder / "blobs")
        models = Models(default=wrap_model(self.model))
        self.caller = Caller(models, self.ledger, blobs, transport=Transport(), prices=prices)
        self.budget = Budget(Settings.resolve({"max_usd": 5, **settings}), self.ledger, self.caller.sizes)

    async def ask(self, prompt: str, role: str = "planner") -> str:
        """Return what is wrong with the reply."""
        reply = await self.caller.call(role, prompt, (0, 0), lambda measure: self.budget.call(f"{role} of t0", measure))
        return reply.problem


async def test_a_role_is_asked_for_twice_what_it_usually_writes_and_at_first_for_all_that_the_model_allows(
    tmp_path: Path,
) -> None:
    budgeted = BudgetedCaller(tmp_path, [3000, 100, 100])
    for name in ("a", "b"):
        await budgeted.ask(name)
    await budgeted.ask("c", role="coder")
    assert budgeted.limits == [20_000, 6144, 20_000]
    budgeted.ledger.close()


async def test_a_role_that_writes_little_may_still_write_some(tmp_path: Path) -> None:
    budgeted = BudgetedCaller(tmp_path, [10, 10])
    for name in ("a", "b"):
        await budgeted.ask(name)
    assert budgeted.limits == [20_000, LEAST_USUAL]
    budgeted.ledger.close()


async def test_a_reply_that_is_cut_at_its_reservation_is_asked_for_once_more_with_all_that_the_model_allows(
    tmp_path: Path,
) -> None:
    budgeted = BudgetedCaller(tmp_path, [1000, 5000, 5000, 30_000, 30_000])
    assert [await budgeted.ask(name) for name in ("a", "b")] == ["", ""]
    assert budgeted.limits == [20_000, 2048, 20_000]
    assert "cut off" in await budgeted.ask("c")
    assert budgeted.limits[3:] == [10_240, 20_000]
    assert budgeted.ledger.spend().output_tokens == 1000 + 2048 + 5000 + 10_240 + 20_000
    budgeted.ledger.close()


async def test_recorded_replies_are_replayed_whatever_was_reserved_for_them(tmp_path: Path) -> None:
    budgeted = BudgetedCaller(tmp_path, [1000, 5000, 5000])
    for name in ("a", "b"):
        await budgeted.ask(name)
    spend = budgeted.ledger.spend()
    budgeted.ledger.close()
    again = BudgetedCaller(tmp_path, [], max_usd=20, max_output_tokens=9000)
    assert [await again.ask(name) for name in ("a", "b")] == ["", ""]
    assert again.limits == []
    assert again.ledger.spend().model_calls == spend.model_calls == 3
    again.ledger.close()


async def test_a_run_that_was_killed_after_a_cut_reply_asks_only_for_the_longer_one(tmp_path: Path) -> None:
    budgeted = BudgetedCaller(tmp_path, [1000, 5000])
    await budgeted.ask("a")
    with pytest.raises(ModelError):  # the model has no third reply
        await budgeted.ask("b")
    assert budgeted.limits == [20_000, 2048, 20_000]
    budgeted.ledger.close()
    resumed = BudgetedCaller(tmp_path, [5000])
    assert [await resumed.ask(name) for name in ("a", "b")] == ["", ""]
    assert resumed.limits == [20_000]
    # The request that failed may have been answered and billed.
    assert resumed.ledger.spend().output_tokens == 1000 + 2048 + 20_000 + 5000
    resumed.ledger.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from mlestar.store import Amount, Caps, Ledger
ledger = Ledger(Path(sys.argv[1]))
assert isinstance(ledger.reserve("running", Amount(usd=0.9), Caps(usd=1.0)), int)
assert not isinstance(ledger.reserve("waiting", Amount(usd=0.5), Caps(usd=1.0)), int)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_reserved_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    ledger = Ledger(path)
    assert isinstance(ledger.reserve("waiting", Amount(usd=1.0), Caps(usd=1.0)), int)
    ledger.close()


SENT = """
import os, signal, sys, time
from pathlib import Path
from mlestar.store import Amount, Caps, Ledger, Record
ledger = Ledger(Path(sys.argv[1]))
started = time.monotonic()
ledger.keep_time(lambda: 100 + time.monotonic() - started)
for name in ("cancelled", "sent", "refused", "waiting"):
    number = ledger.reserve(name, Amount(usd=0.2), Caps(usd=1.0))
    record = Record(result={"model": "m", "unknown": True}, output_tokens=7, usd=0.2)
    if name != "waiting":
        ledger.mark_sent(number, record)
    if name == "cancelled":
        ledger.release(number)
    if name == "refused":
        ledger.mark_unsent(number)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_requests_that_were_sent_and_cancelled_or_killed_are_counted_at_their_worst(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    killed = subprocess.run([sys.executable, "-c", SENT, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    ledger = Ledger(path)
    assert (ledger.count_unknown(), ledger.count_unknown()) == (1, 0)
    spend = ledger.spend()
    assert (spend.usd, spend.output_tokens) == (0.4, 14)
    assert spend.seconds >= 100
    assert isinstance(ledger.reserve("next", Amount(usd=0.6), Caps(usd=1.0)), int)
    assert ledger.output_tokens() == []
    ledger.close()


async def test_a_reply_longer_than_its_limit_is_reserved_for_from_then_on(tmp_path: Path) -> None:
    budgeted = BudgetedCaller(tmp_path, [])
    lengths = iter([1000, 4096, 100])

    class Careless(Writer):
        def _generate(self, *arguments: Any, **kwargs: Any) -> ChatResult:
            longer = self.model_copy(update={"max_tokens": 10**9})
            return super(Careless, longer)._generate(*arguments, **kwargs)

    model = Careless(answer=lambda role, prompt: "a plan", length=lambda prompt: next(lengths))
    prices, blobs = Prices(tmp_path / "prices.toml"), Blobs(tmp_path / "blobs")
    models = Models(default=wrap_model(model))
    caller = Caller(models, budgeted.ledger, blobs, transport=Transport(), prices=prices)
    reserved: list[int] = []

    @asynccontextmanager
    async def reserve(measure: Callable[[], CallSize]) -> AsyncIterator[Reservation]:
        size = measure()
        reserved.append(size.worst(size.output).tokens - size.input)
        async with budgeted.budget.call("planner", measure) as reservation:
            yield reservation

    for number in range(3):
        await caller.call("planner", f"question {number}", (0, 0), reserve)
    assert reserved == [20_000, LEAST_USUAL, 2 * 8192]
    budgeted.ledger.close()


def test_active_time_is_recorded_while_nothing_else_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "time.sqlite")
    ledger.keep_time(lambda: 30.0)
    deadline = time.monotonic() + 20
    while ledger.spend().seconds < 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ledger.spend().seconds > 30
    ledger.close()
    again = Ledger(tmp_path / "time.sqlite")
    assert again.spend().seconds == 30
    again.close()


async def test_a_step_may_start_although_running_calls_have_reserved_what_is_left(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    async with running(budget, 890):
        assert not await budget.spent("refinement of t0")
    assert ledger.notes("refusal") == []


async def test_a_step_does_not_start_when_not_even_a_usual_call_would_fit(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    await ledger.once("a", "model_call", "planner", lambda: finished(Record(result={}, output_tokens=400, usd=0.4)))
    assert await budget.spent("refinement of t0")
    (refusal,) = ledger.notes("refusal")
    assert refusal["reason"] == "it could cost $1.0000, and $0.5000 of $1.00 is left for it"


async def finished(record: Record) -> Record:
    return record


async def test_without_a_cap_a_reply_may_always_have_what_the_model_allows(tmp_path: Path) -> None:
    budgeted = BudgetedCaller(tmp_path, [1000, 1000], max_usd=None)
    for name in ("a", "b"):
        await budgeted.ask(name)
    assert budgeted.limits == [20_000, 20_000]
    budgeted.ledger.close()


class SlowLedger(Ledger):
    """A ledger whose writes take long enough to be cancelled meanwhile, once or more often."""

    def _settle(self, *arguments: Any) -> None:
        time.sleep(0.2)
        super()._settle(*arguments)

    def reserve(self, *arguments: Any) -> int | Shortage:
        time.sleep(0.1)
        return super().reserve(*arguments)

    def release(self, reservation: int) -> None:
        time.sleep(0.1)
        super().release(reservation)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowLedger]:
    ledger = SlowLedger(tmp_path / "slow.sqlite")
    yield ledger
    ledger.close()


async def spend_most(ledger: Ledger, budget: Budget, name: str) -> None:
    """Record a call that costs most of the cap of a dollar."""

    async def work() -> Record:
        return Record(result={}, output_tokens=800, usd=0.8)

    await ledger.once(name, "model_call", "planner", work, within=budget.call(name, lambda: size(800)))


async def cancel_after(task: asyncio.Task[None], *pauses: float) -> None:
    """Cancel a task again and again, with these pauses before."""
    for pause in pauses:
        await asyncio.sleep(pause)
        task.cancel()
    await asyncio.wait({task}, timeout=5)


@pytest.mark.parametrize("pauses", [(0.2,), (0.2, 0.02), (0.2, 0.02, 0.02)])
async def test_a_call_cancelled_while_its_reply_is_recorded_frees_nothing_before_its_cost_is_counted(
    slow: SlowLedger, pauses: tuple[float, ...]
) -> None:
    budget = make_budget(slow, usd=1)
    await cancel_after(apart(spend_most(slow, budget, "cancelled")), *pauses)
    assert slow.spend().usd == 0.8
    with pytest.raises(Refusal):
        await spend_most(slow, budget, "next")


@pytest.mark.parametrize("pauses", [(0.05,), (0.05, 0.02), (0.05, 0.1)])
async def test_a_call_cancelled_again_while_it_is_reserved_or_released_keeps_nothing(
    slow: SlowLedger, pauses: tuple[float, ...]
) -> None:
    budget = make_budget(slow, usd=1)
    task = apart(spend_most(slow, budget, "cancelled"))
    await cancel_after(task, *pauses)
    assert task.cancelled()
    assert slow.shortage(Amount(usd=0.9), Caps(usd=0.9)) is None


def test_the_end_of_the_event_loop_and_closing_the_ledger_wait_for_a_reply_that_is_being_recorded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slow.sqlite"
    ledger = SlowLedger(path)

    async def main() -> None:
        task = apart(spend_most(ledger, make_budget(ledger, usd=1), "cancelled"))
        await asyncio.sleep(0.2)
        task.cancel()
        ledger.close()

    asyncio.run(main())
    again = Ledger(path)
    assert again.spend().usd == 0.8
    again.close()


async def test_a_stop_ends_work_within_a_call_at_once(ledger: Ledger) -> None:
    budget = make_budget(ledger, usd=1)
    async with running(budget, 100):
        budget.stop()
        for inner in (running(budget, 100), budget.execution("inner", "search", 1.0)):
            with pytest.raises(StopRequested):
                async with asyncio.timeout(5), inner:
                    pass


async def test_a_call_that_has_settled_never_releases_what_another_reserved_meanwhile(ledger: Ledger) -> None:
    budget, caps = make_budget(ledger, usd=1), Caps(usd=0.9)
    async with running(budget, 100) as settled:
        ledger.release(settled.id)
        assert isinstance(ledger.reserve("another", Amount(usd=0.8), caps), int)
    assert ledger.shortage(Amount(usd=0.2), caps) is not None


class BreakingCaller(BudgetedCaller):
    """A caller whose provider breaks the first replies off, and counts their tokens."""

    def __init__(self, folder: Path, broken: int, **settings: object) -> None:
        super().__init__(folder, [2000] * 100, **settings)
        ends = itertools.chain(["error"] * broken, itertools.repeat("stop"))

        class Breaking(type(self.model)):  # type: ignore[misc]
            def _generate(self, *arguments: Any, **kwargs: Any) -> ChatResult:
                result: ChatResult = super()._generate(*arguments, **kwargs)
                result.generations[0].message.response_metadata = {"finish_reason": next(ends)}
                return result

        model = Breaking(answer=lambda role, prompt: "a plan", length=lambda prompt: 2000)
        prices, blobs = Prices(folder / "prices.toml"), Blobs(folder / "blobs")
        transport = Transport(RetryPolicy(attempts=4, backoff_seconds=0.001))
        self.caller = Caller(Models(default=wrap_model(model)), self.ledger, blobs, transport=transport, prices=prices)


async def test_a_reply_that_was_broken_off_is_counted_and_asked_for_again(tmp_path: Path) -> None:
    breaking = BreakingCaller(tmp_path, 2)
    assert await breaking.ask("a") == ""
    assert breaking.ledger.spend().output_tokens == 3 * 2000
    assert breaking.ledger.spend().usd == pytest.approx(3 * 0.021)
    assert breaking.ledger.answered() == [("some-model", "planner", 1)]
    assert breaking.ledger.output_tokens() == [2000]
    assert await breaking.ask("a") == ""
    assert len(breaking.limits) == 3
    breaking.ledger.close()


async def test_replies_that_were_broken_off_are_counted_when_the_call_is_given_up(tmp_path: Path) -> None:
    breaking = BreakingCaller(tmp_path, 100)
    with pytest.raises(ModelError, match=r"broke the reply off .*\(4 attempts\)"):
        await breaking.ask("a")
    assert breaking.ledger.spend().output_tokens == 4 * 2000
    breaking.ledger.close()


async def test_replies_that_are_broken_off_again_and_again_never_pass_the_cap(tmp_path: Path) -> None:
    breaking = BreakingCaller(tmp_path, 100, max_usd=0.25)
    with contextlib.suppress(Refusal, ModelError):
        for number in range(20):
            with contextlib.suppress(ModelError):
                await breaking.ask(f"{number}")
    usd = breaking.ledger.spend().usd or 0
    assert usd == pytest.approx(len(breaking.limits) * 0.021)
    assert 0.1 < usd <= 0.25
    breaking.ledger.close()
