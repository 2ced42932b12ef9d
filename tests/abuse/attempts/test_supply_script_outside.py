"""A wheel names a script `../../python`, to write over a file of the image or of the host.

Outcome: prevented. The installers tried here rename or refuse it; wheels for containers are now checked before that.
"""

from pathlib import Path

import pytest

from mlestar.runners.supply.packages.lock import InstallLimits, PackageError
from mlestar.runners.supply.packages.wheels import check_wheels
from tests.abuse.attempts.helpers_supply import local_runner, make_links, write_wheel

SCRIPTS = [
    "[console_scripts]\n../../python = tool:f\n",
    "[x]\na/b = y\n[ gui_scripts ]\nok = tool:f\n  a\\b = tool:f\n",
]


@pytest.mark.parametrize("entries", SCRIPTS)
def test_a_script_outside_its_folder_is_refused(tmp_path: Path, entries: str) -> None:
    lock = write_wheel(tmp_path, {"tool.py": ""}, entries=entries)
    with pytest.raises(PackageError, match=r"has a script .* outside its folder"):
        check_wheels(tmp_path, lock, InstallLimits())


def test_other_entries_may_have_any_name(tmp_path: Path) -> None:
    lock = write_wheel(tmp_path, {"tool.py": ""}, entries="[console_scripts]\ntool = tool:f\n[plugins]\na/b = tool:f\n")
    assert len(check_wheels(tmp_path, lock, InstallLimits())) == 1


async def test_the_local_runner_writes_nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "escaped"
    entries = f"[console_scripts]\n{'../' * 20}{str(target).strip('/')} = tool:f\n"
    lock = write_wheel(make_links(tmp_path, monkeypatch), {"tool.py": "def f(): pass\n"}, entries=entries)
    runner = local_runner(tmp_path)
    with pytest.raises(PackageError, match="The wheel is invalid"):
        await runner.install(lock, InstallLimits())
    assert not target.exists()
    await runner.aclose()
