"""`events.jsonl`: what a run writes, and what is read of a file that is torn, full or cannot be written."""

from pathlib import Path

import pytest

import mlestar
from mlestar.errors import ModelError
from mlestar.events import Event
from mlestar.progress import EventLog, EventReader, RunView, read_events
from mlestar.settings import Settings
from tests.unit.scenario import SMALL, Scenario, lose_connection, resume, signs, solve


def line(message: str) -> Event:
    return Event(stage="rank", message=message)


def write(path: Path, *messages: str, max_bytes: int = 10_000) -> None:
    log = EventLog(path, max_bytes=max_bytes)
    log.open()
    for message in messages:
        log(line(message))
    log.close()


def test_nothing_is_written_before_a_session_begins(tmp_path: Path) -> None:
    received: list[Event] = []
    log = EventLog(tmp_path / "events.jsonl", received.append)
    log(line("one"))
    log.close()
    assert [event.message for event in received] == ["one"]
    assert read_events(tmp_path / "events.jsonl") == []


def test_a_later_session_continues_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "one")
    write(path, "two")
    assert [event.message for event in read_events(path)] == ["one", "two"]


def test_a_torn_line_is_skipped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "one", "two")
    path.write_bytes(path.read_bytes()[:-9])
    assert [event.message for event in read_events(path)] == ["one"]
    write(path, "three")
    assert [event.message for event in read_events(path)] == ["one", "three"]


def test_a_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "one", "two")
    whole, reader = path.read_bytes(), EventReader(path)
    path.write_bytes(whole[:-9])
    assert [event.message for event in reader.read()] == ["one"]
    path.write_bytes(whole)
    assert [event.message for event in reader.read()] == ["two"]
    assert list(reader.read()) == []


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    received: list[Event] = []
    log = EventLog(tmp_path / "no" / "events.jsonl", received.append)
    log.open()
    log(line("one"))
    log.close()
    assert [event.message for event in received] == ["one"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine\n", encoding="utf-8")
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "other")
    write(tmp_path / "events.jsonl", "one")
    assert (tmp_path / "other").read_text(encoding="utf-8") == "mine\n"
    assert read_events(tmp_path / "events.jsonl") == []


def test_a_full_file_gets_only_the_ends_of_sessions(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, max_bytes=500)
    log.open()
    for number in range(50):
        log(line(f"message {number}"))
    log(Event(stage="run", message="the end", work="run", phase="end", status="solved"))
    log.close()
    messages = [event.message for event in read_events(path)]
    assert messages[-1] == "the end"
    assert "no more events are kept" in messages[-2]
    assert path.stat().st_size < 1000


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "x" * 100_000, max_bytes=10**6)
    (event,) = read_events(path)
    assert len(event.message) == 500


def test_lines_of_something_else_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('[1]\n{"stage": "rank"}\n\xff\n{"stage": "a", "message": "b", "new": 1}\n', encoding="latin-1")
    assert [event.message for event in read_events(path)] == ["b"]


def test_control_characters_never_reach_the_file_or_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "a\x1b[2Jb\u202ec\nd")
    assert path.read_bytes().isascii()
    assert [event.message for event in read_events(path)] == ["abc d"]


async def test_a_run_writes_what_it_streams(tmp_path: Path) -> None:
    streamed: list[Event] = []
    settings = Settings.resolve({**SMALL, "runs_dir": tmp_path / "runs", "accept": "better"})
    options = Scenario().options(on_event=streamed.append)
    await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    events = read_events(tmp_path / "runs" / "run" / "events.jsonl")
    assert events == streamed
    assert (events[0].work, events[0].phase) == ("run", "begin")
    assert (events[-1].phase, events[-1].status) == ("end", "solved")


async def test_what_begins_in_a_run_also_ends(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    events = read_events(tmp_path / "runs" / "run" / "events.jsonl")
    begun = {event.work_id: event for event in events if event.work_id and event.phase == "begin"}
    ended = {event.work_id: event for event in events if event.work_id and event.phase == "end"}
    assert begun.keys() == ended.keys()
    execution = next(event for event in begun.values() if event.solution == "t0.r1.1" and event.stage == "execute")
    assert (execution.work, execution.track, execution.limit) == ("execution", 0, 120)
    assert execution.plan == "Load better, by a better way."
    assert ended[execution.work_id or ""].seconds == 1.0
    view = RunView()
    view.add_all(events)
    assert not view.running
    assert view.best is not None
    assert (view.tracks[0].outer, view.tracks[0].inner) == (1, 2)


async def test_a_run_that_is_resumed_continues_its_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(planner=lose_connection))
    path = tmp_path / "runs" / "run" / "events.jsonl"
    stopped = RunView()
    stopped.add_all(read_events(path))
    assert stopped.status == "stopped"
    await resume(tmp_path, Scenario())
    sessions = [(event.phase, event.status) for event in read_events(path) if event.work == "run"]
    assert sessions == [("begin", None), ("end", "stopped"), ("begin", None), ("end", "solved")]
