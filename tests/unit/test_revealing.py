"""Side files: labels of withheld rows cannot be read from what is staged, and features stay as they are."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Holdout, search_holdout, stage
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.revealing import decide, describe_left_out, vouched_lines, without_revealing
from tests.unit.revealing_folders import LEAKS, LEGITIMATE, Side, load_task, make_frame, write_sides, write_task

CHANCE = 0.3
"""What the best of hundreds of ways to join gains by chance, on the few rows that it joins."""
SEEDS = (1, 2, 3)
PLAN = SplitPlan(kind="random", fraction=0.3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def stage_sides(task: Task, folder: Path) -> Holdout:
    holdout = search_holdout(task, PLAN, seed=1)
    stage(task, holdout, folder)
    return holdout


@pytest.mark.parametrize("name", LEAKS)
def test_a_script_cannot_read_withheld_labels(data: Path, tmp_path: Path, name: str) -> None:
    kind, side = LEAKS[name]
    train, test = write_task(data, make_frame(0, kind=kind), 0)
    (file, *_) = write_sides(data, side, train, test, 0)
    task = load_task(data, kind=kind)
    holdout = stage_sides(task, tmp_path / "input")
    staged = tmp_path / "input" / file
    if "cities" in name:
        assert not staged.exists() or "x" not in pd.read_csv(staged).columns
        return
    assert staged.is_file(), "the records of other rows stay"
    whole = len(pd.read_csv(data / file))
    assert whole * 0.5 < len(pd.read_csv(staged)) < whole
    assert attack(tmp_path / "input", task, holdout, file) < CHANCE < attack(data, task, holdout, file)


@pytest.mark.parametrize("name", LEGITIMATE)
def test_features_are_staged_as_they_are(data: Path, tmp_path: Path, name: str) -> None:
    kind, side = LEGITIMATE[name]
    train, test = write_task(data, make_frame(0, kind=kind), 0)
    files = write_sides(data, side, train, test, 0)
    stage_sides(load_task(data, kind=kind), tmp_path / "input")
    for file in files:
        assert (tmp_path / "input" / file).read_bytes() == (data / file).read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["class", "several", "value"])
@pytest.mark.parametrize("sides", [LEAKS, LEGITIMATE], ids=["leaks", "features"])
def test_files_are_told_apart_on_other_data_too(
    data: Path, sides: dict[str, tuple[str, Side]], kind: str, seed: int
) -> None:
    train, test = write_task(data, make_frame(seed, kind=kind), seed)
    files: dict[str, str] = {}
    for name, (of_kind, side) in sides.items():
        if of_kind == kind:
            folder = name.replace(" ", "_")
            (data / folder).mkdir()
            files |= {f"{folder}/{file}": name for file in write_sides(data / folder, side, train, test, seed)}
    task = load_task(data, kind=kind)
    assert [name for file, name in files.items() if decide(task, file).is_whole != (sides is LEGITIMATE)] == []


def test_a_table_by_hour_is_staged_although_its_days_look_like_ids(data: Path) -> None:
    rng = np.random.default_rng(0)
    hours = pd.date_range("2024-01-01", periods=24 * 90, freq="h").strftime("%Y-%m-%d %H:%M")
    series = pd.Series(100 + np.cumsum(rng.normal(size=len(hours))).round(2), name="load")
    rows = pd.DataFrame({"id": range(len(hours)), "datetime": hours}).assign(load=series)
    rows[: 24 * 60].to_csv(data / "train.csv", index=False)
    rows[24 * 60 :].drop(columns="load").to_csv(data / "test.csv", index=False)
    rows[24 * 60 :][["id", "load"]].assign(load=0.0).to_csv(data / "sample_submission.csv", index=False)
    weather = pd.DataFrame({"datetime": hours, "wind": rng.gamma(2, 3, len(hours)).round(1)})
    weather.to_csv(data / "weather.csv", index=False)
    assert decide(load_task(data, kind="value"), "weather.csv").is_whole


@pytest.mark.parametrize("text", ["header", "turned", "parts", "labels"])
def test_a_file_that_cannot_be_cut_is_left_out_of_every_input(data: Path, tmp_path: Path, text: str) -> None:
    train, _ = write_task(data, make_frame(0), 0)
    labels, ids = train["label"].tolist(), train["id"].astype(str).tolist()
    texts = {
        "header": "\n".join(labels),
        "turned": ",".join(ids) + "\n" + ",".join(labels),
        "parts": "what\n" + "\n".join(f"{key}:{label}" for key, label in zip(ids, labels, strict=True)),
        "labels": "label\n" + "\n".join(labels[:100]),
    }
    (data / "extra.csv").write_text(texts[text] + "\n")
    task = load_task(data)
    holdout = stage_sides(task, tmp_path / "input")
    stage(task, None, tmp_path / "real")
    assert len(holdout.withheld)
    assert not (tmp_path / "input/extra.csv").exists()
    assert not (tmp_path / "real/extra.csv").exists()
    assert describe_left_out(task)[0].startswith("extra.csv is left out of every input")


def test_a_table_that_is_cut_is_whole_in_the_real_input(data: Path, tmp_path: Path) -> None:
    train, test = write_task(data, make_frame(0), 0)
    write_sides(data, LEAKS["a code"][1], train, test, 0)
    task = load_task(data)
    stage(task, None, tmp_path / "real")
    assert (tmp_path / "real/extra.csv").read_bytes() == (data / "extra.csv").read_bytes()
    assert describe_left_out(task) == ()


def test_a_rate_is_left_out_of_the_real_input_too_and_other_columns_stay(data: Path, tmp_path: Path) -> None:
    train, _ = write_task(data, make_frame(0), 0)
    rates = (train["label"] == "yes").groupby(train["city"]).mean().rename("x").reset_index().assign(people=range(30))
    rates.to_csv(data / "extra.csv", index=False)
    task = load_task(data)
    stage_sides(task, tmp_path / "input")
    stage(task, None, tmp_path / "real")
    for name in ("input", "real"):
        assert (tmp_path / name / "extra.csv").read_text().startswith("city,people\n")
    assert describe_left_out(task) == ("extra.csv is staged without 'x': 'x' is the mean of the target (city = city)",)


def test_a_file_that_cannot_be_read_is_left_out_unless_a_person_vouches_for_it(data: Path, tmp_path: Path) -> None:
    write_task(data, make_frame(0), 0)
    (data / "weights.bin").write_bytes(b"\0\1" * 500)
    stage_sides(load_task(data), tmp_path / "input")
    assert not (tmp_path / "input/weights.bin").exists()
    assert vouched_lines(load_task(data)) == ()
    task = load_task(data, auxiliary=["weights.bin"])
    stage_sides(task, tmp_path / "vouched")
    assert (tmp_path / "vouched/weights.bin").read_bytes() == (data / "weights.bin").read_bytes()
    (line,) = vouched_lines(task)
    assert line.startswith("weights.bin is staged as it is, since `auxiliary` in task.toml vouches for it")


def test_nobody_can_vouch_for_labels_of_rows(data: Path, tmp_path: Path) -> None:
    train, test = write_task(data, make_frame(0), 0)
    write_sides(data, LEAKS["another name"][1], train, test, 0)
    task = load_task(data, auxiliary=["extra.csv"])
    stage_sides(task, tmp_path / "input")
    assert len(pd.read_csv(tmp_path / "input/extra.csv")) < len(train)


def test_agents_see_only_what_is_staged(data: Path) -> None:
    train, test = write_task(data, make_frame(0, kind="value"), 0)
    (data / "more").mkdir()
    (data / "more/weights.bin").write_bytes(b"\0\1" * 500)
    write_sides(data, LEAKS["a logarithm"][1], train, test, 0)
    rates = train.groupby("city")["price"].mean().rename("x").reset_index().assign(people=range(30))
    rates.to_csv(data / "rates.csv", index=False)
    task = load_task(data, kind="value")
    kept = search_holdout(task, PLAN, seed=1).train
    shown = without_revealing(task, kept)
    files = {file.file: file for file in shown.statistics}
    assert "more/" not in files
    assert shown.spec.auxiliary == ("extra.csv", "rates.csv")
    assert [column.name for column in files["rates.csv"].columns] == ["city", "people"]
    assert all(len(record) == 2 for record in files["rates.csv"].records)
    assert files["extra.csv"].rows == len(kept)
    (column,) = [column for column in files["extra.csv"].columns if column.name == "x"]
    assert float(str(column.maximum)) == np.log(train["price"].iloc[kept]).max().round(3)


def attack(staged: Path, task: Task, holdout: Holdout, file: str) -> float:
    """Return the share of the withheld labels that a script can read from a side file, above guessing.

    It joins the file by each of its columns and pairs of columns, and by the order of the rows, learns from the rows
    of train which value goes with which label, and predicts each withheld row by the nearest value.
    """
    side = pd.read_csv(staged / file, dtype=str)
    rows = task.train.rows
    labels = rows[task.spec.target[0]].to_numpy()
    if task.spec.problem == "regression":
        labels = pd.qcut(labels.astype(float), 4).codes
    keys = [_last_numbers(rows[column]) for column in rows.columns[:-1]]
    keys += [keys[1] + "/" + keys[3], pd.Series(np.arange(len(rows)).astype(str))]
    keys.append(pd.Series((np.arange(len(rows)) + 1).astype(str)))
    theirs = [_last_numbers(side[column]) for column in side.columns]
    theirs += [one + "/" + other for one, other in itertools.permutations(theirs, 2)]
    theirs.append(pd.Series(np.arange(len(side)).astype(str)))
    return max(
        _gain(side[value], labels, _places(own, their), holdout)
        for value in side.columns
        for own in keys
        for their in theirs
    )


def _places(own: "pd.Series[str]", their: "pd.Series[str]") -> np.ndarray:
    """Return the first record of each row of train by a key; -1 where there is none."""
    first = np.flatnonzero(~their.duplicated())
    places = pd.Index(their.iloc[first]).get_indexer(pd.Index(own))
    return np.where(places >= 0, first[places], -1)


def _gain(values: "pd.Series[str]", labels: np.ndarray, places: np.ndarray, holdout: Holdout) -> float:
    known = holdout.train[places[holdout.train] >= 0]
    asked = holdout.withheld[places[holdout.withheld] >= 0]
    if len(known) < 50 or not len(asked):
        return 0.0
    codes = pd.to_numeric(values, errors="coerce")
    codes = codes if codes.notna().all() else pd.Series(pd.factorize(values)[0])
    shown, asking = codes.to_numpy()[places[known]], codes.to_numpy()[places[asked]]
    order = np.argsort(shown, kind="stable")
    nearest = np.clip(np.searchsorted(shown[order], asking), 0, len(known) - 1)
    hits = np.mean(labels[known][order][nearest] == labels[asked])
    guess = pd.Series(labels[holdout.withheld]).value_counts(normalize=True).iloc[0]
    return float(max(hits - guess, 0) / (1 - guess) * len(asked) / len(holdout.withheld))


def _last_numbers(cells: "pd.Series[str]") -> "pd.Series[str]":
    return cells.str.extract(r"([\d.]*\d)\D*$")[0].str.lstrip("0").fillna("none").reset_index(drop=True)
