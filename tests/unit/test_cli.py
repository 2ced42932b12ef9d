"""Bad input ends in one line and exit status 2, and nothing is written; every command works."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlestar
from mlestar.metrics.spec import NOT_BLIND
from mlestar.store import RunFolder
from mlestar.store.folder import FORMAT
from tests.unit.command_line import call
from tests.unit.scenario import make_task

Damage = Callable[[Path], object]


def damaged(folder: Path, damage: Damage) -> Path:
    task = make_task(folder / "signs", rows=40)
    damage(task)
    return task


def drop_column(name: str, column: str) -> Damage:
    def damage(task: Path) -> None:
        lines = (task / name).read_text(encoding="utf-8").splitlines()
        at = lines[0].split(",").index(column)
        cut = [",".join(cell for i, cell in enumerate(line.split(",")) if i != at) for line in lines]
        (task / name).write_text("\n".join(cut) + "\n", encoding="utf-8")

    return damage


def corrupt(task: Path) -> None:
    (task / "train.csv").write_bytes(b'id,x,z,label\n1,"2,3\n4\x00\xff,,,,\n')


def empty(task: Path) -> None:
    for path in task.iterdir():
        path.unlink()


BAD_FOLDERS: dict[str, Damage] = {
    "empty folder": empty,
    "train without the target": drop_column("train.csv", "label"),
    "test without the id": drop_column("test.csv", "id"),
    "corrupt table": corrupt,
    "description in another encoding": lambda task: (task / "task.md").write_bytes("Größe: accuracy".encode("latin-1")),
    "unknown key": lambda task: (task / "task.toml").write_text("metrik = 'accuracy'\n", encoding="utf-8"),
}


@pytest.mark.parametrize("damage", BAD_FOLDERS.values(), ids=BAD_FOLDERS.keys())
def test_a_bad_folder_is_one_line(tmp_path: Path, damage: Damage) -> None:
    done = call("run", damaged(tmp_path, damage), "--runs-dir", tmp_path / "runs", "--runner", "local")
    assert done.exit_code == 2
    assert done.stderr.startswith("mlestar: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--metric", "glory"),
        ("--profile", "fast"),
        ("--set", "colour=red"),
        ("--set", "tracks"),
        ("--set", "tracks=many"),
        ("--model", "skynet"),
        ("--model", "openai:gpt"),
        ("--run-id", "../escape"),
        ("--set", "retrieval=tavily"),
    ],
    ids=" ".join,
)
def test_a_bad_option_is_one_line(tmp_path: Path, options: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    task = make_task(tmp_path / "signs", rows=40)
    done = call("run", task, "--runs-dir", tmp_path / "runs", *options)
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = call("run", tmp_path / "nowhere")
    assert (done.exit_code, "nowhere" in done.stderr) == (2, True)


def test_a_runs_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    task = make_task(tmp_path / "signs", rows=40)
    done = call("run", task, "--runs-dir", tmp_path / "file" / "runs")
    assert done.exit_code == 2
    assert "--runs-dir" in done.stderr


def test_an_unknown_option_is_bad_usage(tmp_path: Path) -> None:
    assert call("run", tmp_path, "--bogus").exit_code == 2


def test_check_prints_the_spec_and_the_evidence(tmp_path: Path) -> None:
    done = call("check", make_task(tmp_path / "signs"))
    assert done.exit_code == 0
    for word in ("accuracy", "label", "stratified", "withheld"):
        assert word in done.stdout


def test_check_shows_a_few_of_many_values_and_no_usual_ones(tmp_path: Path) -> None:
    lines = "".join(f"{n},{n / 8}\n" for n in range(50))
    (tmp_path / "prices.csv").write_text(f"x,price\n{lines}", encoding="utf-8")
    shown = call("check", tmp_path / "prices.csv", "--target", "price", "--metric", "accuracy").stdout
    assert " and 40 more" in shown
    assert "test.csv" not in shown.split("layout_note")[0]
    assert "submission_delimiter" not in shown
    assert "50 different numbers in 50 rows are taken for classes" in shown


def test_check_as_json(tmp_path: Path) -> None:
    facts = json.loads(call("check", make_task(tmp_path / "signs"), "--json").stdout)
    assert facts["spec"]["target"] == ["label"]
    assert facts["split"]["kind"] == "stratified"


@pytest.mark.parametrize("name", ["pipeline", "track", "evaluation", "ensemble"])
def test_a_graph_is_drawn(name: str) -> None:
    assert "graph TD" in call("graph", name).stdout


def test_an_unknown_graph_is_bad_usage() -> None:
    assert call("graph", "spaghetti").exit_code == 2


def test_no_runs_are_listed_as_none(tmp_path: Path) -> None:
    assert "no runs" in call("runs", "--runs-dir", tmp_path).stdout


def test_a_table_of_runs_in_a_pipe_has_a_line_per_run_with_its_whole_name(tmp_path: Path) -> None:
    name = "breast-cancer-wisconsin-20261126-051630"
    RunFolder(tmp_path, name).create()
    (tmp_path / name / "settings.json").write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
    lines = call("runs", "--runs-dir", tmp_path).stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [[name, "unfinished"]]


def test_resume_of_an_unknown_run_is_one_line(tmp_path: Path) -> None:
    done = call("resume", "ghost", "--runs-dir", tmp_path)
    assert (done.exit_code, "no run ghost" in done.stderr) == (2, True)


def test_the_version_is_printed() -> None:
    done = call("--version")
    assert (done.exit_code, done.stdout) == (0, f"mlestar {mlestar.__version__}\n")


@pytest.mark.parametrize("use", ["import mlestar; mlestar.solve", "import mlestar.cli; mlestar.cli.main()"])
def test_windows_is_refused_in_one_line(use: str, tmp_path: Path) -> None:
    """Windows has no module `fcntl`."""
    code = f"import sys; sys.modules['fcntl'] = None; sys.argv = ['mlestar', 'run', '.']; {use}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Linux or macOS; on Windows run it, and Python, inside WSL2" in done.stderr.splitlines()[-1]
    if "cli" in use:
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("rows", "shown", "count"),
    [
        (4000, "450 rows are kept apart for the fresh score: the search never has them", 450),
        (400, f"no rows are kept apart for the fresh score; fresh splits for the rescorings: 2; {NOT_BLIND}", 0),
    ],
)
def test_check_shows_how_many_rows_are_kept_apart(rows: int, shown: str, count: int, tmp_path: Path) -> None:
    task = make_task(tmp_path / "signs", rows=rows)
    assert shown in " ".join(call("check", task).stdout.split())
    assert json.loads(call("check", task, "--json").stdout)["kept_apart"] == count
    assert json.loads(call("check", task, "--json", "--set", "fresh_share=0").stdout)["kept_apart"] == 0
