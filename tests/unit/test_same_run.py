"""The same run id means the same task, data and settings; anything else is refused in one line."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlestar
from mlestar.errors import ModelError, SettingsError, UserError
from mlestar.llm.provider import PROVIDERS
from tests.unit.scenario import SMALL, Scenario, count_rows, lose_connection, make_task, resume

Change = Callable[[Path], object]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return count_rows(make_task(tmp_path / "signs", rows=200))


async def start(task: Path, runs: Path, scenario: Scenario | None = None, **more: Any) -> mlestar.Result:
    values: dict[str, Any] = {**SMALL, "outer_steps": 0, "runs_dir": runs, "model_backoff": 0, **more}
    return await mlestar.asolve(task, settings=values, run_id="run", **(scenario or Scenario()).options())


def reverse_rows(task: Path) -> None:
    path = task / "train.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *rows[::-1]]) + "\n", encoding="utf-8")


CHANGES: dict[str, tuple[Change, str]] = {
    "rows": (reverse_rows, "train.csv has changed"),
    "description": (lambda task: (task / "task.md").write_text("Accuracy, please.", encoding="utf-8"), "task.md has"),
    "metric": (lambda task: (task / "metric.py").write_text("# other", encoding="utf-8"), "metric.py has changed"),
    "more": (lambda task: (task / "more.csv").write_text("id,v\n1,2\n", encoding="utf-8"), "more.csv is new"),
    "less": (lambda task: (task / "sample_submission.csv").unlink(), "sample_submission.csv is gone"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES.keys())
async def test_other_data_under_the_same_id_are_refused(
    task: Path, tmp_path: Path, change: Change, message: str
) -> None:
    await start(task, tmp_path / "runs")
    change(task)
    with pytest.raises(UserError, match=message) as raised:
        await start(task, tmp_path / "runs")
    assert "choose another run id" in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_an_unfinished_run_is_not_resumed_on_other_data(task: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await start(task, tmp_path / "runs", Scenario(initializer=lose_connection))
    reverse_rows(task)
    with pytest.raises(UserError, match="other data"):
        await resume(tmp_path, Scenario())
    with pytest.raises(UserError, match="other data"):
        await start(task, tmp_path / "runs")


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"seed": 1}, "seed was 0, now 1"),
    ({"metric": "accuracy"}, "metric was unset, now accuracy"),
    ({"profile": "paper"}, "profile was quick, now paper"),
    ({"model": "offline"}, "model was unset, now offline"),
    ({"target": "label"}, "target was unset, now "),
    ({"image": "torch"}, "image was base, now torch"),
    ({"tracks": 2}, "tracks was 1, now 2"),
]


@pytest.mark.parametrize(("values", "message"), SETTINGS, ids=[next(iter(values)) for values, _ in SETTINGS])
async def test_settings_that_change_results_are_refused(
    task: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    await start(task, tmp_path / "runs")
    with pytest.raises(SettingsError, match=message) as raised:
        await start(task, tmp_path / "runs", **values)
    assert "choose another run id" in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_run_keeps_the_model_that_was_found_when_it_began(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (key for provider in PROVIDERS.values() for key in provider.keys):
        monkeypatch.delenv(name, raising=False)
    values = {**SMALL, "runs_dir": tmp_path / "runs", "max_executions": 1}
    first = await mlestar.asolve(task, settings=values, run_id="run", runner=Scenario().runner())
    assert first.model == "offline"
    (tmp_path / "runs/run/result.json").unlink()
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-came-later")
    resumed = await mlestar.aresume("run", runs_dir=tmp_path / "runs", runner=Scenario().runner())
    assert resumed.model == "offline"
    (tmp_path / "runs/run/result.json").unlink()
    again = await mlestar.asolve(task, settings=values, run_id="run", runner=Scenario().runner())
    assert again.model == "offline"
    forked = await mlestar.afork("run", at="settings", runs_dir=tmp_path / "runs", runner=Scenario().runner())
    assert forked.model == "offline"


async def test_two_runs_of_one_second_get_ids_of_their_own(task: Path, tmp_path: Path) -> None:
    values: dict[str, Any] = {**SMALL, "outer_steps": 0, "runs_dir": tmp_path / "runs", "model_backoff": 0}
    first, second = Scenario(), Scenario()
    results = await asyncio.gather(
        mlestar.asolve(task, settings=values, **first.options()),
        mlestar.asolve(task, settings={**values, "seed": 4}, **second.options()),
    )
    assert len({result.run_id for result in results}) == 2
    assert [result.status for result in results] == ["solved", "solved"]


async def test_prompts_are_compared_by_content(task: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "prompts").mkdir(parents=True)
    await start(task, tmp_path / "runs", prompts=tmp_path / "first/prompts")
    assert (await start(task, tmp_path / "runs", prompts=tmp_path / "second/prompts")).status == "solved"
    (tmp_path / "second/prompts/planner.md").write_text("other", encoding="utf-8")
    with pytest.raises(UserError, match=r"prompts/planner.md is new"):
        await start(task, tmp_path / "runs", prompts=tmp_path / "second/prompts")


async def test_a_finished_run_says_that_it_is_finished(task: Path, tmp_path: Path) -> None:
    first = await start(task, tmp_path / "runs")
    lines: list[str] = []
    again = Scenario()
    values = {**SMALL, "outer_steps": 0, "runs_dir": tmp_path / "runs", "max_executions": 99, "model_backoff": 0}
    options = again.options(on_event=lambda event: lines.append(event.message))
    assert await mlestar.asolve(task, settings=values, run_id="run", **options) == first
    assert lines == ["run run is finished; its result:"]
    assert (again.asked, again.ran) == ([], [])


async def test_a_finished_run_without_a_solution_is_compared_too(task: Path, tmp_path: Path) -> None:
    failing = Scenario(initializer="no script", merger="no script")
    assert (await start(task, tmp_path / "runs", failing)).status == "no_solution"
    reverse_rows(task)
    with pytest.raises(UserError, match="other data"):
        await start(task, tmp_path / "runs")


async def test_a_task_folder_that_was_moved_is_the_same_task(task: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await start(task, tmp_path / "runs", Scenario(initializer=lose_connection))
    moved = tmp_path / "elsewhere/signs"
    shutil.copytree(task, moved)
    shutil.rmtree(task)
    with pytest.raises(UserError, match=r"the task folder of run run is gone.*--run-id run"):
        await resume(tmp_path, Scenario())
    assert (await start(moved, tmp_path / "runs")).status == "solved"


async def test_a_run_folder_that_was_moved_reports_its_new_paths(task: Path, tmp_path: Path) -> None:
    before = await start(task, tmp_path / "runs")
    shutil.move(tmp_path / "runs", tmp_path / "kept")
    after = await start(task, tmp_path / "kept")
    assert after.folder == str(tmp_path / "kept/run")
    for name in ("solution", "submission", "report"):
        path = Path(getattr(after, name))
        assert path.parent == tmp_path / "kept/run"
        assert path.is_file()
    assert after.score == before.score


async def test_a_file_of_allowed_packages_is_compared_by_its_content(task: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "allowed.txt").write_text("humanize\n", encoding="utf-8")
    first, second = (tmp_path / name / "allowed.txt" for name in ("first", "second"))
    await start(task, tmp_path / "runs", packages=str(first))
    assert (await start(task, tmp_path / "runs", packages=str(second))).status == "solved"
    second.write_text("humanize>=4\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"allowed\.txt\S* has changed"):
        await start(task, tmp_path / "runs", packages=str(second))
