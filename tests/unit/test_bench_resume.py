"""A benchmark that continues: no row of other conditions, tools or data is taken for one of these."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from mlestar.bench.find import add_shortcuts, find_suite
from mlestar.bench.made_with import describe_run
from mlestar.bench.own import OwnTool
from mlestar.bench.rows import OWN, BenchRow, Reliability
from mlestar.bench.run import BenchFolder, Progress, run_bench
from mlestar.bench.shortcuts import write_shortcuts
from mlestar.bench.suite import SuiteTask
from mlestar.cli.values import resolve_settings
from mlestar.errors import UserError
from mlestar.settings import Settings
from tests.unit.bench_tools import CONDITIONS, RuleTool, ignore, run, skip_noise
from tests.unit.suites import write_suite


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "suite", ["a", "b"])


def only(suite: Path, name: str) -> None:
    """Run one task, so that the tables lack the rows of the others."""
    found = find_suite(suite, only=[name])
    skip_noise(found, suite / "out")
    run_bench(found, [RuleTool()], CONDITIONS, BenchFolder(suite / "out"), show=ignore)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"profile": "paper"}, "profile was quick, now paper"),
        ({"minutes": 5.0}, "minutes was None, now 5.0"),
        ({"parallel": 3}, "parallel was 1, now 3"),
        ({"version": "2"}, "version was 1, now 2"),
    ],
)
def test_rows_of_other_conditions_are_refused_though_no_table_has_them(
    suite: Path, change: dict[str, object], said: str
) -> None:
    only(suite, "a")
    (suite / "out/bench.json").unlink()
    with pytest.raises(UserError, match=said):
        run(suite, suite / "out", RuleTool(), conditions=CONDITIONS.model_copy(update=change))


def test_another_tool_of_the_same_name_does_not_take_over_its_rows(suite: Path) -> None:
    run(suite, suite / "out", RuleTool(settings={"tool": "one --fast"}))
    with pytest.raises(UserError, match="tool was one --fast, now one --slow"):
        run(suite, suite / "out", RuleTool(settings={"tool": "one --slow"}))


def test_keys_in_a_command_are_not_written(suite: Path) -> None:
    run(suite, suite / "out", RuleTool(settings={"tool": "one --token=0123456789abcdef"}))
    assert not [path for path in (suite / "out").rglob("*.json") if "0123456789abcdef" in path.read_text()]


def test_rows_of_other_data_or_answers_are_refused(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    path = suite / "answers/a/answers.csv"
    labels = pd.read_csv(path)
    labels.assign(label=labels["label"].iloc[::-1].to_numpy()).to_csv(path, index=False)
    with pytest.raises(UserError, match="the answers have changed"):
        run(suite, suite / "out", RuleTool())
    (suite / "tasks/b/task.md").write_text("# Others\n\n## Evaluation\nClassification accuracy.\n", encoding="utf-8")
    shutil.rmtree(suite / "out/rows/a")
    with pytest.raises(UserError, match="the task data has changed"):
        run(suite, suite / "out", RuleTool())


def test_a_row_is_that_of_its_file(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    shutil.copy(suite / "out/rows/a/rule-0.json", suite / "out/rows/b/rule-0.json")
    with pytest.raises(UserError, match="is the row of rule on a with seed 0"):
        run(suite, suite / "out", RuleTool())


def test_half_a_row_file_is_named(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    path = suite / "out/rows/a/rule-0.json"
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(UserError, match="remove it to run this again"):
        run(suite, suite / "out", RuleTool())


def test_a_run_that_was_begun_with_other_settings_is_not_continued(suite: Path) -> None:
    tool = RuleTool(name=OWN, settings={"tracks": "1"})
    run(suite, suite / "out", tool)
    shutil.rmtree(suite / "out/rows")  # as after a kill: the work is there, and no row
    with pytest.raises(UserError, match=r"was begun with something else \(tracks was 1, now 2\)"):
        run(suite, suite / "out", RuleTool(name=OWN, settings={"tracks": "2"}))
    assert len(run(suite, suite / "out", tool).rows) == 2


def test_a_row_of_an_earlier_version_is_kept(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    path = suite / "out/rows/a/rule-0.json"
    row = json.loads(path.read_text(encoding="utf-8"))
    del row["made_with"]
    path.write_text(json.dumps(row), encoding="utf-8")
    tool = RuleTool()
    run(suite, suite / "out", tool)
    assert tool.runs == []


def test_settings_of_runs_that_change_nothing_are_left_out() -> None:
    settings = Settings.resolve({"tracks": 3, "max_hours": 0.5, "runs_dir": "/elsewhere", "seed": 4, "warm": 2})
    assert describe_run(settings) == {"tracks": "3", "max_hours": "0.5"}
    assert OwnTool([], None).settings == {}


def test_a_benchmark_inside_a_task_folder_is_refused(suite: Path) -> None:
    with pytest.raises(UserError, match="is inside the task folder"):
        run(suite, suite / "tasks/a/out", RuleTool())


def test_generated_tasks_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    write_shortcuts(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    before = {path: path.stat().st_ino for path in files}
    write_shortcuts(tmp_path)
    assert {path: path.stat().st_ino for path in files} == before


def test_a_task_with_the_name_of_a_generated_one_is_refused(tmp_path: Path) -> None:
    suite = find_suite(write_suite(tmp_path / "suite", ["shortcut-file"]))
    with pytest.raises(UserError, match="rename its folder"):
        add_shortcuts(suite, tmp_path / "shortcuts")


def test_settings_of_the_user_do_not_move_a_run(tmp_path: Path) -> None:
    task = SuiteTask("a", tmp_path, answers=None)  # type: ignore[arg-type]  # a tool never reads them
    command = OwnTool(["--set", "runs_dir=/elsewhere", "--set", "seed=7"], None).command(task, 1, tmp_path / "work")
    items = [item for word, item in pairwise(command) if word == "--set"]
    settings = resolve_settings({}, items)
    assert (settings.runs_dir, settings.seed) == (tmp_path / "work", 1)


def test_runs_of_a_benchmark_have_no_lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlestar.toml").write_text('lessons = "kept"\n', encoding="utf-8")
    task = SuiteTask("a", tmp_path, answers=None)  # type: ignore[arg-type]  # a tool never reads them
    command = OwnTool(["--set", "lessons=other"], None).command(task, 1, tmp_path / "work")
    items = [item for word, item in pairwise(command) if word == "--set"]
    assert resolve_settings({}, items[:1]).lessons == Path("other")
    assert resolve_settings({}, []).lessons == Path("kept")
    assert resolve_settings({}, items).lessons is None


@pytest.mark.parametrize(("options", "start"), [([], None), (["--set", "start=mine.py"], "mine.py")])
def test_runs_of_a_benchmark_have_a_start_only_where_an_option_names_one(
    options: list[str], start: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlestar.toml").write_text('start = "other.py"\n', encoding="utf-8")
    task = SuiteTask("a", tmp_path, answers=None)  # type: ignore[arg-type]  # a tool never reads them
    command = OwnTool(options, None).command(task, 1, tmp_path / "work")
    items = [item for word, item in pairwise(command) if word == "--set"]
    assert (resolve_settings({}, items).start or None) == start


def test_a_table_keeps_what_noise_gives_while_rows_are_added(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    record = Reliability(task="a", reason="kept").model_dump_json()
    (suite / "out/noise/a/reliability.json").write_text(record, encoding="utf-8")
    seen = list[str]()

    def look(progress: Progress, row: BenchRow | None) -> None:
        seen.append((suite / "out/bench.md").read_text(encoding="utf-8"))

    run_bench(find_suite(suite), [RuleTool()], CONDITIONS, BenchFolder(suite / "out"), show=look)
    assert all("unknown what chance gives: kept" in table for table in seen)
