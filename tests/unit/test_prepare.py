"""What a run can start from: a folder, a built-in example, or tables as text that do not stay in the state."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from mlestar.data.examples import EXAMPLE_NAMES, ExampleName, load_example, write_example
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.graph import build_graph, build_track_alone
from mlestar.runtime.context import close_context, open_context
from mlestar.settings import Settings
from mlestar.store import serializer
from tests.unit.golden_graphs import Build


async def prepared(tmp_path: Path, build: Build, **start: str) -> tuple[dict[str, Any], Path]:
    """Run a graph until its first node is done and return the state and the task folder."""
    settings = Settings(profile="quick", model="offline", runner="local", runs_dir=tmp_path / "runs")
    graph = build().compile(checkpointer=InMemorySaver(serde=serializer()))
    config: RunnableConfig = {"configurable": {"thread_id": "one"}}
    await graph.ainvoke(start, config, context=settings, interrupt_after=["prepare"])
    state = (await graph.aget_state(config)).values
    await close_context(await open_context(settings, state["run_id"]))
    return state, tmp_path / "runs" / state["run_id"] / "task"


@pytest.mark.parametrize("build", [build_graph, build_track_alone])
async def test_tables_as_text_go_to_the_run_folder_and_leave_the_state(tmp_path: Path, build: Build) -> None:
    example = load_example("wine")
    train, test = example.train.to_csv(index=False), example.test.to_csv(index=False)
    state, folder = await prepared(tmp_path, build, train_csv=train, test_csv=test, description="Accuracy.")
    assert (folder / "table/input/train.csv").read_text() == train
    assert (folder / "table/task.md").read_text() == "Accuracy."
    assert (state["train_csv"], state["test_csv"], state["description"]) == ("", "", "")


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
async def test_a_built_in_example_is_a_task_of_the_run(tmp_path: Path, name: ExampleName) -> None:
    state, folder = await prepared(tmp_path, build_graph, example=name)
    assert (folder / name / "task.md").is_file()
    assert state["brief"]


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_is_understood_and_contains_no_label_of_its_test_rows(tmp_path: Path, name: ExampleName) -> None:
    folder = write_example(name, tmp_path / name)
    task, example = Task.load(folder), load_example(name)
    (target,) = task.spec.target
    assert (task.labelled, task.notes != ()) == (True, True)
    assert target not in pd.read_csv(folder / "input/test.csv").columns
    assert len(example.truth) == len(example.test)


@pytest.mark.parametrize(
    "start",
    [
        {},
        {"task": "a", "example": "wine"},
        {"train_csv": "a\n1"},
        {"task": "a", "train_csv": "a\n1", "test_csv": "a\n1"},
    ],
    ids=["nothing", "two", "half", "folder and tables"],
)
async def test_anything_but_one_of_the_three_is_refused(tmp_path: Path, start: dict[str, str]) -> None:
    with pytest.raises(UserError, match="give a task folder, or a built-in example"):
        await prepared(tmp_path, build_graph, **start)
    assert not (tmp_path / "runs").exists()
