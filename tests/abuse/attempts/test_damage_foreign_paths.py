"""A run folder from somebody else names files outside it in `result.json`, which `mlestar doctor` then writes.

Outcome: succeeded; prevented since. `doctor` wrote any blob to any path; it restores only files of the run.
"""

import json
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import change_result
from tests.unit.command_line import call
from tests.unit.scenario import Scenario, solve


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("name", ["submission", "solution"])
async def test_doctor_writes_no_file_outside(tmp_path: Path, name: str, exists: bool) -> None:
    await solve(tmp_path, Scenario())
    run, victim = tmp_path / "runs" / "run", tmp_path / "victim"
    if exists:
        victim.write_text("precious")
    change_result(run, **{name: str(victim), "folder": str(run)})
    ended = call("doctor", "run", "--runs-dir", tmp_path / "runs")
    assert ended.exit_code == 0, ended.exception
    assert "which is not a file of this run" in ended.stdout
    assert (victim.read_text() if victim.exists() else "") == ("precious" if exists else "")


async def test_doctor_copies_no_file_from_outside(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    run, secret = tmp_path / "runs" / "run", tmp_path / "secret"
    secret.write_text("a secret")
    content = json.loads((run / "result.json").read_text())
    for export in content["exports"]:
        if export.get("submission"):
            export["submission"] = "../../../../secret"
    (run / "result.json").write_text(json.dumps(content))
    call("doctor", "run", "--runs-dir", tmp_path / "runs")
    kept = [path for path in run.rglob("submission.csv") if "a secret" in path.read_text()]
    assert kept == []
