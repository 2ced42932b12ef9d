"""No two staged inputs have a file in common, unless the files are too large to copy them for each input."""

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from mlestar.data.task import Task
from mlestar.errors import ModelError, StoreError
from mlestar.evaluation import Store, infer_split, search_holdout, stage
from mlestar.evaluation.holdout.placement import Placement, can_clone, check_space
from mlestar.store import RunFolder
from tests.unit.holdout_folders import random_task
from tests.unit.scenario import SMALL, Scenario, lose_connection, make_task, resume, solve

SIZES = {"a.txt": 400, "b.txt": 400, "c.txt": 4000}


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def task(tmp_path: Path) -> Task:
    folder = tmp_path / "task"
    folder.mkdir()
    for name, size in SIZES.items():
        (folder / name).write_text("w" * size)
    return random_task(folder)


def stage_all(task: Task, folder: Path, store: Store | None) -> tuple[Path, Path]:
    """Stage a holdout and the real input, and return their folders."""
    search, real = folder / "1" / "input", folder / "2" / "input"
    stage(task, search_holdout(task, infer_split(task), seed=1), search, store=store)
    stage(task, None, real, store=store)
    return search, real


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_no_input_shares_a_file_with_another_one_or_with_the_task(task: Task, tmp_path: Path) -> None:
    store = Store(tmp_path / "shared", link_above=10**9)
    folders = [*stage_all(task, tmp_path, store), task.folder]
    numbers = [number for folder in folders for number in inodes(folder).values()]
    assert len(numbers) == len(set(numbers))
    assert store.shared() == 0


def test_above_the_limit_inputs_share_one_copy_that_is_not_the_users(task: Task, tmp_path: Path) -> None:
    if can_clone([task.folder / "a.txt"], tmp_path):
        pytest.skip("this file system shares no files: copies take up no space")
    search, real = stage_all(task, tmp_path, Store(tmp_path / "shared", link_above=1000))
    common = {name for name, number in inodes(search).items() if inodes(real)[name] == number}
    assert common == {"c.txt"}
    assert not set(inodes(real).values()) & set(inodes(task.folder).values())
    assert (search / "c.txt").stat().st_mode & 0o222 == 0
    assert (task.folder / "c.txt").stat().st_mode & 0o222 != 0


def test_a_copy_of_one_input_alone_is_not_shared(task: Task, tmp_path: Path) -> None:
    store = Store(tmp_path / "shared", link_above=0)
    stage(task, None, tmp_path / "1" / "input", store=store)
    assert store.shared() == 0


def test_the_copy_of_a_file_that_has_changed_is_not_used(tmp_path: Path) -> None:
    source, store = tmp_path / "a.txt", Store(tmp_path / "shared", link_above=0)
    for number, text in enumerate(["first", "second"]):
        source.write_text(text)
        assert store.link(source, tmp_path / f"target-{number}")
    assert [(tmp_path / f"target-{number}").read_text() for number in range(2)] == ["first", "second"]


@pytest.fixture
def little_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 3_000_000, 3_000_000))


@pytest.mark.usefixtures("little_space")
def test_a_disk_without_space_for_the_copies_is_refused_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    with source.open("wb") as file:
        file.truncate(5_000_000)
    if can_clone([source], tmp_path):
        check_space([source], tmp_path)
        return
    with pytest.raises(StoreError, match=r"needs 5 MB in .*, where 3 MB are free: free 2 MB, or start") as caught:
        check_space([source], tmp_path)
    assert "\n" not in str(caught.value)
    store = Store(tmp_path / "shared", link_above=0)
    assert store.link(source, tmp_path / "target")
    check_space([source], tmp_path, store)


def test_without_clones_files_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    memory = Path("/dev/shm")
    target = (memory if os.access(memory, os.W_OK) else tmp_path) / f"mlestar-{os.getpid()}.txt"
    try:
        assert Placement().place(source, target) == "copied"
        assert target.read_text() == "text"
        assert target.stat().st_mode & 0o777 == 0o444
    finally:
        target.unlink(missing_ok=True)


def test_a_disk_without_hard_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    source = tmp_path / "a.txt"
    source.write_text("text")
    monkeypatch.setattr(os, "link", refuse)
    assert Placement(Store(tmp_path / "shared", link_above=0)).place(source, tmp_path / "b.txt") == "copied"
    assert (tmp_path / "b.txt").read_text() == "text"


async def test_a_run_with_folders_named_after_their_inputs_is_resumed(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "task")
    (folder / "words.txt").write_text("one\ntwo\n")
    first, second = Scenario(planner=lose_connection), Scenario()
    with pytest.raises(ModelError):
        await solve(tmp_path, first, SMALL, task=folder, model_attempts=1)
    inputs = RunFolder(tmp_path / "runs", "run").inputs
    shutil.rmtree(inputs)
    (inputs / "holdout" / "input").mkdir(parents=True)
    os.link(folder / "words.txt", inputs / "holdout" / "input" / "words.txt")
    result = await resume(tmp_path, second)
    assert result.status == "solved"
    assert "t0.r1.1" in first.ran
    assert not set(first.ran) & set(second.ran)
    assert not (inputs / "holdout").exists()


async def test_a_run_whose_inputs_share_files_marks_its_scores(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "task")
    (folder / "words.txt").write_text("one\ntwo\n")
    if can_clone([folder / "words.txt"], tmp_path):
        pytest.skip("this file system shares no files: copies take up no space")
    marked = await solve(tmp_path, Scenario(), SMALL, task=folder, link_above_mb=0)
    assert marked.warnings[0].endswith("scripts could have exchanged labels through them")
    assert marked.warnings[0] in (tmp_path / "runs/run/report.html").read_text(encoding="utf-8")
    clean = await solve(tmp_path, Scenario(), SMALL, task=folder, run_id="other")
    assert clean.warnings == ()
