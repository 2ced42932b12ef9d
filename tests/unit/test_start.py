"""Runs that start from a person's own script: the order of executions, what is submitted, and what is reported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mlestar
from mlestar.cli.console import show_result
from mlestar.cli.terminal import Console
from mlestar.errors import OperatorError, UserError
from mlestar.nodes.start import copy_submission
from mlestar.report import Result
from mlestar.state import BASELINE
from tests.unit.scenario import SMALL, Scenario, as_json, count_rows, fence, make_task, resume, script, solve

ONLY: dict[str, Any] = {**SMALL, "outer_steps": 0, "retrieved_models": 1}
"""A track of one candidate that is not refined."""
WITHOUT_LINE = "# quality {quality} mine\nwrite('predictions.csv')\n"


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text.replace("{track}", "0"), encoding="utf-8")
    return str(folder / name)


def row(result: Result, identity: str) -> Any:
    return next(row for row in result.solutions if row.id == identity)


async def test_a_script_that_satisfies_the_contract_runs_once_and_is_the_first_solution(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script(0.6, "A")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, script(0.9, "mine")))
    assert "adapter" not in scenario.asked
    assert scenario.ran.count("t0.s0") == 1
    assert "t0.s1" not in scenario.ran
    assert (row(result, "t0.s0").origin, row(result, "t0.s1").origin) == ("as given", "start")
    assert result.winner == "t0.s1"
    assert result.start is not None
    assert (result.start.solution, result.start.adapted, result.start.compared) == ("t0.s1", False, "t0.s1")
    assert result.start.holdout == pytest.approx(0.9, abs=0.02)
    assert result.start.given_holdout == result.start.holdout


async def test_the_adapter_is_told_what_happened_and_what_is_missing(tmp_path: Path) -> None:
    scenario = Scenario(adapter=fence(script(0.9, "adapted")), initializer=fence(script(0.6, "A")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, WITHOUT_LINE.format(quality="broken")))
    assert scenario.count()["adapter"] == 1
    prompt = scenario.prompts["adapter"][0]
    assert "KeyError: 'x' (broken)" in prompt
    assert "never prints" in prompt
    assert result.start is not None
    assert (result.start.given_status, result.start.adapted) == ("error", True)
    assert result.winner == "t0.s1"


async def test_what_the_script_as_given_submits_is_graded_without_its_own_score(tmp_path: Path) -> None:
    scenario = Scenario(adapter=fence(script(0.8, "adapted")), initializer=fence(script(0.6, "A")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, WITHOUT_LINE.format(quality=0.8)))
    assert result.start is not None
    assert result.start.given_holdout == pytest.approx(0.8, abs=0.02)


async def test_an_adapted_script_that_is_worse_gives_way_to_the_one_as_given(tmp_path: Path) -> None:
    for name, adapted in (("worse", script(0.5, "adapted")), ("failing", script("broken", "adapted"))):
        folder = tmp_path / name
        folder.mkdir()
        scenario = Scenario(
            adapter=fence(adapted), debugger=fence(script("broken", "again")), initializer=fence(script(0.6, "A"))
        )
        result = await solve(folder, scenario, ONLY, start=write(folder, WITHOUT_LINE.format(quality=0.9)))
        assert result.start is not None
        assert (result.start.adapted, result.winner) == (False, "t0.s1")
        assert "it stays as given" in row(result, "t0.s1").plan


@pytest.mark.parametrize("ending", ["", "import os\nos.chdir('..')\n", "import sys\nsys.exit(0)\n"])
def test_a_script_that_stays_as_given_writes_the_submission_under_its_name_too(ending: str, tmp_path: Path) -> None:
    assert copy_submission("x = 1\n", "submission.csv") == "x = 1\n"
    code = f"from __future__ import annotations\nopen('my sub.csv', 'w').write('id')\n{ending}"
    (tmp_path / "main.py").write_text(copy_submission(code, "my sub.csv"), encoding="utf-8")
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "submission.csv").read_text(encoding="utf-8") == "id"


@pytest.mark.parametrize("adapted", [script(0.5, "clean"), "no script"])
async def test_a_script_that_leaks_is_not_used_as_given(adapted: str, tmp_path: Path) -> None:
    def find_leak(prompt: str) -> str:
        leak = "# quality 0.9 leaking" in prompt
        return as_json(leak=leak, block="# quality 0.9 leaking mine" if leak else "", reason="it reads labels")

    replies: dict[str, Any] = {"adapter": fence(adapted), "leakage_checker": find_leak}
    scenario = Scenario(replies, initializer=fence(script(0.6, "A")), merger=fence(script(0.5, "m")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, WITHOUT_LINE.format(quality="0.9 leaking")))
    assert result.start is not None
    assert (result.winner, result.start.given_holdout, result.start.given_status) == ("t0.c1", None, "leak")
    assert "it reads labels" in result.start.given_message
    assert result.start.holdout in (None, pytest.approx(0.5, abs=0.02))
    assert row(result, "t0.s1").plan == ""


async def test_a_script_that_reads_the_task_on_this_machine_is_not_executed_as_given(tmp_path: Path) -> None:
    """Without a sandbox it would read the withheld rows there, and its score would say nothing."""
    train = tmp_path / "mine" / "train.csv"
    train.parent.mkdir()
    train.write_text("id,x,z,label\n1,0.5,0.5,yes\n", encoding="utf-8")
    reads = f"import os\n\nFOLDER = {str(train.parent)!r}\nopen(os.path.join(FOLDER, 'train.csv'))\n"
    adapters = [fence(script(0.9, "still") + reads), fence(script(0.7, "adapted"))]
    scenario = Scenario(adapter=adapters, initializer=fence(script(0.6, "A")), merger=fence(script(0.5, "m")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, script(0.9, "mine") + reads))
    assert "t0.s0" not in scenario.ran
    assert "where no row is withheld" in scenario.prompts["adapter"][1]
    assert result.start is not None
    assert (result.start.given_status, result.start.given_holdout) == ("leak", None)
    assert result.start.holdout == pytest.approx(0.7, abs=0.02)


async def test_a_better_solution_is_submitted_and_compared_with_the_start(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script(0.95, "A")), merger=fence(script(0.5, "merged")))
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, script(0.6, "mine")))
    assert result.winner == "t0.c1"
    start = result.start
    assert start is not None
    gain, error, after, before = start.gain or 0.0, start.gain_se or 0.0, start.after or 0.0, start.fresh or 0.0
    assert gain > error > 0
    assert after - before == pytest.approx(gain)
    assert [name for name, _, _ in start.lines] == ["as given", "before", "after"]


async def test_the_start_leads_unless_another_candidate_is_better_beyond_noise(tmp_path: Path) -> None:
    base = script(0.7, "mine")
    for name, quality, first in (("noise", 0.71, "t0.s1"), ("better", 0.95, "t0.c1")):
        scenario = Scenario(initializer=fence(script(quality, "A")), merger=fence(script(0.5, "merged")))
        folder = tmp_path / name
        folder.mkdir()
        result = await solve(folder, scenario, ONLY, start=write(folder, base), accept="significant")
        assert row(result, "t0.m1").parent == first


async def test_it_is_refined_like_any_other_solution(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script(0.5, "A")), merger=fence(script(0.5, "merged")))
    settings = {**SMALL, "retrieved_models": 1, "inner_plans": 1}
    result = await solve(tmp_path, scenario, settings, start=write(tmp_path, script(0.7, "mine")))
    assert row(result, "t0.r1.1").parent == "t0.s1"
    assert result.winner == "t0.r1.1"


async def test_it_is_a_finalist_in_addition_to_the_others(tmp_path: Path) -> None:
    scenario = Scenario(initializer=[fence(script(q, f"A{q}")) for q in (0.9, 0.92)], merger=fence(script(0.95, "m")))
    settings = {**SMALL, "outer_steps": 0, "blend": False}
    result = await solve(tmp_path, scenario, settings, start=write(tmp_path, script(0.5, "mine")))
    assert len(result.rescorings) == 3
    assert "t0.s1" in {rescoring.solution for rescoring in result.rescorings}


async def test_what_is_worse_than_the_start_on_fresh_rows_is_not_submitted(tmp_path: Path) -> None:
    """The best by the mean of holdout and fresh rows is worse than the start on the fresh ones, which decide here."""
    jobs = {"t0.c1-fresh1": "0.76", "t0.s1-fresh1": "0.79"}
    scenario = Scenario(initializer=fence(script(0.8, "A")), merger=fence(script(0.5, "m")), jobs=jobs)
    task = count_rows(make_task(tmp_path / "signs", rows=2000))
    start = write(tmp_path, script(0.7, "mine"))
    result = await solve(tmp_path, scenario, ONLY, start=start, blend=False, task=task)
    assert result.score.blind
    assert result.winner == "t0.s1"


async def test_a_run_that_ends_before_its_last_export_submits_what_the_order_says(tmp_path: Path) -> None:
    """The best of the holdout is worse than the start on fresh rows; then the provider is lost."""
    jobs = {"t0.c1-fresh1": "0.76", "t0.s1-fresh1": "0.79"}
    replies = {"initializer": fence(script(0.8, "A")), "merger": fence(script(0.5, "m"))}
    scenario = Scenario(replies, jobs=jobs, subsampling_extractor=_lose)
    settings = {**ONLY, "model_attempts": 1, "subsample_rows": 100, "blend": False}
    task = count_rows(make_task(tmp_path / "signs", rows=2000))
    with pytest.raises(OperatorError):
        await solve(tmp_path, scenario, settings, start=write(tmp_path, script(0.7, "mine")), task=task)
    assert Result.read(tmp_path / "runs/run/result.json").winner == "t0.s1"


async def test_a_baseline_that_is_worse_than_the_start_is_not_submitted(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script(0.52, "A")), merger=fence(script(0.5, "m")))
    start = write(tmp_path, script(0.9, "mine"))
    result = await solve(tmp_path, scenario, ONLY, start=start, baselines=True)
    assert row(result, "t0.s1").score.holdout is not None
    assert result.winner == "t0.s1"
    assert BASELINE not in {solution.origin for solution in result.solutions}


async def test_where_the_start_cannot_be_exported_the_next_best_is_submitted_with_a_warning(tmp_path: Path) -> None:
    scenario = Scenario(
        initializer=fence(script(0.6, "A")), merger=fence(script(0.5, "m")), jobs={"t0.s1-export": "broken"}
    )
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, script(0.9, "mine")), blend=False)
    assert [export.solution for export in result.exports][:2] == ["t0.s1", "t0.c1"]
    assert result.winner == "t0.c1"
    assert result.start is not None
    assert "worse than the start" in result.start.warning
    assert "t0.c1, worse by 0.3" in result.start.lines[-1][2]
    assert "could not be submitted" in result.summary.text


async def test_a_start_that_cannot_run_is_reported_and_the_run_goes_on(tmp_path: Path) -> None:
    scenario = Scenario(adapter="I cannot.", initializer=fence(script(0.6, "A")))
    events: list[str] = []
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, WITHOUT_LINE.format(quality="broken")))
    assert result.winner == "t0.c1"
    assert result.start is not None
    assert "could not be used" in result.start.warning
    assert "could not be used" in Path(result.report or "").read_text(encoding="utf-8")
    console = Console(record=True, width=200)
    show_result(console, result)
    assert "could not be used" in console.export_text()
    assert not events


async def test_a_person_s_script_is_repaired_and_marked_as_such(tmp_path: Path) -> None:
    scenario = Scenario(
        adapter=fence(script("broken", "adapted")),
        debugger=fence(script(0.8, "repaired")),
        initializer=fence(script(0.6, "A")),
    )
    result = await solve(tmp_path, scenario, ONLY, start=write(tmp_path, script("broken", "mine")))
    assert "<origin>start</origin>" in scenario.prompts["debugger"][0]
    assert (result.winner, result.start and result.start.adapted) == ("t0.s1", True)


async def test_without_withheld_rows_the_comparison_is_of_what_both_report(tmp_path: Path) -> None:
    task = make_task(tmp_path / "signs", rows=12)
    scenario = Scenario(initializer=fence(script(0.9, "A", claim=0.9)), merger=fence(script(0.5, "m")))
    start = write(tmp_path, script(0.9, "mine", claim=0.7))
    result = await solve(tmp_path, scenario, ONLY, start=start, task=task)
    assert result.start is not None
    assert (result.start.rows, result.start.gain_se) == ("reported", None)
    assert result.start.gain == pytest.approx(0.2)
    assert result.start.lines[-1][1:] == ("0.9", "t0.c1, better by 0.2 by what both report about themselves")
    assert "its own claim" in result.start.lines[1][2]


async def test_only_the_first_track_starts_from_it(tmp_path: Path) -> None:
    settings = {**ONLY, "tracks": 2, "ensemble_rounds": 0}
    scenario = Scenario(initializer=fence(script(0.6, "A{track}")), merger=fence(script(0.5, "m{track}")))
    result = await solve(tmp_path, scenario, settings, start=write(tmp_path, script(0.9, "mine")))
    assert {solution.id for solution in result.solutions if ".s" in solution.id} == {"t0.s0", "t0.s1"}
    assert scenario.early == ["t0.s1-export"]


async def test_a_run_that_stops_anywhere_repeats_nothing(tmp_path: Path) -> None:
    """Each attempt ends where the provider is lost; what was executed or answered is not done again."""
    start = write(tmp_path, WITHOUT_LINE.format(quality="broken"))
    scenario = Scenario(adapter=_lose)
    with pytest.raises(OperatorError):
        await solve(tmp_path, scenario, {**ONLY, "model_attempts": 1}, start=start)
    ran = scenario.ran
    for lost in ("merger", "usage_checker"):
        scenario = Scenario({lost: _lose})
        with pytest.raises(OperatorError):
            await resume(tmp_path, scenario)
        ran += scenario.ran
    scenario = Scenario()
    result = await resume(tmp_path, scenario)
    assert result.status == "solved"
    ran += scenario.ran
    assert len(ran) == len(set(ran))
    assert {"t0.s0", "t0.s1", "t0.c1", "t0.m1"} <= set(ran)


def _lose(prompt: str) -> str:
    raise ConnectionError


async def test_the_file_may_be_gone_once_the_run_has_read_it(tmp_path: Path) -> None:
    start = write(tmp_path, script(0.9, "mine"))
    with pytest.raises(OperatorError):
        await solve(tmp_path, Scenario(initializer=_lose), {**ONLY, "model_attempts": 1}, start=start)
    Path(start).unlink()
    result = await resume(tmp_path, Scenario())
    assert result.winner == "t0.s1"


async def test_the_file_may_change_before_a_run_is_resumed(tmp_path: Path) -> None:
    start = write(tmp_path, script(0.9, "mine"))
    with pytest.raises(OperatorError):
        await solve(tmp_path, Scenario(initializer=_lose), {**ONLY, "model_attempts": 1}, start=start)
    write(tmp_path, script(0.8, "changed"))
    scenario = Scenario()
    result = await resume(tmp_path, scenario)
    assert "mine" in scenario.scripts[f"{result.winner}-export"]


async def test_a_fork_starts_from_the_script_of_its_run(tmp_path: Path) -> None:
    start = write(tmp_path, script(0.9, "mine"))
    replies = {"initializer": fence(script(0.6, "A")), "merger": fence(script(0.5, "m"))}
    first = await solve(tmp_path, Scenario(replies), ONLY, start=start)
    Path(start).unlink()
    scenario, runs_dir = Scenario(replies), tmp_path / "runs"
    options: Any = {"settings": {"finalists": 3}, "fork_id": "fork", "runs_dir": runs_dir, **scenario.options()}
    fork = await mlestar.afork("run", at="settings", **options)
    assert (fork.winner, fork.start) == (first.winner, first.start)
    assert not {"t0.s0", "t0.s1"} & set(scenario.ran)
    other = write(tmp_path, script(0.95, "other"), "other.py")
    scenario = Scenario(replies)
    options = {"settings": {"start": other}, "fork_id": "other", "runs_dir": runs_dir, **scenario.options()}
    fork = await mlestar.afork("run", at="settings", **options)
    assert "other" in scenario.scripts["t0.s0"]
    assert fork.start is not None
    assert fork.start.name == "other.py"


async def test_the_file_may_move(tmp_path: Path) -> None:
    start = write(tmp_path, script(0.9, "mine"))
    settings = {**ONLY, "model_attempts": 1}
    with pytest.raises(OperatorError):
        await solve(tmp_path, Scenario(initializer=_lose), settings, start=start)
    result = await solve(tmp_path, Scenario(), settings, start=str(Path(start).rename(tmp_path / "moved.py")))
    assert result.winner == "t0.s1"


async def test_another_script_under_the_same_run_id_is_refused(tmp_path: Path) -> None:
    start = write(tmp_path, script(0.9, "mine"))
    with pytest.raises(OperatorError):
        await solve(tmp_path, Scenario(initializer=_lose), {**ONLY, "model_attempts": 1}, start=start)
    write(tmp_path, script(0.8, "changed"))
    with pytest.raises(UserError, match="has changed"):
        await solve(tmp_path, Scenario(), {**ONLY, "model_attempts": 1}, start=start)


async def test_a_run_continues_from_an_earlier_one(tmp_path: Path) -> None:
    first = await solve(tmp_path, Scenario(initializer=fence(script(0.8, "A"))), ONLY, run_id="first")
    scenario = Scenario(initializer=fence(script(0.6, "B")), merger=fence(script(0.5, "m")))
    second = await solve(tmp_path, scenario, ONLY, start=f"first:{first.winner}", run_id="second")
    assert "adapter" not in scenario.asked
    assert second.winner == "t0.s1"
    assert second.start is not None
    assert second.start.name == f"first:{first.winner}"


async def test_a_script_of_a_run_with_another_metric_is_adapted_to_the_present_one(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario(initializer=fence(script(0.8, "A"))), ONLY, run_id="first")
    scenario = Scenario(adapter=fence(script(0.8, "adapted")), initializer=fence(script(0.6, "B")))
    task = make_task(tmp_path / "signs")
    second = await solve(tmp_path, scenario, ONLY, start="first:t0.c1", run_id="second", task=task)
    assert "its run had the metric metric.py:share, and this one has accuracy" in scenario.prompts["adapter"][0]
    assert second.start is not None
    assert "its run had the metric" in "".join(second.start.notes)


async def test_a_script_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not compile"):
        await solve(tmp_path, Scenario(), ONLY, start=write(tmp_path, "x = (\n"))
    assert not list((tmp_path / "runs").glob("*"))
