"""mlestar inside another application: a tool, a stream of events, a subgraph."""

import ast
import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel
from typing_extensions import TypedDict

import mlestar
from mlestar.errors import StoreError
from mlestar.metrics.precision import format_score
from mlestar.report import Result
from mlestar.runtime.context import close_context, open_context
from mlestar.settings import Settings
from mlestar.store import RunFolder, list_runs
from tests.unit.scenario import SMALL, Scenario, count_rows, make_task


def test_every_public_name_is_listed_once_and_can_be_imported() -> None:
    source = ast.parse(Path(mlestar.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in source.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    checked = {alias.name: node.module for node in imports for alias in node.names}
    assert checked == mlestar._MODULES
    assert sorted(mlestar.__all__) == sorted(checked)
    assert set(mlestar.__all__) <= set(dir(mlestar))
    for name, module in mlestar._MODULES.items():
        assert getattr(mlestar, name) is getattr(import_module(module), name)


class Caller(GenericFakeChatModel):
    """Calls the tools that its messages name."""

    def bind_tools(self, tools: object, **kwargs: object) -> "Caller":
        return self


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return count_rows(make_task(tmp_path / "signs"))


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def settings(runs_dir: Path) -> dict[str, object]:
    return {**SMALL, "runs_dir": runs_dir}


def calling(folder: Path, **arguments: object) -> Caller:
    call: ToolCall = {"name": "solve_task", "args": {"folder": str(folder), **arguments}, "id": "1"}
    return Caller(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("There it is.")]))


async def test_an_agent_uses_the_tool_and_its_graph_streams_the_events(
    task: Path, settings: dict[str, object], runs_dir: Path
) -> None:
    """Also with a checkpointer of the agent's own, which the run must not take over."""
    scenario = Scenario()
    tool = mlestar.as_tool(settings, model=scenario.model(), runner=scenario.runner())
    saver = InMemorySaver()
    agent = create_agent(calling(task, goal="Predict the sign."), [tool], checkpointer=saver)
    emitted: list[Any] = []
    last: Any = {}
    config: RunnableConfig = {"configurable": {"thread_id": "agent"}}
    async for mode, part in agent.astream({"messages": [HumanMessage("go")]}, config, stream_mode=["custom", "values"]):
        if mode == "custom":
            emitted.append(part)
        else:
            last = part
    answer = last["messages"][2]
    result = answer.artifact
    assert isinstance(result, Result)
    assert (result.status, result.solutions[0].id) == ("solved", "t0.c1")
    assert str(result.submission) in answer.content
    assert f"fresh {format_score(result.score.fresh, result.score.fresh_se)}" in answer.content
    assert all(isinstance(event, mlestar.Event) for event in emitted)
    assert {"prepare", "candidate", "refinement", "export"} <= {event.stage for event in emitted}
    assert "Predict the sign." in scenario.prompts["initializer"][0]
    with closing(sqlite3.connect(runs_dir / result.run_id / "checkpoints.sqlite")) as own:
        assert own.execute("SELECT count(*) FROM checkpoints").fetchone()[0] > 0
    assert set(saver.storage) == {"agent"}
    assert set(saver.storage["agent"]) == {""}


def test_the_tool_works_without_an_event_loop(task: Path, settings: dict[str, object]) -> None:
    scenario = Scenario()
    tool = mlestar.as_tool(settings, model=scenario.model(), runner=scenario.runner(), name="fit")
    assert tool.name == "fit"
    assert "solved" in tool.invoke({"folder": str(task)})


async def test_an_error_that_a_person_must_repair_is_text_for_the_agent(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    answer = await mlestar.as_tool(settings).ainvoke({"folder": str(tmp_path / "nowhere")})
    assert "no such folder" in answer


async def test_a_run_is_a_stream_of_typed_events_with_the_result_last(task: Path, settings: dict[str, object]) -> None:
    scenario = Scenario()
    *parts, result = [part async for part in mlestar.astream(task, settings=settings, **scenario.options())]
    events = [part for part in parts if isinstance(part, mlestar.Event)]
    assert isinstance(result, Result)
    assert len(events) == len(parts)
    graded = [event for event in events if event.verdict]
    assert sorted(event.solution or "" for event in graded) == sorted(row.id for row in result.solutions)
    assert {(event.verdict, event.script is not None) for event in graded} == {("ok", True)}
    executions = [event.spend.executions for event in graded if event.spend]
    assert len(executions) == len(graded)
    assert executions == sorted(executions)
    questions = [event for event in events if event.role]
    assert {"retriever", "initializer", "ablator", "coder"} <= {event.role for event in questions}
    assert next(event.stage for event in questions if event.role == "coder") == "write_block"


async def test_leaving_the_stream_early_stops_the_run(task: Path, settings: dict[str, object], runs_dir: Path) -> None:
    scenario = Scenario()
    stream = mlestar.astream(task, settings=settings, run_id="left", **scenario.options())
    assert isinstance(stream, AsyncGenerator)
    async for part in stream:
        if isinstance(part, mlestar.Event) and part.verdict:
            break
    await stream.aclose()
    assert Result.read(runs_dir / "left" / "result.json").status == "stopped"
    assert len(asyncio.all_tasks()) == 1


class AppContext(BaseModel):
    """The context of another application, with fields that mlestar does not know."""

    user: str
    mlestar: dict[str, Any]


class AppState(TypedDict, total=False):
    question: str
    task: str
    run_id: str
    summary: mlestar.RunSummary


def app(context_schema: type) -> Any:
    async def ask(state: AppState, runtime: Runtime[Any]) -> AppState:
        return {"task": state["question"].removeprefix("solve ")}

    graph = StateGraph(AppState, context_schema=context_schema)
    graph.add_node("ask", ask)
    graph.add_node("solve", mlestar.build_graph().compile())
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "solve")
    graph.add_edge("solve", END)
    return graph.compile()


class AppKeys(TypedDict):
    user: str
    mlestar: dict[str, Any]


@pytest.mark.parametrize("schema", [AppContext, AppKeys], ids=["model", "dict"])
async def test_the_pipeline_is_a_node_of_a_graph_with_another_state_and_context(
    task: Path,
    settings: dict[str, object],
    runs_dir: Path,
    schema: type[AppContext] | type[AppKeys],
) -> None:
    """The run ends at once here: the budget allows nothing, and the result reports that."""
    settings = {**settings, "model": "offline", "runner": "local", "max_executions": 1}
    context = {"user": "ann", "mlestar": settings}
    state = await app(schema).ainvoke({"question": f"solve {task}"}, context=context)
    assert state["summary"].status == "no_solution"
    assert Result.read(runs_dir / state["summary"].run_id / "result.json").model == "offline"


async def test_refinement_makes_all_its_plans_in_another_graph(
    task: Path, settings: dict[str, object], runs_dir: Path
) -> None:
    settings = {**settings, "outer_steps": 1, "inner_plans": 2}
    scenario = Scenario()
    ctx = await open_context(Settings.resolve(settings), "run", task, scenario.options())
    try:
        run_input = {"question": f"solve {task}", "run_id": "run"}
        state = await app(AppContext).ainvoke(run_input, context={"user": "ann", "mlestar": settings})
    finally:
        await close_context(ctx)
    assert state["summary"].status == "solved"
    assert {"t0.r1.1", "t0.r1.2"} <= set(scenario.ran)


async def test_a_run_in_another_graph_that_is_cancelled_can_be_resumed_elsewhere(
    task: Path, settings: dict[str, object], runs_dir: Path
) -> None:
    context = {"user": "ann", "mlestar": {**settings, "model": "offline", "runner": "local"}}
    begun = asyncio.Event()

    async def follow() -> None:
        run_input = {"question": f"solve {task}"}
        async for _ in app(AppKeys).astream(run_input, context=context, stream_mode="custom", subgraphs=True):
            begun.set()

    work = asyncio.create_task(follow())
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    (path,) = list_runs(runs_dir)
    await until_free(RunFolder(runs_dir, path.name))
    scenario = Scenario()
    assert (await mlestar.aresume(path.name, runs_dir=runs_dir, **scenario.options())).status == "solved"


async def test_a_run_in_another_graph_that_fails_releases_its_folder(
    task: Path, settings: dict[str, object], runs_dir: Path
) -> None:
    (task / "train.csv").unlink()
    context = {"user": "ann", "mlestar": {**settings, "model": "offline", "runner": "local"}}
    work = asyncio.create_task(app(AppKeys).ainvoke({"question": f"solve {task}"}, context=context))
    with pytest.raises(mlestar.UserError):
        await work
    (path,) = list_runs(runs_dir)
    await until_free(RunFolder(runs_dir, path.name))


async def until_free(folder: RunFolder) -> None:
    for _ in range(100):
        try:
            folder.lock().close()
        except StoreError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the run is still in use")


async def test_the_blocking_variant_works_where_a_loop_is_running(task: Path, settings: dict[str, object]) -> None:
    """As in a notebook."""
    scenario = Scenario()
    result = mlestar.solve(task, settings=settings, model=scenario.model(), runner=scenario.runner())
    assert result.status == "solved"


async def test_a_run_that_asks_pauses_alone_and_the_agent_continues(task: Path, settings: dict[str, object]) -> None:
    scenario = Scenario()
    tool = mlestar.as_tool({**settings, "review": ["models"]}, model=scenario.model(), runner=scenario.runner())
    saver = InMemorySaver()
    agent = create_agent(calling(task), [tool], checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": "agent"}}
    emitted: list[tuple[str, Any]] = []
    async for namespace, mode, part in agent.astream(
        {"messages": [HumanMessage("go")]}, config, stream_mode=["custom", "values"], subgraphs=True
    ):
        assert namespace == ()
        emitted.append((mode, part))
    assert "asked about: models" in emitted[-1][1]["messages"][2].content
    assert emitted[-1][1]["messages"][3].content == "There it is."
