"""The offline engineer's scripts run, and their submissions are valid, on tables of many shapes."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.memorizing import find_memorizing
from mlestar.agents.script import reported_score
from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from mlestar.runtime.row_values import read_row_values
from mlestar.state import ModelCard
from tests.unit.offline_context import CARD, brief_of, candidate, mixed_rows, run, score_of, write_task

DRAW = np.random.default_rng(1)
SIZE = 120
X = DRAW.normal(size=SIZE)
NOISE = 0.1 * DRAW.normal(size=SIZE)


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(SIZE), **columns})


SHAPES = {
    "only categories": (table(a=DRAW.choice(list("uvw"), SIZE), y=np.where(X > 0, "p", "q")), "y", "accuracy"),
    "one number": (table(x=X, y=3 * X + NOISE), "y", "rmse"),
    "no id": (pd.DataFrame({"x": X, "z": NOISE, "y": X + NOISE}), "y", "mae"),
    "odd names": (
        table(**{'a "quoted" name, too': X, "größe [m]": NOISE, "{j:1}": X * 2, "class": [f"é {v > 0}" for v in X]}),
        "class",
        "balanced_accuracy",
    ),
    "empty and constant columns": (table(k=1, m=np.nan, x=X, y=X > 0), "y", "f1"),
    "grades": (table(x=X, z=NOISE, y=np.digitize(X + NOISE, [-0.7, 0.7]) + 1), "y", "qwk"),
    "days": (table(day=pd.date_range("2024-01-01", periods=SIZE).astype(str), y=np.exp(1 + X**2)), "y", "rmsle"),
    "probabilities": (table(x=X, z=NOISE, y=(X + NOISE > 0).astype(int)), "y", "log_loss"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_candidate_scores_itself_and_writes_a_valid_submission(shape: str, tmp_path: Path) -> None:
    rows, target, metric = SHAPES[shape]
    folder = write_task(tmp_path / "task", rows, target, metric, placeholder=0.5 if metric == "log_loss" else None)
    script = candidate(brief_of(folder))
    assert find_memorizing(script, read_row_values(Task.load(folder), None)) is None
    printed = run(script, folder, tmp_path / "work")
    assert reported_score(printed) is not None
    assert check_submission(Task.load(folder), tmp_path / "work" / "submission.csv") == ""


@pytest.mark.parametrize("name", ["ExtraTrees", "Linear model on splines", "MLP (neural network)"])
def test_every_family_of_models_learns(name: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows(), "label", "accuracy")
    printed = run(candidate(brief_of(folder), ModelCard(name=name)), folder, tmp_path / "work")
    assert score_of(printed) > 0.75


def test_several_rows_of_a_key_are_summarized_in_several_ways(tmp_path: Path) -> None:
    amounts = DRAW.exponential(size=(SIZE, 5))
    spending = pd.DataFrame({"client": np.repeat(np.arange(SIZE), 5), "amount": amounts.ravel(), "shop": "a"})
    rows = table(client=np.arange(SIZE), y=amounts.max(axis=1) - amounts[:, -1])
    folder = write_task(tmp_path / "task", rows, "y", "mae")
    spending.to_csv(folder / "spending.csv", index=False)
    printed = run(candidate(brief_of(folder)), folder, tmp_path / "work")
    assert score_of(printed) < 0.6 * rows["y"].sub(rows["y"].median()).abs().mean()


def test_an_auxiliary_table_is_looked_up_by_its_key(tmp_path: Path) -> None:
    shop = DRAW.choice([f"shop {n}" for n in range(8)], SIZE)
    sizes = pd.DataFrame({"shop": [f"shop {n}" for n in range(8)], "size": np.arange(8) ** 2.0})
    rows = table(shop=shop, y=pd.Series(shop).map(sizes.set_index("shop")["size"]) + NOISE)
    folder = write_task(tmp_path / "task", rows, "y", "mae")
    sizes.to_csv(folder / "sizes.csv", index=False)
    script = candidate(brief_of(folder))
    assert "look_up(rows, 'sizes.csv'" in script
    assert score_of(run(script, folder, tmp_path / "work")) < 3


def test_rows_of_one_group_stay_in_one_fold(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows(), "label", "accuracy")
    brief = brief_of(folder)
    assert brief.split is not None
    split = brief.split.model_copy(update={"kind": "group", "column": "kind", "group_rule": None})
    script = candidate(brief.model_copy(update={"split": split}))
    scope: dict[str, Any] = {"__name__": "script"}
    exec(compile(script, "script", "exec"), scope)
    train = pd.read_csv(folder / "train.csv", dtype=str)
    folds = scope["make_folds"](train, np.zeros(len(train)))
    assert all(not set(train["kind"].iloc[fit]) & set(train["kind"].iloc[test]) for fit, test in folds)


def test_a_large_table_is_sampled_in_a_marked_block(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows(), "label", "accuracy")
    brief = brief_of(folder).model_copy(update={"subsample_rows": 100})
    assert "MAX_TRAIN_ROWS = 100" in candidate(brief)
    assert "MAX_TRAIN_ROWS" not in candidate(brief_of(folder))


def test_the_sample_has_the_latest_rows_in_whatever_order_they_are(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows(), "label", "accuracy")
    brief = brief_of(folder).model_copy(update={"subsample_rows": 100})
    assert brief.split is not None
    split = brief.split.model_copy(update={"kind": "time", "column": "number", "group_rule": None})
    scope: dict[str, Any] = {"__name__": "script"}
    exec(compile(candidate(brief.model_copy(update={"split": split})), "script", "exec"), scope)
    (folder / "input").symlink_to(folder)
    with contextlib.chdir(folder):
        train, _ = scope["load"]()
    latest = pd.read_csv(folder / "train.csv")["number"].nlargest(100)
    assert sorted(train["number"].astype(float)) == pytest.approx(sorted(latest))


def test_the_same_prompt_gets_the_same_script(tmp_path: Path) -> None:
    brief = brief_of(write_task(tmp_path / "task", mixed_rows(), "label", "accuracy"))
    assert candidate(brief, CARD) == candidate(brief, CARD)


def write_semicolons(folder: Path, rows: pd.DataFrame, metric: str) -> Path:
    """Write a task folder with semicolons and decimal commas, as spreadsheets of many countries export it."""
    write_task(folder, rows, "y", metric, placeholder=0)
    for path in folder.glob("*.csv"):
        pd.read_csv(path).to_csv(path, index=False, sep=";", decimal=",")
    return folder


@pytest.mark.parametrize(("metric", "limit"), [("rmse", 0.8), ("auroc", None)])
def test_decimal_commas_are_learned_as_numbers_and_submitted(metric: str, limit: float | None, tmp_path: Path) -> None:
    y = 3 * X + NOISE if limit else (X + NOISE > 0).astype(int)
    folder = write_semicolons(tmp_path / "task", table(x=X, z=NOISE, y=y), metric)
    printed = run(candidate(brief_of(folder)), folder, tmp_path / "work")
    assert score_of(printed) < limit if limit else score_of(printed) > 0.9
    lines = (tmp_path / "work" / "submission.csv").read_text().splitlines()
    assert lines[0] == "id;y"
    assert all(line.count(",") == 1 and "." not in line for line in lines[1:])
    assert check_submission(Task.load(folder), tmp_path / "work" / "submission.csv") == ""


WRITTEN = {
    "thousands": lambda values: [f"{value * 1e6 + 5e6:,.0f}" for value in values],
    "dollars": lambda values: [f"${value * 1000 + 5000:,.2f}" for value in values],
    "percent": lambda values: [f"{value:.2f}%" for value in values],
    "parentheses": lambda values: [f"{value:.3f}" if value >= 0 else f"({-value:.3f})" for value in values],
    "minus behind": lambda values: [f"{value:.3f}" if value >= 0 else f"{-value:.3f}-" for value in values],
    "euros": lambda values: [f"{value * 1000:.2f} €".replace(".", ",") for value in values],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_are_learned_however_they_are_written(name: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", table(x=WRITTEN[name](X), y=3 * X + NOISE), "y", "rmse")
    assert score_of(run(candidate(brief_of(folder)), folder, tmp_path / "work")) < 0.8


def test_a_target_is_learned_however_it_is_written(tmp_path: Path) -> None:
    rows = table(x=X, y=[f"${value:,.2f}" for value in 20000 + 9000 * X])
    folder = write_task(tmp_path / "task", rows, "y", "rmse", placeholder="0.0")
    assert score_of(run(candidate(brief_of(folder)), folder, tmp_path / "work")) < 3000
    assert check_submission(Task.load(folder), tmp_path / "work" / "submission.csv") == ""


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%d/%m/%Y"])
def test_days_come_first_where_the_column_says_so(written: str, tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2023-01-03", periods=SIZE, freq="53h")).sample(frac=1, random_state=0)
    y = np.sin(days.dt.day_of_year / 58) * 5 + NOISE
    scores = []
    for number, form in enumerate(["%Y-%m-%d", written]):
        folder = write_task(tmp_path / f"task{number}", table(day=days.dt.strftime(form).tolist(), y=y), "y", "rmse")
        scores.append(score_of(run(candidate(brief_of(folder)), folder, tmp_path / f"work{number}")))
    assert scores[0] == scores[1] < 3


def test_rows_without_a_target_are_not_learned(tmp_path: Path) -> None:
    y = [f"{value:.3f}" for value in 3 * X + NOISE]
    y[2], y[5], y[8], y[11] = "NA", "null", "inf", ""
    folder = write_task(tmp_path / "task", table(x=X, y=y), "y", "rmse")
    assert score_of(run(candidate(brief_of(folder)), folder, tmp_path / "work")) < 0.8
    submitted = pd.read_csv(tmp_path / "work" / "submission.csv")["y"]
    assert submitted.abs().max() < 20
