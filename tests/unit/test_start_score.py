"""The score that the offline engineer adds to a script: which rows it withholds, and what it computes of them."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.offline.adapting.scoring import add_score
from tests.unit.offline_context import brief_of, facts_of, write_task


def rows(size: int = 120) -> pd.DataFrame:
    draw = np.random.default_rng(2)
    days = pd.date_range("2024-01-01", periods=size).strftime("%Y-%m-%d")
    values = {"id": np.arange(size), "day": days, "clinic": draw.integers(0, 12, size), "x": draw.normal(size=size)}
    return pd.DataFrame(values)


def functions(folder: Path, monkeypatch: pytest.MonkeyPatch, split: SplitPlan | None = None) -> dict[str, Any]:
    """Return what the ending of a script defines for a task, without its score."""
    brief = brief_of(folder)
    if split is not None:
        brief = brief.model_copy(update={"split": split})
    monkeypatch.setenv("VALIDATION_OF_START", "1")
    defined: dict[str, Any] = {}
    exec(compile(add_score("x = 1\n", facts_of(brief)), "main.py", "exec"), defined)
    return defined


def divide(defined: dict[str, Any], folder: Path, work: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the rows that are withheld, and the train and test rows of the input without them."""
    (work / "input").symlink_to(folder)
    with contextlib.chdir(work):
        held = defined["write_part"](work / "part")
    parts = [pd.read_csv(work / "part/input" / name, dtype=str) for name in ("train.csv", "test.csv")]
    return held, parts[0], parts[1]


@pytest.mark.parametrize(
    ("split", "column"),
    [
        (SplitPlan(kind="time", column="day", fraction=0.2), "day"),
        (SplitPlan(kind="group", column="clinic", fraction=0.2), "clinic"),
        (SplitPlan(kind="random", fraction=0.2), ""),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_rows_are_withheld_as_the_test_differs(
    split: SplitPlan, column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows()
    folder = write_task(tmp_path / "task", frame.assign(y=frame["x"] * 2), "y", "rmse")
    held, train, test = divide(functions(folder, monkeypatch, split), folder, tmp_path)
    assert 10 <= len(held) <= 30
    assert len(train) + len(held) == 90
    assert set(test["id"]) == set(held["id"])
    assert not set(test["id"]) & set(train["id"])
    assert list(test) == ["id", "day", "clinic", "x"]
    if column == "day":
        assert train["day"].max() <= held["day"].min()
    if column == "clinic":
        assert not set(train["clinic"]) & set(held["clinic"])


def withhold(
    metric: str, label: Any, work: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[..., float], pd.DataFrame]:
    """Return what scores predictions of a label, and the rows that are withheld."""
    frame = rows()
    folder = write_task(work / "task", frame.assign(y=label(frame)), "y", metric)
    defined = functions(folder, monkeypatch)
    held, _, _ = divide(defined, folder, work)
    return defined["score_part"], held


def probabilities(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.where(frame["x"] > 0.4, "b", np.where(frame["x"] < -0.4, "c", "a")))


@pytest.mark.parametrize(
    ("metric", "label", "right"),
    [
        ("accuracy", probabilities, 1.0),
        ("macro_f1", probabilities, 1.0),
        ("qwk", lambda frame: (frame["x"] > 0).astype(int) + (frame["x"] > 1).astype(int), 1.0),
        ("roc_auc", lambda frame: (frame["x"] > 0).astype(int), 1.0),
        ("log_loss", lambda frame: (frame["x"] > 0).astype(int), 0.0),
        ("mae", lambda frame: frame["x"].round(3), 0.0),
        ("rmsle", lambda frame: frame["x"].abs().round(3), 0.0),
    ],
)
def test_right_predictions_get_the_best_score(
    metric: str, label: Any, right: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_part, held = withhold(metric, label, tmp_path, monkeypatch)
    assert score_part(held, held[["id", "y"]]) == pytest.approx(right, abs=1e-5)
    wrong = held[["id"]].assign(y=held["y"].sample(frac=1, random_state=3).to_numpy())
    assert score_part(held, wrong) != pytest.approx(right, abs=1e-3)


@pytest.mark.parametrize(
    ("metric", "label", "right"),
    [("accuracy", probabilities, 1.0), ("mae", lambda frame: frame["x"].round(3), 0.0)],
)
def test_predictions_belong_to_their_ids_in_whatever_order(
    metric: str, label: Any, right: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_part, held = withhold(metric, label, tmp_path, monkeypatch)
    shuffled = held[["id", "y"]].sample(frac=1, random_state=1).reset_index(drop=True)
    assert score_part(held, shuffled) == pytest.approx(right, abs=1e-5)
    with pytest.raises(ValueError, match="one row for each id"):
        score_part(held, held[["id", "y"]].iloc[[0, *range(len(held) - 1)]].reset_index(drop=True))


def test_where_the_rows_cannot_be_divided_the_script_still_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_task(tmp_path / "task", rows().assign(y=1.5), "y", "rmse")
    defined = functions(folder, monkeypatch)
    monkeypatch.chdir(tmp_path)  # as a script that has gone to another folder, without ./input
    assert np.isnan(defined["validate"]())
    assert "cannot be scored" in capsys.readouterr().out
    assert not (tmp_path / "validation_of_start").exists()
