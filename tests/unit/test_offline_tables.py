"""Which models the offline engineer begins with on a table, and what they learn that others do not."""

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.offline.ideas import carry_out, ideas_for
from mlestar.offline.kinds import find_kind, usable_models
from mlestar.offline.merging import merge_models
from mlestar.offline.refinement import blocks_of
from mlestar.offline.rendering import template
from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate, data, facts_of, run, score_of, write_task

PACKAGES = ("scikit-learn", "numpy", "pandas", "scipy", "lightgbm", "xgboost", "catboost")
DRAW = np.random.default_rng(3)
SIZE = 400


@pytest.fixture(autouse=True)
def _on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripts use one thread: on a busy machine threads wait for each other longer than these tables take."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def numbers(columns: int, rows: int = SIZE) -> pd.DataFrame:
    return pd.DataFrame(DRAW.normal(size=(rows, columns)).round(4)).add_prefix("x")


def clusters(classes: int, columns: int, rows: int = SIZE) -> pd.DataFrame:
    """Numbers around a centre for each class."""
    codes = np.arange(rows) % classes
    centres = 3 * np.random.default_rng(0).normal(size=(classes, columns))
    return (numbers(columns, rows) + centres[codes]).assign(y=[f"class {code}" for code in codes])


def pairs(rows: int = 600) -> pd.DataFrame:
    """A target that is a table of one category against another."""
    left, right = DRAW.integers(0, 8, rows), DRAW.integers(0, 6, rows)
    names = {"left": [f"l{code}" for code in left], "right": [f"r{code}" for code in right]}
    values = np.random.default_rng(1).normal(size=(8, 6))[left, right] + 0.05 * DRAW.normal(size=rows)
    return pd.DataFrame({**names, "x": DRAW.normal(size=rows).round(3), "y": values.round(4)})


def definitions(script: str) -> dict[str, Any]:
    """Return what a script defines."""
    defined: dict[str, Any] = {"__name__": "script"}
    exec(compile(script, "main.py", "exec"), defined)
    return defined


TABLES = {
    "many classes of few numbers": (clusters(12, 5), "accuracy", ["kernel", "linear"]),
    "many classes of many numbers": (clusters(12, 50), "accuracy", ["lightgbm", "linear"]),
    "pairs of categories": (pairs(), "rmse", ["lightgbm", "factors"]),
    "few rows": (numbers(3).assign(y=lambda rows: rows["x0"] * 2), "rmse", ["lightgbm", "linear"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_first_models_follow_from_the_table(name: str, tmp_path: Path) -> None:
    rows, metric, expected = TABLES[name]
    brief = brief_of(write_task(tmp_path / "task", rows, "y", metric), PACKAGES)
    kind = find_kind(facts_of(brief))
    assert kind is not None
    assert list(kind.first_models(facts_of(brief)))[:2] == expected
    words = [next(model.words[0] for model in kind.models if model.name == one) for one in expected]
    assert [card["name"] for card in data("retriever", brief, results=[], count=2)["cards"]] == words


def test_a_model_of_factors_needs_categories(tmp_path: Path) -> None:
    facts = facts_of(brief_of(write_task(tmp_path / "task", clusters(3, 4), "y", "accuracy"), PACKAGES))
    kind = find_kind(facts)
    assert kind is not None
    assert "factors" not in {model.name for model in usable_models(kind, facts)}


def test_a_table_of_two_categories_is_learned_exactly(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    folder = write_task(tmp_path / "task", pairs(), "y", "rmse")
    script = candidate(brief_of(folder, PACKAGES), ModelCard(name="factors"))
    assert score_of(run(script, folder, tmp_path / "work")) < 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_factors_are_merged_with_boosting(classes: int, tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    rows = pairs().assign(y=lambda rows: "class " + pd.qcut(rows["y"], classes, labels=False).astype(str))
    folder = write_task(tmp_path / "task", rows, "y", "accuracy")
    scripts = [candidate(brief_of(folder, PACKAGES), ModelCard(name=name)) for name in ("lightgbm", "factors")]
    for first, second in (scripts, reversed(scripts)):
        merged = merge_models(first, second)
        assert merged is not None
        assert score_of(run(merged, folder, tmp_path / f"work {first is scripts[0]}")) > 0.8


def test_factors_tell_classes_apart_that_have_a_single_row(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    rows = pairs().assign(y=lambda rows: np.where(rows["y"] > 0, "high", np.where(rows["y"] < -1, "low", "middle")))
    rows.loc[3, "y"] = "only"
    folder = write_task(tmp_path / "task", rows, "y", "accuracy")
    script = candidate(brief_of(folder, PACKAGES), ModelCard(name="factors"))
    assert score_of(run(script, folder, tmp_path / "work")) > 0.9


def test_factors_are_fitted_where_no_class_has_two_rows(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    rows = pairs().assign(y=lambda rows: "class " + pd.qcut(rows["y"], 5, labels=False).astype(str))
    brief = brief_of(write_task(tmp_path / "task", rows, "y", "accuracy"), PACKAGES)
    defined = definitions(candidate(brief, ModelCard(name="factors")))
    x = pd.DataFrame({"left": pd.Categorical(list("abcab")), "x": np.arange(5.0)})
    assert defined["fit_predict"](x, np.arange(5), [x], 0)[0].shape == (5, 5)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
@pytest.mark.parametrize("name", ["kernel", "linear"])
def test_classes_of_few_rows_are_told_apart(name: str, metric: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", clusters(12, 5, 240), "y", metric)
    if metric == "log_loss":
        names = [f"class {code}" for code in range(12)]
        sample = pd.read_csv(folder / "sample_submission.csv").drop(columns="y")
        sample.assign(**dict.fromkeys(names, 1 / 12)).to_csv(folder / "sample_submission.csv", index=False)
    score = score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name=name)), folder, tmp_path / "work"))
    assert score > 0.8 if metric == "accuracy" else score < 0.7


def test_similarities_follow_a_curved_surface(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    rows = pd.DataFrame(draw.normal(size=(900, 2)), columns=["x0", "x1"])
    target = np.sin(4 * rows["x0"]) * np.cos(3 * rows["x1"]) + 0.05 * draw.normal(size=len(rows))
    folder = write_task(tmp_path / "task", rows.assign(y=target), "y", "rmse")
    score = score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name="kernel")), folder, tmp_path / "work"))
    assert score < 0.2


@pytest.mark.parametrize("metric", ["rmse", "accuracy"])
def test_a_linear_model_drops_columns_that_do_not_matter(metric: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    rows = pd.DataFrame(draw.normal(size=(160, 150))).add_prefix("x")
    sums = rows["x0"] - 2 * rows["x1"] + rows["x2"]
    target = sums + 0.1 * draw.normal(size=160) if metric == "rmse" else np.where(sums > 0, "high", "low")
    folder = write_task(tmp_path / "task", rows.assign(y=target), "y", metric)
    score = score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name="linear")), folder, tmp_path / "work"))
    assert score < 0.5 if metric == "rmse" else score > 0.85


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
def test_boosting_counts_its_rounds_on_rows_held_out(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    rows = numbers(4).assign(kind=DRAW.choice(["a", "b"], SIZE), y=lambda rows: rows["x0"] + rows["x1"] ** 2)
    folder = write_task(tmp_path / "task", rows, "y", "rmse")
    script = candidate(brief_of(folder, PACKAGES), ModelCard(name=name))
    assert "hold_out(x, y, seed)" in script
    assert score_of(run(script, folder, tmp_path / "work")) < rows["y"].std() / 2


def test_catboost_fits_rows_with_equal_targets(tmp_path: Path) -> None:
    pytest.importorskip("catboost")
    rows = numbers(2, 60).assign(y=lambda rows: rows["x0"])
    script = candidate(brief_of(write_task(tmp_path / "task", rows, "y", "rmse"), PACKAGES), ModelCard(name="catboost"))
    x = rows[["x0", "x1"]]
    assert definitions(script)["fit_predict"](x, np.full(60, 2.0), [x], 0)[0] == pytest.approx(2)


@pytest.mark.parametrize("together", [False, True])
def test_rounds_are_counted_where_rows_are_equal(together: bool, tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    rows = pd.DataFrame({"left": DRAW.choice(list("abc"), SIZE), "right": DRAW.choice(list("de"), SIZE)})
    folder = write_task(tmp_path / "task", rows.assign(y=(rows["left"] == "a") * 2.0), "y", "rmse")
    brief = brief_of(folder, PACKAGES)
    assert brief.split is not None
    split = brief.split.model_copy(update={"keep_duplicates": together})
    script = candidate(brief.model_copy(update={"split": split}), ModelCard(name="lightgbm"))
    assert np.isfinite(score_of(run(script, folder, tmp_path / "work")))


def visits() -> pd.DataFrame:
    """Rows of people at days, in no order, some of them equal."""
    draw = np.random.default_rng(4)
    people, days = np.arange(SIZE) % 40, draw.integers(0, 90, SIZE)
    rows = pd.DataFrame({"person": people, "day": days, "x": draw.normal(size=SIZE).round(3)})
    rows.iloc[300:] = rows.iloc[:100].to_numpy()
    return rows.astype({"person": int, "day": int}).assign(y=lambda rows: rows["x"] + rows["person"] % 7)


SPLITS: dict[str, dict[str, Any]] = {
    "group": {"kind": "group", "column": "person"},
    "space": {"kind": "space", "column": "day", "columns": ("day", "person"), "widths": (20.0, 20.0)},
    "time": {"kind": "time", "column": "day", "fraction": 0.2},
    "series": {"kind": "series", "column": "day", "series": ("person",), "fraction": 0.2},
    "copies": {"keep_duplicates": True},
}


def fitted_rows(split: str, model: str, folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return what a script for a split defines, and rows of a fold with their features and target."""
    brief = brief_of(write_task(folder, visits(), "y", "rmse"), PACKAGES)
    assert brief.split is not None
    plan = brief.split.model_copy(update=SPLITS[split])
    defined = definitions(candidate(brief.model_copy(update={"split": plan}), ModelCard(name=model)))
    (folder / "input").symlink_to(folder)
    with contextlib.chdir(folder):
        train, test = defined["load"]()
        y, (x, _) = defined["read_target"](train), defined["build_features"](train, test)
        fit, _ = defined["make_folds"](train, y)[0]
    return defined, train.iloc[fit], x.iloc[fit], y[fit]


def names_of_units(split: str, rows: pd.DataFrame) -> pd.Series:
    """Return what rows of one side may not share with those of the other."""
    if split == "space":
        return (rows["day"].astype(int) // 20).astype(str) + " " + (rows["person"].astype(int) // 20).astype(str)
    return rows["person"] if split == "group" else rows[["person", "day", "x"]].agg(" ".join, axis=1)


@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_held_out_as_those_of_test_are_chosen(split: str, tmp_path: Path) -> None:
    defined, rows, x, y = fitted_rows(split, "linear", tmp_path / "task")
    held = defined["hold_out"](x, y, 0)
    assert 0.1 < held.mean() < 0.3
    if split in ("group", "space", "copies"):
        names = names_of_units(split, rows)
        assert not set(names[held]) & set(names[~held])
        return
    days = rows["day"].astype(int)
    if split == "time":
        assert days[held].min() > days[~held].max()
    else:
        latest = days[~held].groupby(rows["person"]).max()
        assert (days[held] >= rows["person"][held].map(latest)).all()


@pytest.mark.parametrize("split", ["group", "time"])
def test_parts_of_rows_are_apart_as_train_and_test_are(split: str, tmp_path: Path) -> None:
    defined, rows, x, _ = fitted_rows(split, "factors", tmp_path / "task")
    part = pd.Series(defined["inner_parts"](x.index, 0, 4), index=rows.index)
    assert set(part) == set(range(4))
    if split == "group":
        assert (part.groupby(rows["person"]).nunique() == 1).all()
    else:
        days = rows["day"].astype(int).groupby(part)
        assert (days.min()[1:].to_numpy() >= days.max()[:-1].to_numpy()).all()


@pytest.mark.parametrize("split", ["group", "time"])
@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost", "linear"])
def test_models_learn_with_rows_held_out_like_those_of_test(name: str, split: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn" if name == "linear" else name)
    defined, _, x, y = fitted_rows(split, name, tmp_path / "task")
    assert "hold_out" in defined
    predictions = defined["fit_predict"](x[:150], y[:150], [x], 0)[0]
    assert np.mean((predictions - y) ** 2) < np.var(y)


def test_target_means_do_not_depend_on_the_index_of_the_rows() -> None:
    """Rows of a group have the same one."""
    defined: dict[str, Any] = {"np": np, "pd": pd}
    exec(template("tables/ideas/target_means.py.jinja"), defined)
    x, y = pd.DataFrame({"kind": pd.Categorical(DRAW.choice(list("abc"), 120))}), DRAW.normal(size=120)
    plain, _ = defined["add_target_means"](x, y, [x], 0)
    grouped, _ = defined["add_target_means"](x.set_axis(np.arange(120) // 40), y, [x], 0)
    np.testing.assert_array_equal(grouped["kind_target"], plain["kind_target"])


@pytest.mark.parametrize(("classes", "logarithms"), [(2, False), (3, True)])
def test_probabilities_of_several_classes_are_averaged_as_logarithms(
    classes: int, logarithms: bool, tmp_path: Path
) -> None:
    brief = brief_of(write_task(tmp_path / "task", clusters(classes, 4), "y", "accuracy"), PACKAGES)
    scripts = [candidate(brief, ModelCard(name=name)) for name in ("linear", "kernel")]
    merged = merge_models(*scripts)
    assert merged is not None
    assert ("logarithms = " in merged) == logarithms
    score = score_of(run(merged, tmp_path / "task", tmp_path / "work"))
    assert score > 0.9


def test_scripts_that_compute_their_classes_are_merged() -> None:
    script = "CLASSES = [str(code) for code in range(3)]\n\n\ndef fit_predict(x, y, others, seed):\n    return others\n"
    merged = merge_models(script, script)
    assert merged is not None
    assert "logarithms = " not in merged


@pytest.mark.parametrize("clock", ["date", "number", "panel"])
def test_no_feature_is_made_of_the_time_without_which_a_model_is_fitted(clock: str, tmp_path: Path) -> None:
    draw, steps = np.random.default_rng(3), np.arange(600) // (6 if clock == "panel" else 1)
    days = pd.Timestamp("2020-06-01") + pd.to_timedelta(2 * steps, unit="D")
    times = 2000 + steps if clock == "number" else days.strftime("%Y-%m-%d")
    rows = pd.DataFrame({"day": times, "kind": np.resize(list("abcdef"), 600), "x": draw.normal(size=600)})
    brief = brief_of(write_task(tmp_path / "task", rows.assign(y=rows["x"] + steps / 100), "y", "rmse"), PACKAGES)
    assert brief.split is not None
    split = brief.split.model_copy(update={"kind": "time", "column": "day", "fraction": 0.2, "span": None})
    script = candidate(brief.model_copy(update={"split": split}), ModelCard(name="linear"))
    block = blocks_of(script)["build_features"]
    plans = {idea.name: idea.plan for idea in ideas_for(block)}
    changed = definitions(script.replace(block, carry_out(block, f"{plans['crosses']} {plans['pairs']}")))
    cells = rows.astype(str)
    made = changed["build_features"](cells.iloc[:500], cells.iloc[500:])[0]
    time = "day" if clock == "number" else "day_days"
    assert time in made
    assert any("_with_" in name or "_minus_" in name for name in made)
    made_of_time = re.compile(f"(?:day_year|{time})_(?:with|per|less)|(?:with|per|less)_(?:day_year|{time})")
    assert [name for name in made if made_of_time.search(name)] == []


@pytest.mark.parametrize("name", ["xgboost", "linear"])
def test_numbers_beyond_single_precision_are_read(name: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(240), "size": draw.normal(size=240), "other": draw.normal(size=240)})
    rows["y"] = np.where(rows["size"] > 0, "yes", "no")
    rows["size"] = (1e200 * rows["size"]).where(rows.index % 50 > 0, 1.7e308)
    folder = write_task(tmp_path / "task", rows, "y", "accuracy")
    assert score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name=name)), folder, tmp_path / "work")) > 0.85


def test_the_time_between_two_dates_is_a_feature(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    begin = pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 500_000, 300), unit="min")
    minutes = draw.integers(5, 120, 300)
    rows = pd.DataFrame({"id": range(300), "begin": begin.astype(str)})
    rows["end"] = (begin + pd.to_timedelta(minutes, unit="min")).astype(str)
    rows["y"] = 2.0 * minutes
    folder = write_task(tmp_path / "task", rows, "y", "mae")
    assert (
        score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name="lightgbm")), folder, tmp_path / "work")) < 15
    )


def test_a_table_of_values_that_occur_once_is_left_to_models_that_accept_constants(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    codes = [f"#{value:06x}" for value in draw.integers(0, 1 << 24, 200)]
    rows = pd.DataFrame({"id": range(200), "colour": codes, "y": draw.normal(size=200)})
    folder = write_task(tmp_path / "task", rows, "y", "rmse")
    facts = facts_of(brief_of(folder, PACKAGES))
    kind = find_kind(facts)
    assert kind is not None
    usable = [model.name for model in usable_models(kind, facts)]
    assert "catboost" not in usable
    assert (
        score_of(run(candidate(brief_of(folder, PACKAGES), ModelCard(name="catboost")), folder, tmp_path / "work")) > 0
    )
    assert "xgboost" in usable
