"""A wheel has files that Python executes when it starts, to run on the host or in place of the supervisor.

Outcome: prevented.
"""

from pathlib import Path

import pytest

from mlestar.runners.supply.packages.lock import InstallLimits
from tests.abuse.attempts.helpers_supply import (
    docker_runner,
    local_runner,
    make_links,
    remove_layer,
    run_script,
    write_wheel,
)

STOP = "import sys, os; 'supervisor' in str(sys.orig_argv) and os._exit(0)\n"


async def test_nothing_is_executed_on_the_host_while_it_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "executed"
    write = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    names = ("tool.pth", "sitecustomize.py", "usercustomize.py", "pip.py", "site.py")
    lock = write_wheel(make_links(tmp_path, monkeypatch), {**dict.fromkeys(names, write), "tool.py": ""})
    runner = local_runner(tmp_path)
    base = await runner.install(lock, InstallLimits())
    await runner.environment()
    assert not mark.exists()
    assert (await run_script(runner, tmp_path, "import tool", base)).status == "ok"
    assert mark.exists(), "as the script may do itself"
    await runner.aclose()


@pytest.mark.docker
async def test_the_supervisor_does_not_execute_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = write_wheel(make_links(tmp_path, monkeypatch), {"tool.pth": STOP, "sitecustomize.py": STOP, "tool.py": ""})
    async with docker_runner(tmp_path) as runner:
        base = await runner.install(lock, InstallLimits())
        execution = await run_script(runner, tmp_path, "import tool; raise SystemExit(3)", base)
        await remove_layer(runner, lock)
    assert (execution.status, execution.exit_code) == ("error", 3)
