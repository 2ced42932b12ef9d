"""A model that is too weak is given up soon: by role, over all tracks, once, and in a way that a resumed run keeps."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import mlestar
from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.planner import ask_for_plan
from mlestar.cli.exits import Commands
from mlestar.errors import ModelError, OperatorError, RunnerError, SettingsError, WeakModelError
from mlestar.llm import (
    Caller,
    ChosenModel,
    ModelReply,
    Models,
    Prices,
    Reliability,
    ScriptedModel,
    Transport,
    choose_models,
)
from mlestar.prompts import Prompts
from mlestar.report import Result
from mlestar.runners import Environment, Execution, Job, ScriptedRunner
from mlestar.runtime.context import close_context, open_context
from mlestar.settings import Settings
from mlestar.state import Attempt, Brief
from mlestar.store import Blobs, Ledger, RunFolder
from tests.unit.scenario import SMALL, Scenario, make_task, signs, solve, success, write_submission

GARBAGE = "Certainly! Machine learning is a field of study."


class Useless:
    """A model that never keeps a contract, and the roles in which it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.model = ScriptedModel(answer=self.answer)

    def answer(self, role: str, prompt: str) -> str:
        self.asked.append(role)
        return GARBAGE


def submit(job: Job) -> Execution:
    """Execute any script as one that is right on most rows; a study has no result."""
    if "variants" in job.script:
        return success(())
    write_submission(job, "submission.csv", 0.7)
    return success(("submission.csv",), "Final Validation Performance: 0.7\n")


def runner(execute: Callable[[Job], Execution] = submit) -> ScriptedRunner:
    """Return a runner with the one library that the offline engineer needs."""
    packages = {"scikit-learn": "1.9.0"}
    environment = Environment(
        runner="scripted", image="none", python="3.12.0", packages=packages, cpus=2, memory_mb=4096, network=False
    )
    return ScriptedRunner(execute, environment)


QUICK = {**SMALL, "give_up_after": Settings().give_up_after}


async def run(folder: Path, model: ScriptedModel, **settings: object) -> Result:
    resolved = Settings.resolve({**QUICK, "runs_dir": folder / "runs", "model_backoff": 0, **settings})
    return await mlestar.asolve(signs(), settings=resolved, run_id="run", model=model, runner=runner())


async def test_the_fallback_takes_over_and_the_run_is_solved(tmp_path: Path) -> None:
    useless = Useless()
    result = await run(tmp_path, useless.model, fallback="offline")
    assert result.status == "solved"
    assert useless.asked == ["analyst"] * 3 + ["retriever"] * 3
    assert len(result.weak_models) == 1
    line = result.weak_models[0]
    assert line.startswith(
        "model ScriptedModel is too weak as retriever: all of its 6 replies so far were refused (3 as analyst, "
        "3 as retriever); the last reason: "
    )
    assert line.endswith("; offline takes over as retriever and the other roles where no reply of it was accepted")


async def test_the_result_and_the_report_name_the_models_that_answered(tmp_path: Path) -> None:
    result = await run(tmp_path, Useless().model, fallback="offline")
    weak, offline = result.models
    assert (weak.model, offline.model) == ("ScriptedModel", "offline")
    assert weak.replies == weak.refused == {"analyst": 3, "retriever": 3}
    assert offline.replies["initializer"] == 2
    assert not offline.refused
    report = Path(result.report or "").read_text(encoding="utf-8")
    assert "<code>offline</code>" in report
    assert "is too weak as retriever" in report


async def test_without_a_fallback_the_run_stops_and_a_fork_with_another_model_continues(tmp_path: Path) -> None:
    useless = Useless()
    with pytest.raises(ModelError, match="is too weak as retriever: all of its 6 replies so far were refused") as stop:
        await run(tmp_path, useless.model)
    command = f"mlestar fork run --runs-dir {tmp_path / 'runs'} --at settings --set model=PROVIDER:NAME"
    assert str(stop.value).endswith(command)
    assert stop.value.run == str(tmp_path / "runs" / "run")
    stopped = Result.read(tmp_path / "runs" / "run" / "result.json")
    assert (stopped.status, "is too weak" in stopped.message) == ("stopped", True)
    assert [row.model for row in stopped.models] == ["ScriptedModel"]
    forked = await mlestar.afork(
        "run",
        at="settings",
        settings={"model": "offline"},
        runs_dir=tmp_path / "runs",
        task=signs(),
        runner=runner(),
    )
    assert forked.status == "solved"


async def test_a_fork_with_a_fallback_gives_the_model_up_without_asking_it_again(tmp_path: Path) -> None:
    useless = Useless()
    with pytest.raises(ModelError):
        await run(tmp_path, useless.model)
    useless.asked.clear()
    options = {"runs_dir": tmp_path / "runs", "task": signs(), "runner": runner()}
    forked = await mlestar.afork(
        "run",
        at="settings",
        settings={"fallback": "offline"},
        model=useless.model,
        **options,  # type: ignore[arg-type]
    )
    assert (forked.status, useless.asked) == ("solved", [])


async def test_a_resumed_run_stays_with_the_fallback(tmp_path: Path) -> None:
    def lose_engine(job: Job) -> Execution:
        raise RunnerError("the engine is gone")

    useless = Useless()
    settings = Settings.resolve(
        {**QUICK, "runs_dir": tmp_path / "runs", "model_backoff": 0, "fallback": ["offline"], "parallel": 1}
    )
    with pytest.raises(RunnerError):
        await mlestar.asolve(signs(), settings=settings, run_id="run", model=useless.model, runner=runner(lose_engine))
    asked = len(useless.asked)
    result = await mlestar.aresume(
        "run", runs_dir=tmp_path / "runs", task=signs(), model=useless.model, runner=runner()
    )
    assert (result.status, len(useless.asked)) == ("solved", asked)
    assert len(result.weak_models) == 1


async def test_a_model_that_fails_in_one_role_keeps_the_others(tmp_path: Path) -> None:
    scenario = Scenario(initializer=GARBAGE)
    options = {**QUICK, "runs_dir": tmp_path / "runs", "fallback": "offline"}
    result = await mlestar.asolve(signs(), settings=options, run_id="run", model=scenario.model(), runner=runner())
    (line,) = result.weak_models
    assert "as initializer and" in line
    replies = {row.model: row.replies for row in result.models}
    assert {"analyst", "retriever"}.isdisjoint(replies["offline"])
    assert replies["ScriptedModel"]["initializer"] == 6


async def test_a_fresh_start_asks_the_first_model_again(tmp_path: Path) -> None:
    useless = Useless()
    await run(tmp_path, useless.model, fallback="offline")
    asked = len(useless.asked)
    result = await mlestar.aresume(
        "run",
        runs_dir=tmp_path / "runs",
        fresh=True,
        task=signs(),
        model=useless.model,
        runner=runner(),
    )
    assert (result.status, len(useless.asked)) == ("solved", 2 * asked)


async def test_a_plan_that_repeats_another_does_not_count(tmp_path: Path) -> None:
    scenario = Scenario(planner="Plan number 2 for the block.")
    result = await solve(tmp_path, scenario, outer_steps=1, inner_plans=8, give_up_after=1)
    assert result.status == "solved"


NAMES = ("weak", "middle", "strong")


def models(*roles: str) -> Models:
    """Return a chain of three models for each role."""
    weak, middle, strong = (
        ChosenModel(ScriptedModel(answer=lambda role, prompt: ""), name, "test", trusted=False) for name in NAMES
    )
    return Models(default=weak, by_role={}, fallbacks=dict.fromkeys(roles, (middle, strong)))


class Judge:
    """Judges replies of the model that answers a role, each with a key of its own."""

    def __init__(self, folder: Path, give_up_after: int = 3) -> None:
        folder.mkdir(exist_ok=True)
        self.lines: list[str] = []
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.reliability = Reliability(
            models("coder", "planner", "web_retriever"),
            self.ledger,
            RunFolder(folder, "run"),
            give_up_after=give_up_after,
            emit=self.lines.append,
        )
        self.judged = len(self.ledger.notes("reply"))

    async def refuse(self, role: str, times: int = 1) -> bool:
        return [await self.judge(role, "no code") for _ in range(times)][-1]

    async def accept(self, role: str) -> bool:
        return await self.judge(role, "")

    async def judge(self, role: str, refusal: str, key: str = "", model: str = "") -> bool:
        self.judged += 1
        reply = ModelReply(text="", model=model or self.model(role), key=key or str(self.judged))
        return await self.reliability.judge(role, reply, refusal)

    def model(self, role: str) -> str:
        return self.reliability.model_of(role).name


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    judge = Judge(tmp_path)
    yield judge
    judge.ledger.close()


async def test_an_accepted_reply_resets_the_count(judge: Judge) -> None:
    await judge.refuse("coder", 2)
    await judge.accept("coder")
    await judge.refuse("coder", 5)
    assert (judge.model("coder"), judge.lines) == ("weak", [])
    assert await judge.refuse("coder")
    assert judge.model("coder") == "middle"
    assert judge.lines[0].startswith(
        "model weak is too weak as coder: 6 replies in a row were refused (1 of 9 accepted in this role); the last "
        "reason: no code; middle takes over as coder"
    )


async def test_two_roles_are_counted_separately(judge: Judge) -> None:
    await judge.accept("ablator")
    await judge.refuse("coder", 2)
    await judge.refuse("planner", 2)
    assert (judge.model("coder"), judge.model("planner"), judge.lines) == ("weak", "weak", [])


async def test_a_model_without_any_accepted_reply_is_counted_over_its_roles(judge: Judge) -> None:
    await judge.refuse("coder", 2)
    assert await judge.refuse("planner")
    assert judge.model("coder") == judge.model("planner") == "middle"
    assert "all of its 3 replies so far were refused (2 as coder, 1 as planner)" in judge.lines[0]


async def test_roles_without_an_accepted_reply_are_handed_over_too_but_never_the_web_search(judge: Judge) -> None:
    await judge.refuse("coder", 3)
    assert [judge.model(role) for role in ("coder", "planner", "web_retriever")] == ["middle", "middle", "weak"]


async def test_roles_with_an_accepted_reply_stay(judge: Judge) -> None:
    await judge.accept("planner")
    await judge.refuse("coder", 3)
    assert [judge.model(role) for role in ("coder", "planner")] == ["middle", "weak"]


async def test_one_model_after_the_other_is_given_up_and_the_last_stops_the_run(judge: Judge) -> None:
    await judge.refuse("coder", 6)
    assert judge.model("coder") == "strong"
    await judge.refuse("coder", 2)
    with pytest.raises(ModelError, match="model strong is too weak as coder"):
        await judge.refuse("coder")


async def test_a_reply_that_is_replayed_is_counted_once(judge: Judge) -> None:
    for _ in range(5):
        assert not await judge.judge("coder", "no code", key="the same")
    assert judge.model("coder") == "weak"


async def test_a_late_reply_of_a_replaced_model_is_asked_again_of_the_next(judge: Judge) -> None:
    await judge.refuse("coder", 3)
    assert await judge.judge("coder", "no code", model="weak")
    assert judge.model("coder") == "middle"


async def test_counts_and_models_survive_the_process(tmp_path: Path) -> None:
    first = Judge(tmp_path)
    await first.refuse("coder", 3)
    await first.refuse("coder", 2)
    first.ledger.close()
    second = Judge(tmp_path)
    assert second.model("coder") == "middle"
    assert await second.refuse("coder")
    assert second.model("coder") == "strong"
    second.ledger.close()


async def test_the_reason_of_a_refusal_is_one_line_without_secrets(judge: Judge) -> None:
    secret = "sk-" + "a1" * 20
    for _ in range(3):
        await judge.judge("coder", f"it says\n\x1b {secret} " + "x" * 500)
    (line,) = judge.lines
    assert secret not in line
    assert len(line) < 500
    assert line.isprintable()


class Switching:
    """A call that answers as the first model until it was judged, then as the second."""

    def __init__(self, replies: Mapping[str, str]) -> None:
        self.replies = replies
        self.now = "weak"
        self.samples: list[tuple[str, int]] = []

    async def call(self, role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
        self.samples.append((self.now, sample[1]))
        return ModelReply(text=self.replies[self.now], model=self.now)

    async def judge(self, role: str, reply: object, refusal: str) -> bool:
        replaced = self.now == "weak" and len(self.samples) == 2
        self.now = "strong" if replaced else self.now
        return replaced


async def test_the_model_that_takes_over_is_asked_as_if_it_were_the_first(brief: Brief) -> None:
    switching = Switching({"weak": "{}", "strong": "Another plan, with care."})
    agent = AgentContext(call=switching.call, prompts=Prompts(), brief=brief, judge=switching.judge)
    assert await ask_for_plan(agent, "x = 1", [], None) == "Another plan, with care."
    assert switching.samples == [("weak", 0), ("weak", 1), ("strong", 0)]


async def test_a_repeated_plan_is_not_judged(brief: Brief) -> None:
    judged: list[str] = []

    async def judge(role: str, reply: object, refusal: str) -> bool:
        judged.append(refusal)
        return False

    async def call(role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
        return ModelReply(text="Another plan, with care.")

    agent = AgentContext(call=call, prompts=Prompts(), brief=brief, judge=judge)
    with pytest.raises(ReplyError, match="was tried before"):
        await ask_for_plan(
            agent, "x = 1", [Attempt(plan="Another plan, with care.", solution="t0.r1.1", status="ok", score=0.5)], None
        )
    assert judged == []


async def test_a_fallback_that_cannot_be_used_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = Settings(model="offline", fallback=("openai:gpt-5",), runs_dir=tmp_path / "runs")
    with pytest.raises(SettingsError, match="model 'openai:gpt-5' needs a key"):
        await open_context(settings, "run", make_task(tmp_path / "task"))


async def test_a_fallback_counts_among_the_models_that_need_a_sandbox_and_a_price(tmp_path: Path) -> None:
    settings = Settings(model="offline", fallback=("openai:unknown",), base_url="http://127.0.0.1:1/v1")
    settings = settings.model_copy(update={"runs_dir": tmp_path / "runs"})
    ctx = await open_context(settings, "run", make_task(tmp_path / "task"))
    try:
        assert not ctx.services.caller.models.trusted
        assert None in [size.price for size in ctx.services.caller.sizes]
    finally:
        await close_context(ctx)


def test_fallbacks_are_read_from_one_text() -> None:
    assert Settings.resolve({"fallback": "openai:a, offline"}).fallback == ("openai:a", "offline")


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (WeakModelError("too weak: mlestar fork r --at settings"), "mlestar: too weak: mlestar fork r --at settings"),
        (RunnerError("the engine is lost"), "saved; continue with: mlestar resume r --runs-dir /somewhere"),
    ],
    ids=["weak model", "lost engine"],
)
def test_the_command_line_names_one_command_that_continues(error: OperatorError, ends: str) -> None:
    commands = typer.Typer(cls=Commands)

    @commands.command()
    def first() -> None:
        error.run = "/somewhere/r"
        raise error

    commands.command()(lambda: None)  # a second one, so that there are subcommands
    done = CliRunner().invoke(commands, ["first"])
    assert done.exit_code == 1
    assert done.stderr.strip().endswith(ends)


class Session:
    """One session of a run whose model answers well at first, and whose fallback is the offline engineer."""

    def __init__(self, base: Path, accept: Callable[[str], bool]) -> None:
        self.asked: list[str] = []
        self.accept = accept
        folder = RunFolder(base, "run")
        folder.create()
        models = choose_models(Settings.resolve({"fallback": "offline"}), ScriptedModel(answer=self.answer))
        self.ledger = Ledger(folder.ledger)
        self.reliability = Reliability(models, self.ledger, folder, give_up_after=3)
        self.caller = Caller(
            models,
            self.ledger,
            Blobs(folder.blobs),
            transport=Transport(),
            prices=Prices(),
            model_of=self.reliability.model_of,
            former_of=self.reliability.former_of,
        )

    def answer(self, role: str, prompt: str) -> str:
        self.asked.append(prompt.split()[-1])
        return "a text"

    async def ask(self, question: str) -> list[str]:
        """Return the models of all replies to a question, as an agent asks it: again at once by another model."""
        models: list[str] = []
        while True:
            reply = await self.caller.call("coder", f"<role>coder</role> {question}", (0, 0))
            models.append(reply.model)
            is_good = reply.model == "offline" or self.accept(question)
            replaced = await self.reliability.judge("coder", reply, "" if is_good else "no code")
            if not replaced:
                return models


async def test_a_resumed_run_asks_no_question_again_that_the_former_model_answered(tmp_path: Path) -> None:
    def accept(question: str) -> bool:
        return question == "Q"

    first = Session(tmp_path, accept)
    assert await first.ask("Q") == ["ScriptedModel"]
    models = [await first.ask(f"bad{number}") for number in range(6)]
    assert models == [["ScriptedModel"]] * 5 + [["ScriptedModel", "offline"]]
    calls = first.ledger.spend().model_calls
    first.ledger.close()
    resumed = Session(tmp_path, accept)
    assert await resumed.ask("Q") == ["ScriptedModel"]
    assert await resumed.ask("bad5") == ["ScriptedModel", "offline"]
    assert (resumed.ledger.spend().model_calls, resumed.asked) == (calls, [])
    assert await resumed.ask("new") == ["offline"]
    resumed.ledger.close()
