"""The method, step by step: how often each agent is asked and what is executed, in which order, also when steps fail.

At M=3, T=2, K=3, L=2, R=3 with three finalists on two fresh splits. The tracks of one run fail in different ways, so
that one run shows two failures; what fails after the tracks shares their runs too.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlestar.data.task import Task
from mlestar.evaluation import infer_split, search_holdout
from mlestar.report import Result
from mlestar.state import NO_TRACK
from tests.unit.command_line import call
from tests.unit.method import METHOD, candidates
from tests.unit.results import read_solution, read_submission
from tests.unit.scenario import (
    DEFAULTS,
    EARLY,
    FULL,
    Reply,
    Scenario,
    count_rows,
    fence,
    make_task,
    rewrite,
    script,
    signs,
    solve,
    study,
)

SETTINGS = {**FULL, "debug_rounds": 0}
NO_CODE = "I would rather not."
RUN_ID = "rn7x3"
ASKS = 3
"""Times a model is asked before the step is given up."""


@dataclass(frozen=True)
class Case:
    """What fails in the tracks and the executions of one run."""

    first: Mapping[str, Reply]
    second: Mapping[str, Reply]
    jobs: Mapping[str, str]
    others: Mapping[str, Reply]


def case_of(
    first: Mapping[str, Reply] | None = None,
    second: Mapping[str, Reply] | None = None,
    jobs: Mapping[str, str] | None = None,
    **others: Reply,
) -> Case:
    return Case(first or {}, second or {}, jobs or {}, others)


LESS_ON_FRESH_ROWS = {"e2-fresh1": "0.8933", "e3-fresh2": "0.8267", "t0.r2.2-fresh1": "0.4533"}

CASES = {
    "clean": case_of(jobs=LESS_ON_FRESH_ROWS),
    "again": case_of(jobs=LESS_ON_FRESH_ROWS),
    "candidates fail": case_of(
        first={"initializer": candidates("broken", "broken", "broken")},
        second={"initializer": candidates(b="broken")},
    ),
    "merging fails": case_of(first={"merger": NO_CODE}, second={"merger": fence(script(0.4))}, jobs={"e2": "broken"}),
    "studies fail": case_of(
        second={"ablator": [fence(study(q, ("plain", q))) for q in (0.65, 0.75)]},
        jobs={"t0.a1": "broken", "t0.a2": "broken"},
        ensembler=NO_CODE,
    ),
    "blocks fail": case_of(
        first={"extractor": fence(json.dumps({"block": "nowhere()", "plan": "Write it in a better way."}), "json")},
        second={"coder": NO_CODE},
        jobs={"e2-fresh1": "broken"},
    ),
    "plans repeat": case_of(
        first={"planner": "Plan number 2 for the block."},
        second={"coder": rewrite(0.3)},
        jobs={"e2-export": "broken", "e3-export": "slow"},
    ),
}


@dataclass(frozen=True)
class CompletedRun:
    scenario: Scenario
    result: Result
    folder: Path


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CompletedRun]:
    """Run each case once."""
    runs: dict[str, CompletedRun] = {}

    def run(name: str) -> CompletedRun:
        if name not in runs:
            case, folder = CASES[name], tmp_path_factory.mktemp("case")
            scenario = Scenario({**METHOD, **case.others}, tracks={0: case.first, 1: case.second}, jobs=case.jobs)
            result = asyncio.run(solve(folder, scenario, SETTINGS, run_id=RUN_ID))
            runs[name] = CompletedRun(scenario, result, folder)
        return runs[name]

    return run


def merging(track: int, merges: int = 2) -> list[str]:
    steps = [f"t{track}.m{number + 1}" for number in range(merges)]
    return [event for name in steps for event in ("merger", name)] + ["usage_checker"]


def refining(track: int, outer: int, plans: int = 3) -> list[str]:
    """Return one outer step: ablation, block, and the plans on it, the first of which the extractor made."""
    events = ["ablator", f"t{track}.a{outer}", "summarizer", "extractor"]
    for number in range(plans):
        events += ["planner"] * (number > 0) + ["coder", f"t{track}.r{outer}.{number + 1}"]
    return events


def rows(completed: CompletedRun) -> dict[str, str]:
    return {row.id: row.status for row in completed.result.solutions}


def all_prompts(completed: CompletedRun) -> str:
    return "\n".join(prompt for prompts in completed.scenario.prompts.values() for prompt in prompts)


def parent(completed: CompletedRun, identity: str) -> str | None:
    return next(row.parent for row in completed.result.solutions if row.id == identity)


@pytest.mark.parametrize("track", [0, 1])
def test_a_track_asks_and_executes_in_the_order_of_the_method(
    completed: Callable[[str], CompletedRun], track: int
) -> None:
    scenario = completed("clean").scenario
    assert scenario.of(track)[0] == "retriever"
    assert scenario.count(track)["initializer"] == 3
    assert scenario.steps(track) == merging(track) + refining(track, 1) + refining(track, 2)


def test_every_agent_is_asked_as_often_as_the_method_says(completed: Callable[[str], CompletedRun]) -> None:
    counts = completed("clean").scenario.count()
    per_track = {"retriever": 1, "initializer": 3, "merger": 2, "usage_checker": 1, "ablator": 2, "summarizer": 2}
    per_track |= {"extractor": 2, "coder": 6, "planner": 4, "leakage_checker": 11}
    expected = {role: 2 * count for role, count in per_track.items()}
    expected["leakage_checker"] += 3 + 1  # the ensembles, and the whole script of the finalist that was refined
    assert counts == expected | {"analyst": 1, "ensemble_planner": 3, "ensembler": 3}


def test_every_execution_happens_once(completed: Callable[[str], CompletedRun]) -> None:
    ran = completed("clean").scenario.ran
    names = ["c1", "c2", "c3", "m1", "m2", "a1", "a2", *(f"r{t}.{k}" for t in (1, 2) for k in (1, 2, 3))]
    tracks = [f"t{track}.{name}" for track in (0, 1) for name in names]
    rescorings = [f"{name}-fresh{n}" for name in ("e2", "e3", "t0.r2.2") for n in (1, 2)]
    assert sorted(ran) == sorted([*tracks, "e1", "e2", "e3", *rescorings, "e2-export"])


def test_the_first_valid_solution_of_each_track_is_exported_at_once(completed: Callable[[str], CompletedRun]) -> None:
    early = sorted(completed("clean").scenario.early)
    assert [EARLY.sub(r"\1", name) for name in early] == ["0", "1"]


def test_a_candidate_that_fails_is_not_exported(completed: Callable[[str], CompletedRun]) -> None:
    assert [name[:2] for name in completed("candidates fail").scenario.early] == ["t1"]
    assert completed("candidates fail").scenario.early != ["t1.c2-export"]


def test_candidates_come_first_and_the_tracks_before_the_ensemble(completed: Callable[[str], CompletedRun]) -> None:
    events = completed("clean").scenario.events
    owners = [track for track, _ in events]
    assert owners[0] == NO_TRACK
    last = owners.index(NO_TRACK, 1)
    assert set(owners[1:last]) == {0, 1}
    assert [track for track in owners[last:] if track != NO_TRACK] == [0]  # the check of a finalist's whole script
    assert completed("clean").scenario.of(0).index("merger") > completed("clean").scenario.of(0).index("t0.c3")


def test_the_ensemble_is_planned_written_checked_and_run_r_times(completed: Callable[[str], CompletedRun]) -> None:
    _, *events = completed("clean").scenario.of(NO_TRACK)
    rounds = [("ensemble_planner", "ensembler", "leakage_checker", f"e{number}") for number in (1, 2, 3)]
    assert events[:12] == [event for events in rounds for event in events]
    assert set(events[12:18]) == {f"{name}-fresh{n}" for name in ("e2", "e3", "t0.r2.2") for n in (1, 2)}
    assert events[18:] == ["e2-export"]


def test_the_first_merge_that_fails_to_improve_ends_merging_and_the_better_one_stays(
    completed: Callable[[str], CompletedRun],
) -> None:
    assert parent(completed("clean"), "t0.m2") == "t0.m1"
    assert parent(completed("clean"), "t0.r1.1") == "t0.m1"


def test_candidates_are_merged_in_score_order_with_the_best_as_base(completed: Callable[[str], CompletedRun]) -> None:
    merges = [prompt for prompt in completed("clean").scenario.prompts["merger"] if "<track>0<" in prompt]
    references = [re.findall(r"# quality (\S+) ", prompt) for prompt in merges]
    assert references == [["0.6", "0.55"], ["0.65", "0.5"]]


def test_all_plans_of_a_step_patch_one_script_at_one_block(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    assert [parent(run, f"t0.r1.{k}") for k in (1, 2, 3)] == ["t0.m1"] * 3
    assert [parent(run, f"t0.r2.{k}") for k in (1, 2, 3)] == ["t0.r1.2"] * 3
    base = run.scenario.scripts["t0.m1"].split("def model")
    patched = [run.scenario.scripts[f"t0.r1.{k}"].split("def model") for k in (1, 2, 3)]
    assert all(rest == base[1] and block != base[0] for block, rest in patched)


def test_a_study_is_of_the_script_being_refined(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    prompts = [prompt for prompt in run.scenario.prompts["ablator"] if "<track>0<" in prompt]
    assert run.scenario.scripts["t0.m1"].strip() in prompts[0]
    assert run.scenario.scripts["t0.r1.2"].strip() in prompts[1]


def test_the_planner_sees_every_plan_tried_on_the_block_with_its_score(
    completed: Callable[[str], CompletedRun],
) -> None:
    prompts = [prompt for prompt in completed("clean").scenario.prompts["planner"] if "<track>0<" in prompt]
    records = [
        re.findall(r'<attempt_record score="(\S+)" status="ok"[^>]*>\n(\w+ \w+ \w+)', prompt) for prompt in prompts
    ]
    plans = [[plan for _, plan in record] for record in records]
    assert plans[:2] == [["Write this block"], ["Write this block", "Plan number 2"]]
    assert plans[2:] == [["Write this block"], ["Write this block", "Plan number 4"]]
    assert [float(score) for score, _ in records[1]] == pytest.approx([0.7, 0.75], abs=0.01)


def test_the_second_step_sees_the_summary_and_block_of_the_first(completed: Callable[[str], CompletedRun]) -> None:
    scenario = completed("clean").scenario
    ablations = [prompt for prompt in scenario.prompts["ablator"] if "<track>1<" in prompt]
    choices = [prompt for prompt in scenario.prompts["extractor"] if "<track>1<" in prompt]
    summary = str(DEFAULTS["summarizer"])
    assert [summary in prompt for prompt in ablations] == [False, True]
    assert ["<earlier_block>\ndef load()" in prompt for prompt in choices] == [False, True]


def test_the_coder_sees_the_block_and_the_plan_and_nothing_of_the_task(
    completed: Callable[[str], CompletedRun],
) -> None:
    for prompt in completed("clean").scenario.prompts["coder"]:
        sections = set(re.findall(r"^<(\w+)>", prompt, re.MULTILINE))
        assert sections == {"role", "track", "attempt", "block", "plan", "environment"}
        assert not re.search("Signs|label|print|submission", prompt)


def test_the_ensemble_planner_sees_members_and_earlier_plans_with_scores(
    completed: Callable[[str], CompletedRun],
) -> None:
    prompts = completed("clean").scenario.prompts["ensemble_planner"]
    assert [prompt.count('<solution id="t') for prompt in prompts] == [2, 2, 2]
    assert [re.findall(r"Average in way (\d)", prompt) for prompt in prompts] == [[], ["1"], ["1", "2"]]
    assert re.findall(r'attempt_record score="([\d.]{4})', prompts[2]) == ["0.77", "0.90"]


def test_selection_scores_stay_out_of_every_prompt(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    rescored = {score for final in run.result.rescorings for score in (*final.scores, final.fresh)}
    fresh = rescored - {row.score.holdout for row in run.result.solutions}
    secret = {f"{score:.4f}" for score in fresh if f"{score:.4f}"[-1] != "0"}
    assert {"0.8933", "0.8267", "0.4533"} <= secret
    assert not [score for score in secret if score in all_prompts(run)]


def test_prompts_name_no_time_no_folder_and_no_run(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    assert not re.search(f"{run.folder}|{Path.home()}/|{RUN_ID}", all_prompts(run))
    assert not re.search(r"\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}", all_prompts(run))


def test_tracks_get_different_prompts(completed: Callable[[str], CompletedRun]) -> None:
    prompts = completed("clean").scenario.prompts["retriever"]
    assert len(prompts) == len(set(prompts)) == 2


def test_the_same_run_has_the_same_prompts_and_result(completed: Callable[[str], CompletedRun]) -> None:
    one, two = completed("clean"), completed("again")
    assert {role: sorted(prompts) for role, prompts in one.scenario.prompts.items()} == {
        role: sorted(prompts) for role, prompts in two.scenario.prompts.items()
    }
    assert one.result.winner == two.result.winner
    assert one.result.score == two.result.score


def test_a_track_without_a_candidate_ends_and_there_is_nothing_to_combine(
    completed: Callable[[str], CompletedRun],
) -> None:
    run = completed("candidates fail")
    assert run.scenario.steps(0) == []
    assert {rows(run)[f"t0.c{number}"] for number in (1, 2, 3)} == {"error"}
    assert "ensemble_planner" not in run.scenario.asked
    assert run.result.winner == "t1.r2.2"


def test_a_track_continues_with_the_candidates_that_ran(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("candidates fail")
    assert rows(run)["t1.c2"] == "error"
    assert run.scenario.steps(1) == merging(1, 2)[:2] + merging(1, 2)[4:] + refining(1, 1) + refining(1, 2)


def test_a_merge_that_cannot_be_written_ends_merging(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("merging fails")
    expected = ["merger"] * ASKS + ["usage_checker"] + refining(0, 1) + refining(0, 2)
    assert (run.scenario.steps(0), rows(run)["t0.m1"]) == (expected, "unwritten")
    assert parent(run, "t0.r1.1") == "t0.c2"


def test_a_merge_that_is_worse_ends_merging(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("merging fails")
    assert run.scenario.steps(1) == merging(1, 1) + refining(1, 1) + refining(1, 2)
    assert parent(run, "t1.r1.1") == "t1.c2"


def test_one_ensemble_that_fails_leaves_the_others(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("merging fails")
    assert [rows(run)[f"e{number}"] for number in (1, 2, 3)] == ["ok", "error", "ok"]
    assert 'score="none" status="error"' in run.scenario.prompts["ensemble_planner"][2]
    assert run.result.winner == "e3"


def test_a_study_that_crashes_is_not_summarized_and_refinement_continues(
    completed: Callable[[str], CompletedRun],
) -> None:
    run = completed("studies fail")
    steps = [event for event in merging(0) + refining(0, 1) + refining(0, 2) if event != "summarizer"]
    assert run.scenario.steps(0) == steps
    prompts = [prompt for prompt in run.scenario.prompts["extractor"] if "<track>0<" in prompt]
    assert all("nothing is known about any part" in prompt for prompt in prompts)


def test_a_flat_study_is_summarized_and_refinement_continues(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("studies fail")
    assert run.scenario.steps(1) == merging(1) + refining(1, 1) + refining(1, 2)
    graded = re.search("<graded>(.*)</graded>", next(p for p in run.scenario.prompts["extractor"] if "<track>1<" in p))
    assert graded
    assert len({variant["score"] for variant in json.loads(graded[1])}) == 1


def test_without_any_ensemble_the_best_single_solution_is_submitted(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("studies fail")
    events = [event for event in run.scenario.of(NO_TRACK)[1:] if "-" not in event]
    assert events == ["ensemble_planner", *["ensembler"] * ASKS] * 3
    assert run.result.winner in ("t0.r2.2", "t1.r2.2")


def test_a_block_that_never_occurs_ends_each_step(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("blocks fail")
    step = ["summarizer", *["extractor"] * ASKS]
    assert run.scenario.steps(0) == [*merging(0), "ablator", "t0.a1", *step, "ablator", "t0.a2", *step]
    assert not [name for name in rows(run) if name.startswith("t0.r")]


def test_plans_that_cannot_be_implemented_leave_the_script_unchanged(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("blocks fail")
    step = [*["coder"] * ASKS, "planner", *["coder"] * ASKS, "planner", *["coder"] * ASKS]
    expected = [e for outer in (1, 2) for e in ["ablator", f"t1.a{outer}", "summarizer", "extractor", *step]]
    assert run.scenario.steps(1) == merging(1) + expected
    assert {rows(run)[f"t1.r{outer}.{k}"] for outer in (1, 2) for k in (1, 2, 3)} == {"unwritten"}
    assert '<solution id="t1.m1"' in run.scenario.prompts["ensemble_planner"][0]


def test_a_finalist_that_fails_on_a_fresh_split_does_not_win(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("blocks fail")
    assert {final.solution: final.failed for final in run.result.rescorings}["e2"]
    assert run.result.winner == "e3"
    assert run.result.status == "solved"


def test_a_repeated_plan_is_asked_for_again_and_then_given_up(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("plans repeat")
    step = ["planner", "coder", "t0.r{}.2", "planner", "planner"]
    steps = [["ablator", f"t0.a{n}", "summarizer", "extractor", "coder", f"t0.r{n}.1", *step] for n in (1, 2)]
    expected = [event.format(n) for n, events in enumerate(steps, 1) for event in events]
    assert run.scenario.steps(0) == merging(0) + expected
    assert rows(run)["t0.r1.3"] == "unwritten"
    assert "was tried before" in next(p for p in run.scenario.prompts["planner"] if "<attempt>1" in p)


def test_steps_without_a_better_variant_change_nothing(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("plans repeat")
    assert run.scenario.steps(1)[: len(merging(1)) + 2] == [*merging(1), "ablator", "t1.a1"]
    assert {parent(run, f"t1.r{outer}.{k}") for outer in (1, 2) for k in (1, 2, 3)} == {"t1.m1"}


def test_exports_that_fail_are_followed_by_the_next_best(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("plans repeat")
    assert [export.solution for export in run.result.exports] == ["e2", "e3", run.result.winner]
    assert run.result.status == "solved"
    winner = run.scenario.scripts[f"{run.result.winner}-export"]
    assert read_solution(run.result) == winner
    assert len(read_submission(run.result)) == 100


@pytest.mark.parametrize("name", CASES)
def test_every_script_is_checked_for_leakage_before_it_runs(
    completed: Callable[[str], CompletedRun], name: str
) -> None:
    """As a whole, or what was changed in a script that was checked."""
    run = completed(name)
    prompts, scripts = run.scenario.prompts["leakage_checker"], run.scenario.scripts
    whole = {section(prompt, "script") for prompt in prompts if "<script>" in prompt}
    changes = {section(prompt, "change") for prompt in prompts if "<change>" in prompt}
    evaluations = {job for job in run.scenario.ran if not re.search(r"\.a\d|-", job)}
    assert evaluations
    for job in evaluations:
        if scripts[job].strip("\n") not in whole:
            base = scripts[parent(run, job) or ""].split("\n")
            assert "\n".join(line for line in scripts[job].split("\n") if line not in base) in changes


def section(prompt: str, tag: str) -> str:
    return prompt.split(f"<{tag}>\n")[1].split(f"\n</{tag}>")[0]


def test_the_whole_script_of_every_finalist_is_checked(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    prompts = run.scenario.prompts["leakage_checker"]
    whole = {section(prompt, "script") for prompt in prompts if "<script>" in prompt}
    assert {row.solution for row in run.result.rescorings} == {"e2", "e3", "t0.r2.2"}
    assert {run.scenario.scripts[row.solution].strip("\n") for row in run.result.rescorings} <= whole


SHORT = {**SETTINGS, "tracks": 1, "retrieved_models": 1, "outer_steps": 1, "inner_plans": 1, "fresh_splits": 1}
REFINED = ["usage_checker", "ablator", "t0.a1", "summarizer", "extractor", "coder", "t0.r1.1"]


async def test_one_track_has_nothing_to_combine_and_one_plan_needs_no_planner(tmp_path: Path) -> None:
    scenario = Scenario(METHOD)
    result = await solve(tmp_path, scenario, SHORT)
    assert scenario.steps(0) == REFINED
    assert sorted(scenario.of(NO_TRACK)[1:3]) == ["t0.c1-fresh1", "t0.r1.1-fresh1"]
    assert scenario.of(NO_TRACK)[3:] == ["t0.r1.1-export"]
    assert result.winner == "t0.r1.1"


async def test_without_outer_steps_nothing_is_refined(tmp_path: Path) -> None:
    scenario = Scenario(METHOD)
    result = await solve(tmp_path, scenario, SHORT, outer_steps=0)
    assert scenario.steps(0) == ["usage_checker"]
    assert result.winner == "t0.c1"


async def test_without_ensemble_rounds_tracks_are_not_combined(tmp_path: Path) -> None:
    scenario = Scenario(METHOD)
    result = await solve(tmp_path, scenario, SHORT, tracks=2, outer_steps=0, ensemble_rounds=0)
    assert f"{result.winner}-export" in scenario.early
    assert not {"ensemble_planner", "ensembler"} & set(scenario.asked)


async def test_an_impossible_fresh_split_is_left_out(tmp_path: Path) -> None:
    scenario = Scenario(METHOD)
    result = await solve(tmp_path, scenario, SHORT, outer_steps=0, fresh_splits=10)
    rescorings = [name for name in scenario.ran if "-fresh" in name]
    assert 1 <= len(rescorings) < 10
    assert len(result.rescorings[0].scores) == len(rescorings)
    assert result.status == "solved"


async def test_without_fresh_splits_the_search_score_decides(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(METHOD), SHORT, fresh_splits=0)
    assert (result.winner, result.score.fresh) == ("t0.r1.1", None)
    assert "holdout score decides" in result.rescorings[0].message


@pytest.mark.parametrize(("baselines", "exit_code", "status"), [("false", 1, "no_solution"), ("true", 0, "baseline")])
def test_a_run_without_a_solution_reports_and_exits_with_status_one_unless_a_baseline_is_submitted(
    tmp_path: Path, baselines: str, exit_code: int, status: str
) -> None:
    task = count_rows(make_task(tmp_path / "signs"))
    options = ["--model", "offline", "--runner", "local", "--profile", "quick", "--set", "max_executions=1"]
    options += ["--runs-dir", str(tmp_path / "runs"), "--run-id", "run", "--json", "--set", f"baselines={baselines}"]
    done = call("run", task, *options)
    assert done.exit_code == exit_code, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["status"], result["submission"] is None) == (status, baselines == "false")
    assert Path(result["report"]).is_file()


async def test_when_every_export_fails_there_is_no_solution(tmp_path: Path) -> None:
    scenario = Scenario(METHOD, jobs={"t0.c1-export": "broken"})
    result = await solve(tmp_path, scenario, SHORT, outer_steps=0)
    assert (result.status, result.submission) == ("no_solution", None)


def test_withheld_rows_keep_their_labels_out_of_the_input(completed: Callable[[str], CompletedRun]) -> None:
    run = completed("clean")
    records = (signs().folder / "train.csv").read_text(encoding="utf-8").splitlines()
    files = run.scenario.inputs["t0.c1"]
    withheld = set(records) - set(files["train.csv"].splitlines())
    assert len(withheld) == 75
    assert not [record for record in withheld for text in files.values() if record in text]
    assert "label" not in files["test.csv"]


async def test_no_prompt_shows_a_withheld_record_with_its_label(tmp_path: Path) -> None:
    folder = count_rows(make_task(tmp_path / "signs"))
    task = Task.load(folder)
    seed = next(n for n in range(99) if 0 in search_holdout(task, infer_split(task), seed=n).withheld)
    first = (folder / "train.csv").read_text(encoding="utf-8").splitlines()[1].split(",")
    scenario = Scenario(METHOD)
    result = await solve(tmp_path, scenario, SHORT, task=folder, seed=seed)
    prompts = all_prompts(CompletedRun(scenario, result, tmp_path))
    assert " | ".join(first) not in prompts
    assert json.dumps(first)[1:-1] not in prompts
