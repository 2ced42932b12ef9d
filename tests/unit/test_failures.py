"""What went wrong in real runs of other systems, item by item: each test fails without the guard against it."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from langchain_core.messages import AIMessage

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.report import Result
from mlestar.runners import Environment, Execution, Job, Runner, ScriptedRunner
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, Brief, ModelCard
from tests.unit.results import by_id, read_script, read_solution
from tests.unit.scenario import (
    FULL,
    Scenario,
    as_json,
    block,
    by_card,
    cards,
    choose_block,
    count_rows,
    failure,
    fence,
    make_task,
    rewrite,
    script,
    solve,
    study,
)

ONE = {
    **FULL,
    "tracks": 1,
    "retrieved_models": 1,
    "outer_steps": 0,
    "ensemble_rounds": 0,
    "finalists": 1,
    "fresh_splits": 0,
    "debug_rounds": 1,
}
"""One candidate, nothing else."""
STEP = {**ONE, "outer_steps": 1, "inner_plans": 1, "finalists": 3}
"""One candidate and one plan."""


def checkpoints(result: Result) -> bytes:
    return b"".join(path.read_bytes() for path in Path(result.folder).glob("checkpoints*"))


def first(quality: float | str, *, claim: float | None = None) -> str:
    return fence(script(quality, "A", claim=claim))


async def test_1_the_exported_script_is_exactly_the_winner(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.6), coder=block(0.8))
    result = await solve(tmp_path, scenario, STEP)
    assert (
        read_solution(result)
        == read_script(result, result.winner)
        == scenario.scripts["t0.r1.1"]
        == scenario.scripts["t0.r1.1-export"]
    )
    assert scenario.of(NO_TRACK)[1:] == ["t0.r1.1-export"]


async def test_1_an_inverted_ensemble_is_not_submitted(tmp_path: Path) -> None:
    inverted = fence(script(0.26, "ensemble", claim=0.995))
    scenario = Scenario(initializer=first(0.6), ensembler=inverted)
    result = await solve(tmp_path, scenario, ONE, tracks=2, ensemble_rounds=1)
    assert by_id(result)["e1"].score.reported == 0.995
    assert result.winner == "t0.c1"


async def test_2_a_better_number_from_another_protocol_is_no_improvement(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.7), coder=block(0.6, "# claim 0.99\n    "))
    result = await solve(tmp_path, scenario, STEP)
    assert by_id(result)["t0.r1.1"].score.reported == 0.99
    assert result.winner == "t0.c1"


async def test_3_a_score_on_fitted_rows_is_graded_on_others_and_shown_to_the_checker(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.6, claim=0.99))
    result = await solve(tmp_path, scenario, ONE)
    score = by_id(result)["t0.c1"].score
    assert score.reported == 0.99
    assert score.holdout == pytest.approx(0.6, abs=0.01)
    evidence = [prompt for prompt in scenario.prompts["leakage_checker"] if "<evidence>" in prompt]
    assert len(evidence) == 1
    assert "reports metric.py:share 0.99" in evidence[0]


async def test_4_columns_that_only_train_has_never_reach_the_held_out_rows(tmp_path: Path) -> None:
    task = count_rows(make_task(tmp_path / "signs"))
    train = pd.read_csv(task / "train.csv")
    train.assign(answer=train["label"]).to_csv(task / "train.csv", index=False)
    scenario = Scenario(initializer=first(0.6))
    await solve(tmp_path, scenario, ONE, task=task)
    files = scenario.inputs["t0.c1"]
    assert files["test.csv"].splitlines()[0] == "id,x,z"
    assert files["train.csv"].splitlines()[0] == "id,x,z,label,answer"
    assert '"train_only": ["answer"]' in scenario.prompts["initializer"][0]


def accuse(prompt: str) -> str:
    """Report a leak only where there is evidence, as a checker that the code alone does not convince."""
    if "<evidence>" not in prompt:
        return as_json(leak=False)
    return as_json(leak=True, block="    return 'spy'", reason="it reads the target")


async def test_4_features_from_the_target_are_caught_by_evidence_and_repaired(tmp_path: Path) -> None:
    honest = fence("# claim 0.5\n# quality 0.6\nreturn 'honest'")
    scenario = Scenario(initializer=fence(script(0.5, "spy", claim=0.99)), leakage_checker=accuse, leakage_fixer=honest)
    result = await solve(tmp_path, scenario, ONE)
    row = by_id(result)["t0.c1"]
    assert "return 'spy'" not in read_script(result, "t0.c1")
    assert row.score.holdout == pytest.approx(0.6, abs=0.01)
    assert "return 'honest'" in scenario.prompts["leakage_checker"][-1]


async def test_4_a_leak_that_is_not_repaired_never_selects_its_script(tmp_path: Path) -> None:
    spy, plain = fence(script(0.7, "spy", claim=0.99)), fence(script(0.6, "B"))
    scenario = Scenario(initializer=by_card(A=spy, B=plain), leakage_checker=accuse)
    result = await solve(tmp_path, scenario, ONE, retrieved_models=2)
    assert (by_id(result)["t0.c1"].status, by_id(result)["t0.c1"].score.holdout) == ("leak", None)
    assert result.winner == "t0.c2"


async def test_5_less_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    task = count_rows(make_task(tmp_path / "signs"), direction="minimize")
    scenario = Scenario(initializer=first(0.6), extractor=choose_block, coder=rewrite(0.5, 0.9))
    result = await solve(tmp_path, scenario, STEP, outer_steps=2, inner_plans=2, task=task)
    assert (result.winner, result.direction) == ("t0.r1.2", "minimize")
    assert by_id(result)["t0.r2.1"].parent == "t0.r1.2"
    assert result.score.holdout == pytest.approx(0.1, abs=0.01)


async def test_5_labels_in_place_of_probabilities_are_sent_back(tmp_path: Path) -> None:
    task = make_task(tmp_path / "signs")
    (task / "task.toml").write_text('metric = "auroc"\npos_label = "yes"\n', encoding="utf-8")
    scenario = Scenario(initializer=first(0.9))
    result = await solve(tmp_path, scenario, ONE, task=task)
    assert by_id(result)["t0.c1"].status == "invalid"
    assert "probabilit" in scenario.prompts["bug_summarizer"][0].split("<traceback>")[1]


async def test_6_a_failure_is_a_status_and_beats_no_score(tmp_path: Path) -> None:
    task = count_rows(make_task(tmp_path / "signs"), direction="minimize")
    scenario = Scenario(initializer=by_card(A=first("broken"), B=first(0.4)))
    result = await solve(tmp_path, scenario, ONE, task=task, retrieved_models=2, debug_rounds=0)
    failed = by_id(result)["t0.c1"]
    assert (failed.status, failed.score.holdout, failed.score.reported) == ("error", None, None)
    assert result.winner == "t0.c2"


async def test_6_a_reported_score_that_is_no_number_is_ignored_and_the_grader_decides(tmp_path: Path) -> None:
    scenario = Scenario(claim=float("nan"), initializer=first(0.6))
    score = by_id(await solve(tmp_path, scenario, ONE))["t0.c1"].score
    assert score.reported is None
    assert score.holdout == pytest.approx(0.6, abs=0.01)


async def test_6_a_script_that_ends_well_and_submits_nothing_has_failed(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(initializer=first("silent")), ONE, debug_rounds=0)
    row = by_id(result)["t0.c1"]
    assert (row.status, result.status) == ("invalid", "no_solution")
    assert "wrote no ./submission.csv" in row.message


async def test_7_a_worse_variant_is_not_kept(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.7), coder=[block(0.6), block(0.65)])
    result = await solve(tmp_path, scenario, STEP, outer_steps=2)
    assert result.winner == "t0.c1"
    assert by_id(result)["t0.r2.1"].parent == "t0.c1"


async def test_8_a_crashed_variant_is_unknown(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.7), ablator=fence(study(0.7, ("crashing", "broken"), ("plain", 0.6))))
    await solve(tmp_path, scenario, STEP)
    for role in ("summarizer", "extractor"):
        graded = re.search("<graded>(.*)</graded>", scenario.prompts[role][0])
        assert graded
        scores = {variant["name"]: variant["score"] for variant in json.loads(graded[1])}
        assert scores == {"baseline": pytest.approx(0.7, abs=0.01), "crashing": None, "plain": 0.6}


async def test_8_a_study_without_a_result_is_repaired(tmp_path: Path) -> None:
    repaired = study(0.7, ("plain", 0.6))
    scenario = Scenario(initializer=first(0.7), ablator=fence(study("broken")), debugger=fence(repaired))
    await solve(tmp_path, scenario, STEP)
    assert scenario.ran.count("t0.a1") == 2
    assert "KeyError: 'x'" in scenario.prompts["bug_summarizer"][0]
    assert "Repair this ablation study" in scenario.prompts["debugger"][0]
    assert repaired.split("\n")[0] in scenario.prompts["summarizer"][0]


async def test_8_a_study_that_cannot_be_repaired_yields_no_summary_and_is_not_run_again(tmp_path: Path) -> None:
    broken = fence(study("broken"))
    scenario = Scenario(initializer=first(0.7), ablator=broken, debugger=broken)
    result = await solve(tmp_path, scenario, STEP)
    assert scenario.ran.count("t0.a1") == 1
    assert "summarizer" not in scenario.asked
    assert "nothing is known about any part" in scenario.prompts["extractor"][0]
    assert result.status == "solved"


@pytest.mark.parametrize(("direction", "sign"), [("maximize", "lower"), ("minimize", "higher")])
async def test_8_the_summarizer_gets_the_sign_and_the_noise(tmp_path: Path, direction: str, sign: str) -> None:
    task = count_rows(make_task(tmp_path / "signs"), direction=direction)
    scenario = Scenario(initializer=first(0.7))
    await solve(tmp_path, scenario, STEP, task=task)
    prompt = scenario.prompts["summarizer"][0]
    assert f"removing a part that matters makes the score {sign}" in prompt
    assert re.search(r"Differences below 0\.1\d* are noise", prompt)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "the block is empty"), ("def load():\n    return 2", "does not occur"), ("\n\n", "the block is empty")],
)
async def test_9_a_block_that_does_not_occur_is_asked_for_again(tmp_path: Path, text: str, reason: str) -> None:
    plan = "Load better, by a better way."
    good = as_json(block="def load():\n    return 1", plan=plan)
    scenario = Scenario(initializer=first(0.6), extractor=[as_json(block=text, plan=plan), good], coder=block(0.7))
    result = await solve(tmp_path, scenario, STEP)
    assert reason in scenario.prompts["extractor"][1]
    assert result.winner == "t0.r1.1"


async def test_9_a_block_of_most_of_the_script_is_refused(tmp_path: Path) -> None:
    long = script(0.6, "A") + "".join(f"part_{number} = {number}\n" for number in range(40))
    most = "\n".join(f"part_{number} = {number}" for number in range(40))
    plan = "Rewrite more or less all of it."
    scenario = Scenario(initializer=fence(long), extractor=as_json(block=most, plan=plan))
    await solve(tmp_path, scenario, STEP)
    assert "nearly the whole script" in scenario.prompts["extractor"][1]
    assert "coder" not in scenario.asked


async def test_9_a_new_block_brings_its_imports_and_is_inserted_once(tmp_path: Path) -> None:
    twice = script(0.6, "A").replace("def model", "def other():\n    return 1\n\n\ndef model")
    coded = fence("import math\n\n\ndef load():\n    # quality 0.7\n    return math.floor(1)")
    scenario = Scenario(initializer=fence(twice), coder=coded)
    await solve(tmp_path, scenario, STEP)
    patched = scenario.scripts["t0.r1.1"]
    assert patched.index("import math") < patched.index("def load")
    assert (patched.count("math.floor(1)"), patched.count("    return 1\n")) == (1, 1)


async def test_10_every_fix_gets_the_traceback_of_the_run_before_it(tmp_path: Path) -> None:
    fixes = [fence(script("worse", "A")), fence(script("worst", "A")), fence(script(0.6, "A"))]
    scenario = Scenario(initializer=first("broken"), debugger=fixes)
    result = await solve(tmp_path, scenario, ONE, debug_rounds=3)
    errors = [re.findall(r"KeyError: 'x' \((\w+)\)", prompt) for prompt in scenario.prompts["bug_summarizer"]]
    assert [set(words) for words in errors] == [{"broken"}, {"worse"}, {"worst"}]
    assert [prompt.count("<failed_fix>") for prompt in scenario.prompts["debugger"]] == [0, 1, 2]
    assert by_id(result)["t0.c1"].status == "ok"


async def test_10_the_same_failing_code_is_not_run_again(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first("broken"), debugger=first("broken"))
    result = await solve(tmp_path, scenario, ONE, debug_rounds=3)
    assert scenario.ran == ["t0.c1"]
    assert "has failed before" in scenario.prompts["debugger"][1]
    assert by_id(result)["t0.c1"].status == "error"


class FixedRetriever:
    """A retriever that returns the same cards for every task."""

    def __init__(self, *cards: ModelCard) -> None:
        self.cards = cards

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        return self.cards


async def test_11_a_card_whose_library_is_missing_is_replaced_under_its_own_name(tmp_path: Path) -> None:
    hosted = as_json(cards=[{"name": "Hosted", "libraries": ["hosted-api"]}])
    scenario = Scenario(retriever=hosted, initializer=first(0.6))
    result = await solve(tmp_path, scenario, ONE, retrieval=FixedRetriever(ModelCard(name="Trees")))
    assert [row.title for row in result.solutions] == ["Trees"]
    assert '"name": "Trees"' in scenario.prompts["initializer"][0]


async def test_12_a_fallback_that_submits_the_sample_is_a_failure(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first("sample"))
    result = await solve(tmp_path, scenario, ONE, debug_rounds=0)
    assert by_id(result)["t0.c1"].status == "invalid"
    assert "sample" in by_id(result)["t0.c1"].message


async def test_13_prose_around_code_does_not_reach_the_script(tmp_path: Path) -> None:
    scenario = Scenario(initializer=f"Certainly! Here it is.\n\n{first(0.6)}\n\nGood luck!")
    await solve(tmp_path, scenario, ONE)
    assert scenario.scripts["t0.c1"].startswith("# quality")
    assert "luck" not in scenario.scripts["t0.c1"]


class CutReply(Scenario):
    """A provider that ends its first reply to the initializer early, for the given reason."""

    reason = ""

    def model(self) -> ScriptedModel:
        return ScriptedModel(answer=self.reply)

    def reply(self, role: str, prompt: str) -> AIMessage:
        early = role == "initializer" and role not in self.asked
        return AIMessage(
            self.answer(role, prompt), response_metadata={"finish_reason": self.reason if early else "STOP"}
        )


@pytest.mark.parametrize(
    ("reason", "problem"), [("MAX_TOKENS", "cut off at the token limit"), ("SAFETY", "content filter")]
)
async def test_13_a_reply_that_was_cut_or_blocked_is_asked_for_again(tmp_path: Path, reason: str, problem: str) -> None:
    scenario = CutReply(initializer=[first(0.5), first(0.6)])
    scenario.reason = reason
    result = await solve(tmp_path, scenario, ONE)
    assert problem in scenario.prompts["initializer"][1]
    assert "# quality 0.6" in read_solution(result)


async def test_13_truncated_json_is_no_plan(tmp_path: Path) -> None:
    cut = '```json\n{"block": "def load():\\n    return 1", "plan": "Load it in a better w'
    scenario = Scenario(initializer=first(0.6), extractor=cut)
    result = await solve(tmp_path, scenario, STEP)
    assert "the JSON object is not closed" in scenario.prompts["extractor"][1]
    assert [row.id for row in result.solutions] == ["t0.c1"]


class VerboseScripts(Scenario):
    """A sandbox whose scripts log without end."""

    def run(self, job: Job) -> Execution:
        execution = super().run(job)
        return replace(execution, stdout="[LightGBM] noise\n" * 50_000 + execution.stdout)


async def test_14_logs_reach_neither_the_state_nor_a_prompt_in_full(tmp_path: Path) -> None:
    scenario = VerboseScripts(initializer=first("broken"), debugger=first(0.6))
    result = await solve(tmp_path, scenario, ONE)
    assert result.status == "solved"
    assert max(len(prompt) for prompts in scenario.prompts.values() for prompt in prompts) < 30_000
    assert b"t0.c1" in checkpoints(result)
    assert b"[LightGBM]" not in checkpoints(result)


SAMPLED = {**ONE, "subsample_rows": 100}


async def test_14_subsampling_is_removed_from_the_script_that_is_submitted(tmp_path: Path) -> None:
    location = as_json(block="def load():\n    return 1")
    scenario = Scenario(initializer=first(0.6), subsampling_extractor=location, subsampling_remover=block(0.7))
    result = await solve(tmp_path, scenario, SAMPLED)
    assert scenario.ran == ["t0.c1", "t0.c1.whole", "t0.c1.whole-export"]
    assert "# quality 0.7" in read_solution(result)


async def test_14_a_script_that_fails_without_its_subsampling_keeps_it(tmp_path: Path) -> None:
    location = as_json(block="def load():\n    return 1")
    scenario = Scenario(initializer=first(0.6), subsampling_extractor=location, subsampling_remover=block("slow"))
    result = await solve(tmp_path, scenario, SAMPLED, debug_rounds=0)
    assert scenario.ran + scenario.early == ["t0.c1", "t0.c1.whole", "t0.c1-export"]
    assert result.status == "solved"


async def test_14_the_script_without_its_subsampling_has_a_fresh_score(tmp_path: Path) -> None:
    location = as_json(block="def load():\n    return 1")
    scenario = Scenario(initializer=first(0.6), subsampling_extractor=location, subsampling_remover=block(0.7))
    result = await solve(tmp_path, scenario, SAMPLED, fresh_splits=1)
    assert scenario.ran == ["t0.c1", "t0.c1-fresh1", "t0.c1.whole", "t0.c1.whole-fresh1", "t0.c1.whole-export"]
    assert result.winner == "t0.c1.whole"
    assert result.score.fresh == pytest.approx(0.7, abs=0.05)


async def test_14_a_script_that_fails_on_fresh_rows_without_its_subsampling_keeps_it(tmp_path: Path) -> None:
    location = as_json(block="def load():\n    return 1")
    scenario = Scenario(
        initializer=first(0.6),
        subsampling_extractor=location,
        subsampling_remover=block(0.7),
        jobs={"t0.c1.whole-fresh1": "broken"},
    )
    result = await solve(tmp_path, scenario, SAMPLED, fresh_splits=1)
    assert result.winner == "t0.c1"
    assert "# quality 0.6" in read_solution(result)


async def test_14_a_plan_that_repeats_is_never_tried_again(tmp_path: Path) -> None:
    same = "Load better, by a BETTER way!"
    scenario = Scenario(initializer=first(0.6), planner=same, coder=block(0.7))
    result = await solve(tmp_path, scenario, STEP, inner_plans=2)
    assert by_id(result)["t0.r1.2"].status == "unwritten"
    assert scenario.count()["coder"] == 1


async def test_15_partial_output_of_a_timeout_reaches_the_debugger(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first("slow"), debugger=first(0.6))
    result = await solve(tmp_path, scenario, ONE)
    assert "epoch 1" in scenario.prompts["bug_summarizer"][0]
    assert "timeout" in scenario.prompts["bug_summarizer"][0]
    assert by_id(result)["t0.c1"].status == "ok"


class KilledScripts(Scenario):
    """A sandbox in which a script submits and is then ended by a signal."""

    def run(self, job: Job) -> Execution:
        return replace(super().run(job), status="error", exit_code=-9)


async def test_15_a_script_that_submits_and_then_dies_has_failed(tmp_path: Path) -> None:
    result = await solve(tmp_path, KilledScripts(initializer=first(0.9)), ONE, debug_rounds=0)
    assert (by_id(result)["t0.c1"].status, result.status) == ("error", "no_solution")
    assert "exit status -9" in by_id(result)["t0.c1"].message


WRITES_INTO_INPUT = """import csv

with open("./input/test.csv") as file:
    rows = list(csv.DictReader(file))
try:
    with open("./input/test.csv", "a") as file:
        file.write("spoiled\\n")
except OSError:
    pass
with open("./submission.csv", "w") as file:
    file.write("id,label\\n")
    file.writelines(f"{row['id']},{'yes' if float(row['x']) > 0 else 'no'}\\n" for row in rows)
print("Final Validation Performance: 1.0")
"""


async def test_15_a_script_that_writes_into_its_input_changes_no_file_of_the_user(tmp_path: Path) -> None:
    task = count_rows(make_task(tmp_path / "signs"))
    before = (task / "test.csv").read_bytes()
    settings = Settings.resolve({**ONE, "debug_rounds": 0, "runs_dir": tmp_path / "runs", "runner": "local"})
    result = await mlestar.asolve(
        task, settings=settings, run_id="run", model=Scenario(initializer=fence(WRITES_INTO_INPUT)).model()
    )
    assert by_id(result)["t0.c1"].score.reported == 1.0
    assert (task / "test.csv").read_bytes() == before


async def test_16_the_last_plan_can_win(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.6), extractor=choose_block, coder=rewrite(0.7, 0.8, 0.9))
    result = await solve(tmp_path, scenario, STEP, outer_steps=2, inner_plans=3)
    assert result.winner == "t0.r1.3"
    assert by_id(result)["t0.r2.1"].parent == "t0.r1.3"


async def test_16_the_usage_checker_runs_and_its_script_is_evaluated(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.6), usage_checker=fence(script(0.8, "all")))
    result = await solve(tmp_path, scenario, ONE)
    assert scenario.count()["usage_checker"] == 1
    assert (result.winner, by_id(result)["t0.u"].origin) == ("t0.u", "usage")


async def test_16_a_usage_script_that_is_worse_is_not_kept(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first(0.8), usage_checker=fence(script(0.5, "all")), coder=block(0.85))
    result = await solve(tmp_path, scenario, STEP)
    assert by_id(result)["t0.r1.1"].parent == "t0.c1"


async def test_16_debugged_and_ensembled_code_is_checked_for_leakage(tmp_path: Path) -> None:
    scenario = Scenario(initializer=first("broken"), debugger=fence(script(0.6, "repaired")))
    await solve(tmp_path, scenario, ONE, tracks=2, ensemble_rounds=1)
    checked = "".join(scenario.prompts["leakage_checker"])
    assert "return 'repaired'" in checked
    assert "return 'ensemble0.8'" in checked


async def test_16_a_verdict_of_leakage_does_not_apply_to_changed_code(tmp_path: Path) -> None:
    def check(prompt: str) -> str:
        leaks = "    return 'A'" in prompt
        return as_json(leak=leaks, block="    return 'A'" if leaks else "", reason="it cheats")

    scenario = Scenario(initializer=first(0.6), leakage_checker=check, leakage_fixer=fence("return 'clean'"))
    result = await solve(tmp_path, scenario, ONE)
    assert by_id(result)["t0.c1"].status == "ok"
    assert scenario.count()["leakage_checker"] == 2
    assert "return 'A'" not in scenario.scripts["t0.c1"]


class PairingRunner:
    """A runner whose first two executions wait for each other."""

    def __init__(self, scenario: Scenario) -> None:
        self.inner = ScriptedRunner(scenario.run)
        self.barrier = asyncio.Barrier(2)
        self.started = 0

    name = "scripted"

    async def environment(self) -> Environment:
        return await self.inner.environment()

    async def run(self, job: Job) -> Execution:
        if self.started < 2:
            self.started += 1
            try:
                await asyncio.wait_for(self.barrier.wait(), 20)
            except TimeoutError:
                return failure("alone")
        return await self.inner.run(job)

    async def aclose(self) -> None: ...


async def test_16_tracks_execute_side_by_side(tmp_path: Path) -> None:
    class SideBySide(Scenario):
        def runner(self) -> Runner:
            return PairingRunner(self)

    scenario = SideBySide(initializer=first(0.6), retriever=cards("A"))
    result = await solve(tmp_path, scenario, ONE, tracks=2, parallel=2, debug_rounds=0)
    assert [row.status for row in result.solutions] == ["ok", "ok"]


async def test_a_block_that_occurs_nowhere_is_replaced_by_the_function_that_was_measured(tmp_path: Path) -> None:
    scenario = Scenario(
        initializer=first(0.6),
        ablator=fence(study(0.8, ("no_load", 0.5))),
        extractor=as_json(block="nowhere()", plan="Write it in a better way."),
    )
    await solve(tmp_path, scenario, STEP)
    assert "<block>\ndef load():" in scenario.prompts["coder"][0]
    assert "<block>\ndef load():" in scenario.prompts["planner"][0]
