"""The offline engineer answers every role in the form that its prompt asks for."""

import contextlib
from pathlib import Path

import pandas as pd
import pytest
from langchain_core.messages import HumanMessage

from mlestar.agents.blocks import locate, replace_block
from mlestar.agents.ensembling import Member
from mlestar.agents.planner import reject_repeated
from mlestar.agents.script import RepetitionError, reported_score
from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from mlestar.offline import OfflineEngineer
from mlestar.offline.ideas import carry_out
from mlestar.offline.refinement import blocks_of, next_plan
from mlestar.offline.surgery import functions, used
from mlestar.retrieval.catalogue import catalogue_cards
from mlestar.state import Attempt, Brief, Gain, Measured, ModelCard, Variant
from tests.unit.offline_context import brief_of, candidate, code, data, mixed_rows, reply, run, score_of, write_task

TREES = ModelCard(name="ExtraTrees")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", mixed_rows(), "label", "f1")


@pytest.fixture
def brief(folder: Path) -> Brief:
    return brief_of(folder)


def attempt(plan: str, score: float) -> Attempt:
    return Attempt(plan=plan, solution="s", score=score, status="ok")


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="no such role"):
        OfflineEngineer().invoke([HumanMessage("<role>poet</role>")])


def test_replies_count_their_tokens() -> None:
    message = OfflineEngineer().invoke([HumanMessage("<role>analyst</role>\n<draft>{}</draft>")])
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] > 0


def test_cards_need_only_what_is_installed_and_differ_by_track(brief: Brief) -> None:
    results = catalogue_cards(brief.spec)
    first = [card["name"] for card in data("retriever", brief, results=results, count=2)["cards"]]
    second = [card["name"] for card in data("retriever", brief, track=1, results=results, count=2)["cards"]]
    assert len(first) == 2
    assert first != second
    assert not {"LightGBM", "CatBoost", "XGBoost"} & set(first)


def test_a_merge_trains_both_models(brief: Brief, folder: Path, tmp_path: Path) -> None:
    script = code("merger", brief, base=candidate(brief), reference=candidate(brief, TREES))
    assert "HistGradientBoostingClassifier(" in script
    assert "ExtraTreesClassifier(" in script
    assert score_of(run(script, folder, tmp_path / "work")) > 0.7


def test_a_study_grades_each_part_by_its_own_submission(brief: Brief, folder: Path, tmp_path: Path) -> None:
    printed = run(code("ablator", brief, script=candidate(brief), summaries=[]), folder, tmp_path / "work")
    written = sorted((tmp_path / "work" / "variants").glob("*.csv"))
    assert "failed" not in printed
    assert len(written) >= 3
    assert all(check_submission(Task.load(folder), path) == "" for path in written)
    assert len({path.read_text() for path in written}) > 1


def test_the_block_with_the_largest_effect_is_chosen(brief: Brief) -> None:
    script = candidate(brief)
    graded = [Variant(name="baseline", score=0.8), Variant(name="fewer_rounds", score=0.6)]
    extraction = data("extractor", brief, script=script, summary="", graded=graded, blocks=[])
    assert locate(script, extraction["block"]).startswith("def fit_predict")


def test_a_flat_study_leads_to_an_untouched_block(brief: Brief) -> None:
    script = candidate(brief)
    graded = [Variant(name="baseline", score=0.8), Variant(name="fewer_rounds", score=0.8)]
    first = data("extractor", brief, script=script, summary="", graded=graded, blocks=[])["block"]
    second = data("extractor", brief, script=script, summary="", graded=graded, blocks=[first])["block"]
    assert first != second


def compared(name: str, difference: float, standard_error: float) -> Variant:
    """Return a variant that is better than the baseline by a difference with its error."""
    return Variant(name=name, score=0.8 + difference, gain=Gain(difference=difference, standard_error=standard_error))


def test_a_smaller_effect_beyond_its_error_goes_before_a_larger_one_within(brief: Brief) -> None:
    script = candidate(brief)
    graded = [
        Variant(name="baseline", score=0.8),
        compared("fewer_rounds", -0.05, 0.08),
        compared("untuned", -0.02, 0.005),
    ]
    extraction = data("extractor", brief, script=script, summary="", graded=graded, blocks=[])
    assert locate(script, extraction["block"]).startswith("def tune")


def test_a_block_without_effect_is_not_refined_while_another_is_left(brief: Brief) -> None:
    script = candidate(brief)
    graded = [
        Variant(name="baseline", score=0.8),
        compared("fewer_rounds", -0.05, 0.08),
        compared("without_group_features", 0.0, 0.004),
    ]
    chosen: list[str] = []
    for _ in range(len(blocks_of(script))):
        answer = data("extractor", brief, script=script, summary="", graded=graded, blocks=chosen)
        chosen.append(locate(script, answer["block"]))
    starts = [text.split("(")[0].removeprefix("def ") for text in chosen]
    without_effect = {"make_model", "build_features", "group_features"} & set(starts)
    assert without_effect
    assert set(starts[-len(without_effect) :]) == without_effect


def test_a_plan_that_would_exceed_the_limit_is_not_tried(brief: Brief) -> None:
    block = blocks_of(candidate(brief))["fit_predict"]
    thrice = "Fit the model three times with different seeds"
    plans: list[str] = []
    for _ in range(3):
        attempts = [attempt(plan, 0.5) for plan in plans]
        measured = Measured.of(0.6 * brief.seconds, None)
        plans.append(reply("planner", brief, block=block, attempts=attempts, baseline=0.7, measured=measured))
    assert not any(thrice in plan for plan in plans)
    assert thrice in " ".join(next_plan(block, plans[:n], 0, most_times=5.0) for n in range(4))


def test_a_summary_gives_each_effect_with_its_error(brief: Brief) -> None:
    graded = [
        Variant(name="baseline", score=0.8),
        compared("fewer_rounds", -0.05, 0.08),
        compared("untuned", -0.02, 0.005),
    ]
    summary = reply("summarizer", brief, study="", output="", graded=graded, noise=0.01)
    assert "fewer_rounds: 0.75, worse by 0.05 +- 0.08; no visible effect." in summary
    assert "untuned: 0.78, worse by 0.02 +- 0.005; this part helps." in summary
    assert "untuned has the largest effect" in summary


def test_plans_differ_and_change_the_block(brief: Brief) -> None:
    script = candidate(brief)
    extraction = data("extractor", brief, script=script, summary="", graded=[], blocks=[])
    block, plans = extraction["block"], [extraction["plan"]]
    for _ in range(4):
        attempts = [attempt(plan, 0.5) for plan in plans]
        plans.append(reply("planner", brief, block=block, attempts=attempts, baseline=0.7))
    blocks = {code("coder", brief, block=block, plan=plan) for plan in plans}
    assert len(set(plans)) == len(blocks) == 5
    assert all(replace_block(script, block, new) != script for new in blocks)


@pytest.mark.parametrize("part", ["make_model", "tune"])
def test_plans_make_new_blocks_until_none_is_left(part: str, brief: Brief) -> None:
    """Trees without a learning rate, in which every second column cannot become fewer: a name stands for it."""
    block = blocks_of(candidate(brief, TREES))[part]
    plans: list[str] = []
    while (plan := next_plan(block, plans, 0)) not in plans:
        plans.append(plan)
    assert len({block, *(carry_out(block, plan) for plan in plans)}) == len(plans) + 1 > 1
    with pytest.raises(RepetitionError):
        reject_repeated([attempt(plan, 0.5) for plan in plans])(plan)


def test_a_plan_that_helped_is_built_on(brief: Brief) -> None:
    extraction = data("extractor", brief, script=candidate(brief), summary="", graded=[], blocks=[])
    attempts = [attempt(extraction["plan"], 0.9)]
    assert extraction["plan"] in reply("planner", brief, block=extraction["block"], attempts=attempts, baseline=0.7)


def test_a_block_can_be_refined_again(brief: Brief) -> None:
    script = candidate(brief)
    for _ in range(2):
        block = blocks_of(script)["fit_predict"]
        plan = next_plan(block, [], 0)
        script = replace_block(script, block, code("coder", brief, block=block, plan=plan))
    assert not [name for name, text in functions(script).items() if name in used(text)]


def test_neighbouring_tracks_get_different_models(brief: Brief) -> None:
    packages = {"lightgbm": "4", "catboost": "1", "xgboost": "3"}
    brief = brief.model_copy(update={"packages": brief.packages | packages})
    results = catalogue_cards(brief.spec)
    by_track = [data("retriever", brief, track=track, results=results, count=3)["cards"] for track in (0, 1)]
    names = [{card["name"] for card in cards} for cards in by_track]
    assert all(len(cards) == 3 for cards in names)
    assert not names[0] & names[1]


def test_a_plan_in_other_words_is_understood(brief: Brief) -> None:
    extraction = data("extractor", brief, script=candidate(brief), summary="", graded=[], blocks=[])
    assert "range(3)" in code("coder", brief, block=extraction["block"], plan="Average over several random seeds.")


@pytest.mark.parametrize("rounds", range(2))
def test_ensembles_train_their_members_in_one_script(rounds: int, brief: Brief, folder: Path, tmp_path: Path) -> None:
    codes = [candidate(brief), candidate(brief, TREES)]
    members = [Member(id=f"s{n}", title="", score=0.7, code=text) for n, text in enumerate(codes)]
    attempts: list[Attempt] = []
    for _ in range(rounds + 1):
        plan = reply("ensemble_planner", brief, solutions=members, attempts=attempts)
        attempts.append(attempt(plan, 0.7))
    script = code("ensembler", brief, solutions=members, plan=plan, seconds=60)
    assert score_of(run(script, folder, tmp_path / "work")) > 0.7


def test_a_clean_script_passes_the_leakage_check(brief: Brief) -> None:
    assert data("leakage_checker", brief, script=candidate(brief), evidence="", change=None)["leak"] is False


def test_a_target_mean_over_all_rows_is_found_and_removed(brief: Brief) -> None:
    script = (
        'import pandas as pd\nt = pd.DataFrame()\nt["m"] = t.groupby("kind")["label"].transform("mean")\nprint(t)\n'
    )
    finding = data("leakage_checker", brief, script=script, evidence="", change=None)
    repaired = code("leakage_fixer", brief, script=script, block=finding["block"], reason="")
    assert finding["leak"]
    assert "groupby" not in replace_block(script, finding["block"], repaired)


@pytest.mark.parametrize(
    ("bug", "broken", "repaired"),
    [
        ("TypeError: got an unexpected keyword argument 'squared'", "f(a, b, squared=False)", "f(a, b)"),
        ("TypeError: unexpected keyword argument 'sparse'", "g(a, sparse=True, n=1)", "g(a, n=1)"),
        ("KeyError: 'height'", "c = ['width', 'height']", "c = ['width']"),
        ("timeout: it hit its time limit", "m = M(n_estimators=1000)", "m = M(n_estimators=400)"),
    ],
)
def test_errors_are_repaired_where_they_arise(bug: str, broken: str, repaired: str, brief: Brief) -> None:
    script = f"{broken}\nprint('Final Validation Performance: 1')\n# submission.csv\n"
    assert repaired in code("debugger", brief, script=script, bug=bug, failed_fixes=[], study=False)


@pytest.mark.parametrize(
    ("metric", "prediction"),
    [("rmsle", -1), ("rmse", None), ("qwk", 1.5), ("log_loss", 2)],
)
def test_submissions_that_the_grader_rejects_are_repaired(
    metric: str,
    prediction: float | None,
    tmp_path: Path,
) -> None:
    rows = mixed_rows().assign(label=[0, 1] * 80 if metric == "log_loss" else [1, 2, 3, 0] * 40)
    folder = write_task(tmp_path / "task", rows, "label", metric, placeholder=0.5 if metric == "log_loss" else None)
    task, submission = Task.load(folder), tmp_path / "submission.csv"
    frame = pd.read_csv(folder / "sample_submission.csv").assign(label=prediction)
    frame.iloc[1:, -1] = [1, 0] * ((len(frame) - 1) // 2) + [1]
    frame.to_csv(submission, index=False)
    bug = check_submission(task, submission)
    script = "print('Final Validation Performance: 1')\n# submission.csv"
    repaired = code("debugger", brief_of(folder), script=script, bug=bug, failed_fixes=[], study=False)
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(None):
        exec(compile(repaired, "main.py", "exec"), {})
    assert bug
    assert check_submission(task, submission) == ""


def test_a_script_that_cannot_be_repaired_gets_a_safer_model(brief: Brief, folder: Path, tmp_path: Path) -> None:
    script = code("debugger", brief, script="raise SystemError", bug="SystemError", failed_fixes=[], study=False)
    assert reported_score(run(script, folder, tmp_path / "work")) is not None


def test_failed_fixes_are_not_repeated(brief: Brief) -> None:
    first = code("debugger", brief, script="raise SystemError", bug="SystemError", failed_fixes=[], study=False)
    second = code("debugger", brief, script="raise SystemError", bug="SystemError", failed_fixes=[first], study=False)
    assert first != second


def test_subsampling_is_found_and_removed(brief: Brief, folder: Path, tmp_path: Path) -> None:
    script = candidate(brief.model_copy(update={"subsample_rows": 50}))
    block = data("subsampling_extractor", brief, script=script)["block"]
    whole = replace_block(script, block, code("subsampling_remover", brief, block=block))
    assert "sample(" not in whole
    assert reported_score(run(whole, folder, tmp_path / "work")) is not None


def test_a_script_that_uses_everything_is_left_alone(brief: Brief) -> None:
    assert reply("usage_checker", brief, script=candidate(brief)) == "ALL USED"


def test_a_script_that_leaves_columns_out_is_extended(brief: Brief) -> None:
    script = pd.Series(candidate(brief).split("\n")).str.replace("'gaps'", "").str.cat(sep="\n")
    assert "'gaps'" in code("usage_checker", brief, script=script)
