"""A task folder holds names that are not UTF-8, folders that are too deep to open, and links that lead to each other.

Outcome: succeeded; prevented since. Each ended `check` with a traceback, and is refused in one line now.
"""

import os
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


@pytest.fixture
def deep(folder: Path) -> Path:
    here = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(250):
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
        Path("x.csv").write_text("a\n1\n")
    finally:
        os.chdir(here)
    return folder


def refuse(folder: Path, text: str) -> None:
    ended = call("check", folder)
    assert ended.exit_code == 2, ended.exception
    assert text in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("name", [b"n\xff\xfe.csv", b"\xed\xa0\x80/x.csv"])
def test_a_name_that_is_not_utf8_is_refused(folder: Path, name: bytes) -> None:
    path = folder / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("a,b\n1,2\n")
    refuse(folder, "a name that is not UTF-8")


def test_a_path_that_the_system_does_not_open_is_refused(deep: Path) -> None:
    refuse(deep, "has a path of more than 1,000 bytes")


def test_links_that_lead_to_each_other_are_refused(folder: Path) -> None:
    (folder / "a.csv").symlink_to("b.csv")
    (folder / "b.csv").symlink_to("a.csv")
    refuse(folder, "is a link to something outside the task folder")
