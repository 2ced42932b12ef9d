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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import pandas as pd
import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from mlestar.data.examples import load_example, write_example
from mlestar.errors import StoreError
from mlestar.settings import PROFILES, Settings
from mlestar.settings.form import GROUPS
from mlestar.store import RunFolder

ROOT = Path(__file__).parents[2]
LANGGRAPH = str(Path(sys.executable).with_name("langgraph"))
GRAPHS = ("pipeline", "track", "evaluation", "ensemble")
SMALL = {
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


class Server:
    """A running development server."""

    def __init__(self, url: str, folder: Path, log: Path) -> None:
        self.url = url
        self.folder = folder
        self.log = log

    def context(self, **more: object) -> dict[str, object]:
        return {**SMALL, "runs_dir": str(self.folder / "runs"), **more}


def make_studio() -> list[str]:
    """Return the command of `make studio`, with the `langgraph` of this environment."""
    shown = subprocess.run(["make", "-n", "studio"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    program, *options = shlex.split(shown.splitlines()[-1])
    assert Path(program).name == "langgraph"
    return [LANGGRAPH, *options]


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[Server]:
    """Run a command of the user's in a folder of its own, offline, and stop it with its children.

    The folder takes the repository's place: the server watches the folder that it was started in.
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
def server(tmp_path_factory: pytest.TempPathFactory):
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
async def client(server: Any):
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture(scope="module")
def folder(server: Any):
    return str(write_example("wine", server.folder / "wine"))


async def work(client, graph, thread, server, **call: object):
    """Run a graph on a thread to its end or its next question; fail on an error."""
    context = server.context(**call.pop("settings", {}))
    values = await client.runs.wait(thread, graph, context=context, raise_error=True, **call)
    assert "__error__" not in values, values
    return values


async def begin(client, graph, server, run_input, **settings: object):
    """Run a graph on a thread of its own until it ends or asks; return the thread."""
    thread = (await client.threads.create())["thread_id"]
    await work(client, graph, thread, server, input=run_input, settings=settings)
    return thread


async def questions(client, thread):
    return (await client.threads.get_state(thread))["interrupts"]


async def before(client, thread, node):
    """Return the latest state of a thread from which a node comes next."""
    return next(s for s in await client.threads.get_history(thread, limit=60) if s["next"] == [node])


async def fork(client, graph, thread, server, state, *, as_node, values=None, settings=None) -> None:
    """Write values into an earlier state, as a node would, and run on from there."""
    written = await client.threads.update_state(thread, values or {}, checkpoint=state["checkpoint"], as_node=as_node)
    await work(client, graph, thread, server, input=None, checkpoint=written["checkpoint"], settings=settings or {})


async def answer_a_copy(client, graph, thread, server, answer, *, stop_before, **settings: object):
    """Answer the one question of a thread on a copy of it, stop before a node and return the state."""
    copy = (await client.threads.copy(thread))["thread_id"]
    await work(
        client, graph, copy, server, command={"resume": answer}, interrupt_before=[stop_before], settings=settings
    )
    return await client.threads.get_state(copy)


# ---- schemas and drawings


async def test_four_graphs_are_served_with_input_and_context_forms(client: Any, server: Any) -> None:
    assistants = {assistant["graph_id"]: assistant for assistant in await client.assistants.search()}
    assert set(assistants) == set(GRAPHS)
    for assistant in assistants.values():
        schemas = await client.assistants.get_schemas(assistant["assistant_id"])
        assert all(schemas[f"{part}_schema"]["properties"] for part in ("input", "state", "context"))


@pytest.mark.parametrize("graph", ["pipeline", "track"])
async def test_the_input_form_asks_for_a_folder_an_example_or_csv_text(client: Any, server: Any, graph: str) -> None:
    (assistant,) = await client.assistants.search(graph_id=graph)
    form = (await client.assistants.get_schemas(assistant["assistant_id"]))["input_schema"]
    fields = form["properties"]
    assert {"task", "example", "train_csv", "test_csv", "description", "run_id"} == set(fields)
    assert set(fields["example"]["enum"]) == {"", "diabetes", "wine"}
    assert all(field["description"] for field in fields.values())
    assert "required" not in form


async def test_the_context_form_explains_every_setting(client: Any, server: Any) -> None:
    (assistant,) = await client.assistants.search(graph_id="pipeline")
    form = (await client.assistants.get_schemas(assistant["assistant_id"]))["context_schema"]
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


async def test_the_drawings_show_the_evaluation_inside_the_track(client: Any, server: Any) -> None:
    (assistant,) = await client.assistants.search(graph_id="pipeline")
    drawn = await client.assistants.get_graph(assistant["assistant_id"], xray=True)
    nodes = {node["id"] for node in drawn["nodes"]}
    assert {"prepare", "run_track:ablate", "run_track:evaluate_block:grade", "ensemble:plan_ensemble"} <= nodes
    assert [e for e in drawn["edges"] if e.get("conditional") and not e.get("data")] == []
    labels = {edge.get("data") for edge in drawn["edges"]}
    assert {"improved", "failed", "debug again", "next plan", "next block"} <= labels


# ---- whole runs


async def test_a_run_streams_to_its_submission_while_another_one_runs(client: Any, server: Any, folder: Any) -> None:
    """Two runs at once: a folder, streamed, and the same rows as CSV text, both with the context form's settings."""
    example = load_example("wine")
    inline = {
        "train_csv": example.train.to_csv(index=False),
        "test_csv": example.test.to_csv(index=False),
        "description": "Which grower made the wine? Classification accuracy.",
    }
    beside = asyncio.create_task(begin(client, "pipeline", server, inline))
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
    values = (await client.threads.get_state(thread))["values"]
    assert values["summary"]["status"] == "solved"
    assert len(pd.read_csv(values["summary"]["submission"])) == len(example.test)
    assert values["solutions"]["t0.c1"]["headline"].startswith(f"{graded[0]['score']:.5g} ±")

    other = (await client.threads.get_state(await beside))["values"]
    assert other["summary"]["status"] == "solved"
    assert other["run_id"] != values["run_id"]
    assert (other["train_csv"], other["test_csv"], other["description"]) == ("", "", "")
    assert len(pd.read_csv(other["summary"]["submission"])) == len(example.test)


async def test_a_remote_graph_is_called_like_a_local_one(client: Any, server: Any) -> None:
    """And a built-in example runs with every setting left to the form's defaults but the runner."""
    remote = RemoteGraph("pipeline", client=client)
    values = await remote.ainvoke({"example": "wine"}, context={**SMALL, "outer_steps": 0, "runs_dir": "relative/runs"})
    assert values["summary"]["status"] == "solved"
    assert (server.folder / "relative/runs" / values["run_id"] / "submission.csv").is_file()


async def test_two_runs_of_one_task_in_one_second_are_two_runs(client: Any, server: Any, folder: Any) -> None:
    nothing = {"max_executions": 1, "outer_steps": 0}
    threads = await asyncio.gather(
        *(begin(client, "pipeline", server, {"task": folder}, review=["models"], **nothing) for _ in range(3))
    )
    states = [await client.threads.get_state(thread) for thread in threads]
    assert len({state["values"]["run_id"] for state in states}) == 3


@pytest.mark.parametrize("run_input", [{}, {"task": "/tmp", "example": "wine"}, {"train_csv": "a,b\n1,2\n"}])
async def test_an_input_that_is_not_one_of_the_three_is_refused(
    client: Any,
    server: Any,
    run_input: dict[str, Any] | dict[str, str],
) -> None:
    thread = (await client.threads.create())["thread_id"]
    values = await client.runs.wait(thread, "pipeline", input=run_input, context=server.context(), raise_error=False)
    assert "give a task folder, or a built-in example" in values["__error__"]["message"]


# ---- human review


async def test_every_review_point_of_a_track_takes_four_answers(client: Any, server: Any, folder: Any) -> None:
    settings = {"review": ["models", "ablation", "block", "plan"]}
    thread = await begin(client, "track", server, {"task": folder}, **settings)

    async def answered(answer, stop_before):
        state = await answer_a_copy(client, "track", thread, server, answer, stop_before=stop_before, **settings)
        return state["values"]

    async def approve():
        await work(client, "track", thread, server, command={"resume": {"action": "approve"}}, settings=settings)
        (question,) = await questions(client, thread)
        return question["value"]

    (question,) = await questions(client, thread)
    names = [card["name"] for card in question["value"]["cards"]]
    assert question["value"]["point"] == "models"
    assert [c["name"] for c in (await answered({"action": "approve"}, "make_candidate"))["cards"]] == names
    edited = await answered({"action": "edit", "cards": [{"name": names[0], "description": "mine"}]}, "make_candidate")
    assert [(c["name"], c["description"], c["by_person"]) for c in edited["cards"]] == [(names[0], "mine", True)]
    assert [c["name"] for c in (await answered({"action": "replace", "cards": [CARD]}, "make_candidate"))["cards"]] == [
        CARD["name"]
    ]
    added = await answered({"action": "add", "cards": [CARD]}, "make_candidate")
    assert [c["name"] for c in added["cards"]] == [CARD["name"], *names]

    proposal = await approve()
    assert proposal["point"] == "ablation"
    assert (await answered({"action": "approve"}, "extract_block"))["summaries"] == [proposal["summary"]]
    for action in ("edit", "replace"):
        state = await answered({"action": action, "text": INSTRUCTION}, "extract_block")
        assert (state["study"]["summary"], state["summaries"]) == (INSTRUCTION, [INSTRUCTION])
    state = await answered({"action": "add", "text": INSTRUCTION}, "extract_block")
    assert state["summaries"] == [f"{proposal['summary']}\n\n{INSTRUCTION}"]

    proposal = await approve()
    assert proposal["point"] == "block"
    smaller = proposal["block"].splitlines()[-1]
    assert (await answered({"action": "approve"}, "review_plan"))["block"]["text"] == proposal["block"]
    for action in ("edit", "replace"):
        state = await answered({"action": action, "text": smaller}, "review_plan")
        assert (state["block"]["text"], state["blocks"]) == (smaller, [smaller])
    state = await answered({"action": "add", "text": INSTRUCTION}, "review_plan")
    assert state["plan"] == f"{proposal['plan']}\n\n{INSTRUCTION}"
    state = await answer_a_copy(
        client, "track", thread, server, {"action": "reject"}, stop_before="advance", **settings
    )
    assert (state["values"]["block"], state["next"]) == (None, ["advance"])

    refused = (await client.threads.copy(thread))["thread_id"]
    await work(
        client,
        "track",
        refused,
        server,
        command={"resume": {"action": "edit", "text": "no such code"}},
        settings=settings,
    )
    (again,) = await questions(client, refused)
    assert "not a block of the script" in again["value"]["problem"]
    await work(
        client,
        "track",
        refused,
        server,
        command={"resume": {"action": "edit", "text": smaller}},
        interrupt_before=["review_plan"],
        settings=settings,
    )
    assert (await client.threads.get_state(refused))["values"]["block"]["text"] == smaller

    proposal = await approve()
    assert proposal["point"] == "plan"
    assert (await answered({"action": "approve"}, "write_block"))["plan"] == proposal["plan"]
    for action in ("edit", "replace"):
        assert (await answered({"action": action, "text": INSTRUCTION}, "write_block"))["plan"] == INSTRUCTION
    state = await answered({"action": "add", "text": INSTRUCTION}, "write_block")
    assert state["plan"] == f"{proposal['plan']}\n\n{INSTRUCTION}"
    assert (await answered({"action": "reject"}, "write_block"))["plan"] == ""


@pytest.mark.parametrize("reply", ["yes please", {"action": "dance"}, {"action": "edit", "text": 5}, [1, 2]])
async def test_an_answer_of_no_known_form_is_asked_for_again(
    client: Any,
    server: Any,
    folder: Any,
    reply: str | dict[str, str] | dict[str, Any] | list[int],
) -> None:
    settings = {"review": ["models"], "outer_steps": 0}
    thread = await begin(client, "track", server, {"task": folder}, **settings)
    await work(client, "track", thread, server, command={"resume": reply}, settings=settings)
    (again,) = await questions(client, thread)
    assert again["value"]["id"] == "models:t0"
    assert '{"action": "approve"}' in again["value"]["problem"]
    await work(client, "track", thread, server, command={"resume": {"action": "approve"}}, settings=settings)
    assert (await client.threads.get_state(thread))["values"]["best"]


async def test_parallel_tracks_ask_together_and_each_gets_its_own_answer(client: Any, server: Any, folder: Any) -> None:
    """Then the ensemble and the submission ask, each answered in every way on a copy of the thread."""
    settings = {"tracks": 2, "outer_steps": 0, "ensemble_rounds": 1, "review": ["models", "ensemble", "submission"]}
    thread = await begin(client, "pipeline", server, {"task": folder}, **settings)
    first = {question["value"]["track"]: question for question in await questions(client, thread)}
    assert set(first) == {0, 1}
    answers = {first[0]["id"]: {"action": "approve"}, first[1]["id"]: {"action": "replace", "cards": [CARD]}}
    await work(client, "pipeline", thread, server, command={"resume": answers}, settings=settings)
    state = (await client.threads.get_state(thread))["values"]
    titles = {track: best["title"] for track, best in state["bests"].items()}
    assert titles == {"0": first[0]["value"]["cards"][0]["name"], "1": CARD["name"]}

    (question,) = await questions(client, thread)
    assert question["value"]["point"] == "ensemble"
    plan, own = question["value"]["plan"], "Average the members, with equal weights."
    planned = {"approve": plan, "edit": own, "replace": own, "add": f"{plan}\n\n{own}"}
    before_ensemble = await before(client, thread, "ensemble")
    for action, expected in planned.items():
        answer = {"action": action, "text": "" if action == "approve" else own}
        await work(client, "pipeline", thread, server, command={"resume": answer}, settings=settings)
        values = (await client.threads.get_state(thread))["values"]
        assert values["solutions"]["e1"]["plan"] == expected
        if action != "add":
            await fork(client, "pipeline", thread, server, before_ensemble, as_node="run_track", settings=settings)

    before_review = await before(client, thread, "review_submission")

    async def submitted(action, text=""):
        (last,) = await questions(client, thread)
        proposal = last["value"]
        assert proposal["point"] == "submission"
        by_hand = f"{proposal['script']}\n# by hand\n"
        answer = {"action": action, "text": by_hand if action == "edit" else text}
        await work(client, "pipeline", thread, server, command={"resume": answer}, settings=settings)
        values = (await client.threads.get_state(thread))["values"]
        await fork(client, "pipeline", thread, server, before_review, as_node="choose", settings=settings)
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
    client: Any,
    server: Any,
    folder: Any,
) -> None:
    thread = await begin(client, "track", server, {"task": folder})
    first = (await client.threads.get_state(thread))["values"]
    ledger = server.folder / "runs" / first["run_id"] / "ledger.sqlite"
    spent = _entries(ledger)
    ablating = await before(client, thread, "ablate")
    await work(client, "track", thread, server, input=None, checkpoint=ablating["checkpoint"])
    assert _entries(ledger) == spent
    assert (await client.threads.get_state(thread))["values"]["bests"] == first["bests"]

    planned = await before(client, thread, "write_block")
    await fork(client, "track", thread, server, planned, as_node="review_plan", values={"plan": INSTRUCTION})
    second = (await client.threads.get_state(thread))["values"]
    assert second["solutions"]["t0.r1.1"]["plan"] == INSTRUCTION != first["solutions"]["t0.r1.1"]["plan"]
    assert second["solutions"]["t0.c1"] == first["solutions"]["t0.c1"]
    assert second["attempts"][0]["plan"] == INSTRUCTION


def _entries(ledger: Path) -> int:
    with sqlite3.connect(ledger) as connection:
        return connection.execute("SELECT count(*) FROM entries").fetchone()[0]


# ---- stopping


@pytest.mark.docker
async def test_cancel_leaves_no_container_and_no_lock(client: Any, server: Any, folder: Any) -> None:
    engine = docker.from_env()
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread, "pipeline", input={"task": folder, "run_id": "stopped"}, context=server.context(runner="docker", warm=1)
    )

    def containers():
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


async def _until(condition, tries=600) -> None:
    for _ in range(tries):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the condition was never met")


async def test_the_plain_command_solves_an_example_too(tmp_path: Path) -> None:
    """The server watches its folder for Python files by default, and a run writes some below it."""
    with serving([LANGGRAPH, "dev"], tmp_path) as server:
        async with get_client(url=server.url) as client:
            settings = {**SMALL, "outer_steps": 0}
            values = await client.runs.wait(None, "pipeline", input={"example": "wine"}, context=settings)
    assert values["summary"]["status"] == "solved"
    assert (tmp_path / "runs" / values["run_id"] / "solution.py").is_file()
    assert "Reloading" not in server.log.read_text()


# ---- last


def test_the_log_has_no_blocking_call_and_no_unknown_type(server: Any) -> None:
    """Runs last in this module, over everything the server did."""
    log = re.sub(r"\x1b\[[0-9;]*m", "", server.log.read_text())
    bad = ("Blocking call", "BlockingError", "unregistered type", "Failed to get", "Deserializing", "Blocked")
    assert [line[:300] for line in log.splitlines() if any(word in line for word in bad)] == []
