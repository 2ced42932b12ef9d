"""Whole runs with scripted replies and a scripted sandbox."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import mlestar
from mlestar.errors import ModelError, RunnerError, UserError
from mlestar.events import Event
from mlestar.runners import Execution, Job
from mlestar.settings import Settings
from tests.unit.results import by_id, read_script, read_submission
from tests.unit.scenario import (
    FULL,
    SMALL,
    Scenario,
    block,
    failure,
    fence,
    lose_connection,
    make_task,
    resume,
    script,
    solve,
)


async def test_the_best_script_is_submitted_unchanged(tmp_path: Path) -> None:
    scenario = Scenario()
    result = await solve(tmp_path, scenario)
    assert (result.status, result.winner) == ("solved", "t0.r1.2")
    assert "# quality 0.9" in (tmp_path / "runs/run/solution.py").read_text(encoding="utf-8")
    assert len(read_submission(result)) == 100


async def test_the_submission_has_the_form_of_the_sample(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "signs")
    sample = pd.read_csv(folder / "test.csv")[["x", "id"]].assign(label="no")[["id", "label", "x"]][::-1]
    sample.to_csv(folder / "sample_submission.csv", index=False, sep="\t")
    result = await solve(tmp_path, Scenario(), task=folder)
    assert result.submission is not None
    written = pd.read_csv(result.submission, sep="\t")
    assert list(written.columns) == ["id", "label", "x"]
    assert written[["id", "x"]].equals(sample[["id", "x"]].reset_index(drop=True))
    assert set(written["label"]) == {"yes", "no"}


async def test_a_run_says_at_its_beginning_what_is_left_out(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "signs")
    train = pd.read_csv(folder / "train.csv")
    train.assign(label=train["label"].where(train.index > 2, "null")).to_csv(folder / "train.csv", index=False)
    events: list[Event] = []
    scenario = Scenario()
    settings = Settings.resolve({**SMALL, "runs_dir": tmp_path / "runs"})
    result = await mlestar.asolve(folder, settings=settings, run_id="run", **scenario.options(on_event=events.append))
    assert result.status == "solved"
    assert "left out: 3 rows of train.csv without a target" in [event.message for event in events]
    inputs = scenario.inputs.values()
    assert not [name for files in inputs for name, text in files.items() if "null" in text]


async def test_scores_are_the_graders_and_the_reported_score_decides_nothing(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    row = by_id(result)["t0.r1.2"]
    assert row.score.holdout == pytest.approx(0.9, abs=0.02)
    assert result.score.fresh == pytest.approx(0.9, abs=0.02)
    assert row.score.reported == 0.5


async def test_a_quick_run_asks_and_executes_what_the_method_says(tmp_path: Path) -> None:
    scenario = Scenario()
    await solve(tmp_path, scenario)
    counts = scenario.count()
    assert counts["initializer"] == 2
    assert counts["merger"] == 1
    assert (counts["ablator"], counts["extractor"], counts["planner"], counts["coder"]) == (1, 1, 1, 2)
    assert counts["leakage_checker"] == 5 + 2  # five scripts; two finalists of which only the change was checked
    assert set(scenario.ran[:2]) == {"t0.c1", "t0.c2"}
    assert scenario.ran[2:6] == ["t0.m1", "t0.a1", "t0.r1.1", "t0.r1.2"]
    assert set(scenario.ran[6:8]) == {"t0.r1.1-fresh1", "t0.r1.2-fresh1"}
    assert scenario.ran[8:] == ["t0.r1.2-export"]


async def test_tracks_are_combined_and_the_ensemble_can_win(tmp_path: Path) -> None:
    scenario = Scenario()
    result = await solve(tmp_path, scenario, FULL)
    counts = scenario.count()
    assert counts["ensemble_planner"] == counts["ensembler"] == 3
    assert {row.track for row in result.solutions} == {-1, 0, 1}
    assert result.winner == "e2"
    assert len(result.rescorings) == 3
    assert all(len(final.scores) == 2 for final in result.rescorings)


async def test_all_plans_patch_the_script_the_step_began_with(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    rows = by_id(result)
    assert rows["t0.r1.1"].parent == rows["t0.r1.2"].parent == "t0.m1"


async def test_the_first_merge_that_does_not_improve_ends_merging(tmp_path: Path) -> None:
    scenario = Scenario(merger=fence(script(0.5, "worse")))
    result = await solve(tmp_path, scenario, FULL, tracks=1)
    assert scenario.count()["merger"] == 1
    assert by_id(result)["t0.r1.1"].parent != "t0.m1"


async def test_a_tie_is_no_improvement(tmp_path: Path) -> None:
    scenario = Scenario(merger=fence(script(0.7, "equal")))
    result = await solve(tmp_path, scenario)
    candidates = [row for row in result.solutions if row.origin == "candidate"]
    best = max(candidates, key=lambda row: row.score.holdout or 0.0)
    assert by_id(result)["t0.r1.1"].parent == best.id


async def test_a_worse_refinement_is_not_kept(tmp_path: Path) -> None:
    scenario = Scenario(coder=[block(q) for q in (0.3, 0.4)])
    result = await solve(tmp_path, scenario)
    assert result.winner == "t0.m1"


async def test_a_failing_script_is_debugged(tmp_path: Path) -> None:
    scenario = Scenario(initializer=[fence(script("broken", "A")), fence(script(0.7, "B"))])
    result = await solve(tmp_path, scenario)
    repaired = by_id(result)["t0.c1"]
    assert (repaired.status, scenario.count()["debugger"]) == ("ok", 1)
    assert repaired.score.holdout == pytest.approx(0.65, abs=0.02)


async def test_debugging_is_bounded_and_never_repeats_a_failed_script(tmp_path: Path) -> None:
    scenario = Scenario(
        initializer=fence(script("broken", "A")),
        debugger=[fence(script("broken", f"fix{n}")) for n in range(20)],
        retriever=fence('{"cards": [{"name": "A"}]}', "json"),
    )
    result = await solve(tmp_path, scenario, debug_rounds=2)
    assert result.status == "no_solution"
    assert scenario.count()["debugger"] == 2
    assert "KeyError" in by_id(result)["t0.c1"].message


async def test_a_run_in_which_nothing_works_ends_with_a_report(tmp_path: Path) -> None:
    scenario = Scenario(initializer="no code", debugger="no code")
    result = await solve(tmp_path, scenario, FULL, give_up_after=1000)
    assert (result.status, result.submission) == ("no_solution", None)
    assert {row.status for row in result.solutions} == {"unwritten"}
    assert (tmp_path / "runs/run/report.html").is_file()


async def test_refinement_continues_after_a_crashed_study(tmp_path: Path) -> None:
    scenario = Scenario(ablator=fence("# quality broken\n# variants/NAME.csv\nprint(1)"))
    result = await solve(tmp_path, scenario)
    assert result.winner == "t0.r1.2"
    assert "nothing is known" in next(p for p in scenario.prompts["extractor"])


async def test_no_block_ends_the_step(tmp_path: Path) -> None:
    scenario = Scenario(extractor=fence('{"block": "not there", "plan": "Improve it a little bit."}', "json"))
    result = await solve(tmp_path, scenario)
    assert (result.winner, scenario.count()["coder"]) == ("t0.m1", 0)


async def test_a_leak_is_repaired_before_the_script_runs(tmp_path: Path) -> None:
    scenario = Scenario(
        leakage_checker=lambda prompt: fence(
            json.dumps({"leak": True, "block": "    return 'A'", "reason": "it cheats"})
            if "return 'A'" in prompt
            else '{"leak": false}',
            "json",
        ),
        leakage_fixer=fence("return 'clean'"),
    )
    result = await solve(tmp_path, scenario)
    assert "return 'clean'" in read_script(result, "t0.c1")


async def test_a_leak_that_stays_never_runs(tmp_path: Path) -> None:
    scenario = Scenario(
        leakage_checker=fence('{"leak": true, "block": "def load():", "reason": "it cheats"}', "json"),
        leakage_fixer="I will not.",
    )
    result = await solve(tmp_path, scenario, give_up_after=1000)
    assert (result.status, scenario.ran) == ("no_solution", [])
    assert {row.status for row in result.solutions} == {"leak"}


async def test_a_claim_far_above_the_graders_score_goes_back_to_the_leakage_checker(tmp_path: Path) -> None:
    scenario = Scenario(claim=0.99)
    await solve(tmp_path, scenario)
    evidence = [prompt for prompt in scenario.prompts["leakage_checker"] if "<evidence>" in prompt]
    assert evidence
    assert "standard errors worse" in evidence[0]


async def test_the_next_best_is_submitted_when_the_winner_fails_on_the_real_input(tmp_path: Path) -> None:
    class FailingExport(Scenario):
        def run(self, job: Job) -> Execution:
            return failure("broken") if job.name == "t0.r1.2-export" else super().run(job)

    result = await solve(tmp_path, FailingExport())
    assert (result.status, result.winner) == ("solved", "t0.r1.1")
    assert [export.solution for export in result.exports] == ["t0.r1.2", "t0.r1.1"]


async def test_a_provider_that_fails_stops_the_run_and_resume_finishes_it(tmp_path: Path) -> None:
    first = Scenario(extractor=lose_connection)
    with pytest.raises(ModelError, match="cannot be reached as extractor"):
        await solve(tmp_path, first, model_backoff=0)
    stopped = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    second = Scenario()
    result = await resume(tmp_path, second)
    assert (stopped["status"], result.status) == ("stopped", "solved")
    assert "initializer" not in second.asked
    assert not set(first.ran) & set(second.ran)


async def test_an_engine_that_is_gone_is_not_a_failed_script(tmp_path: Path) -> None:
    class EngineGone(Scenario):
        def run(self, job: Job) -> Execution:
            if job.name == "t0.m1":
                msg = "the engine is gone"
                raise RunnerError(msg)
            return super().run(job)

    with pytest.raises(RunnerError, match="engine is gone"):
        await solve(tmp_path, EngineGone())
    second = Scenario()
    assert (await resume(tmp_path, second)).status == "solved"
    assert "debugger" not in second.asked


async def test_a_defect_is_recorded_as_failed_and_can_be_resumed(tmp_path: Path) -> None:
    class Defective(Scenario):
        def run(self, job: Job) -> Execution:
            msg = "a defect"
            raise ZeroDivisionError(msg)

    with pytest.raises(ZeroDivisionError):
        await solve(tmp_path, Defective())
    failed = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert (failed["status"], failed["message"]) == ("failed", "ZeroDivisionError: a defect")
    assert (await resume(tmp_path, Scenario())).status == "solved"


async def test_a_finished_run_returns_its_result(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    again = Scenario()
    assert await resume(tmp_path, again) == result
    assert (again.asked, again.ran) == ([], [])


async def test_executions_are_capped_and_the_best_is_submitted(tmp_path: Path) -> None:
    scenario = Scenario()
    result = await solve(tmp_path, scenario, max_executions=8)
    assert len(scenario.ran + scenario.early) <= 8
    assert result.status == "solved"


async def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        await mlestar.asolve(tmp_path / "nowhere", settings={"runs_dir": tmp_path / "runs"})
    assert not (tmp_path / "runs").exists()


async def test_the_report_escapes_what_scripts_and_people_write(tmp_path: Path) -> None:
    cards = fence('{"cards": [{"name": "<script>alert(1)</script>"}]}', "json")
    await solve(tmp_path, Scenario(retriever=cards))
    page = (tmp_path / "runs/run/report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_an_archive_is_unpacked_into_the_run_folder(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "task")
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.write(folder / "train.csv", "train.csv")
    (folder / "train.csv").unlink()
    result = await solve(tmp_path, Scenario(), task=folder)
    assert result.status == "solved"
    assert list((tmp_path / "runs" / "run" / "prepared").rglob("train.csv"))
    assert not list(folder.rglob("train.csv"))
