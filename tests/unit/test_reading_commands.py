"""`mlestar runs`, `show`, `diff` and `compare`: what people and programs get, at the width of a terminal."""

import io
import json
import os
import re
from pathlib import Path

import pytest

from mlestar.cli import tables
from mlestar.cli.tables import Column, print_table
from mlestar.cli.terminal import Console
from mlestar.report.comparing import compare_runs
from mlestar.report.result import SpendRow
from mlestar.state import Rescoring
from mlestar.store import RunFolder
from mlestar.store.content import FileContent, write_contents
from tests.unit.command_line import call
from tests.unit.golden_prompts import SPEC, SPLIT
from tests.unit.hostile import hidden_marks
from tests.unit.read_runs import HOSTILE_FIELDS, HOSTILE_TEXT, row, write_run

STYLE = re.compile(r"\x1b\[[0-9;]*m")
LONG = "breast-cancer-wisconsin-20261126-051630"


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """Runs of two metrics, one without a result."""
    write_run(tmp_path, "alpha", row("a", 0.9, fresh=0.8), task="wine", seconds=120.0)
    write_run(tmp_path, "beta", row("a", 0.7), task="wine", seconds=600.0)
    write_run(tmp_path, "gamma", row("a", 2.0), task="houses", metric="rmse", direction="minimize", seconds=60.0)
    write_run(tmp_path, "delta", row("a", 1.0), task="houses", metric="rmse", direction="minimize")
    write_run(tmp_path, LONG, status="no_solution")
    RunFolder(tmp_path, "open").create()
    RunFolder(tmp_path, "open").record_settings(tmp_path / "boats", {})
    for number, name in enumerate(("alpha", "beta", "gamma", "delta", LONG, "open")):
        os.utime(tmp_path / name / "settings.json", (1_800_000_000 + 86_400 * number,) * 2)
    return tmp_path


def listed(runs_dir: Path, *options: str) -> list[str]:
    """Return the names that `mlestar runs` lists."""
    return [run["run_id"] for run in json.loads(call("runs", "--runs-dir", runs_dir, "--json", *options).stdout)]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("score", ["alpha", "beta", "delta", "gamma"]),
        ("-score", ["gamma", "delta", "beta", "alpha"]),
        ("minutes", ["delta", LONG, "gamma", "alpha", "beta", "open"]),
        ("-date", ["open", LONG, "delta"]),
        ("run", ["alpha", "beta", LONG, "delta"]),
        ("status", [LONG, "alpha"]),
        ("task", ["open", "gamma"]),
    ],
)
def test_runs_are_sorted(sort: str, first: list[str], runs_dir: Path) -> None:
    assert listed(runs_dir, "--sort", sort)[: len(first)] == first


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("status=solved", ["alpha", "beta", "gamma", "delta"]),
        ("status != solved", [LONG, "open"]),
        ("task=WINE", ["alpha", "beta"]),
        ("run=*a", ["alpha", "beta", "gamma", "delta"]),
        ("metric=rmse", ["gamma", "delta"]),
        ("score>=0.8", ["alpha", "gamma", "delta"]),
        ("minutes<2", ["gamma", "delta", LONG]),
        ("date>=2027-01-19", [LONG, "open"]),
        ("date=2027", ["alpha", "beta", "gamma", "delta", LONG, "open"]),
    ],
)
def test_runs_are_filtered(condition: str, names: list[str], runs_dir: Path) -> None:
    assert listed(runs_dir, "--filter", condition) == names


def test_conditions_and_orders_are_combined(runs_dir: Path) -> None:
    options = ("--filter", "status=solved", "--filter", "metric=accuracy", "--sort", "-minutes")
    assert listed(runs_dir, *options) == ["beta", "alpha"]
    assert listed(runs_dir, "--sort", "task", "--sort", "-minutes", "--filter", "status=solved")[:2] == [
        "gamma",
        "delta",
    ]
    shown = call("runs", "--runs-dir", runs_dir, "--filter", "task=nothing").stdout
    assert shown.startswith("none of the 6 runs in")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sort", "scor"), "--sort 'scor': did you mean 'score'?"),
        (("--filter", "colour=red"), "--filter 'colour': choose one of run, status, task"),
        (("--filter", "score>good"), "--filter score>good: write a number"),
        (("--filter", "date>yesterday"), "write a date such as 2026-01-31"),
        (("--filter", "status"), "--filter 'status': write NAME=VALUE"),
        (("--filter", "task>a"), "task is a text"),
        (("--prune", "--sort", "run"), "--prune is for all finished runs"),
    ],
)
def test_a_bad_sort_or_filter_is_one_line(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = call("runs", "--runs-dir", tmp_path, *options)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def printed(width: int, columns: list[Column], rows: list[list[str]]) -> list[str]:
    file = io.StringIO()
    print_table(Console(file=file, width=width), columns, rows)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_an_id_is_never_broken(width: int) -> None:
    columns = [Column("run"), Column("task", rank=1), Column("what", fold=True)]
    lines = printed(width, columns, [[LONG, "wine", "a long text " * 20], ["b", "", "界" * 90]])
    assert any(line.startswith(LONG) for line in lines)
    assert max(len(line) for line in lines) <= max(width, len(LONG) + 2 + tables.NARROWEST + 2)
    assert ("wine" in " ".join(lines)) == (width == 200 or width == 80)


def test_a_terminal_of_80_columns_gets_no_longer_line(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal
    monkeypatch.setenv("COLUMNS", "80")
    rows = [row("t0.c1", 0.8, title="A " * 40), row("t0.r1.1", 0.9, fresh=0.9, parent="t0.c1", plan="plan " * 60)]
    failed = row("t0.r1.2", parent="t0.r1.1", message="KeyError: " + "x" * 200)
    for name in ("one", "two"):
        result = write_run(runs_dir, name, *reversed(rows), failed, spend=SpendRow(model_calls=7, usd=None))
        assert result.winner == "t0.r1.1"
    for command in (("runs",), ("show", "one"), ("show", "one", "t0.r1.1"), ("compare", "one", "two")):
        shown = call(*command, "--runs-dir", runs_dir)
        assert shown.exit_code == 0, shown.stderr
        lines = [line.rstrip() for line in STYLE.sub("", shown.stdout).splitlines() if str(runs_dir) not in line]
        assert max(map(len, lines)) <= 80
    assert LONG in STYLE.sub("", call("runs", "--runs-dir", runs_dir).stdout)


def test_a_run_is_shown_with_its_scores_best_solutions_lineage_caps_and_files(tmp_path: Path) -> None:
    better = row("t0.r1.1", 0.9, fresh=0.88, parent="t0.c1", plan="scale", compared="t0.c1", gain=0.1, gain_se=0.01)
    write_run(
        tmp_path,
        "run",
        better,
        row("t0.c1", 0.8),
        row("t0.r1.2", parent="t0.c1", message="KeyError: 'x'"),
        caps=[{"cap": "max_usd", "limit": 2.0, "stopped": ["planner"]}],
        report=str(tmp_path / "run/report.html"),
    )
    shown = call("show", "run", "--runs-dir", tmp_path).stdout
    assert shown.splitlines()[1] == "run: solved"
    squeezed = [" ".join(line.split()) for line in shown.splitlines()]
    assert "cap max_usd (2) stopped planner" in squeezed
    assert "t0.r1.1 * 0.880 ± 0.020 fresh +0.100 ± 0.010 1.0 T0.R1.1" in squeezed
    assert "├ t0.r1.1 * fresh 0.880 ± 0.020 +0.100 ± 0.010 scale" in squeezed
    assert "└ t0.r1.2 error KeyError: 'x'" in squeezed
    assert f"report {tmp_path}/run/report.html" in squeezed
    assert json.loads(call("show", "run", "--runs-dir", tmp_path, "--json").stdout)["winner"] == "t0.r1.1"


def test_a_solution_is_shown_with_its_script(tmp_path: Path) -> None:
    result = write_run(
        tmp_path,
        "run",
        row("b", 0.9, parent="a", plan="scale", compared="a", gain=0.1, gain_se=0.01, script="blobs/aa/b"),
        row("a", 0.8),
    )
    script = Path(result.folder, "blobs/aa/b")
    script.parent.mkdir(parents=True)
    script.write_text("print('\x1b[31mx')\n", encoding="utf-8")
    shown = call("show", "run", "b", "--runs-dir", tmp_path).stdout
    assert "gain        better than a by 0.100 ± 0.010" in shown
    assert call("show", "run", "winner", "--script", "--runs-dir", tmp_path).stdout.strip() == "print('x')"
    assert call("show", "run", "--script", "--runs-dir", tmp_path).stdout.strip() == "print('x')"
    values = json.loads(call("show", "run", "b", "--json", "--script", "--runs-dir", tmp_path).stdout)
    assert (values["plan"], values["text"]) == ("scale", "print('x')\n")


def test_a_difference_is_plain_in_a_pipe_and_has_the_gain_for_programs(tmp_path: Path) -> None:
    result = write_run(
        tmp_path,
        "run",
        row("b", 0.9, parent="a", compared="a", gain=0.1, gain_se=0.01, script="blobs/b"),
        row("a", 0.8, script="blobs/a"),
    )
    folder = Path(result.folder, "blobs")
    folder.mkdir()
    (folder / "a").write_text("x = 1\ny = 2\n", encoding="utf-8")
    (folder / "b").write_text("x = 1\ny = '\x1b[2J[red]'\n", encoding="utf-8")
    shown = call("diff", "run", "parent", "winner", "--runs-dir", tmp_path).stdout
    assert shown.splitlines() == ["--- a A", "+++ b B", "@@ -1,3 +1,3 @@", " x = 1", "-y = 2", "+y = '[red]'", " "]
    values = json.loads(call("diff", "run", "a", "b", "--runs-dir", tmp_path, "--json").stdout)
    assert values["gain"] == {"gain": 0.1, "gain_se": 0.01}
    done = call("diff", "run", "a", "a", "--runs-dir", tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "are the same" in done.stderr
    done = call("diff", "run", "a", "c", "--runs-dir", tmp_path)
    assert (done.exit_code, done.stderr) == (2, "mlestar: run run has no solution 'c': it has b, a\n")


@pytest.mark.parametrize("command", [("show", "ghost"), ("diff", "ghost", "a", "b"), ("compare", "ghost", "ghost")])
def test_a_run_that_does_not_exist_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    done = call(*command, "--runs-dir", tmp_path)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "no run ghost" in done.stderr


def write_pair(runs_dir: Path, *scores: float, data: str = "1", **fields: object) -> list[Path]:
    """Write two runs of the same data with these holdout scores."""
    for name, score in zip(("one", "two"), scores, strict=True):
        values = {"spec": SPEC, "split": SPLIT, **fields}
        write_run(runs_dir, name, row("a", score), settings={"seed": 0, "tracks": 1}, **values)
        sha = data if name == "two" else "1"
        contents = {SPEC.train: FileContent(size=1, modified=1, sha256=sha)}
        write_contents(RunFolder(runs_dir, name).contents, contents)
    return [runs_dir / "one", runs_dir / "two"]


def compared(runs_dir: Path) -> dict[str, object]:
    done = call("compare", "one", "two", "--runs-dir", runs_dir, "--json")
    assert done.exit_code == 0, done.stderr
    values: dict[str, object] = json.loads(done.stdout)
    text = " ".join(call("compare", "one", "two", "--runs-dir", runs_dir).stdout.split())
    assert str(values["sentence"]) in text
    return values


@pytest.mark.parametrize(
    ("scores", "direction", "better"), [((0.7, 0.9), "maximize", "two"), ((0.7, 0.9), "minimize", "one")]
)
def test_a_run_is_better_beyond_the_error_on_the_same_rows(
    scores: tuple[float, float], direction: str, better: str, tmp_path: Path
) -> None:
    write_pair(tmp_path, *scores, direction=direction)
    values = compared(tmp_path)
    assert values["better"] == better
    assert str(values["sentence"]).startswith(f"{better} is better by 0.200 ± 0.028")


def test_a_difference_within_its_error_is_none(tmp_path: Path) -> None:
    write_pair(tmp_path, 0.80, 0.84)
    values = compared(tmp_path)
    assert (values["better"], values["same_rows"]) == (None, True)
    assert "within 2 standard errors" in str(values["sentence"])
    assert "better" not in str(values["sentence"])


def test_scores_on_other_rows_decide_nothing(tmp_path: Path) -> None:
    write_pair(tmp_path, 0.5, 0.9, data="2")
    values = compared(tmp_path)
    assert (values["better"], values["same_rows"]) == (None, False)
    assert "the runs have other data" in str(values["sentence"])
    assert "better" not in str(values["sentence"])


def test_runs_that_withheld_other_rows_or_none_decide_nothing(tmp_path: Path) -> None:
    write_pair(tmp_path, 0.5, 0.9, split=None)
    assert "a run withheld none" in str(compared(tmp_path)["sentence"])
    write_pair(tmp_path / "other", 0.5, 0.9, spec=None)
    assert "did not record its task" in str(compared(tmp_path / "other")["sentence"])


def test_runs_of_other_metrics_are_not_compared_and_their_settings_are_shown(tmp_path: Path) -> None:
    write_run(tmp_path, "one", row("a", 0.5), settings={"seed": 0, "tracks": 1})
    write_run(tmp_path, "two", row("a", 0.9), metric="rmse", direction="minimize", settings={"seed": 0, "tracks": 2})
    values = compared(tmp_path)
    assert "different metrics, accuracy (maximize) and rmse (minimize)" in str(values["sentence"])
    assert values["difference"] is None
    assert values["settings"] == [["tracks", "1", "2"]]
    write_run(tmp_path, "three")
    assert "no graded score" in call("compare", "one", "three", "--runs-dir", tmp_path).stdout


def test_hostile_text_reaches_no_terminal_and_is_no_markup(tmp_path: Path) -> None:
    result = write_run(
        tmp_path,
        "run",
        row("a", 0.9, script="blobs/a", **HOSTILE_FIELDS),
        row("b", parent="a", **HOSTILE_FIELDS),
        message=HOSTILE_TEXT,
        task=HOSTILE_TEXT,
        metric=HOSTILE_TEXT,
        warnings=[HOSTILE_TEXT],
        rescorings=[Rescoring(solution="b", failed=True)],
    )
    Path(result.folder, "blobs").mkdir()
    Path(result.folder, "blobs/a").write_text(HOSTILE_TEXT, encoding="utf-8")
    commands = [
        ("runs",),
        ("show", "run"),
        ("show", "run", "a"),
        ("show", "run", "b"),
        ("show", "run", "a", "--script"),
    ]
    for command in [*commands, ("compare", "run", "run")]:
        for options in ((), ("--json",)):
            done = call(*command, *options, "--runs-dir", tmp_path)
            assert done.exit_code == 0, done.stderr
            assert hidden_marks(done.stdout) == []
    squeezed = " ".join(call("show", "run", "a", "--runs-dir", tmp_path).stdout.split())
    assert "[red]markup[/red] [/]" in squeezed
    assert compare_runs(result, result).better is None
