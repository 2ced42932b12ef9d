"""Runs that are sent to a collector of OpenTelemetry, by the process that a session starts."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mlestar
from mlestar.errors import ModelError
from mlestar.events import Event
from mlestar.progress import read_events
from mlestar.report import Result
from mlestar.settings import Settings
from mlestar.store import RunFolder
from mlestar.trackers.course import Course
from mlestar.trackers.spans import SpanTracker
from tests.unit.command_line import call
from tests.unit.otlp_collector import Collector, attributes_of, collecting
from tests.unit.scenario import SMALL, Scenario, lose_connection, resume, signs, solve

TRACKED = {**SMALL, "outer_steps": 0, "debug_rounds": 0, "trackers": {"otel": True, "wait_seconds": 250}}
SECRET = "sk-proj-1234567890abcdef1234"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", running.address)
        yield running


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Collector]]:
    """Return a run of which one script failed, and the collector that it was sent to."""
    with ExitStack() as held:
        running = held.enter_context(collecting())
        patch = held.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        patch.setenv("MY_API_KEY", SECRET)
        scenario = Scenario(jobs={"t0.c1": "broken"})
        yield asyncio.run(solve(tmp_path_factory.mktemp("tracked"), scenario, TRACKED)), running


def notes(result: Result) -> list[str]:
    """Return what trackers told during a run."""
    return [event.message for event in read_events(Path(result.folder) / "events.jsonl") if event.stage == "tracker"]


def in_memory(folder: Path, since: float = 0.0) -> InMemorySpanExporter:
    """Return the spans of a run folder."""
    course, exporter = Course(RunFolder.at(folder)), InMemorySpanExporter()
    course.finish()
    SpanTracker(course, since=since, exporter=exporter).finish()
    return exporter


async def test_nothing_is_sent_by_default(tmp_path: Path, collector: Collector) -> None:
    result = await solve(tmp_path, Scenario(), outer_steps=0)
    assert (result.status, collector.paths, notes(result)) == ("solved", [], [])
    done = call("track", "run", "--runs-dir", tmp_path / "runs")
    assert (done.exit_code, collector.paths) == (2, [])
    assert "has no trackers in its settings: say where to with --mlflow ADDRESS or --otel" in done.stderr


def test_a_run_is_a_trace(tracked: tuple[Result, Collector]) -> None:
    result, collector = tracked
    [root] = collector.named("invoke_workflow")
    others = [span for span in collector.spans if span.span_id != root.span_id]
    assert (collector.paths[0], collector.service) == ("/v1/traces", "mlestar")
    assert {span.parent_span_id for span in others} == {root.span_id}
    assert {span.trace_id for span in others} == {root.trace_id}
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano for span in others)
    assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in others)
    assert len(collector.named("chat")) == result.spend.model_calls
    assert len(collector.named("execution")) == result.spend.executions
    facts = attributes_of(root)
    assert (facts["mlestar.run.status"], facts["mlestar.run.executions"]) == ("solved", result.spend.executions)
    assert notes(result) == [f"sent to OpenTelemetry collector at {collector.address}, trace {root.trace_id.hex()}"]


def test_a_call_has_its_role_its_model_and_its_tokens(tracked: tuple[Result, Collector]) -> None:
    result, collector = tracked
    spans = collector.named("chat")
    calls = [attributes_of(span) for span in spans]
    assert {"retriever", "initializer", "leakage_checker"} <= {call["gen_ai.agent.name"] for call in calls}
    assert {span.name for span in spans} == {f"chat {call['gen_ai.request.model']}" for call in calls}
    tokens = sum(call["gen_ai.usage.input_tokens"] + call["gen_ai.usage.output_tokens"] for call in calls)
    assert tokens == result.spend.tokens


def test_a_script_that_fails_is_an_error_of_its_span(tracked: tuple[Result, Collector]) -> None:
    _, collector = tracked
    failed = [span for span in collector.spans if span.status.code == 2]
    assert [attributes_of(span)["mlestar.solution"] for span in failed] == ["t0.c1"]
    assert {attributes_of(span)["error.type"] for span in failed} == {"error"}


def test_spans_have_no_text_and_no_scores(tracked: tuple[Result, Collector]) -> None:
    result, collector = tracked
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    values = [value for span in collector.spans for value in attributes_of(span).values()]
    assert SECRET.encode() not in sent
    assert b"broken" not in sent  # of the message of the script that failed
    assert result.score.holdout not in values
    assert all(len(value) < 50 for value in values if isinstance(value, str))


def test_what_is_sent_again_is_the_same_spans(tracked: tuple[Result, Collector]) -> None:
    result, collector = tracked
    again = in_memory(Path(result.folder)).get_finished_spans()
    assert {span.span_id.hex() for span in collector.spans} == {f"{span.context.span_id:016x}" for span in again}
    assert {span.trace_id.hex() for span in collector.spans} == {f"{span.context.trace_id:032x}" for span in again}


async def test_a_resumed_run_sends_the_spans_of_its_session(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(merger=lose_connection), outer_steps=0)
    await resume(tmp_path, Scenario())
    folder = tmp_path / "runs/run"
    begins = [event.time for event in read_events(folder / "events.jsonl") if event.run]
    every = in_memory(folder).get_finished_spans()
    second = in_memory(folder, since=begins[1]).get_finished_spans()
    sessions = [span for span in every if span.parent is None]
    assert [span.attributes and span.attributes["mlestar.run.status"] for span in sessions] == ["stopped", "solved"]
    assert len({span.context.trace_id for span in every}) == 2
    assert {span.context.span_id for span in second} < {span.context.span_id for span in every}
    lost = [span for span in every if span.attributes and span.attributes.get("gen_ai.agent.name") == "merger"]
    assert [span.attributes and span.attributes.get("error.type") for span in lost] == ["failed", None]


async def test_a_collector_that_is_away_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    result = await solve(tmp_path, Scenario(), TRACKED)
    warning, rest = notes(result)
    assert result.status == "solved"
    assert warning.startswith(f"OpenTelemetry collector at http://127.0.0.1:{port} does not take the run")
    assert rest.startswith("not all was sent to otel: `mlestar track run --runs-dir")


async def test_a_collector_that_hangs_is_left_when_the_wait_is_over(tmp_path: Path, collector: Collector) -> None:
    collector.hangs = True
    result = await solve(tmp_path, Scenario(), outer_steps=0, trackers={"otel": True, "wait_seconds": 0.1})
    assert result.status == "solved"
    assert notes(result)[-1].startswith("not all was sent to otel")


async def test_a_tracker_that_cannot_start_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    received: list[Event] = []
    settings = Settings.resolve({**TRACKED, "runs_dir": tmp_path / "runs", "trust": True})
    options = Scenario().options(on_event=received.append)
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    told = [event.message for event in received if event.stage == "tracker"]
    assert (result.status, told) == ("solved", ["the tracker otel did not start: No such file or directory"])


async def test_a_tracker_without_its_package_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(mlestar.UserError, match=r"trackers.mlflow needs a package: pip install 'mlestar\[mlflow\]'"):
        await solve(tmp_path, Scenario(), trackers="http://127.0.0.1:1")
    assert not (tmp_path / "runs").exists()


async def test_the_address_of_a_variable_that_is_not_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    sys.modules["mlflow"].__spec__ = ModuleSpec("mlflow", None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(mlestar.UserError, match=r"trackers.mlflow is env, but MLFLOW_TRACKING_URI is not set"):
        await solve(tmp_path, Scenario(), trackers="env")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("http://ann:secret@host", "leave user and password out of it and set MLFLOW_TRACKING_USERNAME"),
        ("host", "give an address such as http://localhost:5000, or env"),
        ({"mlfow": "env"}, "unknown: did you mean 'trackers.mlflow'"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(value: object, problem: str) -> None:
    with pytest.raises(mlestar.UserError, match=problem):
        Settings.resolve({"trackers": value})
