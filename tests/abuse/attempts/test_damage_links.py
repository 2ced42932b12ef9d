"""A run folder holds links in place of `.lock` and of files that are being written, so that a run writes into others.

Outcome: succeeded; prevented since. The number of the process replaced the content of whatever `.lock` led to.
"""

from pathlib import Path

from tests.unit.command_line import call
from tests.unit.scenario import Scenario, solve

PARTS = ("result.json.part", "settings.json.part", "submission.csv.part", "solution.py.part", "report.html.part")


async def test_the_lock_is_no_link(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    run, victim = tmp_path / "runs" / "run", tmp_path / "victim"
    victim.write_text("precious")
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(victim)
    ended = call("doctor", "run", "--runs-dir", tmp_path / "runs")
    assert ended.exit_code == 1
    assert ".lock cannot be opened" in ended.stderr
    assert victim.read_text() == "precious"


async def test_files_are_not_written_through_links(tmp_path: Path) -> None:
    victim, run = tmp_path / "victim", tmp_path / "runs" / "run"
    victim.write_text("precious")
    run.mkdir(parents=True)
    for name in PARTS:
        (run / name).symlink_to(victim)
    result = await solve(tmp_path, Scenario())
    assert result.status == "solved"
    assert victim.read_text() == "precious"
    assert (run / "result.json").is_file()
    assert not (run / "result.json").is_symlink()
