"""A layout from outside the package, named in `task.toml`, for a whole run with scripts that are executed."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

import mlestar
from mlestar.data.task import Task
from mlestar.evaluation import Grader, check_submission, infer_split, search_holdout, stage
from mlestar.runners import LocalRunner
from tests.unit.paths import ROOT
from tests.unit.scenario import SMALL, Scenario, fence

SCRIPT = """
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression


def read(name):
    with open(f"input/{name}", encoding="utf-8") as file:
        return [line.rstrip("\\n") for line in file]


def main():
    pairs = [line.split("\\t", 1) for line in read("train.txt")]
    labels, texts = zip(*pairs)
    words = CountVectorizer().fit(texts)
    kept = len(texts) * 4 // 5
    model = LogisticRegression(C=CONSTANT).fit(words.transform(texts[:kept]), labels[:kept])
    print("Final Validation Performance:", model.score(words.transform(texts[kept:]), labels[kept:]))
    model = LogisticRegression(C=CONSTANT).fit(words.transform(texts), labels)
    predicted = model.predict(words.transform(read("test.txt")))
    pd.DataFrame({"label": predicted}).to_csv("submission.csv", index=False)


main()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    sys.modules.pop("own_layout", None)
    task: Path = importlib.import_module("own_layout").write_task(tmp_path / "task")
    return task


def test_a_holdout_is_written_by_the_layout(folder: Path, tmp_path: Path) -> None:
    task = Task.load(folder)
    assert (task.spec.layout, task.spec.target, task.spec.id) == ("labelled lines", ("label",), None)
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "input")
    lines, real = ((path / "train.txt").read_text().splitlines() for path in (tmp_path / "input", folder))
    assert lines == [real[row] for row in holdout.train]
    texts = (tmp_path / "input/test.txt").read_text().splitlines()
    assert texts == [real[row].split("\t")[1] for row in holdout.withheld]
    right = pd.DataFrame({"label": [real[row].split("\t")[0] for row in holdout.withheld]})
    right.to_csv(tmp_path / "right.csv", index=False)
    assert Grader(task, holdout).grade(tmp_path / "right.csv").score == 1.0


def test_a_run_solves_a_task_in_a_layout_of_ones_own(folder: Path, tmp_path: Path) -> None:
    scripts = [fence(SCRIPT.replace("CONSTANT", value)) for value in ("1.0", "10.0")]
    scenario = Scenario(initializer=scripts, merger="no code")
    settings = {**SMALL, "outer_steps": 0, "runs_dir": tmp_path / "runs"}
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    result = mlestar.solve(folder, settings=settings, model=scenario.model(), runner=runner)
    assert result.status == "solved"
    assert result.score is not None
    assert result.score.fresh == 1.0
    assert result.submission is not None
    assert check_submission(Task.load(folder), Path(result.submission)) == ""
    assert "a line of train.txt is a label, a tab and a text" in scenario.prompts["initializer"][0]
