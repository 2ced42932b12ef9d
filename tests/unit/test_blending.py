"""Blends of stored predictions: their weights, their scales, and the script that makes the same blend again."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.memorizing import find_memorizing
from mlestar.agents.script import check_script, reported_score
from mlestar.data.task import Task
from mlestar.evaluation import Grader, Holdout, infer_split, search_holdout
from mlestar.evaluation.answers import Answers
from mlestar.evaluation.blending.combine import blend_tables, mix, read_table, stack_members
from mlestar.evaluation.blending.fitted import cross_fitted
from mlestar.evaluation.blending.scales import NotBlendedError, find_scales
from mlestar.evaluation.blending.script import Part, read_members, replace_members, write_blend
from mlestar.evaluation.blending.weights import MAX_MEMBERS, Fit, first_half, fit_blend
from mlestar.runners import Job, LocalRunner
from mlestar.runners.supply.needs import Needs, read_needs
from tests.unit.offline_context import write_task

Column = np.ndarray
Members = Mapping[str, Column]


def grader_of(folder: Path, target: Column, metric: str, *, rows: int = 800) -> Grader:
    """Return the grader of a task whose train rows have this target first."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(rows), "x": draw.normal(size=rows), "y": np.resize(target, rows)})
    placeholder = 0.5 if metric in ("auroc", "log_loss") else None
    task = Task.load(write_task(folder, frame, "y", metric, placeholder=placeholder))
    holdout: Holdout = search_holdout(task, infer_split(task), seed=0)
    return Grader(task, holdout)


def submit(folder: Path, grader: Grader, members: Members) -> list[Path]:
    """Write the predictions of each member for the withheld rows; theirs are for all rows of train."""
    withheld = grader.holdout.withheld
    ids = grader.task.train.rows["id"].iloc[withheld].to_numpy()
    paths = []
    for name, predicted in members.items():
        paths.append(folder / f"{name}.csv")
        pd.DataFrame({"id": ids, "y": predicted[withheld]}).to_csv(paths[-1], index=False)
    return paths


def fit(answers: Answers, paths: list[Path], seconds: float = 1.0, limit: float = 100.0) -> Fit:
    return fit_blend(answers, paths, [seconds] * len(paths), limit)


def gain_of(folder: Path, grader: Grader, answers: Answers, paths: list[Path]) -> tuple[float, float]:
    """Return by how much the cross-fitted blend is better than the best member, and the error of that."""
    rows = np.arange(len(answers.units))
    scores = [answers.score_rows(pd.read_csv(path)["y"].to_numpy(), rows) for path in paths]
    best = paths[int(np.argmin(scores))]
    text = cross_fitted(grader.form, grader.units, paths, fit(answers, paths).halves)
    (folder / "blend.csv").write_text(text, encoding="utf-8")
    comparison = answers.compare(folder / "blend.csv", best)
    return comparison.difference, comparison.standard_error


def noisy(seed: int, *, shared: float, own: float, count: int = 5) -> tuple[Column, Members]:
    """Return a target and members whose errors have a part in common and a part of their own."""
    draw = np.random.default_rng(seed)
    target = 5 + draw.normal(size=800)
    common = target + shared * draw.normal(size=800)
    return target, {f"m{number}": common + own * draw.normal(size=800) for number in range(count)}


def test_the_better_mix_of_independent_errors_is_found_and_confirmed(tmp_path: Path) -> None:
    target, members = noisy(1, shared=0.0, own=0.5, count=3)
    grader = grader_of(tmp_path / "task", target, "rmse")
    paths = submit(tmp_path, grader, members)
    weights = fit(grader.answers, paths).whole.weights
    assert min(weights) > 0.2
    gain, error = gain_of(tmp_path, grader, grader.answers, paths)
    assert gain > 3 * error


def test_members_that_differ_by_noise_alone_are_rarely_blended_and_never_hurt(tmp_path: Path) -> None:
    grader, kept = grader_of(tmp_path / "task", noisy(0, shared=0, own=0)[0], "rmse"), []
    for seed in range(20):
        target, members = noisy(seed, shared=0.5, own=0.002)
        answers = replace(grader.answers, row_truth=target[grader.holdout.withheld], resamples=40)
        gain, error = gain_of(tmp_path, grader, answers, submit(tmp_path, grader, members))
        assert gain >= -3 * error
        kept.append(gain > error)
    assert sum(kept) <= 6


def test_weights_owe_nothing_to_the_rows_that_they_are_used_on(tmp_path: Path) -> None:
    target, members = noisy(2, shared=0.3, own=0.3, count=4)
    grader = grader_of(tmp_path / "task", target, "rmse")
    paths = submit(tmp_path, grader, members)
    before = fit(grader.answers, paths).halves[0]
    second = ~first_half(grader.units)
    table = pd.read_csv(paths[0])
    table.loc[second, "y"] += 100
    table.to_csv(paths[0], index=False)
    assert fit(grader.answers, paths).halves[0] == before


def test_the_best_script_alone_is_on_the_scale_that_suits_it(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    # The mean of logarithms is better, but a negative value has none and becomes 0.
    target = np.where(draw.random(800) < 0.04, -1.0, 1.0) * np.exp(3 + 0.2 * draw.normal(size=800))
    noise = {name: np.exp(0.9 * draw.normal(size=800)) for name in "ab"}
    grader = grader_of(tmp_path / "task", target, "mape")
    found = fit(grader.answers, submit(tmp_path, grader, {name: target * factor for name, factor in noise.items()}))
    assert {half.scale for half in found.halves} == {"log"}
    assert {single.scale for single in found.singles} == {"value"}


def test_units_stay_in_one_half() -> None:
    units = np.repeat(np.arange(30), 7)
    first = first_half(units)
    assert {len(set(first[units == unit])) for unit in range(30)} == {1}
    assert 0.4 < first.mean() < 0.6


def test_members_and_their_seconds_are_limited(tmp_path: Path) -> None:
    target, members = noisy(3, shared=0.0, own=0.8, count=12)
    grader = grader_of(tmp_path / "task", target, "rmse")
    paths = submit(tmp_path, grader, members)
    assert np.count_nonzero(fit(grader.answers, paths).whole.weights) <= MAX_MEMBERS
    assert np.count_nonzero(fit(grader.answers, paths, seconds=30, limit=95).whole.weights) <= 3


def test_grades_get_the_weighted_median_and_names_the_weighted_vote() -> None:
    grades = [np.array([["1"], ["10"]], object), np.array([["2"], ["10"]], object), np.array([["10"], ["1"]], object)]
    values, labels = stack_members(grades, "median")
    assert mix(values, labels, [1, 1, 1], "median")[:, 0].tolist() == ["2", "10"]
    names = [np.array([[name]], object) for name in ("a", "b", "b")]
    values, labels = stack_members(names, "vote")
    assert mix(values, labels, [0.4, 0.3, 0.3], "vote")[0, 0] == "b"
    assert mix(values, labels, [0.6, 0.2, 0.2], "vote")[0, 0] == "a"


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("value", 0.5),
        ("probability", 0.5),
        ("log", np.expm1((np.log1p(0.1) + np.log1p(0.9)) / 2)),
        ("logit", 0.5),
        ("rank", 0.75),
    ],
)
def test_numbers_are_averaged_on_a_scale(scale: str, expected: float) -> None:
    first, second = np.array([[0.1], [0.05]]), np.array([[0.9], [0.95]])
    values, labels = stack_members([first, second], scale)
    assert mix(values, labels, [0.5, 0.5], scale)[0, 0] == pytest.approx(expected)


def test_ids_and_labels_that_lost_their_zeros_are_matched() -> None:
    first = pd.DataFrame({"id": ["007", "010", "03"], "y": ["01", "02", "02"]})
    second = pd.DataFrame({"id": ["3", "7", "10"], "y": ["1", "1", "2"]})
    blended = blend_tables([first, second], [0.4, 0.6], columns=["y"], scale="vote", key="id")
    assert blended["id"].tolist() == ["007", "010", "03"]
    assert blended["y"].tolist() == ["01", "02", "01"]


def test_labels_that_a_member_tells_apart_stay_apart() -> None:
    first, second = pd.DataFrame({"y": ["7", "7", "7"]}), pd.DataFrame({"y": ["007", "7", "007"]})
    assert blend_tables([first, second], [0.4, 0.6], columns=["y"], scale="vote")["y"].tolist() == ["007", "7", "007"]


def test_rows_that_share_an_id_are_matched_by_their_order() -> None:
    first, second = (pd.DataFrame({"id": ["a", "a", "b"], "y": cells}) for cells in (["1", "2", "3"], ["3", "4", "5"]))
    blended = blend_tables([first, second], [0.5, 0.5], columns=["y"], scale="value", key="id")
    assert blended["y"].tolist() == ["2.0", "3.0", "4.0"]


@pytest.mark.filterwarnings("ignore:Length of header")
def test_a_delimiter_at_the_end_of_a_line_moves_no_column(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_text("id,y\n1,0.5,\n2,0.7,\n", encoding="utf-8")
    table = read_table(tmp_path / "submission.csv", ["y"], ",")
    assert table.to_dict("list") == {"id": ["1", "2"], "y": ["0.5", "0.7"]}


def test_submissions_with_other_spellings_of_ids_are_cross_fitted(tmp_path: Path) -> None:
    target, members = noisy(4, shared=0.0, own=0.5, count=2)
    grader = grader_of(tmp_path / "task", target, "rmse")
    paths = submit(tmp_path, grader, members)
    table = pd.read_csv(paths[0], dtype=str)
    table.assign(id=table["id"] + ".0").iloc[::-1].to_csv(paths[0], index=False)
    table = pd.read_csv(paths[1], dtype=str)
    table.assign(id="0" + table["id"]).to_csv(paths[1], index=False)
    gain, error = gain_of(tmp_path, grader, grader.answers, paths)
    assert gain > 3 * error


def test_class_probabilities_add_up_to_one() -> None:
    draw = np.random.default_rng(0)
    members = [draw.dirichlet([1, 1, 1], 5) for _ in range(2)]
    values, labels = stack_members(members, "softmax")
    assert mix(values, labels, [0.3, 0.7], "softmax").sum(axis=1) == pytest.approx(1.0)


SCALES: dict[str, tuple[Callable[[np.random.Generator], Column], tuple[str, ...]]] = {
    "rmse": (lambda draw: draw.normal(size=800), ("value",)),
    "rmsle": (lambda draw: draw.uniform(1, 9, size=800), ("log",)),
    "mape": (lambda draw: draw.uniform(1, 9, size=800), ("log", "value")),
    "auroc": (lambda draw: draw.integers(0, 2, 800), ("rank",)),
    "log_loss": (lambda draw: draw.integers(0, 2, 800), ("probability", "logit")),
    "accuracy": (lambda draw: draw.choice(["a", "b"], 800), ("vote",)),
    "qwk": (lambda draw: draw.integers(1, 5, 800), ("median",)),
}


@pytest.mark.parametrize("metric", SCALES)
def test_the_scale_follows_from_the_metric(metric: str, tmp_path: Path) -> None:
    make, scales = SCALES[metric]
    form = grader_of(tmp_path / "task", make(np.random.default_rng(0)), metric).form
    assert find_scales(form) == scales


def test_texts_are_not_blended(tmp_path: Path) -> None:
    words = np.random.default_rng(0).choice(["one word", "two words", "no word"], 800)
    form = grader_of(tmp_path / "task", words, "exact_match").form
    with pytest.raises(NotBlendedError, match="texts"):
        find_scales(form)


def member(column: str, *, declares: str = "") -> str:
    """Return a script that predicts a column of the test table, with quotes of every kind in its text."""
    return f'''{declares}"""Don't say ''\\'."""
import os
import pandas as pd
assert os.listdir("input") and not os.path.exists("submission.csv")
test = pd.read_csv("input/test.csv")
print("a\\tb", r"\\d")
pd.DataFrame({{"id": test["id"], "y": test["{column}"]}}).sample(frac=1, random_state=1).to_csv(
    "submission.csv", index=False
)
print("Final Validation Performance: 0.{len(column)}")
'''


SOURCES = {
    "t0.c1": member("x"),
    "t0.r1.2": member("zz", declares='# /// script\n# dependencies = ["pandas"]\n# ///\n'),
    "e1": member("x") + "quotes = '''\"'''\nprint('Final Validation Performance: ...')\n",
}
WEIGHTS = {"t0.c1": 0.5, "t0.r1.2": 0.25, "e1": 0.25}


def blend_of(sources: Mapping[str, str], scale: str = "value") -> str:
    parts = [Part(name, source, WEIGHTS[name]) for name, source in sources.items()]
    return write_blend(parts, columns=["y"], scale=scale, key="id")


def test_members_are_held_unchanged_and_none_of_their_lines_is_the_blends_own() -> None:
    code = blend_of(SOURCES)
    assert check_script(code) == code
    assert read_members(code) == SOURCES
    assert read_needs(code) == Needs()
    assert find_memorizing(code, None) is None


@pytest.mark.parametrize(
    "source", ["x = 1\\", "a = '''\"\"\"'''", "x = 'a'", 'x = "a"', "x = 1\r\ny = 2\r\n", "\n", ""]
)
def test_any_text_can_be_held(source: str) -> None:
    assert read_members(blend_of({"t0.c1": source})) == {"t0.c1": source}


def test_a_member_can_be_replaced() -> None:
    code = replace_members(blend_of(SOURCES), {"e1": "print('''whole''')"})
    assert read_members(code) == {**SOURCES, "e1": "print('''whole''')"}


def test_a_member_can_be_replaced_by_what_another_one_was() -> None:
    sources = {"t0.c1": "x = 1", "e1": "x = 2"}
    code = replace_members(blend_of(sources), {"t0.c1": "x = 2", "e1": "x = 3"})
    assert read_members(code) == {"t0.c1": "x = 2", "e1": "x = 3"}


async def test_the_script_submits_what_was_scored(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    test = pd.DataFrame({"id": np.arange(50), "x": draw.normal(size=50), "zz": draw.normal(size=50)})
    folders = tmp_path / "input", tmp_path / "collect"
    for folder in folders:
        folder.mkdir()
    test.to_csv(folders[0] / "test.csv", index=False)
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    try:
        ended = await runner.run(Job(script=blend_of(SOURCES), input=folders[0], collect=folders[1]))
    finally:
        await runner.aclose()
    assert ended.status == "ok", ended.stderr
    columns = ("x", "zz", "x")
    tables = [test[["id", column]].rename(columns={column: "y"}).astype(str) for column in columns]
    expected = blend_tables(tables, list(WEIGHTS.values()), columns=["y"], scale="value", key="id")
    written = pd.read_csv(folders[1] / "submission.csv", dtype=str).sort_values("id", key=lambda ids: ids.astype(int))
    assert written["y"].tolist() == expected["y"].tolist()
    assert reported_score(ended.stdout) == pytest.approx(0.5 * 0.1 + 0.25 * 0.2 + 0.25 * 0.1)
