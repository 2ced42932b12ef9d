"""`mlestar lessons`."""

import json
from pathlib import Path

import pytest

from mlestar.lessons import Failure, write_lessons
from tests.unit.command_line import call
from tests.unit.lesson_runs import facts, idea, lessons


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    failures = [Failure(error="ValueError: \x1b[31mbad", fixed_by="a became b")]
    table = lessons("table", idea("Bin it.", component="features"), failures=failures)
    image = lessons("image", idea("Flip it.", None, status="timeout"), facts=facts(kind="image", metric="f1"))
    for run in (table, image):
        write_lessons(tmp_path, f"{run.run}-00000000.json", run)
    return tmp_path


def test_the_list_shows_runs_with_their_facts_and_records(folder: Path) -> None:
    (folder / "foreign.json").write_text("{}", encoding="utf-8")
    result = call("lessons", "list", "--lessons", folder)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines() if line.startswith(" table")] == [
        ["table", "table", "binary", "accuracy", "hundreds", "1", "0", "0", "1"]
    ]
    assert "2 runs: 1 image, 1 table" in result.stdout or "2 runs: 1 table, 1 image" in result.stdout
    assert "skipped foreign.json" in result.stderr
    rows = json.loads(call("lessons", "list", "--lessons", folder, "--json").stdout)
    assert {row["run"]: row["records"] for row in rows} == {"table": 2, "image": 1}


@pytest.mark.parametrize(
    ("what", "shown"),
    [("table", {"table"}), ("F1", {"image"}), ("binary", {"table", "image"}), ("", {"table", "image"})],
)
def test_show_takes_a_run_or_a_text_of_its_facts(folder: Path, what: str, shown: set[str]) -> None:
    result = call("lessons", "show", what, "--lessons", folder, "--json")
    assert {run["run"] for run in json.loads(result.stdout)} == shown


def test_show_prints_records_without_control_characters(folder: Path) -> None:
    out = call("lessons", "show", "--lessons", folder).stdout
    assert "Bin it." in out
    assert "+2 ± 1" in out
    assert "timeout" in out
    assert "failed in 1 script: ValueError: bad; repaired: a became b" in out
    assert "\x1b" not in out


def test_what_matches_nothing_is_an_error_of_one_line(folder: Path) -> None:
    result = call("lessons", "show", "sound", "--lessons", folder)
    assert result.exit_code == 2
    assert result.stderr == "mlestar: no lessons match 'sound'; `mlestar lessons list` shows the runs\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a run, or give --all"),
        (("table", "--all"), "name a run, or give --all"),
        (("table",), "add --yes"),
        (("other", "--yes"), "no lessons of run other"),
    ],
)
def test_nothing_is_forgotten_unless_it_is_clear_what(folder: Path, arguments: tuple[str, ...], problem: str) -> None:
    result = call("lessons", "forget", *arguments, "--lessons", folder)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(list(folder.glob("*.json"))) == 2


def test_a_run_or_all_can_be_forgotten(folder: Path) -> None:
    assert call("lessons", "forget", "table", "--yes", "--lessons", folder).stdout == "removed table-00000000.json\n"
    assert call("lessons", "forget", "--all", "--yes", "--lessons", folder).stdout == "removed image-00000000.json\n"
    assert call("lessons", "list", "--lessons", folder).stdout.strip() == "no lessons"


def test_without_a_folder_the_option_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--lessons" in call("lessons", "list").stderr
    (tmp_path / "mlestar.toml").write_text('lessons = "kept"\n', encoding="utf-8")
    assert call("lessons", "list").stdout.strip() == "no lessons"
