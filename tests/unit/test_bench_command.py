"""`mlestar bench` on the command line: comparisons, and generated tasks with a peer."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from mlestar.bench.rows import OWN, BenchRow, Reliability
from mlestar.bench.run import read_bench
from tests.unit.command_line import call
from tests.unit.compared_rows import scored_row, tool_rows, write_bench
from tests.unit.suites import write_suite


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    before = write_bench(tmp_path / "before", [*tool_rows("one", 0.7), *tool_rows("two", 0.8)], minutes=5)
    after = write_bench(tmp_path / "after", [*tool_rows("one", 0.9), *tool_rows("two", 0.8)], minutes=9)
    return before, after


def test_two_benchmarks_are_compared_tool_by_tool(folders: tuple[Path, Path]) -> None:
    done = call("bench", "compare", *folders)
    assert done.exit_code == 0
    better, unclear = done.stdout.split("\n\nCannot tell")
    assert better.startswith("one in after is better than one in before: wins minus losses +")
    assert unclear.startswith(" whether two in after is better than two in before")
    assert [line.split(" | ")[0] for line in better.splitlines() if line.startswith("| task-")] == [
        f"| task-{task}" for task in range(9)
    ]
    assert "The conditions differ in minutes: 5 and 9." in better


def test_tools_choose_what_is_compared(folders: tuple[Path, Path]) -> None:
    before, after = folders
    two = call("bench", "compare", before, after, "--tools", "two")
    assert "two in after" in two.stdout
    assert "one in after" not in two.stdout
    within = call("bench", "compare", after, "--tools", "one, two")
    assert within.stdout.startswith("two is worse than one: ")


def test_a_comparison_is_printed_for_programs(folders: tuple[Path, Path]) -> None:
    done = call("bench", "compare", *folders, "--json")
    one, two = json.loads(done.stdout)
    assert (one["first"], one["second"], one["overall"]["verdict"]) == ("one in before", "one in after", "better")
    assert two["overall"]["verdict"] == "cannot tell"
    assert len(one["tasks"]) == one["overall"]["pairs"] == 9
    assert one["differences"] == ["minutes: 5 and 9"]


def test_benchmarks_without_common_tasks_have_nothing_to_compare(tmp_path: Path) -> None:
    one = write_bench(tmp_path / "one", [scored_row("a", 0.5)])
    two = write_bench(tmp_path / "two", [scored_row("b", 0.6)])
    done = call("bench", "compare", one, two)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == (
        "Cannot tell whether tool in two is better than tool in one: they have no rows to compare."
    )
    assert "Left out: 2 rows, in one of the two only." in done.stdout
    assert "|" not in done.stdout
    (comparison,) = json.loads(call("bench", "compare", one, two, "--json").stdout)
    assert (comparison["overall"]["verdict"], comparison["tasks"]) == ("cannot tell", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("before", "none"), "name a folder that `mlestar bench` has written"),
        (("before", "."), "name a folder that `mlestar bench` has written"),
        (("before", "broken"), "is no benchmark of this version of mlestar"),
        (("before",), "name two of its tools with --tools: one, two"),
        (("before", "--tools", "one,three"), "no rows of 'three'; tools: one, two"),
        (("before", "after", "--tools", "three"), "no rows of 'three' in both; tools in both: one, two"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bench.json").write_text("[]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = call("bench", "compare", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


COPY_SAMPLE = (
    "import pathlib, shutil, sys; [path] = pathlib.Path(sys.argv[1]).rglob('sample_submission.csv'); "
    "shutil.copy(path, sys.argv[2])"
)
PEER = f"sample={shlex.quote(sys.executable)} -c {shlex.quote(COPY_SAMPLE)} {{input}} {{output}}"


def write_finished(out: Path, tasks: list[str]) -> None:
    """Write rows of this package and what noise gives, so that a benchmark runs the peer alone."""
    for task in tasks:
        row = BenchRow(task=task, tool=OWN, seed=0, status="unavailable", reason="it was not run")
        (out / "rows" / task).mkdir(parents=True)
        (out / "rows" / task / f"{OWN}-0.json").write_text(row.model_dump_json(), encoding="utf-8")
        noise = Reliability(task=task, shuffled=(0.49, 0.5, 0.51), constant=0.5)
        (out / "noise" / task).mkdir(parents=True)
        (out / "noise" / task / "reliability.json").write_text(noise.model_dump_json(), encoding="utf-8")


def test_tasks_with_a_shortcut_are_run_by_a_peer_beside_those_of_the_suite(tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path / "suite", ["a"]), tmp_path / "out"
    planted = ["shortcut-column", "shortcut-copies", "shortcut-file"]
    write_finished(out, ["a", *planted])

    done = call("bench", suite, "--out", out, "--model", "offline", "--peer", PEER, "--shortcuts")

    assert done.exit_code == 0, done.stderr
    rows = {row.task: row for row in read_bench(out).rows if row.tool == "sample"}
    assert list(rows) == ["a", *planted]
    assert all(rows[task].graded.score == 0.5 for task in planted)
    notes = (out / "bench.md").read_text(encoding="utf-8")
    for what in ("a column that is empty in test", "every row of train 4 times", "a file about rows of train only"):
        assert f"Shortcut, {what}: shortcut-" in notes
    assert notes.count("(sample, seed 0): gives itself no score; graded 0.5, a plain model without it 0.") == 3


def test_generated_tasks_are_added_only_on_request(tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path / "suite", ["a"]), tmp_path / "out"
    write_finished(out, ["a"])
    done = call("bench", suite, "--out", out, "--model", "offline", "--runner", "local")
    assert done.exit_code == 0, done.stderr
    assert [task.id for task in read_bench(out).tasks] == ["a"]
    assert not [path for path in out.iterdir() if path.name in ("shortcuts", "no-information")]
