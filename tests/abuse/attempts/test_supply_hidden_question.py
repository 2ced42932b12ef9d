"""A script sends data to a host in a part of an address that a person, who is asked, sees only masked.

Outcome: succeeded; prevented since. The answer to one masked address also held for every other one.
"""

from pathlib import Path

from tests.unit.test_weight_runs import WeightRun


async def test_no_person_is_asked_about_what_is_masked(tmp_path: Path) -> None:
    address = f"https://example.org/w.pth?token=the-data-of-the-user#sha256={'0' * 64}"
    run = WeightRun(tmp_path, address, weights="ask", answer="approve")
    await run.solve()
    assert run.questions == []
    assert "a person cannot decide about an address with a secret" in run.scenario.prompts["debugger"][0]
