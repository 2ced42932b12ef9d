"""The graphs in LangGraph's development server, driven with its SDK as LangGraph Studio does."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import docker
import httpx
import pandas as pd
import pytest
from docker.models.containers import Container
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Checkpoint, Command, Interrupt, Thread, ThreadState

from mlestar.data.examples import load_example, write_example
from mlestar.errors import StoreError
from mlestar.llm.external import ModelCall
from mlestar.offline import OfflineEngineer
from mlestar.settings import PROFILES, Settings
from mlestar.settings.form import GROUPS
from mlestar.store import RunFolder
from tests.unit.paths import ROOT

LANGGRAPH = str(Path(sys.executable).with_name("langgraph"))
GRAPHS = ("pipeline", "track", "evaluation", "ensemble")
SMALL: dict[str, Any] = {
    "profile": "quick",
    "model": "offline",
    "runner": "local",
    "retrieved_models": 1,
    "outer_steps": 1,
    "inner_plans": 1,
    "finalists": 1,
    "cpus": 1,
    "parallel": 2,
}
INSTRUCTION = "Work on how the model is fitted, and on nothing else."
CARD = {"name": "HistGradientBoosting", "libraries": ["scikit-learn"]}
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Server:
    """A running development server."""

    url: str
    folder: Path
    log: Path

    def context(self, **more: Any) -> dict[str, Any]:
        return {**SMALL, "runs_dir": str(self.folder / "runs"), **more}


def make_studio() -> list[str]:
    """Return the command of `make studio`, with the `langgraph` of this environment."""
    # Below `make test`, make also names the folder that it enters and leaves.
    command = ["make", "--no-print-directory", "-n", "studio"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    program, *options = shlex.split(listed.splitlines()[-1])
    assert Path(program).name == "langgraph"
    return [LANGGRAPH, *options]


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[Server]:
    """Run a server command offline in a folder of its own, and stop it with its children.

    The folder replaces the repository: the server watches the folder that it was started in.
    """
    shutil.copy(ROOT / "langgraph.json", folder)
    shutil.copytree(ROOT / "graphs", folder / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    log = folder / "server.log"
    keys = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LANGSMITH_API_KEY")
    environment = {key: value for key, value in os.environ.items() if key not in keys}
    environment |= {"LANGGRAPH_STRICT_MSGPACK": "true", "LANGSMITH_TRACING": "false", "BROWSER": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Server(_wait_until_up(process, log), folder, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(make_studio(), tmp_path_factory.mktemp("studio")) as server:
        yield server


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the server prints: another port when its own is in use."""
    for _ in range(600):
        if process.poll() is not None:
            break
        address = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        try:
            if address and httpx.get(f"{address[0]}/ok", timeout=1).status_code == 200:
                return address[0]
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the server did not come up:\n{log.read_text()[-3000:]}")


@pytest.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture(scope="module")
def folder(server: Server) -> str:
    return str(write_example("wine", server.folder / "wine"))


@dataclass(frozen=True)
class GraphThread:
    """A thread of the server on which one graph runs with the same settings every time."""

    client: LangGraphClient
    server: Server
    graph: str
    id: str
    settings: dict[str, Any]

    async def work(
        self,
        run_input: dict[str, Any] | None = None,
        *,
        command: Command | None = None,
        checkpoint: Checkpoint | None = None,
        interrupt_before: list[str] | None = None,
    ) -> None:
        """Run the graph to its end or its next question; fail on an error."""
        values = await self.client.runs.wait(
            self.id,
            self.graph,
            input=run_input,
            command=command,
            checkpoint=checkpoint,
            interrupt_before=interrupt_before,
            context=self.server.context(**self.settings),
            raise_error=True,
        )
        assert "__error__" not in values, values

    async def answer(self, answer: object, *, stop_before: str = "") -> None:
        """Answer the questions of the thread and run on, to a node if one is named."""
        await self.work(
            command=Command(resume=answer),
            interrupt_before=[stop_before] if stop_before else None,
        )

    async def answer_on_copy(self, answer: object, *, stop_before: str) -> ThreadState:
        """Answer the one question on a copy of the thread, stop before a node and return the state."""
        copy = await self.copy()
        await copy.answer(answer, stop_before=stop_before)
        return await copy.state()

    async def approve(self) -> Any:
        """Approve the proposal and return the next one."""
        await self.answer({"action": "approve"})
        return (await self.question())["value"]

    async def copy(self) -> "GraphThread":
        copying: Awaitable[object] = self.client.threads.copy(self.id)
        # The server returns the new thread; the client's annotation says None.
        copied = cast(Thread, await copying)
        return replace(self, id=copied["thread_id"])

    async def state(self) -> ThreadState:
        return await self.client.threads.get_state(self.id)

    async def values(self) -> dict[str, Any]:
        return values_of(await self.state())

    async def questions(self) -> list[Interrupt]:
        return (await self.state())["interrupts"]

    async def question(self) -> Interrupt:
        (question,) = await self.questions()
        return question

    async def state_before(self, node: str) -> ThreadState:
        """Return the latest state from which a node comes next."""
        history = await self.client.threads.get_history(self.id, limit=60)
        return next(state for state in history if state["next"] == [node])

    async def fork(self, state: ThreadState, *, as_node: str, values: dict[str, Any] | None = None) -> None:
        """Write values into an earlier state, as a node would, and run on from there."""
        update = await self.client.threads.update_state(
            self.id, values or {}, checkpoint=state["checkpoint"], as_node=as_node
        )
        await self.work(checkpoint=update["checkpoint"])


def values_of(state: ThreadState) -> dict[str, Any]:
    values = state["values"]
    assert isinstance(values, dict)
    return values


async def begin(
    client: LangGraphClient, server: Server, graph: str, run_input: dict[str, Any], **settings: Any
) -> GraphThread:
    """Run a graph on a new thread until it ends or asks a question."""
    created = await client.threads.create()
    thread = GraphThread(client, server, graph, created["thread_id"], settings)
    await thread.work(run_input)
    return thread


# ---- schemas and drawings


async def test_four_graphs_are_served_with_input_and_context_forms(client: LangGraphClient, server: Server) -> None:
    assistants = {assistant["graph_id"]: assistant for assistant in await client.assistants.search()}
    assert set(assistants) == set(GRAPHS)
    for assistant in assistants.values():
        schemas = await client.assistants.get_schemas(assistant["assistant_id"])
        for schema in (schemas["input_schema"], schemas["state_schema"], schemas["context_schema"]):
            assert schema is not None
            assert schema["properties"]


@pytest.mark.parametrize("graph", ["pipeline", "track"])
async def test_the_input_form_asks_for_a_folder_an_example_or_csv_text(
    client: LangGraphClient, server: Server, graph: str
) -> None:
    (assistant,) = await client.assistants.search(graph_id=graph)
    form = (await client.assistants.get_schemas(assistant["assistant_id"]))["input_schema"]
    assert form is not None
    fields = form["properties"]
    assert {"task", "example", "train_csv", "test_csv", "description", "run_id"} == set(fields)
    assert set(fields["example"]["enum"]) == {"", "diabetes", "wine"}
    assert all(field["description"] for field in fields.values())
    assert "required" not in form


async def test_the_context_form_explains_every_setting(client: LangGraphClient, server: Server) -> None:
    (assistant,) = await client.assistants.search(graph_id="pipeline")
    form = (await client.assistants.get_schemas(assistant["assistant_id"]))["context_schema"]
    assert form is not None
    fields = form["properties"]
    assert set(fields) == set(Settings.model_fields)
    profiled = set(PROFILES["quick"])
    for name, field in fields.items():
        assert field["description"], name
        assert field["group"] in GROUPS
        assert field["title"].startswith(field["group"])
        assert "type" in field, f"{name} is a plain field, not a choice of types"
        empty_allowed = Settings.model_fields[name].default is None
        assert ("default" in field) != (name in profiled or empty_allowed), name
    assert [field["group"] for field in fields.values()] == sorted(
        (field["group"] for field in fields.values()), key=list(GROUPS).index
    )
    assert fields["model"]["langgraph_type"] == "model"
    assert fields["goal"]["langgraph_type"] == "prompt"
    assert (fields["tracks"]["minimum"], fields["tracks"]["maximum"]) == (1, 16)
    assert fields["profile"]["enum"] == ["quick", "standard", "paper"]
    assert "2 (quick), 4 (standard)" in fields["retrieved_models"]["description"]
    assert "plan" in fields["review"]["items"]["enum"]


async def test_the_drawings_show_the_evaluation_inside_the_track(client: LangGraphClient, server: Server) -> None:
    (assistant,) = await client.assistants.search(graph_id="pipeline")
    drawn = await client.assistants.get_graph(assistant["assistant_id"], xray=True)
    nodes = {node["id"] for node in drawn["nodes"]}
    assert {"prepare", "run_track:ablate", "run_track:evaluate_block:grade", "ensemble:plan_ensemble"} <= nodes
    assert [e for e in drawn["edges"] if e.get("conditional") and not e.get("data")] == []
    labels = {edge.get("data") for edge in drawn["edges"]}
    assert {"improved", "failed", "debug again", "next plan", "next block"} <= labels


# ---- whole runs


async def test_a_run_streams_to_its_submission_while_a_second_run_works(
    client: LangGraphClient, server: Server, folder: str
) -> None:
    """The first run reads a folder and is streamed, the second reads the same rows as CSV text."""
    example = load_example("wine")
    inline = {
        "train_csv": example.train.to_csv(index=False),
        "test_csv": example.test.to_csv(index=False),
        "description": "Which grower made the wine? Classification accuracy.",
    }
    second = asyncio.create_task(begin(client, server, "pipeline", inline))
    thread = (await client.threads.create())["thread_id"]
    parts = [
        part
        async for part in client.runs.stream(
            thread,
            "pipeline",
            input={"task": folder},
            context=server.context(),
            stream_mode=["custom", "updates"],
            stream_subgraphs=True,
        )
    ]
    events = [part.data for part in parts if part.event.startswith("custom")]
    graded = [event for event in events if event["verdict"]]
    assert {event["stage"] for event in graded} == {"candidate", "refinement"}
    assert all(event["score"] and event["script"] and event["spend"]["executions"] for event in graded)
    assert {"ablator", "coder", "extractor"} <= {event["role"] for event in events}
    values = values_of(await client.threads.get_state(thread))
    assert values["summary"]["status"] == "solved"
    assert len(pd.read_csv(values["summary"]["submission"])) == len(example.test)
    assert values["solutions"]["t0.c1"]["headline"].startswith(f"{graded[0]['score']:.5g} ±")

    other = await (await second).values()
    assert other["summary"]["status"] == "solved"
    assert other["run_id"] != values["run_id"]
    assert (other["train_csv"], other["test_csv"], other["description"]) == ("", "", "")
    assert len(pd.read_csv(other["summary"]["submission"])) == len(example.test)


async def test_model_calls_are_interrupts_that_are_resumed_with_the_reply(
    client: LangGraphClient, server: Server
) -> None:
    engineer, asked = OfflineEngineer(), list[str]()
    settings = {"model": "ask", "outer_steps": 0}
    thread = await begin(client, server, "pipeline", {"example": "wine"}, **settings)
    while questions := await thread.questions():
        calls = {question["id"]: ModelCall.model_validate(question["value"]) for question in questions}
        asked += [call.id for call in calls.values()]
        await thread.answer({name: (await engineer.ainvoke(call.prompt)).text for name, call in calls.items()})
    assert (await thread.values())["summary"]["status"] == "solved"
    assert len(asked) == len(set(asked)) > 3


async def test_a_remote_graph_is_called_like_a_local_one(client: LangGraphClient, server: Server) -> None:
    """The task is a built-in example, and the runs folder is relative to the server's."""
    remote = RemoteGraph("pipeline", client=client)
    context = {**SMALL, "outer_steps": 0, "runs_dir": "relative/runs"}
    values = await remote.ainvoke({"example": "wine"}, context=context)
    assert values["summary"]["status"] == "solved"
    assert (server.folder / "relative/runs" / values["run_id"] / "submission.csv").is_file()


async def test_two_runs_of_one_task_in_one_second_are_two_runs(
    client: LangGraphClient, server: Server, folder: str
) -> None:
    settings = {"review": ["models"], "max_executions": 1, "outer_steps": 0}
    threads = await asyncio.gather(*(begin(client, server, "pipeline", {"task": folder}, **settings) for _ in range(3)))
    run_ids = {(await thread.values())["run_id"] for thread in threads}
    assert len(run_ids) == 3


@pytest.mark.parametrize("run_input", [{}, {"task": "/tmp", "example": "wine"}, {"train_csv": "a,b\n1,2\n"}])
async def test_an_input_that_is_not_one_of_the_three_is_refused(
    client: LangGraphClient,
    server: Server,
    run_input: dict[str, Any],
) -> None:
    thread = (await client.threads.create())["thread_id"]
    values = await client.runs.wait(thread, "pipeline", input=run_input, context=server.context(), raise_error=False)
    assert isinstance(values, dict)
    assert "give a task folder, or a built-in example" in values["__error__"]["message"]


# ---- human review


async def test_every_review_point_of_a_track_takes_four_answers(
    client: LangGraphClient, server: Server, folder: str
) -> None:
    review = ["models", "ablation", "block", "plan"]
    thread = await begin(client, server, "track", {"task": folder}, review=review)

    async def answered(answer: dict[str, Any], stop_before: str) -> dict[str, Any]:
        return values_of(await thread.answer_on_copy(answer, stop_before=stop_before))

    proposal = (await thread.question())["value"]
    names = [card["name"] for card in proposal["cards"]]
    assert proposal["point"] == "models"
    approved = await answered({"action": "approve"}, "make_candidate")
    assert [card["name"] for card in approved["cards"]] == names
    edited = await answered({"action": "edit", "cards": [{"name": names[0], "description": "mine"}]}, "make_candidate")
    assert [(c["name"], c["description"], c["by_person"]) for c in edited["cards"]] == [(names[0], "mine", True)]
    replaced = await answered({"action": "replace", "cards": [CARD]}, "make_candidate")
    assert [card["name"] for card in replaced["cards"]] == [CARD["name"]]
    added = await answered({"action": "add", "cards": [CARD]}, "make_candidate")
    assert [card["name"] for card in added["cards"]] == [CARD["name"], *names]

    proposal = await thread.approve()
    assert proposal["point"] == "ablation"
    assert (await answered({"action": "approve"}, "extract_block"))["summaries"] == [proposal["summary"]]
    for action in ("edit", "replace"):
        values = await answered({"action": action, "text": INSTRUCTION}, "extract_block")
        assert (values["study"]["summary"], values["summaries"]) == (INSTRUCTION, [INSTRUCTION])
    values = await answered({"action": "add", "text": INSTRUCTION}, "extract_block")
    assert values["summaries"] == [f"{proposal['summary']}\n\n{INSTRUCTION}"]

    proposal = await thread.approve()
    assert proposal["point"] == "block"
    smaller = proposal["block"].splitlines()[-1]
    assert (await answered({"action": "approve"}, "review_plan"))["block"]["text"] == proposal["block"]
    for action in ("edit", "replace"):
        values = await answered({"action": action, "text": smaller}, "review_plan")
        assert (values["block"]["text"], values["blocks"]) == (smaller, [smaller])
    values = await answered({"action": "add", "text": INSTRUCTION}, "review_plan")
    assert values["plan"] == f"{proposal['plan']}\n\n{INSTRUCTION}"
    rejected = await thread.answer_on_copy({"action": "reject"}, stop_before="advance")
    assert (values_of(rejected)["block"], rejected["next"]) == (None, ["advance"])

    refused = await thread.copy()
    await refused.answer({"action": "edit", "text": "no such code"})
    assert "not a block of the script" in (await refused.question())["value"]["problem"]
    await refused.answer({"action": "edit", "text": smaller}, stop_before="review_plan")
    assert (await refused.values())["block"]["text"] == smaller

    proposal = await thread.approve()
    assert proposal["point"] == "plan"
    assert (await answered({"action": "approve"}, "write_block"))["plan"] == proposal["plan"]
    for action in ("edit", "replace"):
        assert (await answered({"action": action, "text": INSTRUCTION}, "write_block"))["plan"] == INSTRUCTION
    values = await answered({"action": "add", "text": INSTRUCTION}, "write_block")
    assert values["plan"] == f"{proposal['plan']}\n\n{INSTRUCTION}"
    assert (await answered({"action": "reject"}, "write_block"))["plan"] == ""


@pytest.mark.parametrize("reply", ["yes please", {"action": "dance"}, {"action": "edit", "text": 5}, [1, 2]])
async def test_a_malformed_answer_is_asked_for_again(
    client: LangGraphClient,
    server: Server,
    folder: str,
    reply: object,
) -> None:
    thread = await begin(client, server, "track", {"task": folder}, review=["models"], outer_steps=0)
    await thread.answer(reply)
    again = (await thread.question())["value"]
    assert again["id"] == "models:t0"
    assert '{"action": "approve"}' in again["problem"]
    await thread.answer({"action": "approve"})
    assert (await thread.values())["best"]


async def test_parallel_tracks_ask_together_and_each_gets_its_own_answer(
    client: LangGraphClient,
    server: Server,
    folder: str,
) -> None:
    """Then the ensemble and the submission ask; each is answered in every way."""
    settings = {"tracks": 2, "outer_steps": 0, "ensemble_rounds": 1, "review": ["models", "ensemble", "submission"]}
    thread = await begin(client, server, "pipeline", {"task": folder}, **settings)
    by_track = {question["value"]["track"]: question for question in await thread.questions()}
    assert set(by_track) == {0, 1}
    answers = {by_track[0]["id"]: {"action": "approve"}, by_track[1]["id"]: {"action": "replace", "cards": [CARD]}}
    await thread.answer(answers)
    bests = (await thread.values())["bests"]
    titles = {track: best["title"] for track, best in bests.items()}
    assert titles == {"0": by_track[0]["value"]["cards"][0]["name"], "1": CARD["name"]}

    proposal = (await thread.question())["value"]
    assert proposal["point"] == "ensemble"
    plan, own = proposal["plan"], "Average the members, with equal weights."
    plans = {"approve": plan, "edit": own, "replace": own, "add": f"{plan}\n\n{own}"}
    before_ensemble = await thread.state_before("ensemble")
    for action, expected in plans.items():
        await thread.answer({"action": action, "text": "" if action == "approve" else own})
        assert (await thread.values())["solutions"]["e1"]["plan"] == expected
        if action != "add":
            await thread.fork(before_ensemble, as_node="run_track")

    before_review = await thread.state_before("review_submission")

    async def submitted(action: str, text: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
        """Answer the question about the submission and return it with the values at the end."""
        proposal = (await thread.question())["value"]
        assert proposal["point"] == "submission"
        edited = f"{proposal['script']}\n# by hand\n"
        await thread.answer({"action": action, "text": edited if action == "edit" else text})
        values = await thread.values()
        await thread.fork(before_review, as_node="choose")
        return proposal, values

    proposal, values = await submitted("approve")
    assert values["winner"] == proposal["winner"]
    proposal, values = await submitted("edit")
    assert values["winner"] == f"{proposal['winner']}.edited"
    assert await asyncio.to_thread(_ends, values["summary"]["solution"], "# by hand\n")
    proposal, values = await submitted("replace", proposal["others"][0])
    assert values["winner"] == proposal["others"][0]
    proposal, values = await submitted("add", "Looked at by me.")
    assert (values["winner"], values["summary"]["message"]) == (proposal["winner"], "Looked at by me.")
    proposal, values = await submitted("reject")
    assert values["winner"] == proposal["others"][0]


def _ends(path: str, text: str) -> bool:
    return Path(path).read_text().endswith(text)


async def test_a_fork_repeats_no_finished_work_and_an_edited_plan_changes_what_follows(
    client: LangGraphClient,
    server: Server,
    folder: str,
) -> None:
    thread = await begin(client, server, "track", {"task": folder})
    first = await thread.values()
    ledger = server.folder / "runs" / first["run_id"] / "ledger.sqlite"
    spent = _count_entries(ledger)
    before_ablation = await thread.state_before("ablate")
    await thread.work(checkpoint=before_ablation["checkpoint"])
    assert _count_entries(ledger) == spent
    assert (await thread.values())["bests"] == first["bests"]

    before_block = await thread.state_before("write_block")
    await thread.fork(before_block, as_node="review_plan", values={"plan": INSTRUCTION})
    second = await thread.values()
    assert second["solutions"]["t0.r1.1"]["plan"] == INSTRUCTION != first["solutions"]["t0.r1.1"]["plan"]
    assert second["solutions"]["t0.c1"] == first["solutions"]["t0.c1"]
    assert second["attempts"][0]["plan"] == INSTRUCTION


def _count_entries(ledger: Path) -> int:
    with closing(sqlite3.connect(ledger)) as connection:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


# ---- stopping


@pytest.mark.docker
async def test_cancel_leaves_no_container_and_no_lock(client: LangGraphClient, server: Server, folder: str) -> None:
    engine = docker.from_env()
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread, "pipeline", input={"task": folder, "run_id": "stopped"}, context=server.context(runner="docker", warm=1)
    )

    def containers() -> list[Container]:
        return engine.containers.list(all=True, filters={"label": "mlestar.owner=stopped"})

    await _until(containers)
    await client.runs.cancel(thread, run["run_id"], wait=True)
    await _until(lambda: not containers())
    assert (await client.runs.get(thread, run["run_id"]))["status"] in ("interrupted", "error")
    await _until(lambda: _is_free(server.folder / "runs", "stopped"))


def _is_free(runs_dir: Path, run_id: str) -> bool:
    """Whether another process than the server may work on a run."""
    try:
        RunFolder(runs_dir, run_id).lock().close()
    except StoreError:
        return False
    return True


async def _until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the condition did not become true")


async def test_the_plain_dev_command_gives_a_result_too(tmp_path: Path) -> None:
    """The server watches its folder for Python files by default, and a run writes some below it."""
    with serving([LANGGRAPH, "dev"], tmp_path) as server:
        async with get_client(url=server.url) as client:
            settings = {**SMALL, "outer_steps": 0}
            values = await client.runs.wait(None, "pipeline", input={"example": "wine"}, context=settings)
    assert isinstance(values, dict)
    assert values["summary"]["status"] == "solved"
    assert (tmp_path / "runs" / values["run_id"] / "solution.py").is_file()
    assert "Reloading" not in server.log.read_text()


# ---- last


def test_the_log_has_no_blocking_call_and_no_unknown_type(server: Server) -> None:
    """Runs last in this module, over everything the server did."""
    log = re.sub(r"\x1b\[[0-9;]*m", "", server.log.read_text())
    bad = ("Blocking call", "BlockingError", "unregistered type", "Failed to get", "Deserializing", "Blocked")
    assert [line[:300] for line in log.splitlines() if any(word in line for word in bad)] == []
