"""The model `ask`: calls are answered by a callback or by whoever resumes the run, and none is answered twice."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Unpack

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import mlestar
from mlestar.errors import MAX_MESSAGE, ModelError, StopRequested, UserError
from mlestar.llm.external import ModelCall, text_message
from mlestar.report import Result
from mlestar.runtime.external import OnModelCall, answer_by_callback
from mlestar.runtime.options import RunOptions
from mlestar.session.questions import read_answers
from mlestar.store import Blobs
from tests.unit.scenario import FULL, SMALL, Scenario, signs


class Outside:
    """Answers calls as a scenario does and keeps them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.calls: list[ModelCall] = []
        self.replies: dict[str, str] = {}
        """By prompt."""

    def reply(self, call: ModelCall) -> str:
        self.calls.append(call)
        return self.replies.setdefault(call.prompt, self.scenario.answer(call.role, call.prompt))

    @property
    def most_often(self) -> int:
        """Return how often the call that was asked most often was asked."""
        return max(Counter(call.id for call in self.calls).values())


async def run(
    folder: Path,
    scenario: Scenario,
    answer: OnModelCall | None = None,
    settings: Mapping[str, object] | None = None,
    **more: Unpack[RunOptions],
) -> Result:
    options: RunOptions = {"runner": scenario.runner(), "on_model_call": answer, **more}
    common = {**SMALL, "runs_dir": folder / "runs", "model": "ask"}
    return await mlestar.asolve(signs(), settings={**common, **(settings or {})}, run_id="run", **options)


def as_plain(answer: OnModelCall) -> OnModelCall:
    """Return a plain function that returns whatever another returns, as a lambda does."""

    def call_it(call: ModelCall) -> str | AIMessage | Awaitable[str | AIMessage]:
        return answer(call)

    return call_it


def studio(folder: Path) -> tuple[Any, RunnableConfig, dict[str, object]]:
    """Return the pipeline as LangGraph's server runs it, with its configuration and its context."""
    graph = mlestar.build_graph().compile(checkpointer=InMemorySaver(serde=mlestar.serializer()))
    context = {**SMALL, "runs_dir": str(folder / "runs"), "model": "ask", "runner": "local"}
    return graph, {"configurable": {"thread_id": "1"}}, context


async def resume(folder: Path, scenario: Scenario, **options: Unpack[RunOptions]) -> Result:
    both: RunOptions = {"runner": scenario.runner(), **options}
    return await mlestar.aresume("run", runs_dir=folder / "runs", **both)


def recorded(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Return the models in the ledger, and the recorded replies by their prompts."""
    path = folder / "runs/run"
    blobs = Blobs(path / "blobs")
    with closing(sqlite3.connect(path / "ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT result FROM entries WHERE kind = 'model_call'").fetchall()
    results = [json.loads(result) for (result,) in rows]
    replies = {blobs.text(result["prompt"]): blobs.text(result["text"]) for result in results}
    return {result["model"] for result in results}, replies


@pytest.mark.parametrize("kind", ["plain", "async", "plain that returns a coroutine"])
async def test_a_callback_answers_every_call_of_a_run(tmp_path: Path, kind: str) -> None:
    outside = Outside(Scenario())

    async def reply_async(call: ModelCall) -> str:
        await asyncio.sleep(0)
        return outside.reply(call)

    kinds: dict[str, OnModelCall] = {"plain": outside.reply, "async": reply_async}
    result = await run(tmp_path, outside.scenario, kinds.get(kind, as_plain(reply_async)))
    assert (result.status, result.model, result.spend.usd) == ("solved", "ask", 0.0)
    assert result.spend.model_calls == len(outside.calls)
    assert outside.most_often == 1
    assert recorded(tmp_path) == ({"ask"}, outside.replies)
    call = next(call for call in outside.calls if call.role == "coder")
    assert (call.track, "<block>" in call.prompt, "machine-learning engineer" in call.system) == (0, True, True)


async def test_without_a_callback_the_run_pauses_at_each_call_and_answers_finish_it(tmp_path: Path) -> None:
    """Two tracks and several candidates ask at the same time; every call is asked and answered once."""
    outside = Outside(Scenario())
    at_once = 0
    settings = {**FULL, "outer_steps": 1, "inner_plans": 2, "ensemble_rounds": 1}
    result = await run(tmp_path, outside.scenario, settings=settings)
    for _ in range(200):
        if result.status != "paused":
            break
        questions = json.loads((tmp_path / "runs/run/questions.json").read_text())
        calls = [ModelCall.model_validate(question) for question in questions]
        at_once = max(at_once, len(calls))
        answers = {call.id: outside.reply(call) for call in calls}
        result = await resume(tmp_path, outside.scenario, answers=answers)
    assert (result.status, outside.most_often) == ("solved", 1)
    assert result.spend.model_calls == len(outside.calls)
    assert recorded(tmp_path) == ({"ask"}, outside.replies)
    assert at_once > 1


async def test_a_reply_that_is_not_a_text_is_asked_for_again(tmp_path: Path) -> None:
    """LangGraph's clients may resume with anything, repeatedly, before and after a usable reply."""
    graph, config, context = studio(tmp_path)
    outside = Outside(Scenario())
    state = await graph.ainvoke({"task": str(signs().folder), "run_id": "run"}, config, context=context)
    for number in range(6):
        (question,) = state["__interrupt__"]
        problem = question.value.pop("problem", "")
        assert problem == ("the reply must be a text" if number % 3 else "")
        call = ModelCall.model_validate(question.value)
        reply = outside.reply(call) if number % 3 == 2 else {"answer": number}
        state = await graph.ainvoke(Command(resume=reply), config, context=context)
    assert len(recorded(tmp_path)[1]) == 2


@pytest.mark.parametrize("is_plain", [False, True])
async def test_a_call_that_was_not_answered_is_asked_again_after_a_stop(tmp_path: Path, is_plain: bool) -> None:
    stop, first, asked = asyncio.Event(), Outside(Scenario()), asyncio.Event()

    async def reply(call: ModelCall) -> str:
        if call.role != "initializer":
            return first.reply(call)
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    callback: OnModelCall = as_plain(reply) if is_plain else reply
    work = asyncio.create_task(run(tmp_path, first.scenario, callback, stop=stop))
    await asyncio.wait([work, asyncio.create_task(asked.wait())], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    with pytest.raises(StopRequested):
        await work
    second = Outside(first.scenario)
    result = await resume(tmp_path, first.scenario, on_model_call=second.reply)
    assert result.status == "solved"
    assert "initializer" in {call.role for call in second.calls}
    assert {call.id for call in first.calls}.isdisjoint(call.id for call in second.calls)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda call: 1 / 0, "on_model_call failed as analyst: ZeroDivisionError"),
        (lambda call: None, "on_model_call must return the text of the reply; as analyst it returned NoneType"),
    ],
)
async def test_a_callback_that_fails_stops_the_run_with_its_state_saved(
    tmp_path: Path, answer: OnModelCall, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        await run(tmp_path, Scenario(), answer)
    outside = Outside(Scenario())
    assert (await resume(tmp_path, outside.scenario, on_model_call=outside.reply)).status == "solved"


async def test_the_error_of_a_callback_is_told_in_one_short_line_without_control_characters() -> None:
    def fail(call: ModelCall) -> str:
        raise RuntimeError("first\x1b[31m\u202e" + "x" * 5000 + "\nsecond")

    with pytest.raises(ModelError) as error:
        await answer_by_callback(fail)(ModelCall(id="a", role="coder", track=0, system="", prompt=""))
    start = "on_model_call failed as coder: RuntimeError: "
    assert str(error.value).startswith(f"{start}firstx")
    assert str(error.value).isprintable()
    assert len(str(error.value)) == len(start) + MAX_MESSAGE


async def test_a_message_that_was_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    outside = Outside(Scenario())

    def reply(call: ModelCall) -> str | AIMessage:
        text = outside.reply(call)
        return text if outside.scenario.count()[call.role] > 1 else text_message(text, is_cut=True)

    result = await run(tmp_path, outside.scenario, reply, {"retrieved_models": 1, "outer_steps": 0})
    assert result.status == "solved"
    first, second = (call.prompt for call in outside.calls if call.role == "initializer")
    assert "cut off at the token limit" not in first
    assert "cut off at the token limit" in second


async def test_one_role_may_be_answered_from_outside(tmp_path: Path) -> None:
    outside = Outside(Scenario())
    settings = {"model": None, "models": {"planners": "ask"}}
    models = {"default": outside.scenario.model()}
    await run(tmp_path, outside.scenario, outside.reply, settings, model=models)
    assert {call.role for call in outside.calls} == {"extractor", "planner"}


async def test_caps_hold_for_calls_that_are_answered_from_outside(tmp_path: Path) -> None:
    outside = Outside(Scenario())
    result = await run(tmp_path, outside.scenario, outside.reply, {"max_tokens": 60_000, "max_usd": 1.0})
    assert result.spend.tokens <= 60_000
    assert [row.cap for row in result.caps] == ["max_tokens"]


def test_a_file_of_answers_may_leave_calls_open(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps([{"id": "a1", "answer": "text"}, {"id": "b2", "answer": ""}]), encoding="utf-8")
    assert read_answers(path) == {"a1": "text"}


async def test_a_text_is_not_an_answer_at_a_review_point(tmp_path: Path) -> None:
    await run(tmp_path, Scenario(), lambda call: Scenario().answer(call.role, call.prompt), {"review": ["plan"]})
    with pytest.raises(UserError, match=r"answer to plan:t0.r1.1"):
        await resume(tmp_path, Scenario(), answers={"plan:t0.r1.1": "A plan."})
