"""Scores tell agents how good a script is, and as little as possible about single withheld labels."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.events import Event
from mlestar.metrics.precision import ShownScore, format_score, round_score
from mlestar.nodes.refine import MAX_VARIANTS, choose_variants
from mlestar.report import Result
from mlestar.runtime.graded import BETTER, NOT_BETTER, GradedSubmissions
from mlestar.settings import Settings
from mlestar.state import Answer, Verdict
from mlestar.store import Ledger
from tests.unit.holdout_folders import random_task
from tests.unit.method import METHOD
from tests.unit.scenario import FULL, SMALL, Scenario, fence, resume, signs, solve, study

LABELS_PER_SUBMISSION = 34
"""As many powers of two as a logit in full precision can tell apart."""


class LogLossAttack:
    """Submissions whose log loss is a sum of powers of two, one for each of a few rows with the label `no`."""

    def __init__(self, folder: Path) -> None:
        task = random_task(folder, 1400, "log_loss", pos_label="yes")
        holdout = search_holdout(task, infer_split(task), seed=1)
        self.grader, self.folder = Grader(task, holdout), folder
        train = pd.read_csv(task.input / "train.csv", dtype=str)
        withheld = train.iloc[holdout.withheld]
        self.ids, self.truth = withheld["id"].to_numpy(), (withheld["label"] == "yes").to_numpy()
        self.submissions = -(-len(self.ids) // LABELS_PER_SUBMISSION)

    def read_labels(self, number: int, score: float) -> np.ndarray:
        """Return the labels of the rows of a submission that its score stands for."""
        weights = self._weights(number)
        rest = (len(self.ids) - len(weights)) * np.log(2)
        no = score * len(self.ids) - rest - np.log1p(np.exp(-weights)).sum()
        labels = np.ones(len(weights), dtype=bool)
        for place in np.argsort(-weights):
            if no >= weights[place] - weights.min() / 2:
                labels[place], no = False, no - weights[place]
        return labels

    def grade(self, number: int) -> Verdict:
        logits = np.zeros(len(self.ids))
        weights = self._weights(number)
        start = number * LABELS_PER_SUBMISSION
        logits[start : start + len(weights)] = weights
        path = self.folder / f"{number}.csv"
        probabilities = 1 / (1 + np.exp(-logits))
        pd.DataFrame({"id": self.ids, "label": [repr(float(p)) for p in probabilities]}).to_csv(path, index=False)
        grade = self.grader.grade(path)
        assert grade.problem == ""
        return Verdict(status="ok", holdout=grade.score, holdout_se=grade.standard_error)

    def _weights(self, number: int) -> np.ndarray:
        count = min(LABELS_PER_SUBMISSION, len(self.ids) - number * LABELS_PER_SUBMISSION)
        return 8.0 / 2.0 ** np.arange(count)


def test_a_few_log_losses_tell_all_withheld_labels_in_full_precision_and_hardly_any_as_shown(tmp_path: Path) -> None:
    attack = LogLossAttack(tmp_path)
    verdicts = [attack.grade(number) for number in range(attack.submissions)]
    exact = np.concatenate([attack.read_labels(n, verdict.holdout or 0) for n, verdict in enumerate(verdicts)])
    assert len(attack.truth) > 250
    assert attack.submissions <= 9
    assert (exact == attack.truth).mean() == 1.0
    shown = [verdict.shown for verdict in verdicts]
    read = np.concatenate([attack.read_labels(n, as_number(score)) for n, score in enumerate(shown)])
    assert (read == attack.truth).mean() < 0.7


def as_number(score: ShownScore) -> float:
    assert isinstance(score, float)
    return score


@pytest.mark.parametrize(
    ("score", "error", "rounded", "text"),
    [
        (0.81234, 0.0213, 0.812, "0.812 ± 0.021"),
        (0.81234, 0.0996, 0.81, "0.81 ± 0.10"),
        (12345.678, 234.5, 12350.0, "12350 ± 230"),
        (12345.678, 2.345, 12345.7, "12345.7 ± 2.3"),
        (-0.0001, 0.021, 0.0, "0.000 ± 0.021"),
        (1.23456789e-8, 3.21e-9, 1.23e-8, "1.23e-08 ± 3.2e-09"),
        (0.123456, None, 0.123, "0.123"),
        (0.123456, 0.0, 0.123, "0.123"),
        (0.123456, float("nan"), 0.123, "0.123"),
        (None, 0.1, None, "-"),
    ],
)
def test_a_score_has_two_digits_of_its_error(
    score: float | None, error: float | None, rounded: float | None, text: str
) -> None:
    assert round_score(score, error) == (None if rounded is None else pytest.approx(rounded, rel=1e-12))
    assert format_score(score, error) == text


def digits(result: Result) -> set[str]:
    """Return the holdout scores and differences of a finished run with more digits than may be shown."""
    scores = [row.score.holdout for row in result.solutions if row.score.holdout is not None]
    assert scores
    return {f"{score:.4g}" for score in scores if len(f"{score:.4g}") > len("0.123")}


async def test_no_prompt_event_or_question_has_a_score_in_full_precision(tmp_path: Path) -> None:
    scenario, events, asked = Scenario(METHOD), list[Event](), list[str]()
    settings = {**FULL, "runs_dir": tmp_path / "runs", "review": ["ablation", "submission"]}

    def approve(question: mlestar.Question) -> Answer:
        asked.append(question.model_dump_json())
        return Answer()

    options = scenario.options(on_event=events.append, on_question=approve)
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    precise = digits(result)
    assert precise
    texts = [*(prompt for prompts in scenario.prompts.values() for prompt in prompts), *asked]
    # A time such as 1795825750.7467 holds the digits of a score by chance.
    texts += [event.model_dump_json(exclude={"time"}) for event in events]
    assert any('<attempt_record score="0.' in text for text in texts)
    assert any('gain="' in text for text in texts)
    for text in texts:
        assert not [score for score in precise if score in text]


async def test_the_result_of_a_run_that_goes_on_is_rounded_and_that_of_an_ended_run_is_not(tmp_path: Path) -> None:
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "review": ["plan"]}
    paused = await mlestar.asolve(signs(), settings=settings, run_id="run", **Scenario().options())
    assert paused.status == "paused"
    rows = [row.score for row in paused.solutions]
    assert rows
    assert all(score.holdout == round_score(score.holdout, score.holdout_se) for score in rows)
    ended = await resume(tmp_path, Scenario(), on_question=lambda question: Answer())
    assert ended.status == "solved"
    assert any(row.score.holdout != round_score(row.score.holdout, row.score.holdout_se) for row in ended.solutions)


def test_a_study_has_few_graded_variants_whatever_it_prints() -> None:
    names = [f"v{number:03}" for number in range(300)]
    chosen = choose_variants([*names, "baseline"])
    assert len(chosen) == MAX_VARIANTS == 12
    assert chosen == ["baseline", *names[:11]]


async def test_agents_read_the_scores_of_few_variants(tmp_path: Path) -> None:
    variants = [(f"v{number:03}", 0.5 + number / 1000) for number in range(40)]
    scenario = Scenario(ablator=fence(study(0.8, *variants)))
    await solve(tmp_path, scenario)
    graded = re.findall(r"<graded>(.*)</graded>", scenario.prompts["extractor"][0])[0]
    assert len(json.loads(graded)) == 12


async def test_submissions_beyond_the_limit_have_a_standing_and_no_score(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    graded = GradedSubmissions(ledger, 2)

    async def yes(other: str) -> bool:
        return True

    async def no(other: str) -> bool:
        return False

    assert await graded.record("holdout", "a", 0.5, "maximize", yes) is None
    assert await graded.record("holdout", "b", 0.6, "maximize", yes) is None
    assert await graded.record("holdout", "c", 0.55, "maximize", yes) == NOT_BETTER
    assert await graded.record("holdout", "d", 0.7, "maximize", no) == NOT_BETTER
    assert await graded.record("holdout", "e", 0.65, "maximize", yes) == BETTER
    assert await graded.record("fresh1", "a", 0.1, "maximize", yes) is None
    ledger.forget()
    resumed = GradedSubmissions(ledger, 2)
    assert await resumed.record("holdout", "b", 0.6, "maximize", yes) is None
    assert await resumed.record("holdout", "e", 0.65, "maximize", no) == BETTER
    assert await resumed.record("holdout", "f", 0.64, "maximize", yes) == NOT_BETTER
    forked = Ledger(tmp_path / "fork.sqlite")
    forked.inherit(tmp_path / "ledger.sqlite")
    assert await GradedSubmissions(forked, 2).record("holdout", "g", 0.1, "maximize", yes) == NOT_BETTER
    forked.close()
    ledger.close()


async def test_a_run_beyond_the_limit_compares_in_full_precision_and_shows_standings(tmp_path: Path) -> None:
    limited, events = Scenario(METHOD), list[Event]()
    settings = Settings.resolve({**FULL, "runs_dir": tmp_path / "runs", "accept": "better", "max_graded": 3})
    options = limited.options(on_event=events.append)
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    free = Scenario(METHOD)
    other = await solve(tmp_path, free, FULL, run_id="free")
    assert (result.winner, sorted(limited.ran)) == (other.winner, sorted(free.ran))
    planner = "".join(limited.prompts["planner"])
    assert re.search(r'score="(not )?better than the best"', planner)
    assert "gain=" not in planner
    assert {NOT_BETTER, BETTER} <= {event.standing for event in events}
    assert not [event for event in events if event.standing and (event.score or event.standard_error)]
    assert "than the best" not in "".join(free.prompts["planner"])
