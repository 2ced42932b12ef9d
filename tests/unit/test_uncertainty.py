"""Intervals and sets with stated coverage: quantiles, coverage on simulated rows, and what has none."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlestar.data.layouts import SubmissionLines
from mlestar.errors import UserError
from mlestar.evaluation.answers import Answers
from mlestar.evaluation.grading_process import GradingProcess
from mlestar.evaluation.holdout.plan import SplitKind, SplitPlan
from mlestar.evaluation.uncertainty.calibration import (
    Calibration,
    NotCalibratedError,
    TargetQuantiles,
    calibrate,
    cover,
)
from mlestar.evaluation.uncertainty.conformal import (
    Tally,
    class_scores,
    class_sets,
    class_shares,
    conformal_quantiles,
    interval_bounds,
    needed_units,
    residuals,
    tally,
)
from mlestar.evaluation.uncertainty.record import CHECKED, LEVELS, LevelCheck, TargetUncertainty, Uncertainty
from mlestar.metrics import get_metric
from mlestar.report import Result
from mlestar.report.uncertainty import describe
from tests.unit.withheld import Spec, answers, submit

SECONDS = 60.0
NAN, INF = float("nan"), float("inf")


def quantiles_of(calibration: Calibration, target: int = 0) -> dict[float, float | None]:
    return dict(zip(LEVELS, calibration.targets[target].quantiles, strict=True))


def brute_force(scores: Sequence[float], units: Sequence[int], level: float) -> float | None:
    """Return the smallest score whose weight, with that of all smaller ones, reaches the level, in exact numbers."""
    sizes = {unit: Fraction(list(units).count(unit)) for unit in units}
    weights = [1 / (sizes[unit] * (len(sizes) + 1)) for unit in units]
    for limit in sorted(set(scores)):
        reached = sum((w for w, score in zip(weights, scores, strict=True) if score <= limit), Fraction(0))
        if reached >= Fraction(str(level)):
            return limit if math.isfinite(limit) else None
    return None


@pytest.mark.parametrize("rows", [1, 4, 9, 19, 20, 99, 150])
def test_quantiles_of_rows_have_the_rank_of_the_definition(rows: int) -> None:
    scores = np.random.default_rng(rows).normal(size=rows)
    ranked = sorted(scores)
    for level, quantile in zip(LEVELS, conformal_quantiles(scores, np.arange(rows), LEVELS), strict=True):
        rank = math.ceil((rows + 1) * Fraction(str(level)))
        assert quantile == (ranked[rank - 1] if rank <= rows else None)
        assert (quantile is None) == (rows < needed_units(level))


@pytest.mark.parametrize("seed", range(8))
def test_quantiles_of_units_and_ties_are_those_of_brute_force(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(3, 60))
    scores, units = draw.integers(0, 12, count).astype(float), draw.integers(0, int(draw.integers(2, 40)), count)
    scores[draw.random(count) < 0.05] = INF
    found = conformal_quantiles(scores, units, LEVELS)
    assert found == [brute_force(scores.tolist(), units.tolist(), level) for level in LEVELS]


def test_a_million_rows_and_units_lose_nothing_to_rounding() -> None:
    scores = np.arange(999_999.0)
    assert conformal_quantiles(scores, np.arange(999_999), [0.5, 0.8, 0.95]) == [499_999.0, 799_999.0, 949_999.0]
    # In threes: each unit has three rows with the same score.
    assert conformal_quantiles(scores // 3, np.arange(999_999) // 3, [0.5]) == [166_666.0]


def test_the_rows_that_are_needed_are_as_few_as_possible() -> None:
    assert [needed_units(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("rows", [24, 100])
def test_exchangeable_rows_are_covered_as_stated(rows: int, level: float) -> None:
    draw, trials = np.random.default_rng(rows), 4000
    covered = 0
    for _ in range(trials):
        scores = draw.standard_t(2, size=rows + 1) ** 2
        (quantile,) = conformal_quantiles(scores[:-1], np.arange(rows), [level])
        covered += scores[-1] <= (quantile or 0.0)
    expected = math.ceil((rows + 1) * Fraction(str(level))) / (rows + 1)  # without ties
    assert abs(covered / trials - expected) < 3 * math.sqrt(expected * (1 - expected) / trials)
    assert expected >= level


def test_rows_of_new_groups_are_covered_where_groups_differ() -> None:
    draw, trials, level = np.random.default_rng(5), 4000, 0.8
    units = np.repeat(np.arange(5), 20)
    covered, as_rows = 0, 0
    for _ in range(trials):
        scores = np.abs(np.repeat(draw.normal(0, 3, 5), 20) + draw.normal(size=100))
        new = abs(draw.normal(0, 3) + draw.normal())
        covered += new <= (conformal_quantiles(scores, units, [level])[0] or 0.0)
        as_rows += new <= (conformal_quantiles(scores, np.arange(100), [level])[0] or 0.0)
    error = math.sqrt(level * (1 - level) / trials)
    assert covered / trials > level - 2 * error
    assert as_rows / trials < level - 2 * error  # what comes of taking the rows of a group for independent


def test_intervals_have_the_coverage_stated_for_heteroscedastic_rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    predicted = draw.normal(10, 3, 6000)
    truth = predicted + draw.normal(size=6000) * np.where(predicted > 10, 4, 1)
    path, other = submit(tmp_path, predicted[:1000]), submit(tmp_path, predicted[1000:], name="fresh")
    calibration = calibrate(answers("rmse", truth[:1000]), path)
    checked = cover(answers("rmse", truth[1000:]), other, calibration)
    for level, covered in zip(CHECKED, checked.targets[0], strict=True):
        error = math.hypot(math.sqrt(level * (1 - level) / 5000), math.sqrt(level * (1 - level) / 1000))
        assert abs((covered.tally.coverage or 0) - level) < 3 * error
        assert covered.width == pytest.approx(2 * (quantiles_of(calibration)[level] or 0))
    noisy = np.abs(truth - predicted)[1000:] <= (quantiles_of(calibration)[0.8] or 0)
    assert noisy[predicted[1000:] > 10].mean() < 0.7  # the promise is for the mean over rows, not for every kind


def test_squared_logarithmic_errors_are_those_of_logarithms(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    predicted = np.exp(draw.normal(2, 1, 500))
    truth = np.expm1(np.log1p(predicted) + 0.3 * draw.normal(size=500)).clip(0)
    calibration = calibrate(answers("rmsle", truth), submit(tmp_path, predicted))
    assert calibration.scale == "log1p"
    quantile = quantiles_of(calibration)[0.8] or 0.0
    lower, upper = interval_bounds(predicted, quantile, "log1p")
    inside = (lower <= truth) & (truth <= upper)
    assert inside.mean() == pytest.approx(0.8, abs=0.003)
    assert inside[predicted > 20].mean() == pytest.approx(0.8, abs=0.1)
    assert (lower >= 0).all()


def test_percentages_are_those_of_logarithms_unless_a_value_is_not_positive(tmp_path: Path) -> None:
    truth, path = np.linspace(1, 9, 50), submit(tmp_path, np.linspace(1.1, 9, 50))
    assert calibrate(answers("mape", truth), path).scale == "log"
    assert calibrate(answers("mape", truth - 5), path).scale == "value"
    assert calibrate(answers("mae", truth), path).scale == "value"


@pytest.mark.parametrize("scale", ["value", "log", "log1p"])
def test_an_interval_has_the_values_whose_score_is_at_most_the_quantile(scale: str) -> None:
    values = np.array([-2.0, -0.4, 0.0, 0.3, 1.0, 7.0, 1e5])
    for center in (0.0, 0.5, 1.0, 30.0, -1.0):
        guesses = np.full(len(values), center)
        lower, upper = interval_bounds(guesses, 0.7, scale)  # type: ignore[arg-type]
        covered = residuals(values, guesses, scale) <= 0.7  # type: ignore[arg-type]
        assert ((lower <= values) & (values <= upper)).tolist() == covered.tolist()


def test_hostile_numbers_are_never_covered_and_give_no_quantile() -> None:
    values = np.array([1.0, NAN, INF, 1e308])
    assert residuals(values, np.array([1.0, 1.0, 1.0, -1e308]), "value").tolist() == [0.0, INF, INF, INF]
    assert residuals(np.array([-1.0]), np.array([1.0]), "log").tolist() == [INF]
    assert conformal_quantiles(np.array([0.1, INF, INF, INF]), np.arange(4), [0.5, 0.8]) == [None, None]
    lower, upper = interval_bounds(np.array([-1.0, 700.0]), 800.0, "log")
    assert np.isnan(lower[0])
    assert np.isnan(upper[0])
    assert np.isfinite(lower[1])
    assert class_sets(class_shares(np.array([[NAN, NAN], [0.0, 0.0]])), 0.5).sum() == 0


def test_a_value_at_the_end_of_an_interval_is_inside() -> None:
    for center, quantile, truth in ((1.0, 0.7, 0.3), (100.1, 100.0, 0.1), (0.1, 0.2, 0.3), (-1.0, 0.7, -0.3)):
        lower, upper = interval_bounds(np.array([center]), quantile, "value")
        assert lower[0] <= truth <= upper[0]
        assert upper[0] - lower[0] == pytest.approx(2 * quantile)


@pytest.mark.parametrize("cell", ["nan", "inf", "", "1e999", "x"])
def test_a_submission_without_numbers_is_not_calibrated(tmp_path: Path, cell: str) -> None:
    path = submit(tmp_path, np.array(["1.0", cell, *["2.0"] * 20], dtype=object))
    with pytest.raises(NotCalibratedError, match="column 'y', row 2"):
        calibrate(answers("mae", np.arange(22.0)), path)


def test_rounded_targets_are_covered_at_least_as_stated(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    predicted = draw.normal(5, 2, 3000).round()
    truth = predicted + draw.integers(-2, 3, 3000)
    calibration = calibrate(answers("mae", truth[:500]), submit(tmp_path, predicted[:500]))
    checked = cover(answers("mae", truth[500:]), submit(tmp_path, predicted[500:], name="fresh"), calibration)
    for level, covered in zip(CHECKED, checked.targets[0], strict=True):
        assert (covered.tally.coverage or 0) >= level


def classes(draw: np.random.Generator, rows: int, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and true classes, of which the first is the most frequent."""
    shares = draw.dirichlet(np.array([3.0, *[0.7] * (count - 1)]), size=rows)
    return shares, np.array([draw.choice(count, p=row) for row in shares])


def of_classes(truth: np.ndarray, names: Sequence[str]) -> Answers:
    columns = tuple(f"p_{name}" for name in names)
    spec: Spec = {"problem": "multiclass", "prediction_columns": columns, "classes": tuple(names)}
    return answers("log_loss", np.array(list(names), dtype=object)[truth], spec)


def test_sets_of_classes_have_the_coverage_stated(tmp_path: Path) -> None:
    shares, truth = classes(np.random.default_rng(4), 5000)
    names = ("1.0", "b", "c", "d")
    columns = [f"p_{name}" for name in names]
    calibration = calibrate(of_classes(truth[:800], names), submit(tmp_path, shares[:800], columns))
    assert (calibration.scale, calibration.unseen_classes) == ("probability", 0)
    checked = cover(of_classes(truth[800:], names), submit(tmp_path, shares[800:], columns, "fresh"), calibration)
    for level, covered in zip(CHECKED, checked.targets[0], strict=True):
        error = math.hypot(math.sqrt(level * (1 - level) / 4200), math.sqrt(level * (1 - level) / 800))
        assert abs((covered.tally.coverage or 0) - level) < 3 * error
        assert 0.5 < (covered.width or 0) < 4


def test_classes_that_no_withheld_row_has_are_counted(tmp_path: Path) -> None:
    shares, truth = classes(np.random.default_rng(6), 60)
    path = submit(tmp_path, shares, [f"p_{name}" for name in "abcd"])
    assert calibrate(of_classes(np.minimum(truth, 1), "abcd"), path).unseen_classes == 2
    # A true class that has no column is in no set.
    assert class_scores(shares[:2], np.array([-1, 0])).tolist() == [INF, 1 - shares[1, 0]]


def test_one_probability_gives_sets_of_two_classes(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    probability = draw.random(2000)
    truth = np.where(draw.random(2000) < probability, "yes", "no")
    binary: Spec = {"problem": "binary", "pos_label": "yes", "classes": ("no", "yes")}
    path = submit(tmp_path, probability)
    calibration = calibrate(answers("log_loss", truth, binary), path)
    covered = cover(answers("log_loss", truth, binary), path, calibration).targets[0][0]
    assert covered.tally.coverage == pytest.approx(0.8, abs=0.001)
    assert covered.width == pytest.approx(class_sets(class_shares(probability), 0.55).sum(axis=1).mean(), abs=0.1)


def test_each_target_and_each_label_has_its_own_quantiles(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    values = draw.normal(size=(300, 2))
    pair: Spec = {"target": ("a", "b"), "prediction_columns": ("a", "b")}
    path = submit(tmp_path, values + draw.normal(size=(300, 2)) * [1, 10], ["a", "b"])
    calibration = calibrate(answers("rmse", values, pair), path)
    assert [target.target for target in calibration.targets] == ["a", "b"]
    assert 5 < (quantiles_of(calibration, 1)[0.8] or 0) / (quantiles_of(calibration, 0)[0.8] or 0) < 20
    shares = draw.random((300, 2))
    flags = (draw.random((300, 2)) < shares).astype(int).astype(str)
    labels = calibrate(
        answers("log_loss", flags, {"problem": "multilabel", **pair}), submit(tmp_path, shares, ["a", "b"], "p")
    )
    assert [target.target for target in labels.targets] == ["a", "b"]
    assert labels.scale == "probability"


def test_grades_are_numbers(tmp_path: Path) -> None:
    truth = np.array([0, 1, 2, 3, 4] * 20)
    grades = answers("qwk", truth.astype(str), {"problem": "multiclass", "prediction_kind": "label"})
    calibration = calibrate(grades, submit(tmp_path, np.minimum(truth + 1, 4)))
    assert (calibration.scale, quantiles_of(calibration)[0.8]) == ("value", 1.0)


NUMBERS = np.linspace(0, 1, 30)


@pytest.mark.parametrize(
    ("metric", "changes", "reason"),
    [
        ("accuracy", {}, "predictions are labels without probabilities; the metric log_loss leads"),
        ("auroc", {"pos_label": "1"}, "for auroc predictions may have any scale, such as ranks among the rows"),
        ("average_precision", {"pos_label": "1"}, "for average_precision predictions may have any scale"),
        ("spearman", {}, "for spearman predictions may have any scale"),
        ("pearson", {}, "for pearson predictions may have any scale"),
        ("c_index_of_times", {}, "c_index_of_times rates one prediction by several targets"),
        ("exact_match", {}, "predictions are texts or lists"),
        ("row_f1", {}, "predictions are texts or lists"),
        ("log_loss", {"prediction_columns": ("p", "q"), "classes": ("0", "1", "2")}, "2 columns of .* for 3 classes"),
        ("rmse", {"prediction_columns": ("p", "q")}, "2 columns of predictions for 1 targets"),
        (
            "rmse",
            {"prediction_columns": tuple(map(str, range(101))), "target": tuple(map(str, range(101)))},
            "more than 100 targets",
        ),
    ],
)
def test_what_has_no_intervals_says_why(tmp_path: Path, metric: str, changes: dict[str, object], reason: str) -> None:
    columns = changes.get("prediction_columns", ("y",))
    assert isinstance(columns, tuple)
    path = submit(tmp_path, np.column_stack([NUMBERS] * len(columns)), columns)
    truth = NUMBERS if get_metric(metric).kind == "value" else np.resize(["0", "1"], 30).astype(object)
    with pytest.raises(NotCalibratedError, match=reason) as refused:
        calibrate(answers(metric, truth, changes), path)
    assert "\n" not in str(refused.value)


class Lines(SubmissionLines):
    """One row with a line for each number."""

    id, value, counts = "id", "y", np.array([30])

    def ids(self, row: int) -> pd.Series:
        return pd.Series([str(number) for number in range(30)])

    def truth(self, row: int) -> np.ndarray:
        return NUMBERS

    def locate(self, ids: pd.Series) -> np.ndarray:
        return ids.astype(int).to_numpy()


def test_several_lines_for_a_row_have_no_intervals(tmp_path: Path) -> None:
    plain = answers("rmse", NUMBERS)
    lines = Lines()
    with pytest.raises(NotCalibratedError, match="several lines for a row"):
        calibrate(replace(plain, form=replace(plain.form, lines=lines)), submit(tmp_path, NUMBERS))


def plan(kind: SplitKind) -> SplitPlan:
    return SplitPlan(kind=kind, fraction=0.2)


def described(folder: Path, rows: int, *, kind: SplitKind = "random", fresh: int = 0, groups: int = 0) -> Uncertainty:
    """Return the record of predictions whose errors are normal, three times as large on the fresh rows."""
    draw = np.random.default_rng(9)
    predicted = draw.normal(size=rows)
    units = np.resize(np.arange(groups or rows), rows)
    held = answers("rmse", predicted + draw.normal(size=rows), units=units)
    path = submit(folder, predicted)
    calibration = calibrate(held, path)
    checks = []
    if fresh:
        other = answers("rmse", predicted[:fresh] + 3 * draw.normal(size=fresh))
        checks = [cover(other, submit(folder, predicted[:fresh], name="fresh"), calibration)]
    return describe(plan(kind), calibration, cover(held, path, calibration), checks, blind=bool(fresh))


def test_too_few_rows_say_how_many_are_needed(tmp_path: Path) -> None:
    few = described(tmp_path, 10)
    assert few.summary.startswith("80 %: not checked on fresh rows, ")
    assert few.summary.endswith("; 95 % needs 19 withheld rows, and there are 10")
    with pytest.raises(ValueError, match="95 % needs 19 withheld rows, and there are 10"):
        few.place(0.95)
    assert few.levels[few.place(0.9)] == 0.9


def test_grouped_rows_count_as_groups(tmp_path: Path) -> None:
    grouped = described(tmp_path, 300, kind="group", groups=8)
    assert (grouped.units, grouped.withheld_rows, grouped.withheld_units) == ("groups", 300, 8)
    assert "95 % needs 19 withheld groups, and there are 8" in grouped.summary
    assert "over new groups" in grouped.promise
    later = described(tmp_path, 300, kind="time", groups=30)
    assert later.units == "periods"
    assert "Nothing is promised for later times" in later.promise
    assert described(tmp_path, 300, kind="time").units == "periods"  # also where every row is a unit
    assert described(tmp_path, 300, kind="group").units == "rows"
    assert described(tmp_path, 300, kind="random", groups=100).units == "sets of like rows"


def test_a_coverage_between_two_levels_gets_the_higher_one(tmp_path: Path) -> None:
    record = described(tmp_path, 200)
    for coverage, level in ((0.5, 0.5), (0.801, 0.81), (0.8, 0.8), (0.29 + 0.66, 0.95), (0.99, 0.99)):
        assert record.levels[record.place(coverage)] == level
    for coverage in (0.49, 0.995, 1.0, NAN, INF, -1.0):
        with pytest.raises(ValueError, match=r"is not between 0\.5 and 0\.99"):
            record.place(coverage)


def test_fresh_rows_that_are_covered_too_little_are_told(tmp_path: Path) -> None:
    worse = described(tmp_path, 300, fresh=200)
    assert worse.is_too_low
    assert ", too few, " in worse.summary
    check = LevelCheck(level=0.8, coverage=0.75, coverage_se=0.02, quantile_se=0.01)
    assert 2 < check.shortfall < 3
    for count in (1, 50):
        target = TargetUncertainty(target="y", quantiles=(1.0,) * len(LEVELS), checks=(check,))
        record = worse.model_copy(update={"targets": (target,) * count})
        assert record.is_too_low == (count == 1)  # of many targets one falls short by chance
    assert not described(tmp_path, 300).is_too_low


def test_a_result_keeps_its_uncertainty(tmp_path: Path) -> None:
    for record in (described(tmp_path, 10), described(tmp_path, 300, fresh=100), Uncertainty(kind="none", reason="r")):
        result = Result(run_id="run", task="t", status="solved", folder="/runs/run", uncertainty=record)
        path = tmp_path / "result.json"
        path.write_text(result.model_dump_json(), encoding="utf-8")
        assert Result.read(path).uncertainty == record


def test_a_record_that_lacks_quantiles_is_refused_when_it_is_read(tmp_path: Path) -> None:
    record = described(tmp_path, 40)
    result = Result(run_id="run", task="t", status="solved", folder="/runs/run", uncertainty=record)
    path = tmp_path / "result.json"
    path.write_text(result.model_dump_json().replace('"levels":[0.5,', '"levels":['), encoding="utf-8")
    with pytest.raises(UserError, match="was changed by hand"):
        Result.read(path)
    with pytest.raises(ValidationError, match="at least 50 items"):
        TargetQuantiles(target="y", quantiles=(1.0,))


def test_tallies_of_different_rows_add_up_to_that_of_all() -> None:
    draw = np.random.default_rng(10)
    covered, units = draw.random(200) < 0.8, np.arange(200)
    both, halves = tally(covered, units), tally(covered[:90], units[:90]) + tally(covered[90:], units[90:])
    assert both == halves
    share = covered.mean()
    assert both.coverage == pytest.approx(share)
    assert both.error(0.8) == pytest.approx(math.sqrt(share * (1 - share) / 200))
    assert tally(np.full(50, True), units[:50]).error(0.8) == pytest.approx(math.sqrt(0.8 * 0.2 / 50))
    assert (Tally().coverage, Tally().error(0.8)) == (None, None)


@pytest.fixture(scope="module")
def process() -> Iterator[GradingProcess]:
    process = GradingProcess()
    yield process
    process.close()


def test_only_quantiles_and_sums_leave_the_process_that_has_the_labels(process: GradingProcess, tmp_path: Path) -> None:
    truth = np.random.default_rng(11).normal(size=100)
    held, path = answers("rmse", truth), submit(tmp_path, np.zeros(100))
    calibration = process.calibrate(held, path, SECONDS)
    assert calibration == calibrate(held, path)
    assert process.cover(held, path, calibration, SECONDS) == cover(held, path, calibration)
    with pytest.raises(NotCalibratedError, match="has 3 rows instead of 100"):
        process.calibrate(held, submit(tmp_path, np.zeros(3), name="short"), SECONDS)
    with pytest.raises(NotCalibratedError, match="may have any scale"):
        process.calibrate(answers("spearman", truth), path, SECONDS)
