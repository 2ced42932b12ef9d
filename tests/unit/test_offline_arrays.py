"""The offline engineer's scripts for arrays of signals run; their parts can be improved and studied."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.ensembling import Member
from mlestar.data.task import Task
from mlestar.evaluation import Grader, check_submission, search_holdout, stage
from mlestar.offline.kinds import all_kinds
from mlestar.offline.recipe import Idea
from mlestar.state import Brief, ModelCard
from tests.unit.offline_context import brief_of, candidate, code, facts_of, grade_on_holdout, improve, run, score_of
from tests.unit.signal_tasks import ARRAY_TASKS, channels_in_npy, vectors_in_npz, write_description

CONVOLUTIONS = ModelCard(name="Random convolutions")
TREES = ModelCard(name="ExtraTrees")
KIND = next(kind for kind in all_kinds() if kind.name == "arrays")
LEAST = {
    "vectors": 0.9,
    "channels": -0.3,
    "many channels": 0.9,
    "hdf5": -0.3,
    "cells": 0.9,
    "tables": 0.9,
    "files": -1.8,
}
"""By task the lowest score that a script must reach; an error counts with a minus. Guesses reach a third of it, or
twice the error."""


def first_script(brief: Brief, card: ModelCard) -> str:
    """Return a first script with fewer folds and rounds, which learns these small tasks as well."""
    return re.sub(r"FOLDS = \d+", "FOLDS = 2", re.sub(r"(n_estimators|max_iter)=\d+", r"\1=25", candidate(brief, card)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return channels_in_npy(tmp_path_factory.mktemp("signals") / "task")


@pytest.fixture(scope="module")
def brief(folder: Path) -> Brief:
    return brief_of(folder)


@pytest.mark.parametrize("name", ARRAY_TASKS)
def test_a_script_learns_from_arrays_in_every_form(name: str, tmp_path: Path) -> None:
    task_folder = ARRAY_TASKS[name](tmp_path / "task")
    brief = brief_of(task_folder)
    assert KIND.suits(facts_of(brief))
    printed = run(first_script(brief, CONVOLUTIONS), task_folder, tmp_path / "work")
    task = Task.load(task_folder)
    sign = 1 if task.spec.direction == "maximize" else -1
    assert sign * score_of(printed) > LEAST[name]
    assert check_submission(task, tmp_path / "work" / "submission.csv") == ""


@pytest.mark.parametrize("name", ["vectors", "hdf5", "cells", "tables"])
def test_a_script_is_graded_on_withheld_rows(name: str, tmp_path: Path) -> None:
    task_folder = ARRAY_TASKS[name](tmp_path / "task")
    brief = brief_of(task_folder)
    grade, _ = grade_on_holdout(first_script(brief, CONVOLUTIONS), task_folder, tmp_path)
    sign = 1 if brief.spec.direction == "maximize" else -1
    assert sign * grade > LEAST[name]


@pytest.mark.parametrize("name", ["ExtraTrees", "HistGradientBoosting", "Ridge"])
def test_every_family_of_models_learns(name: str, folder: Path, brief: Brief, tmp_path: Path) -> None:
    printed = run(first_script(brief, ModelCard(name=name)), folder, tmp_path / "work")
    assert score_of(printed) < 0.6


@pytest.mark.parametrize("ending", ["", ".npy"])
def test_files_of_train_and_test_rows_may_be_in_one_folder(ending: str, tmp_path: Path) -> None:
    folder, draw = write_description(tmp_path / "task", "accuracy", "Is the machine broken?"), np.random.default_rng(0)
    rows = pd.DataFrame({"id": [f"run{row}{ending}" for row in range(90)], "state": np.arange(90) % 2})
    (folder / "signals").mkdir()
    for row in range(90):
        wave = np.sin(np.arange(100 + row % 7) * (0.3 + 0.3 * (row % 2)))
        np.save(folder / "signals" / f"run{row}.npy", wave + 0.3 * draw.normal(size=len(wave)))
    rows[:60].to_csv(folder / "train.csv", index=False)
    rows[60:].assign(state=0).to_csv(folder / "sample_submission.csv", index=False)
    brief = brief_of(folder)
    assert KIND.suits(facts_of(brief))
    grade, printed = grade_on_holdout(first_script(brief, CONVOLUTIONS), folder, tmp_path)
    assert min(grade, score_of(printed)) > 0.9


def test_rows_without_test_and_one_hot_labels_are_read(tmp_path: Path) -> None:
    task_folder = vectors_in_npz(tmp_path / "task")
    with np.load(task_folder / "data.npz") as arrays:
        x, labels = arrays["x_train"], arrays["y_train"]
    (task_folder / "data.npz").unlink()
    np.savez(task_folder / "data.npz", x=x, y=np.eye(3)[labels])
    task, brief = Task.load(task_folder), brief_of(task_folder)
    assert brief.split is not None
    holdout = search_holdout(task, brief.split, seed=0)
    stage(task, holdout, tmp_path / "staged")
    run(first_script(brief, CONVOLUTIONS), tmp_path / "staged", tmp_path / "work")
    graded = Grader(task, holdout).grade(tmp_path / "work" / "submission.csv")
    assert graded.score is not None
    assert graded.score > 0.9


def test_a_sample_of_the_rows_keeps_their_labels(tmp_path: Path) -> None:
    task_folder = vectors_in_npz(tmp_path / "task")
    brief = brief_of(task_folder).model_copy(update={"subsample_rows": 40})
    script = first_script(brief, CONVOLUTIONS)
    assert "MAX_TRAIN_ROWS = 40" in script
    assert score_of(run(script, task_folder, tmp_path / "work")) > 0.8


def test_pictures_are_left_to_the_recipes_for_pictures(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "task", "accuracy", "Which digit is in the picture?")
    draw = np.random.default_rng(0)
    np.savez(
        folder / "data.npz",
        x_train=draw.random((40, 16, 16)),
        y_train=np.arange(40) % 2,
        x_test=draw.random((9, 16, 16)),
    )
    assert not KIND.suits(facts_of(brief_of(folder)))


@pytest.mark.parametrize("idea", KIND.ideas, ids=lambda idea: idea.name)
def test_every_idea_applies_to_a_script_that_then_runs(idea: Idea, folder: Path, brief: Brief, tmp_path: Path) -> None:
    changed = improve(first_script(brief, CONVOLUTIONS), idea, KIND) or improve(first_script(brief, TREES), idea, KIND)
    assert score_of(run(changed, folder, tmp_path / "work")) < 0.6


def test_merged_models_share_the_features(folder: Path, brief: Brief, tmp_path: Path) -> None:
    script = code("merger", brief, base=first_script(brief, CONVOLUTIONS), reference=first_script(brief, TREES))
    assert script.count("def level_features") == 1
    assert "def fit_predict_b" in script
    assert score_of(run(script, folder, tmp_path / "work")) < 0.6


def test_a_study_switches_parts_of_the_signals_off(folder: Path, brief: Brief, tmp_path: Path) -> None:
    script = code("ablator", brief, script=first_script(brief, CONVOLUTIONS), summaries=[])
    printed = run(script, folder, tmp_path / "work")
    assert "failed" not in printed
    for variant in KIND.variants:
        assert f"Ablation {variant.name}:" in printed


def test_an_ensemble_of_two_models_runs(folder: Path, brief: Brief, tmp_path: Path) -> None:
    codes = [first_script(brief, CONVOLUTIONS), first_script(brief, TREES)]
    members = [Member(id=f"s{number}", title="", score=0.3, code=text) for number, text in enumerate(codes)]
    script = code("ensembler", brief, solutions=members, plan="Take the plain average.", seconds=60)
    assert score_of(run(script, folder, tmp_path / "work")) < 0.6
