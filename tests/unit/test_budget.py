"""Caps hold with branches in flight, the reserve is kept, and whatever stops a run, its best so far is submitted."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import SettingsError, StopRequested
from mlestar.llm import ScriptedModel
from mlestar.llm.limits import CallSize
from mlestar.llm.prices import FREE, Price
from mlestar.report import Result
from mlestar.runners import Execution, Job
from mlestar.runtime.budget import Budget, Refusal, Stage
from mlestar.settings import Settings
from mlestar.store import Amount, Cap, Caps, Ledger, Record, Shortage, Spend
from tests.unit.scenario import Scenario, signs, solve

BRANCHES = {
    "retrieval": "none",
    "tracks": 2,
    "retrieved_models": 2,
    "outer_steps": 1,
    "inner_plans": 2,
    "ensemble_rounds": 1,
    "finalists": 2,
    "fresh_splits": 1,
    "parallel": 4,
    "max_output_tokens": 2000,
}
"""Four candidates are in flight at once."""


class Priced(ScriptedModel):
    """A scripted model that has a name, and so may have a price."""

    model_name: str = "some-model"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


DOLLAR = Price(input=1000, output=1000)
"""A dollar for a thousand tokens."""


def size(read: int = 0, output: int = 2000, price: Price | None = FREE, least: int | None = None) -> CallSize:
    return CallSize(input=read, output=output, least=output if least is None else least, price=price)


def make_budget(ledger: Ledger, price: Price | None = FREE, **settings: object) -> Budget:
    return Budget(Settings.resolve({**BRANCHES, **settings}), ledger, [size(price=price)], at_once=4)


async def start(budget: Budget, ledger: Ledger, name: str, tokens: int = 0, price: Price = FREE) -> Cap | None:
    """Do a piece of work, or return the cap that refuses it."""

    async def work() -> Record:
        await asyncio.sleep(0)
        return Record(result={}, input_tokens=tokens, usd=price.worst(tokens, 0))

    call = budget.call(name, lambda: size(tokens, price=price))
    within = call if tokens else budget.execution(name, "export", 1.0)
    try:
        await ledger.once(name, "model_call" if tokens else "execution", name, work, within=within)
    except Refusal as refusal:
        return refusal.cap
    return None


async def test_executions_that_start_together_never_pass_their_cap(ledger: Ledger) -> None:
    caps = await asyncio.gather(*(start(make_budget(ledger, max_executions=10), ledger, f"{n}") for n in range(25)))
    assert (caps.count(None), caps.count("max_executions")) == (10, 15)


async def test_calls_that_start_together_never_pass_the_cap_on_tokens(ledger: Ledger) -> None:
    budget = make_budget(ledger, max_tokens=20_000)
    caps = await asyncio.gather(*(start(budget, ledger, f"{n}", tokens=1000) for n in range(25)))
    assert ledger.spend().tokens <= 20_000
    assert {"max_tokens", None} == set(caps)


async def test_calls_that_start_together_never_pass_the_cap_on_money(ledger: Ledger) -> None:
    budget = make_budget(ledger, DOLLAR, max_usd=20)
    caps = await asyncio.gather(*(start(budget, ledger, f"{n}", tokens=1000, price=DOLLAR) for n in range(25)))
    usd = ledger.spend().usd
    assert usd is not None
    assert usd <= 20
    assert {"max_usd", None} == set(caps)


async def test_a_reservation_is_released_when_the_true_cost_is_recorded(ledger: Ledger) -> None:
    budget = make_budget(ledger, max_tokens=20_000)
    assert [await start(budget, ledger, f"{n}", tokens=1000) for n in range(15)] == [None] * 15


class RecordedMeanwhile(Ledger):
    """A ledger in which another call is recorded right after two readings of what is spent."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.readings = 0

    def spend(self) -> Spend:
        spend = super().spend()
        self.readings += 1
        if self.readings in {3, 4}:  # the budget reads it twice when it is made
            asyncio.run(self.once(f"other {self.readings}", "model_call", "other", reply_of_half_a_dollar))
        return spend


async def reply_of_half_a_dollar() -> Record:
    return Record(result={}, usd=0.5)


async def test_a_call_is_shortened_again_when_another_is_recorded_while_its_length_is_chosen(tmp_path: Path) -> None:
    with closing(RecordedMeanwhile(tmp_path / "ledger.sqlite")) as ledger:
        budget = make_budget(ledger, DOLLAR, max_usd=3)
        async with budget.call("long", lambda: size(output=4000, price=DOLLAR, least=100)) as reservation:
            assert reservation.output is not None
            assert 1600 <= reservation.output <= 1700


async def test_a_crash_releases_what_was_reserved(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path / "ledger.sqlite"), Caps(executions=1)
    assert isinstance(ledger.reserve("a", Amount(executions=1), caps), int)
    refused = ledger.reserve("b", Amount(executions=1), caps)
    assert isinstance(refused, Shortage)
    assert (refused.cap, refused.final) == ("max_executions", True)
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite")
    assert isinstance(again.reserve("b", Amount(executions=1), caps), int)
    again.close()


async def test_time_is_reserved_for_rescorings_and_two_exports(ledger: Ledger) -> None:
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result={}, seconds=110)))
    budget = make_budget(ledger, max_hours=0.25)
    with pytest.raises(Refusal):
        async with budget.execution("t0.m1", "search", 600):
            pass
    async with budget.execution("rescoring", "rescoring", 600) as reservation:
        assert 200 < reservation.seconds <= 240
    async with budget.execution("export", "export", 1800) as reservation:
        assert 800 < reservation.seconds <= 900


async def test_after_an_export_the_time_for_one_more_like_it_is_reserved(ledger: Ledger) -> None:
    done = {"status": "ok"}
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result=done, seconds=50)))
    await ledger.once("export", "export", "t0.c1-export", lambda: finished(Record(result=done, seconds=60)))
    budget = make_budget(ledger, max_hours=400 / 3600)
    async with budget.execution("rescoring", "rescoring", 600) as reservation:
        assert 300 < reservation.seconds <= 400 - 1.5 * 60


async def test_a_baseline_takes_what_rescorings_left_but_not_the_time_of_an_export(ledger: Ledger) -> None:
    done = {"status": "ok"}
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result=done, seconds=50)))
    await ledger.once("export", "export", "t0.c1-export", lambda: finished(Record(result=done, seconds=60)))
    budget = make_budget(ledger, max_hours=150 / 3600)
    with pytest.raises(Refusal):
        async with budget.execution("rescoring", "rescoring", 600):
            pass
    async with budget.execution("simple", "baseline", 600) as reservation:
        assert 50 < reservation.seconds <= 150 - 1.5 * 60


async def test_a_script_stopped_at_its_limit_keeps_back_no_time(ledger: Ledger) -> None:
    await ledger.once("quick", "execution", "t0.c1", lambda: finished(Record(result={"status": "success"}, seconds=25)))
    await ledger.once("slow", "execution", "t0.c2", lambda: finished(Record(result={"status": "timeout"}, seconds=120)))
    budget = make_budget(ledger, max_hours=400 / 3600)
    async with budget.execution("t0.m1", "search", 120) as reservation:
        assert 100 < reservation.seconds <= 120


async def test_an_export_starts_with_less_time_left_than_the_search_would_need(ledger: Ledger) -> None:
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result={}, seconds=40)))
    budget = make_budget(ledger, max_hours=60 / 3600)
    async with budget.execution("export", "export", 360) as reservation:
        assert 50 < reservation.seconds <= 60


async def test_before_a_script_has_ended_half_of_the_time_is_kept_for_the_first_export(ledger: Ledger) -> None:
    budget = make_budget(ledger, max_hours=180 / 3600)
    async with budget.execution("t0.c1", "search", 120) as reservation:
        assert 80 < reservation.seconds <= 90
    await ledger.once("quick", "execution", "t0.c1", lambda: finished(Record(result={"status": "success"}, seconds=1)))
    async with budget.execution("t0.c2", "search", 120) as reservation:
        assert 110 < reservation.seconds <= 120


async def test_one_more_finalist_gets_no_time_that_the_others_need(ledger: Ledger) -> None:
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result={}, seconds=50)))
    assert await make_budget(ledger, max_hours=1).finalist_seconds([50, 50]) > 500
    # The other one takes 50 s, the baselines 50 s together, another export 150 s, and one in its place 150 s.
    assert 0 < await make_budget(ledger, max_hours=420 / 3600).finalist_seconds([50, 50]) <= 420 - 400
    assert await make_budget(ledger, max_hours=399 / 3600).finalist_seconds([50, 50]) == 0
    # Quicker finalists leave more, whatever else was slow.
    assert 50 < await make_budget(ledger, max_hours=420 / 3600).finalist_seconds([10, 10]) < 100
    assert await make_budget(ledger, max_executions=4).finalist_seconds([50]) > 0
    assert await make_budget(ledger, max_executions=1).finalist_seconds([50]) == 0


async def test_after_an_export_one_more_finalist_shares_its_time_with_one_in_its_place(ledger: Ledger) -> None:
    done = {"status": "ok"}
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result=done, seconds=40)))
    await ledger.once("export", "export", "t0.c1-export", lambda: finished(Record(result=done, seconds=40)))
    budget = make_budget(ledger, max_hours=400 / 3600, baselines=False)
    # Rescored once and exported in 1.5 times its seconds: 360 s are left beside the other finalist.
    assert 130 < await budget.finalist_seconds([40, 10]) <= 360 / 2.5
    # Beside a slow one, what its export needs: 400 - 150 - 1.5 * 150.
    assert 20 < await budget.finalist_seconds([150, 10]) <= 25


async def test_time_is_kept_for_the_export_of_the_only_finalist_that_another_one_replaces(ledger: Ledger) -> None:
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result={}, seconds=40)))
    budget = make_budget(ledger, max_hours=400 / 3600, baselines=False, finalists=1)
    # Two exports of 120 s each in its place; it is rescored once and exported in three times its seconds.
    assert 60 < await budget.finalist_seconds([40]) <= (400 - 120) / 4


async def test_a_finalist_is_rescored_on_one_holdout_after_the_other(ledger: Ledger) -> None:
    for number, seconds in enumerate((50, 1, 1, 1)):
        work = partial(finished, Record(result={}, seconds=seconds))
        await ledger.once(f"{number}", "execution", f"t0.c{number}", work)
    budget = make_budget(ledger, max_hours=500 / 3600, fresh_splits=2, baselines=False)
    # The exports may take 300 s, and two rescorings of the slowest finalist 100 s, however many may execute at once.
    async with budget.execution("t0.m1", "search", 600) as reservation:
        assert 80 < reservation.seconds <= 500 - 300 - 100


async def test_only_the_slowest_finalist_may_take_as_long_as_the_slowest_script(ledger: Ledger) -> None:
    for number, seconds in enumerate((50, 10, 10, 10)):
        work = partial(finished, Record(result={}, seconds=seconds))
        await ledger.once(f"{number}", "execution", f"t0.c{number}", work)
    budget = make_budget(ledger, max_hours=450 / 3600)
    # The exports may take 300 s, the slowest finalist 50 s, the other one shares the time, and the baselines follow.
    async with budget.execution("t0.m1", "search", 600) as reservation:
        assert 80 < reservation.seconds <= 450 - 300 - 50 - 10 / 4 - 10


async def test_a_slow_export_must_leave_time_for_another_one(ledger: Ledger) -> None:
    await ledger.once("slow", "execution", "t0.c1", lambda: finished(Record(result={}, seconds=50)))
    budget = make_budget(ledger, max_hours=400 / 3600)
    assert await budget.exports_in_time(30)
    assert not await budget.exports_in_time(40)


async def finished(record: Record) -> Record:
    return record


async def test_rescorings_are_skipped_before_an_export_is(ledger: Ledger) -> None:
    budget = make_budget(ledger, max_executions=4)
    assert not await budget.spent("")
    work: list[tuple[str, Stage]] = [("a", "search"), ("b", "rescoring")]
    for name, stage in work:
        async with budget.execution(name, stage, 1.0):
            await ledger.once(name, "execution", name, lambda: finished(Record(result={})))
    with pytest.raises(Refusal):
        async with budget.execution("c", "rescoring", 1.0):
            pass
    async with budget.execution("c", "export", 1.0):
        pass


async def test_work_after_a_stop_is_refused_once_all_running_work_is_recorded(ledger: Ledger) -> None:
    budget = make_budget(ledger)
    order: list[str] = []

    async def late() -> None:
        with pytest.raises(StopRequested):
            await start(budget, ledger, "late")
        order.append("refused")

    async with budget.execution("running", "search", 1.0):
        budget.stop()
        start_late = asyncio.create_task(late())
        # Long enough for a start that does not wait; one that waits is never refused within this block.
        await asyncio.wait({start_late}, timeout=1)
        order.append("recorded")
    await start_late
    assert order == ["recorded", "refused"]


def test_a_cap_on_money_needs_a_price(ledger: Ledger) -> None:
    with pytest.raises(SettingsError, match="price of the model"):
        make_budget(ledger, None, max_usd=1)


@pytest.mark.parametrize(("cap", "value"), [("max_usd", 0.01), ("max_tokens", 100)])
def test_a_cap_that_allows_no_call_is_refused(ledger: Ledger, cap: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{cap} {value} allows no call"):
        make_budget(ledger, Price(input=10, output=10), **{cap: value})


async def capped(tmp_path: Path, scenario: Scenario, model: ScriptedModel | None = None, **caps: object) -> Result:
    settings = {**BRANCHES, "runs_dir": tmp_path / "runs", **caps}
    options = scenario.options(model=model or scenario.model())
    return await mlestar.asolve(signs(), settings=settings, run_id="run", **options)


@pytest.mark.parametrize("cap", [2, 3, 5, 9, 14])
async def test_a_run_never_executes_more_than_its_cap_and_submits(tmp_path: Path, cap: int) -> None:
    scenario = Scenario()
    result = await capped(tmp_path, scenario, max_executions=cap)
    assert len(scenario.ran + scenario.early) == result.spend.executions <= cap
    assert result.status == "solved"
    assert Path(result.submission or "").is_file()
    assert [row.cap for row in result.caps] == ["max_executions"]


@pytest.mark.parametrize("cap", [12_000, 25_000, 50_000])
async def test_a_run_never_takes_more_tokens_than_its_cap_and_submits_what_passed(tmp_path: Path, cap: int) -> None:
    result = await capped(tmp_path, Scenario(), max_tokens=cap)
    assert result.spend.tokens <= cap
    assert bool(result.submission) == any(row.status == "ok" for row in result.solutions)
    assert [row.cap for row in result.caps] == ["max_tokens"]


@pytest.mark.parametrize("cap", [0.05, 0.08])
async def test_a_run_never_costs_more_than_its_cap_and_submits_what_passed(tmp_path: Path, cap: float) -> None:
    scenario, prices = Scenario(), tmp_path / "prices.toml"
    prices.write_text('["some-model"]\ninput = 1.25\noutput = 10.0\n', encoding="utf-8")
    result = await capped(tmp_path, scenario, Priced(answer=scenario.answer), max_usd=cap, prices=prices)
    assert result.spend.usd is not None
    assert 0 < result.spend.usd <= cap
    assert bool(result.submission) == any(row.status == "ok" for row in result.solutions)
    assert [row.cap for row in result.caps] == ["max_usd"]


class LongScripts(Scenario):
    """A sandbox in which every script takes a hundred seconds."""

    def run(self, job: Job) -> Execution:
        return replace(super().run(job), seconds=100.0, peak_memory_mb=None)


async def test_a_run_whose_time_is_needed_for_the_end_searches_no_further_and_submits(tmp_path: Path) -> None:
    scenario = LongScripts()
    result = await capped(tmp_path, scenario, max_hours=0.1)
    searched = {name for name in scenario.ran if not name.startswith("simple-")}
    assert {name.split("-")[0][:4] for name in searched} <= {"t0.c", "t1.c"}
    assert result.status == "solved"
    assert [row.cap for row in result.caps] == ["max_hours"]
    page = (tmp_path / "runs/run/report.html").read_text(encoding="utf-8")
    assert "max_hours (0.1) was reached" in page
    written = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert written["caps"][0]["stopped"]


async def test_a_script_that_the_cap_on_time_cuts_short_is_not_recorded(tmp_path: Path) -> None:
    class Cut(Scenario):
        def run(self, job: Job) -> Execution:
            assert job.limits.seconds < 600
            super().run(job)
            return Execution(
                status="timeout", exit_code=None, stdout="", stderr="", seconds=1.0, peak_memory_mb=None, files=()
            )

    result = await capped(tmp_path, Cut(), max_hours=0.1)
    assert {row.status for row in result.solutions if row.origin != "baseline"} == {"refused"}
    assert (result.spend.executions, [row.cap for row in result.caps]) == (0, ["max_hours"])


async def test_a_run_without_caps_reports_none(tmp_path: Path) -> None:
    assert (await solve(tmp_path, Scenario())).caps == ()
