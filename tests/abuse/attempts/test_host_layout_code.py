"""A task folder names a layout in a module of its own, so that `check` executes its code in that folder.

Outcome: succeeded; prevented since. A module in the task folder is refused; an error of another one becomes one line.
"""

import sys
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


def test_code_of_the_folder_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_task(tmp_path / "task")
    for name in ("evil_layout.py", "evil_package/__init__.py", "evil_package/inner.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend("")
    for name in ("evil_layout:Layout", "evil_package:Layout", "evil_package.inner:Layout"):
        (folder / "task.toml").write_text(f'layout = "{name}"\n')
        ended = call("check", folder)
        assert ended.exit_code == 2
        assert "whose code is not executed" in ended.stderr
    assert not (tmp_path / "executed").exists()
    assert not {"evil_layout", "evil_package"} & {*sys.modules}


@pytest.mark.parametrize("name", [":x", "..x:y", "no module:x", "idlelib.idle_test.nothing:x", "a\\u0000b:x"])
def test_a_module_that_cannot_be_imported_is_one_line(tmp_path: Path, name: str) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "task.toml").write_text(f'layout = "{name}"\n')
    ended = call("check", folder)
    assert ended.exit_code == 2
    assert "cannot be loaded" in ended.stderr
    assert ended.stderr.count("\n") == 1
