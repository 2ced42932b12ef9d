"""`task.toml` names a file outside the folder as train, which is read to see whether it is a table by another name.

Outcome: succeeded; prevented since. The answer told whether it exists and is a table; only listed files are read.
"""

import os
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


@pytest.mark.timeout(60)
def test_a_file_outside_is_not_even_looked_at(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    (tmp_path / "table.txt").write_text("a,b\n1,2\n3,4\n")
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("../table.txt", str(tmp_path / "table.txt"), "../pipe.txt", "../none.txt"):
        (folder / "task.toml").write_text(f'train = "{name}"\n')
        ended = call("check", folder)
        assert ended.exit_code == 2
        assert ended.stderr == f"mlestar: train = '{name}' is outside {folder}\n"
