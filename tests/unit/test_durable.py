"""Stopping, resuming, answering, forking, starting afresh, pruning: finished work is never repeated."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Unpack, cast

import pytest

import mlestar
from mlestar.errors import ModelError, SettingsError, StopRequested, UserError
from mlestar.report import Result
from mlestar.runners import Execution, Job
from mlestar.runtime.options import RunOptions
from mlestar.session.questions import REPLIES, read_answers
from mlestar.state import Answer, Question
from mlestar.store import FORMAT
from tests.unit.scenario import SMALL, Scenario, block, lose_connection, resume, signs, solve

REVIEW_PLANS: dict[str, object] = {**SMALL, "review": {"plan"}}


async def fork(
    folder: Path,
    scenario: Scenario,
    *,
    at: str,
    answer: Answer | None = None,
    settings: Mapping[str, object] | None = None,
) -> Result:
    runs = folder / "runs"
    return await mlestar.afork("run", at=at, answer=answer, settings=settings, runs_dir=runs, **scenario.options())


async def start(
    folder: Path,
    scenario: Scenario,
    settings: Mapping[str, object] = SMALL,
    *,
    fresh: bool = False,
    **options: Unpack[RunOptions],
) -> Result:
    """Solve the task with these options."""
    settings = {**settings, "runs_dir": folder / "runs"}
    return await mlestar.asolve(signs(), settings=settings, run_id="run", fresh=fresh, **scenario.options(**options))


def fail(prompt: str) -> str:
    raise ZeroDivisionError


async def test_a_stop_finishes_what_runs_saves_it_and_starts_nothing(tmp_path: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Stopped(Scenario):
        def run(self, job: Job) -> Execution:
            if job.name == "t0.m1":
                loop.call_soon_threadsafe(stop.set)
            return super().run(job)

    first, second = Stopped(), Scenario()
    with pytest.raises(StopRequested) as stopped:
        await start(tmp_path, first, stop=stop)
    written = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert (Path(stopped.value.run or "").name, written["status"]) == ("run", "stopped")
    assert first.ran[-1] == "t0.m1"
    assert {row["id"] for row in written["solutions"]} == {"t0.c1", "t0.c2", "t0.m1"}
    assert written["submission"] == str(tmp_path / "runs/run/submission.csv")
    result = await resume(tmp_path, second)
    assert result.status == "solved"
    assert not set(first.ran + first.early) & set(second.ran + second.early)
    first_prompts = {prompt for prompts in first.prompts.values() for prompt in prompts}
    second_prompts = {prompt for prompts in second.prompts.values() for prompt in prompts}
    assert not first_prompts & second_prompts


async def test_a_provider_that_fails_leaves_the_best_so_far(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(planner=lose_connection))
    written = json.loads((tmp_path / "runs/run/result.json").read_text(encoding="utf-8"))
    assert (written["status"], written["winner"]) == ("stopped", "t0.r1.1")
    assert "# quality 0.85" in Path(written["solution"]).read_text(encoding="utf-8")
    assert Path(written["submission"]).is_file()


async def test_a_finished_run_needs_neither_model_nor_runner_to_return_its_result(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    assert await mlestar.aresume("run", runs_dir=tmp_path / "runs") == result


async def test_a_run_that_ended_before_its_first_checkpoint_starts_over(tmp_path: Path) -> None:
    scenario = Scenario()
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(analyst=lose_connection))
    (tmp_path / "runs/run/checkpoints.sqlite").unlink()
    assert (await resume(tmp_path, scenario)).status == "solved"


async def test_a_run_of_another_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(planner=fail))
    path = tmp_path / "runs/run/settings.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**recorded, "version": FORMAT - 1}), encoding="utf-8")
    with pytest.raises(UserError, match=f"has format {FORMAT - 1}"):
        await resume(tmp_path, Scenario())


async def test_caps_may_be_raised_on_resume_and_other_settings_may_not(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(planner=fail), max_executions=30)
    with pytest.raises(SettingsError, match="seed cannot change"):
        await resume(tmp_path, Scenario(), settings={"seed": 2})
    assert (await resume(tmp_path, Scenario(), settings={"max_executions": 40})).status == "solved"


async def test_a_fresh_start_repeats_everything_and_earlier_costs_stay_counted(tmp_path: Path) -> None:
    first, second = Scenario(), Scenario()
    before = await start(tmp_path, first)
    after = await start(tmp_path, second, fresh=True)
    assert sorted(second.ran) == sorted(first.ran)
    assert after.spend.model_calls == 2 * before.spend.model_calls
    assert after.winner == before.winner


async def test_questions_are_asked_again_by_the_same_id_and_answered_from_a_file(tmp_path: Path) -> None:
    paused = await start(tmp_path, Scenario(), REVIEW_PLANS)
    again = await resume(tmp_path, Scenario())
    assert paused.message == again.message == "asked about: plan:t0.r1.1; see questions.json"
    path = tmp_path / "runs/run/questions.json"
    questions = json.loads(path.read_text(encoding="utf-8"))
    questions[0]["answer"] = {"action": "replace", "text": "Do as I say, thoroughly."}
    edited = tmp_path / "answers.json"
    edited.write_text(json.dumps(questions), encoding="utf-8")
    scenario = Scenario()
    paused = await resume(tmp_path, scenario, answers=read_answers(edited))
    assert "Do as I say, thoroughly." in scenario.prompts["coder"][0]
    assert "plan:t0.r1.2" in paused.message
    result = await resume(tmp_path, Scenario(), answers={"plan:t0.r1.2": Answer()})
    assert (result.status, path.exists()) == ("solved", False)


async def test_an_answer_is_in_the_ledger_and_not_asked_for_again(tmp_path: Path) -> None:
    identities: list[str] = []

    def approve(question: Question) -> Answer:
        identities.append(question.id)
        return Answer()

    await start(tmp_path, Scenario(), REVIEW_PLANS)
    with pytest.raises(ModelError):
        await resume(tmp_path, Scenario(coder=fail), on_question=approve)
    (tmp_path / "runs/run/checkpoints.sqlite").unlink()
    assert (await resume(tmp_path, Scenario(), on_question=approve)).status == "solved"
    assert identities == ["plan:t0.r1.1", "plan:t0.r1.2"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "Expecting value"),
        ("5", "neither"),
        ("[1]", "neither"),
        ('[{"id": "plan:t0.r1.1"}]', "neither"),
        ('{"plan:t0.r1.1": {"text": 5}}', "plan:t0.r1.1: text: Input should be a valid string"),
        ('{"plan:t0.r1.1": {"action": "dance"}}', "plan:t0.r1.1: action: Input should be 'approve'"),
        ('{"plan:t0.r1.1": "yes"}', "plan:t0.r1.1: answer: "),
    ],
)
def test_a_bad_file_of_answers_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"answers .*answers\.json") as raised:
        read_answers(path)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_malformed_answers_are_refused_before_any_work(tmp_path: Path) -> None:
    scenario, unusable = Scenario(), {"plan:t0.r1.1": {"action": "dance"}}
    with pytest.raises(UserError, match=r"answer to plan:t0\.r1\.1: action: "):
        await start(tmp_path, scenario, REVIEW_PLANS, answers=cast("dict[str, Answer]", unusable))
    assert scenario.asked == []


async def test_a_callback_is_asked_again_after_a_malformed_reply(tmp_path: Path) -> None:
    problems: list[str] = []
    replies = [None, "yes", {"action": "dance"}, {"action": "edit"}, {"action": "replace", "text": "Do as I say."}]

    def reply(question: Question) -> Answer:
        problems.append(question.proposal.get("problem", ""))
        return cast("Answer", replies[min(len(problems), len(replies)) - 1])

    scenario = Scenario()
    result = await start(tmp_path, scenario, {**REVIEW_PLANS, "inner_plans": 1}, on_question=reply)
    assert result.status == "solved"
    assert "Do as I say." in scenario.prompts["coder"][0]
    assert problems[0] == ""
    assert "action: Input should be 'approve'" in problems[3]
    assert problems[4] == "to edit, give `text`"


async def test_a_passed_answer_replaces_an_unusable_one(tmp_path: Path) -> None:
    scenario = Scenario()
    paused = await start(tmp_path, scenario, REVIEW_PLANS)
    assert paused.status == "paused"
    question = "plan:t0.r1.1"
    paused = await resume(tmp_path, scenario, answers={question: Answer(action="replace")})
    questions = json.loads((tmp_path / "runs/run/questions.json").read_text(encoding="utf-8"))
    assert questions[0]["proposal"]["problem"] == "to replace, give `text`"
    paused = await resume(tmp_path, scenario, answers={question: Answer(action="approve")})
    assert question not in paused.message


@pytest.mark.parametrize("reply", [None, object(), Answer(action="edit")], ids=["none", "object", "unusable"])
async def test_a_callback_that_never_answers_pauses_the_run(tmp_path: Path, reply: object) -> None:
    identities: list[str] = []

    def answer(question: Question) -> Answer:
        identities.append(question.id)
        return cast("Answer", reply)

    paused = await start(tmp_path, Scenario(), REVIEW_PLANS, on_question=answer)
    assert paused.status == "paused"
    assert len(identities) == REPLIES
    questions = json.loads((tmp_path / "runs/run/questions.json").read_text(encoding="utf-8"))
    assert questions[0]["proposal"]["problem"]
    assert "plan:t0.r1.1" in paused.message


async def test_a_fork_replaces_a_plan_and_repeats_nothing_before_it(tmp_path: Path) -> None:
    whole = await solve(tmp_path, Scenario())
    scenario = Scenario(coder=block(0.97))
    answer = Answer(action="replace", text="Try the other way round.")
    result = await fork(tmp_path, scenario, at="plan:t0.r1.2", answer=answer)
    assert not {"analyst", "retriever", "initializer", "merger", "ablator", "extractor", "planner"} & set(
        scenario.asked
    )
    assert not {"t0.c1", "t0.c2", "t0.m1", "t0.a1", "t0.r1.1"} & set(scenario.ran + scenario.early)
    assert "t0.r1.2" in scenario.ran
    assert "Try the other way round." in scenario.prompts["coder"][0]
    assert (result.winner, result.run_id) == ("t0.r1.2", "run-fork1")
    assert result.spend.executions == len(scenario.ran + scenario.early) < whole.spend.executions
    assert await resume(tmp_path, Scenario()) == whole


async def test_a_fork_replaces_a_summary(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    scenario = Scenario()
    answer = Answer(action="replace", text="Work on the ratio of x and z.")
    await fork(tmp_path, scenario, at="ablation:t0.a1", answer=answer)
    assert scenario.asked[0] == "extractor"
    assert "Work on the ratio of x and z." in scenario.prompts["extractor"][0]


async def test_a_fork_continues_with_other_settings(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario(), inner_plans=2)
    scenario = Scenario(coder=block(0.97))
    result = await fork(tmp_path, scenario, at="settings", settings={"inner_plans": 3})
    assert [name for name in scenario.ran if name.startswith("t0.")] == ["t0.r1.3", "t0.r1.3-fresh1", "t0.r1.3-export"]
    assert result.winner == "t0.r1.3"


@pytest.mark.parametrize(
    ("at", "answer", "message"),
    [
        ("plan:t9.r1.1", Answer(action="replace", text="x"), "no decision"),
        ("plan:t0.r1.1", None, "needs a replacement"),
    ],
)
async def test_an_impossible_fork_is_one_line_and_creates_nothing(
    tmp_path: Path,
    at: str,
    answer: Answer | None,
    message: str,
) -> None:
    await solve(tmp_path, Scenario())
    with pytest.raises(UserError, match=message):
        await fork(tmp_path, Scenario(), at=at, answer=answer)
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == ["run"]


async def test_a_run_folder_keeps_only_the_newest_checkpoints(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario(), tracks=2, outer_steps=2)
    connection = sqlite3.connect(tmp_path / "runs/run/checkpoints.sqlite")
    checkpoints = connection.execute(
        "SELECT checkpoint_ns, count(*) FROM checkpoints GROUP BY checkpoint_ns"
    ).fetchall()
    connection.close()
    assert checkpoints == [("", 1)]


async def test_pruning_leaves_results_and_scripts_of_finished_runs(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    with pytest.raises(ModelError):
        await solve(tmp_path, Scenario(planner=fail), run_id="unfinished")
    freed = mlestar.prune(tmp_path / "runs")
    folder = tmp_path / "runs/run"
    assert list(freed) == ["run"]
    assert freed["run"] > 0
    assert not (folder / "ledger.sqlite").exists()
    assert all((folder / row.script).is_file() for row in result.solutions if row.script)
    assert await mlestar.aresume("run", runs_dir=tmp_path / "runs") == result
    assert (tmp_path / "runs/unfinished/ledger.sqlite").exists()
