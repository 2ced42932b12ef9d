"""A task folder holds files of terabytes that take no disk space, as tables or beside them, so that reading never ends.

Outcome: succeeded; prevented since. A sparse file is refused by its size, before it is read.
"""

import os
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["notes.bin", "notes.csv", "train.csv", "data/notes.json"])
def test_a_sparse_file_is_refused(tmp_path: Path, name: str) -> None:
    path = write_task(tmp_path / "task") / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.truncate(path, 2**42)
    ended = call("check", tmp_path / "task")
    assert ended.exit_code == 2
    assert f"{name} has 4,398,046,511,104 bytes, nearly all of which were never written" in ended.stderr


def test_a_file_with_a_few_holes_is_read(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "notes.bin").touch()
    os.truncate(folder / "notes.bin", 2**20)
    assert call("check", folder).exit_code == 0
