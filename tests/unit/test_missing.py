"""Codes that stand for missing values: recognised in descriptions and values, shown, and never learnt as numbers."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.missing import MissingRules, parse_numbers, read_rules
from mlestar.data.statistics import ColumnStatistics, column_statistics
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import infer_split, search_holdout
from mlestar.evaluation.holdout.holdout import labelled_rows
from tests.unit.golden_prompts import render
from tests.unit.missing_tables import KINDS, draw_ordinary, found_codes, same_codes, seeds, write_planted
from tests.unit.offline_context import brief_of, candidate, run, score_of, write_task

SIZE = 400
DRAW = np.random.default_rng(5)
X = DRAW.normal(3, 1, SIZE).round(2)
SOME = DRAW.random(SIZE) < 0.2
COLUMNS = ["CO(GT)", "pdays", "temp", "value", "depth"]


def rows(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(SIZE), "x": X, **columns})


def planted_cells(numbers: Iterable[float], code: str, count: int = 30) -> ColumnStatistics:
    return column_statistics("x", [*(f"{number:g}" for number in numbers), *[code] * count], MissingRules())


@pytest.mark.parametrize("kind", KINDS)
def test_planted_codes_are_recognised(kind: str, tmp_path: Path) -> None:
    for seed, rng in enumerate(seeds(3)):
        planted = KINDS[kind](rng)
        assert same_codes(found_codes(write_planted(planted, tmp_path / str(seed))), planted.codes)


def test_ordinary_tables_have_no_codes(tmp_path: Path) -> None:
    for seed, rng in enumerate(seeds(12)):
        assert found_codes(write_planted(draw_ordinary(rng), tmp_path / str(seed))) == {}


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Missing values are tagged with -200 value.", "-200"),
        ("999 means not recorded", "999"),
        ("Unknown values are coded as 9999.", "9999"),
        ("Missing values are marked `?`.", "?"),
        ("Values of 99.99 indicate that the sensor was off.", "99.99"),
        ("-1 = unknown", "-1"),
        ("Cells hold \u2212999 where nothing was measured.", "-999"),
        ("'unknown' stands for missing entries", "unknown"),
        ("Fehlende Werte sind mit -999 kodiert.", "-999"),
        ("The code 12345 is used for missing values", "12345"),
    ],
)
def test_a_description_names_codes(sentence: str, code: str) -> None:
    assert read_rules(sentence, COLUMNS).everywhere == (code,)


@pytest.mark.parametrize(
    "sentence",
    [
        "20 % of values are missing.",
        "The file holds 9999 rows, some of which have missing values.",
        "Rows with missing values (about 300) were removed.",
        "-1 is not a missing value.",
        "Missing values are imputed with the mean of 5 neighbours.",
        "Some values are missing and left blank. The metric is RMSE.",
        "0 means that nothing was measured.",
    ],
)
def test_other_numbers_of_a_description_are_no_codes(sentence: str) -> None:
    assert read_rules(sentence, COLUMNS) == MissingRules()


@pytest.mark.parametrize(
    "line",
    [
        "| pdays | days since the last contact; 999 = never contacted |",
        "- `pdays`: days since the last contact (999 if unknown)",
        "pdays: number of days (numeric; 999 means client was not previously contacted)",
        "In `pdays`, a value of 999 denotes missing readings.",
    ],
)
def test_a_code_of_one_column_is_no_code_of_others(line: str) -> None:
    rules = read_rules(line, COLUMNS)
    assert rules.by_column == {"pdays": ("999",)}
    assert rules.everywhere == ()


def test_a_code_for_all_columns_is_an_ordinary_value_of_some() -> None:
    rules = MissingRules(everywhere=("-1",), guess=False)
    assert column_statistics("balance", [str(value) for value in range(-5, 20)] * 5, rules).missing_codes == ()
    assert column_statistics("count", [str(value) for value in range(-1, 20)] * 5, rules).missing_codes == ("-1",)


def test_the_figures_of_a_column_are_without_its_codes() -> None:
    column = planted_cells(np.linspace(1, 9, 90), "-999.0", count=10)
    assert (column.kind, column.minimum, column.missing_codes) == ("float", "1", ("-999.0",))
    assert column.missing == column.coded == 0.1


def test_a_word_among_numbers_does_not_make_a_column_of_categories() -> None:
    assert planted_cells(np.linspace(1, 9, 90), "unknown").kind == "float"
    assert planted_cells([1, 2], "unknown").kind == "category"


def test_a_cut_tail_a_zero_and_a_frequent_price_are_no_codes() -> None:
    tail = np.sort(DRAW.pareto(1, 500) + 1)
    assert planted_cells(tail[tail < 99], "99", count=6).missing_codes == ()
    assert planted_cells(np.linspace(40, 60, 90), "0").missing_codes == ()
    assert planted_cells([price + 0.99 for price in range(4, 60)] * 3, "999.99").missing_codes == ()


def test_a_code_of_one_column_is_one_where_it_lies_nearer_to_the_others(tmp_path: Path) -> None:
    near = DRAW.normal(190, 90, SIZE).clip(-99).round(1)
    assert planted_cells(near, "-200", count=40).missing_codes == ()
    frame = rows(a=np.where(SOME, -200, X), b=np.where(SOME, -200, near), y=np.where(SOME, -200, near[::-1]))
    task = Task.load(write_task(tmp_path, frame, "y", "rmse"))
    assert found_codes(task) == {"a": {"-200.0"}, "b": {"-200.0"}, "y": {"-200.0"}}
    assert task.spec.missing_targets == ("-200.0",)


def test_a_code_of_one_column_is_no_code_among_the_values_of_another(tmp_path: Path) -> None:
    inside = DRAW.normal(-150, 90, SIZE).round(1)
    counts = DRAW.choice([-200, -100, 0, 100, 200], SIZE)
    frame = rows(a=np.where(SOME, -200, X), b=np.where(SOME, -200, inside), c=counts, y=X)
    assert found_codes(Task.load(write_task(tmp_path, frame, "y", "rmse"))) == {"a": {"-200.0"}}


def test_the_least_change_in_percent_is_no_code() -> None:
    assert planted_cells(DRAW.normal(2, 8, 300).round(1), "-100").missing_codes == ()
    assert planted_cells(DRAW.normal(2, 8, 300).round(1), "-999").missing_codes == ("-999",)


def test_infinite_numbers_beside_codes_are_left_alone() -> None:
    column = column_statistics("x", [*map(str, np.linspace(1, 9, 90)), "inf", *["-999"] * 9], MissingRules())
    assert column.missing_codes == ("-999",)


def test_features_that_only_rows_without_a_label_lack_are_reported(tmp_path: Path) -> None:
    failed = DRAW.random(SIZE) < 0.25
    y, z = np.where(failed, -200, X), np.where(failed, -200, X[::-1])
    together = infer_split(Task.load(write_task(tmp_path / "together", rows(z=z, y=y), "y", "rmse")))
    assert "z is missing in" in together.evidence[-1]
    assert "but in 0% of the rows with a label" in together.evidence[-1]
    apart = rows(z=np.where(SOME, -200, X[::-1]), y=y)
    assert (
        "is missing in" not in infer_split(Task.load(write_task(tmp_path / "apart", apart, "y", "rmse"))).evidence[-1]
    )


def test_rows_with_a_coded_target_are_never_withheld(tmp_path: Path) -> None:
    y = np.where(SOME, "-200", (10 * X).round(1).astype(str))
    task = Task.load(write_task(tmp_path, rows(y=y), "y", "rmse"))
    train = y[: len(task.train.rows)]
    assert task.spec.missing_targets == ("-200",)
    assert np.array_equal(labelled_rows(task), train != "-200")
    withheld = search_holdout(task, infer_split(task), seed=0).withheld
    assert "-200" not in train[withheld]
    dropped = int((train == "-200").sum())
    assert any(f"{dropped} rows of train.csv without a target" in note for note in task.notes)


@pytest.mark.parametrize("word", ["unknown", "NA", "null", "missing"])
def test_words_in_a_target_of_numbers_are_missing(word: str, tmp_path: Path) -> None:
    y = np.where(SOME, word, (10 * X).round(1).astype(str))
    task = Task.load(write_task(tmp_path, rows(y=y), "y", "rmse"))
    assert labelled_rows(task).sum() == (y[: len(task.train.rows)] != word).sum()


def test_a_class_may_be_called_unknown_or_look_like_a_code(tmp_path: Path) -> None:
    for place, label in enumerate(("unknown", "-999")):
        y = np.where(SOME, label, DRAW.integers(1, 7, SIZE).astype(str))
        task = Task.load(write_task(tmp_path / str(place), rows(y=y), "y", "accuracy"))
        assert label in task.spec.classes
        assert task.spec.missing_targets == ()
        assert found_codes(task) == {}
        assert labelled_rows(task).all()


def test_codes_can_be_set_and_switched_off(tmp_path: Path) -> None:
    folder = write_task(tmp_path, rows(z=np.where(SOME, -200, X), w=np.where(SOME, 3.33, X), y=X), "y", "rmse")
    assert found_codes(Task.load(folder)) == {"z": {"-200.0"}}
    assert found_codes(Task.load(folder, missing=[])) == {}
    set_codes = Task.load(folder, missing=["3.33"])
    assert "3.33" in found_codes(set_codes)["w"]
    assert "-200.0" not in found_codes(set_codes).get("z", ())
    with pytest.raises(TaskError, match="did you mean 'missing'"):
        Task.load(folder, missin=["1"])


def test_check_shows_a_line_for_a_code_and_one_for_many_columns(tmp_path: Path) -> None:
    single = Task.load(write_task(tmp_path / "one", rows(z=np.where(SOME, -200, X), y=X), "y", "rmse"))
    share = 100 * SOME[:300].mean()
    assert f"column z: -200.0 in {share:.1f} % of rows is read as missing (from the values)" in single.notes
    many = {f"z{number}": np.where(SOME, -200, X + number) for number in range(30)}
    notes = Task.load(write_task(tmp_path / "many", rows(**many, y=X), "y", "rmse")).notes
    assert [note for note in notes if "-200" in note] == [
        f"30 columns (z0, z1, z2, ...): -200.0 in {share:.1f} % of rows is read as missing (from the values)"
    ]


def test_prompts_name_codes_and_what_to_do_with_them(tmp_path: Path) -> None:
    folder = write_task(tmp_path, rows(z=np.where(SOME, -200, X), y=np.where(SOME, -999, X)), "y", "rmse")
    prompt = render("initializer", brief=brief_of(folder))
    assert '"missing_codes": ["-200.0"]' in prompt
    assert '"missing_targets": ["-999.0"]' in prompt
    assert "replace them in train, in test" in prompt
    assert "has no label: drop it" in prompt


def test_offline_scripts_never_learn_codes(tmp_path: Path) -> None:
    z = 10 * X + DRAW.normal(0, 1, SIZE)
    frame = rows(a=np.where(DRAW.random(SIZE) < 0.2, -999, X), y=np.where(SOME, -200, z.round(1))).drop(columns="x")
    frame.loc[frame.index >= 300, "y"] = z[300:]
    folder = write_task(tmp_path / "task", frame, "y", "rmse")
    reported = score_of(run(candidate(brief_of(folder)), folder, tmp_path / "work"))
    predictions = pd.read_csv(tmp_path / "work" / "submission.csv")["y"]
    # Learnt as numbers, the codes lead to an error above 40.
    assert reported < 10
    assert np.sqrt(np.mean((predictions - z[300:]) ** 2)) < 10


def test_numbers_are_read_from_texts() -> None:
    assert parse_numbers([" 3", "-200.0", "x"]).tolist()[:2] == [3, -200]


def test_codes_are_found_in_columns_of_any_number_style() -> None:
    cells = [f"{number:.2f}".replace(".", ",") for number in np.linspace(1, 9, 90)]
    column = column_statistics("x", [*cells, *["-200"] * 10, *["unknown"] * 5], MissingRules())
    assert (column.kind, column.number_format) == ("float", "1234,5")
    assert set(column.missing_codes) == {"-200", "unknown"}
