"""What `mlestar check` says a run may cost is what such a run asks and executes."""

import json
from pathlib import Path

import pytest

from mlestar.runtime.estimate import SIZES, count_calls, count_executions, estimate_run
from mlestar.settings import Settings
from tests.unit.command_line import call
from tests.unit.method import METHOD
from tests.unit.scenario import FULL, Scenario, fence, rewrite, script, signs, solve

LONG = {**METHOD, "coder": rewrite(0.7, 0.72, 0.75, 0.8, 0.85)}


async def test_a_run_in_which_nothing_is_repaired_asks_and_executes_what_was_estimated(tmp_path: Path) -> None:
    scenario = Scenario(LONG, merger=METHOD["merger"])
    result = await solve(tmp_path, scenario, FULL)
    settings = Settings.resolve({**FULL})
    counts = count_calls(settings)
    del counts["leakage_checker"]
    asked = dict(scenario.count())
    # Merging ends at the first merge that does not improve, and nothing is subsampled in a small task.
    assert asked.pop("leakage_checker") <= count_calls(settings)["leakage_checker"]
    assert {role: asked.get(role, 0) for role in counts} | {"subsampling_extractor": 1} == counts
    assert set(asked) <= set(SIZES)
    assert len(scenario.ran) <= result.spend.executions <= count_executions(settings)


async def test_a_start_is_part_of_the_estimate(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text("# quality broken\n", encoding="utf-8")
    scenario = Scenario(LONG, merger=METHOD["merger"], adapter=fence(script(0.99, "adapted")))
    settings = Settings.resolve({**FULL, "tracks": 1, "start": str(own), "blend": False})
    result = await solve(tmp_path, scenario, settings.model_dump(exclude_unset=True))
    assert scenario.count()["adapter"] == count_calls(settings)["adapter"] == 1
    assert {"t0.s0", "t0.s1"} <= set(scenario.ran)
    assert len(result.rescorings) <= settings.most_finalists == settings.finalists + 1
    assert len(scenario.ran) <= result.spend.executions <= count_executions(settings)


def test_money_follows_the_price_of_the_model_of_each_role() -> None:
    dear = estimate_run(Settings(model="openai:gpt-5.1"), signs())
    cheap = estimate_run(Settings(model="openai:gpt-5.1", models={"checkers": "openai:gpt-5-mini"}), signs())
    assert dear.usd is not None
    assert cheap.usd is not None
    assert 0.1 < cheap.usd < dear.usd < 10
    assert (cheap.calls, cheap.input_tokens) == (dear.calls, dear.input_tokens)
    assert estimate_run(Settings(model="offline"), signs()).usd == 0
    assert estimate_run(Settings(model="openai:unheard-of"), signs()).usd is None


def test_a_grounding_model_is_asked_once_more_per_track() -> None:
    grounded = estimate_run(Settings(model="google_genai:gemini-2.5-pro"), signs())
    assert grounded.calls["web_retriever"] == 2


@pytest.mark.parametrize(("profile", "calls"), [("quick", 20), ("standard", 90), ("paper", 165)])
def test_check_shows_the_estimate_without_a_key(monkeypatch: pytest.MonkeyPatch, profile: str, calls: int) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    options = ["--model", "openai:gpt-5.1", "--profile", profile]
    facts = json.loads(call("check", signs().folder, *options, "--json").stdout)
    assert sum(facts["estimate"]["calls"].values()) == calls
    shown = call("check", signs().folder, *options).stdout
    assert f"{profile} profile with model openai:gpt-5.1: {calls} model calls" in shown
    assert f"about ${facts['estimate']['usd']:.2f}" in shown
