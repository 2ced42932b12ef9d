"""A script that builds features from the target is detected by measurement, repaired, and not chosen for its score."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.runners import LocalRunner
from tests.unit.scenario import cards, fence

LEAK = 'feature = train.groupby("cabin")["label"].transform("mean")'
CLEAN = 'feature = train["x"]'
SCRIPT = """import pandas as pd
from sklearn.linear_model import LogisticRegression

train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")


def build(train):
    {block}
    return pd.DataFrame({{"x": train["x"], "feature": feature}})


features = build(train)
half = len(train) // 2
model = LogisticRegression().fit(features[:half], train["label"][:half])
score = model.score(features[half:], train["label"][half:])
unseen = pd.DataFrame({{"x": test["x"], "feature": train["label"].mean()}})
test["label"] = model.predict(unseen)
test[["id", "label"]].to_csv("submission.csv", index=False)
print("Final Validation Performance:", score)
"""


@pytest.fixture
def passengers(tmp_path: Path) -> Path:
    """Write a task of 600 passengers whose cabin is nearly unique, so that the cabin's mean label is their own."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.arange(600), "cabin": rng.integers(0, 2000, 600), "x": rng.normal(size=600)})
    frame["label"] = (frame["x"] + rng.normal(scale=1.5, size=600) > 0).astype(int)
    folder = tmp_path / "passengers"
    folder.mkdir()
    (folder / "task.md").write_text("Who was transported?\n\n## Evaluation\nAccuracy.\n", encoding="utf-8")
    frame[:450].to_csv(folder / "train.csv", index=False)
    frame[450:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    frame[450:][["id"]].assign(label=0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def answer(role: str, prompt: str) -> str:
    """Reply like an engineer who overlooks the leak until it is measured."""
    replies = {
        "analyst": fence("{}", "json"),
        "retriever": cards("logistic regression"),
        "initializer": fence(SCRIPT.format(block=LEAK)),
        "usage_checker": "ALL USED",
        "leakage_fixer": fence(CLEAN),
    }
    if role == "leakage_checker":
        leak = "<evidence>" in prompt and LEAK in prompt
        finding = {"leak": leak, "block": LEAK if leak else "", "reason": "the label is its own feature"}
        return fence(json.dumps(finding), "json")
    return replies[role]


async def test_a_leak_is_detected_by_measurement_and_repaired(passengers: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, str]] = []

    def record(role: str, prompt: str) -> str:
        calls.append((role, prompt))
        return answer(role, prompt)

    # The repaired script learns from half of the rows; a baseline that is better would be submitted in its place.
    quick = {"profile": "quick", "outer_steps": 0, "retrieval": "none", "baselines": False}
    settings = {**quick, "runs_dir": tmp_path / "runs"}
    runner = LocalRunner(work_dir=tmp_path)
    result = await mlestar.asolve(passengers, settings=settings, model=ScriptedModel(answer=record), runner=runner)
    await runner.aclose()
    evidence = [prompt for role, prompt in calls if role == "leakage_checker" and "<evidence>" in prompt]
    assert evidence
    assert "standard errors worse" in evidence[0]
    (row,) = result.solutions
    score = row.score
    assert score.reported is not None
    assert score.holdout is not None
    assert score.holdout_se is not None
    assert score.reported < 0.9
    assert abs(score.reported - score.holdout) < 3 * score.holdout_se
    solution = (tmp_path / "runs" / result.run_id / "solution.py").read_text(encoding="utf-8")
    assert LEAK not in solution
    assert CLEAN in solution
