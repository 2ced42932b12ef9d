"""The report of a run that is not finished: what it says, and that the run is left alone."""

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import StoreError, UserError
from mlestar.events import Event
from mlestar.metrics.precision import round_score
from mlestar.report.again import render_report, write_report
from mlestar.report.unfinished import read_state
from mlestar.state import Answer
from mlestar.store import RunFolder, reading
from tests.unit.scenario import SMALL, Scenario, resume, signs, solve


async def follow(folder: Path, at: str, pages: list[str], *, copy_to: Path | None = None) -> mlestar.Result:
    """Run the task; when a solution is scored, keep the page that the run has then, and a copy of its folder."""
    run = RunFolder(folder / "runs", "run")

    def on_event(event: Event) -> None:
        if event.verdict is not None and event.solution == at:
            pages.append(render_report(run))
            if copy_to is not None:
                shutil.copytree(run.path, copy_to)

    settings = {**SMALL, "runs_dir": folder / "runs"}
    return await mlestar.asolve(signs(), settings=settings, run_id="run", **Scenario().options(on_event=on_event))


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a run, without those that a reader of a database may make."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


async def test_the_page_of_a_run_at_work_shows_what_it_has_done_and_leaves_it_alone(tmp_path: Path) -> None:
    pages: list[str] = []
    result = await follow(tmp_path, "t0.m1", pages)
    assert result.status == "solved"
    (page,) = pages
    assert ">running</b>" in page
    assert "This run is not finished." in page
    assert "UTC; <code>mlestar report run</code> writes it again." in page
    # The newest solution may not be in the ledger yet when its event arrives.
    assert "best score so far: t0.c2" in page or "best score so far: t0.m1" in page
    assert "t0.c1" in page
    assert "t0.r1.1" not in page
    assert "No fresh rows remained" not in page
    assert '<b class="good">winner</b>' not in page
    final = render_report(RunFolder(tmp_path / "runs", "run"))
    assert final == Path(result.report or "").read_text(encoding="utf-8")
    assert "This run is not finished." not in final


async def test_scores_of_an_unfinished_run_are_rounded(tmp_path: Path) -> None:
    pages: list[str] = []
    result = await follow(tmp_path, "t0.r1.1", pages, copy_to=tmp_path / "runs/copy")
    state, _, _ = read_state(RunFolder(tmp_path / "runs", "copy"))
    rows = [row.score for row in state.solutions]
    assert rows
    assert all(score.holdout == round_score(score.holdout, score.holdout_se) for score in rows)
    precise = {f"{row.score.holdout:.5g}" for row in result.solutions if row.score.holdout is not None}
    precise = {text for text in precise if len(text) > len("0.123")}
    assert precise
    assert not [text for text in precise if text in pages[0]]


async def test_a_run_that_was_killed_has_a_page_and_is_not_changed(tmp_path: Path) -> None:
    pages: list[str] = []
    await follow(tmp_path, "t0.r1.1", pages, copy_to=tmp_path / "runs/copy")
    folder = RunFolder(tmp_path / "runs", "copy")
    before = contents(folder.path)
    page = render_report(folder)
    assert contents(folder.path) == before
    assert ">stopped</b>" in page
    assert "its process ended without a result; `mlestar resume copy" in page
    assert "t0.r1.1" in page
    write_report(folder)
    assert folder.report.read_text(encoding="utf-8") == page
    assert not list(folder.path.glob(".report*"))


async def test_a_ledger_that_is_read_can_be_written(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    folder = RunFolder.at(result.folder)
    with reading(folder.ledger) as ledger:
        assert ledger.spend().executions == result.spend.executions
        with sqlite3.connect(folder.ledger, timeout=0) as writer:
            writer.execute("INSERT INTO sessions (seconds) VALUES (1)")
        assert ledger.spend().executions == result.spend.executions
        with pytest.raises(sqlite3.OperationalError):
            ledger._execute("DELETE FROM entries")


async def test_a_paused_run_has_the_page_that_it_wrote(tmp_path: Path) -> None:
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "review": ["plan"]}
    paused = await mlestar.asolve(signs(), settings=settings, run_id="run", **Scenario().options())
    folder = RunFolder.at(paused.folder)
    page = render_report(folder)
    assert page == folder.report.read_text(encoding="utf-8")
    assert ">paused</b>" in page
    assert "This run is not finished." in page
    ended = await resume(tmp_path, Scenario(), on_question=lambda question: Answer())
    assert ended.status == "solved"


async def test_what_followed_an_older_result_is_shown(tmp_path: Path) -> None:
    await follow(tmp_path, "t0.r1.1", [], copy_to=tmp_path / "runs/copy")
    folder = RunFolder(tmp_path / "runs", "copy")
    older = {**SMALL, "runs_dir": tmp_path / "other", "review": ["models"]}
    paused = await mlestar.asolve(signs(), settings=older, run_id="run", **Scenario().options())
    shutil.copyfile(Path(paused.folder) / "result.json", folder.result)
    an_hour_ago = time.time() - 3600
    os.utime(folder.result, (an_hour_ago, an_hour_ago))
    state, _, is_running = read_state(folder)
    assert not is_running
    assert "t0.r1.1" in [row.id for row in state.solutions]


async def test_a_run_that_has_not_read_its_task_is_one_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs", "run")
    folder.create()
    folder.record_settings(tmp_path, {"profile": "quick"})
    with pytest.raises(StoreError, match="ledger"):
        render_report(folder)
    result = await solve(tmp_path / "whole", Scenario())
    shutil.copyfile(Path(result.folder) / "ledger.sqlite", folder.ledger)
    with sqlite3.connect(folder.ledger) as connection:
        connection.execute("DELETE FROM entries WHERE kind = 'brief'")
    with pytest.raises(UserError, match="has not read its task yet"):
        render_report(folder)
