"""Tables of many kinds with held-out answers, written as a suite of `mlestar bench`.

    python -m benchmarks.made_tables SUITE [--only ID ...] [--seed 0] [--list]

Writes `SUITE/tasks/ID` (description, train, test and sample submission) and `SUITE/answers/ID` for every table in
`TABLES`. The same seed gives the same bytes. A family is a function of a few settings; it returns what makes the rows
of a table, without an id, with the target in the last columns. The last `test_rows` rows, which are the later ones
where the family says so, are those of test. All shapes, shares and strengths were chosen by judgement, so that tables
differ; none was measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.suites import write_suite
from mlestar.bench.generated import write_task

Draw = np.random.Generator
Make = Callable[[Draw, int], pd.DataFrame]
"""Takes the number of rows, and returns them with the target in the last columns; the last rows are those of test."""
TEST_ROWS = 1500
VALUES = ("rmse", "mae", "rmsle", "r2", "mcrmse", "mcrmsle", "qwk")
"""Metrics of numbers."""


@dataclass(frozen=True)
class MadeTable:
    """One table with its settings."""

    name: str
    rows: int
    """Of train."""
    metric: str
    make: Make = field(repr=False)
    notes: str = ""
    """What the description says besides target and metric."""
    targets: int = 1
    in_order: bool = False
    """The order of rows is kept; otherwise those of train and those of test are shuffled."""
    test_rows: int = TEST_ROWS


# Parts of tables


def numbers(draw: Draw, rows: int, columns: int) -> np.ndarray:
    """Return standardized numbers, of shape (rows, columns), that share a few factors."""
    factors = draw.normal(size=(rows, max(1, columns // 4))) @ draw.normal(size=(max(1, columns // 4), columns))
    return standardize(0.6 * standardize(factors) + draw.normal(size=(rows, columns)))


def standardize(values: np.ndarray) -> np.ndarray:
    """Return values with mean 0 and deviation 1 along the first axis."""
    scaled: np.ndarray = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-12)
    return scaled


def measured(draw: Draw, values: np.ndarray, prefix: str = "x") -> pd.DataFrame:
    """Return columns of numbers as instruments, prices and forms have them: scaled, skewed, whole or rounded."""
    columns = {}
    for place, column in enumerate(values.T):
        kind = draw.integers(4)
        if kind == 0:
            column = np.exp(0.7 * column) * 10.0 ** draw.integers(0, 4)
        elif kind == 1:
            column = np.round(column * 12 + 40)
        elif kind == 2:
            column = column * draw.uniform(0.01, 50) + draw.uniform(-20, 100)
        columns[f"{prefix}{place}"] = np.round(column, 4)
    return pd.DataFrame(columns)


def smooth(draw: Draw, values: np.ndarray, pieces: int, width: int = 2) -> np.ndarray:
    """Return a standardized sum of waves, each of at most `width` columns."""
    total = np.zeros(len(values))
    for _ in range(pieces):
        chosen = draw.choice(values.shape[1], min(values.shape[1], int(draw.integers(1, width + 1))), replace=False)
        total += draw.normal() * np.sin(values[:, chosen] @ draw.normal(size=len(chosen)) + draw.uniform(0, 6))
    return standardize(total)


def steps(draw: Draw, values: np.ndarray, depth: int, trees: int) -> np.ndarray:
    """Return a standardized sum of values in the leaves of random trees: rules of thresholds."""
    total = np.zeros(len(values))
    for _ in range(trees):
        leaf = np.zeros(len(values), dtype=int)
        for _ in range(depth):
            column = values[:, draw.integers(values.shape[1])]
            leaf = 2 * leaf + (column > draw.normal(0, 0.7))
        total += draw.normal(size=2**depth)[leaf]
    return standardize(total)


def levels(draw: Draw, rows: int, count: int, prefix: str, skew: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of levels, some of them far more frequent, and their names."""
    shares = 1 / np.arange(1, count + 1) ** skew
    codes = draw.choice(count, rows, p=shares / shares.sum())
    names = np.array([f"{prefix}{number:0{len(str(count))}}" for number in draw.permutation(count)])
    return codes, names[codes]


def events(draw: Draw, score: np.ndarray, share: float = 0.5, strength: float = 2.5) -> np.ndarray:
    """Return 1 with a chance that grows with a score, 0 otherwise, about `share` of them 1."""
    chance = 1 / (1 + np.exp(-strength * (score - np.quantile(score, 1 - share))))
    return (draw.random(len(score)) < chance).astype(int)


def classes(draw: Draw, scores: np.ndarray, strength: float = 3.0) -> np.ndarray:
    """Return names of classes by scores of shape (rows, classes), with chance."""
    chosen = np.argmax(strength * scores + draw.gumbel(size=scores.shape), axis=1)
    return np.array([f"class{number:02}" for number in range(scores.shape[1])])[chosen]


# Families


def linear(columns: int, relevant: int, noise: float, kind: str = "value") -> Make:
    """Return a weighted sum of some of many numbers; there may be more columns than rows."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        weights = np.zeros(columns)
        weights[draw.choice(columns, relevant, replace=False)] = draw.normal(size=relevant)
        score = standardize(values @ weights)
        table = pd.DataFrame(np.round(values, 4)).add_prefix("x")
        if kind == "binary":
            return table.assign(target=events(draw, score, strength=1.7 / noise))
        return table.assign(target=np.round(100 + 15 * (score + noise * draw.normal(size=rows)), 3))

    return make


def curved(columns: int, pieces: int, width: int, noise: float) -> Make:
    """Return a smooth function of numbers, in which up to `width` of them act together."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        target = smooth(draw, values, pieces, width) + noise * draw.normal(size=rows)
        return measured(draw, values).assign(target=np.round(target, 4))

    return make


def monotone(columns: int, tails: float) -> Make:
    """Return a sum of trends that only rise or fall, with errors of Student's distribution of `tails` degrees."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        shapes = [np.tanh, np.exp, lambda column: np.log1p(np.exp(3 * column)), lambda column: column]
        trends = [
            draw.choice([-1, 1]) * standardize(shapes[place % 4](column)) for place, column in enumerate(values.T)
        ]
        target = standardize(np.sum(trends, axis=0)) + 0.3 * draw.standard_t(tails, size=rows)
        return measured(draw, values).assign(target=np.round(50 + 10 * target, 3))

    return make


def rules(columns: int, depth: int, share: float, *, noise: float = 0.0, words: bool = False) -> Make:
    """Return classes by thresholds; a share `noise` of the labels is drawn anew."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        labels = events(draw, steps(draw, values, depth, 6), share, strength=5)
        labels = np.where(draw.random(rows) < noise, draw.permutation(labels), labels)
        return measured(draw, values).assign(target=np.where(labels == 1, "yes", "no") if words else labels)

    return make


def ratios(columns: int, noise: float) -> Make:
    """Return ratios and differences of amounts."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        amounts = np.exp(0.8 * numbers(draw, rows, columns) + 3)
        target = np.zeros(rows)
        for place in range(0, columns - 2, 2):
            target += draw.normal() * np.log(amounts[:, place] / (amounts[:, place + 1] + amounts[:, place + 2]))
        target = standardize(target) + noise * draw.normal(size=rows)
        return pd.DataFrame(np.round(amounts, 2)).add_prefix("amount").assign(target=np.round(target, 4))

    return make


def category_tables(first: int, second: int, kind: str) -> Make:
    """Return a level and a slope for every pair of two categories: the target is in no single column."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        (left, left_names), (right, right_names) = (
            levels(draw, rows, n, p, 0.3) for n, p in ((first, "a"), (second, "b"))
        )
        number, other = draw.normal(size=rows), draw.normal(size=rows)
        score = draw.normal(size=(first, second))[left, right] + draw.normal(size=(first, second))[left, right] * number
        table = pd.DataFrame({"material": left_names, "process": right_names, "load": np.round(number, 4)})
        table = table.assign(age=np.round(np.exp(other), 3), site=levels(draw, rows, 5, "s")[1])
        score = standardize(score + 0.3 * other)
        if kind == "binary":
            return table.assign(target=events(draw, score, strength=4))
        return table.assign(target=np.round(20 + 5 * (score + 0.2 * draw.normal(size=rows)), 3))

    return make


def many_levels(count: int, kind: str) -> Make:
    """Return an effect for every level of a column with many of them, most of which are rare."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        codes, names = levels(draw, rows, count, "user", 0.6)
        towns, town_names = levels(draw, rows, 40, "town")
        values = numbers(draw, rows, 5)
        effects = draw.normal(size=count)[codes] + 0.5 * draw.normal(size=40)[towns]
        score = standardize(effects + 0.7 * smooth(draw, values, 6))
        table = measured(draw, values).assign(user=names, town=town_names)
        if kind == "binary":
            return table.assign(target=events(draw, score, 0.3))
        return table.assign(target=np.round(score + 0.4 * draw.normal(size=rows), 4))

    return make


def coded_gaps(columns: int, codes: tuple[int, ...], kind: str, *, informative: bool) -> Make:
    """Return numbers with codes, or empty cells without any, in place of missing values.

    Where gaps are informative, high values are missing more often, and the target depends on the gaps too.
    """

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        score = smooth(draw, values, 2 * columns) + standardize(values @ draw.normal(size=columns))
        table = pd.DataFrame(np.round(values * 20 + 100, 1)).add_prefix("sensor")
        for place, name in enumerate(table):
            chance = 0.35 / (1 + np.exp(-2 * values[:, place])) if informative else np.full(rows, draw.uniform(0, 0.3))
            gaps = draw.random(rows) < chance
            score = score + (0.5 * draw.normal() * gaps if informative else 0)
            table[name] = table[name].mask(gaps, codes[place % len(codes)] if codes else np.nan)
        if kind == "binary":
            return table.assign(target=events(draw, standardize(score)))
        return table.assign(target=np.round(standardize(score) + 0.3 * draw.normal(size=rows), 4))

    return make


def prices(columns: int, spread: float) -> Make:
    """Return positive values whose logarithm follows the features, with a heavy upper tail."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        regions, names = levels(draw, rows, 30, "region")
        score = smooth(draw, values, columns) + values[:, 0] + 0.5 * draw.normal(size=30)[regions]
        price = np.exp(spread * score + 0.25 * draw.standard_t(4, size=rows) + 7)
        return measured(draw, values).assign(region=names, target=np.round(price, 2))

    return make


def counts(columns: int, mean: float, zeros: float) -> Make:
    """Return counts by a rate and an exposure, more varied than Poisson's, some of them zero for another reason."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values, exposure = numbers(draw, rows, columns), draw.uniform(0.1, 2, rows)
        rate = mean * exposure * np.exp(0.7 * smooth(draw, values, columns)) * draw.gamma(3, 1 / 3, rows)
        drawn = draw.poisson(rate) * (draw.random(rows) >= zeros * (values[:, 0] > 0))
        return measured(draw, values).assign(exposure=np.round(exposure, 3), target=drawn)

    return make


def clusters(columns: int, count: int, centres: int, spread: float, *, letters: bool = False) -> Make:
    """Return classes of several clouds of points each, in whole numbers as a scanner measures letters."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        places = draw.normal(size=(count, centres, columns))
        labels, centre = draw.integers(count, size=rows), draw.integers(centres, size=rows)
        mixed = draw.normal(size=(columns, columns)) / np.sqrt(columns)
        values = (places[labels, centre] + spread * draw.normal(size=(rows, columns))) @ (mixed + np.eye(columns))
        table = pd.DataFrame(np.clip(np.round(3 * values + 8), 0, 20).astype(int)).add_prefix("x")
        names = [chr(65 + number) if letters else f"class{number:02}" for number in range(count)]
        return table.assign(target=np.array(names)[labels])

    return make


def mixed_classes(columns: int, count: int) -> Make:
    """Return classes by functions of numbers and categories, some of them rare."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values, (codes, names) = numbers(draw, rows, columns), levels(draw, rows, 8, "k")
        scores = [smooth(draw, values, 5) + 0.7 * draw.normal(size=8)[codes] - 0.08 * place for place in range(count)]
        table = measured(draw, values).assign(kind=names, flag=draw.integers(2, size=rows))
        return table.assign(target=classes(draw, np.column_stack(scores)))

    return make


def people(columns: int, share: float) -> Make:
    """Return an outcome of forms: skewed numbers, categories with gaps, thresholds and trends together."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        table, score = measured(draw, values), smooth(draw, values, 4) + steps(draw, values, 3, 5)
        for place, count in enumerate((3, 6, 12, 25)):
            codes, names = levels(draw, rows, count, "abcd"[place])
            score = score + 0.5 * draw.normal(size=count)[codes] * (1 + 0.5 * values[:, place % columns])
            table[f"category{place}"] = pd.Series(names).mask(draw.random(rows) < 0.04 * place)
        table[f"x{columns - 1}"] = table[f"x{columns - 1}"].mask(draw.random(rows) < 0.2)
        return table.assign(target=events(draw, standardize(score), share))

    return make


def shifted(columns: int, kind: str) -> Make:
    """Return test rows from another part of the space: those with high values of two columns are there more often."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        order = np.argsort(values[:, 0] + values[:, 1] + 1.2 * draw.normal(size=rows), kind="stable")
        score = standardize(smooth(draw, values, columns) + 0.8 * standardize(values @ draw.normal(size=columns)))
        drawn = events(draw, score, 0.4) if kind == "binary" else np.round(score + 0.3 * draw.normal(size=rows), 4)
        return measured(draw, values).assign(target=drawn).iloc[order]

    return make


def drifting(columns: int, speed: float) -> Make:
    """Return rows in the order of a date, whose weights change with time, with a trend and a season."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values, time = numbers(draw, rows, columns), np.linspace(0, 1, rows)
        weights = draw.normal(size=columns) + speed * time[:, None] * draw.normal(size=columns)
        days = np.floor(time * 900).astype(int)
        target = standardize((values * weights).sum(axis=1)) + time + 0.5 * np.sin(2 * np.pi * days / 365)
        dates = (pd.Timestamp("2021-03-01") + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d")
        table = measured(draw, values)
        table.insert(0, "date", dates)
        return table.assign(target=np.round(target + 0.3 * draw.normal(size=rows), 4))

    return make


def dated(kind: str) -> Make:
    """Return what depends on the hour, the day of the week, the season and the time between two dates."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        start = pd.Timestamp("2022-01-01") + pd.to_timedelta(draw.integers(0, 730 * 24, rows), unit="h")
        wait = np.round(draw.exponential(20, rows)) + 1
        codes, names = levels(draw, rows, 6, "line")
        score = np.sin(2 * np.pi * (start.hour - 7) / 24) + 0.8 * (start.day_of_week >= 5) + 0.6 * np.log(wait)
        score = score + 0.7 * np.cos(2 * np.pi * start.day_of_year / 365) + draw.normal(size=6)[codes]
        table = pd.DataFrame({"ordered": start.strftime("%Y-%m-%d %H:%M"), "line": names})
        table["delivered"] = (start + pd.to_timedelta(wait, unit="D")).strftime("%Y-%m-%d")
        table["weight"] = np.round(draw.gamma(2, 3, rows), 2)
        score = standardize(np.asarray(score) + 0.05 * table["weight"].to_numpy())
        if kind == "binary":
            return table.assign(target=events(draw, score, 0.25, 3))
        return table.assign(target=np.round(30 + 8 * (score + 0.3 * draw.normal(size=rows)), 2))

    return make


def panels(units: int, *, new_units: bool) -> Make:
    """Return several rows of each unit, which have a level in common; test has other units, or later rows."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        unit, visit = np.arange(rows) * units // rows, np.arange(rows) % -(-rows // units)
        own = numbers(draw, units, 3)
        values = np.column_stack([own[unit], draw.normal(size=(rows, 4))])
        target = smooth(draw, values, 8) + draw.normal(size=units)[unit] + 0.03 * visit + 0.3 * draw.normal(size=rows)
        table = measured(draw, values).assign(target=np.round(target, 4))
        table.insert(0, "unit", [f"u{number:04}" for number in draw.permutation(units)[unit]])
        table.insert(1, "visit", visit)
        return table if new_units else table.iloc[np.argsort(visit, kind="stable")]

    return make


def repeated(columns: int, copies: float, kind: str) -> Make:
    """Return rows of which a share `copies` repeats the features of another one, with a label of its own."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        source = np.where(draw.random(rows) < copies, draw.integers(rows, size=rows), np.arange(rows))
        values, table = values[source], measured(draw, values).iloc[source].reset_index(drop=True)
        score = smooth(draw, values, 3 * columns, 3)
        if kind == "binary":
            return table.assign(target=events(draw, score))
        return table.assign(target=np.round(score + 0.5 * draw.normal(size=rows), 3))

    return make


def with_text(kind: str) -> Make:
    """Return numbers and categories beside a short text, some of whose words matter."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        words = ["".join(draw.choice(list("aeioulnrstkm"), draw.integers(3, 8))) for _ in range(600)]
        shares = 1 / np.arange(1, 601) ** 0.8
        weights = draw.normal(size=600) * (draw.random(600) < 0.15)
        chosen = [draw.choice(600, draw.integers(5, 25), p=shares / shares.sum()) for _ in range(rows)]
        values, (codes, names) = numbers(draw, rows, 4), levels(draw, rows, 7, "brand")
        score = standardize(np.array([weights[places].sum() for places in chosen]))
        score = standardize(score + smooth(draw, values, 4) + 0.5 * draw.normal(size=7)[codes])
        table = measured(draw, values).assign(brand=names)
        table["comment"] = [" ".join(words[place] for place in places) for places in chosen]
        if kind == "binary":
            return table.assign(target=events(draw, score))
        return table.assign(target=np.round(score + 0.3 * draw.normal(size=rows), 4))

    return make


def tagged(tags: int, mean: float, separator: str, kind: str) -> Make:
    """Return numbers beside a list of tags in a cell, `mean` of them on average, some of which matter.

    An empty separator writes the lists as Python does.
    """

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        words = ["".join(draw.choice(list("aeioulnrstkm"), draw.integers(3, 8))) for _ in range(2 * tags)]
        names = [" ".join(words[2 * tag : 2 * tag + 2]) for tag in range(tags)]
        held = draw.random((rows, tags)) < mean / tags
        values, weights = numbers(draw, rows, 5), draw.normal(size=tags) * (draw.random(tags) < 0.6)
        score = standardize(standardize(held @ weights) + smooth(draw, values, 4))
        lists = [[names[tag] for tag in draw.permutation(np.flatnonzero(row))] for row in held]
        cells = [separator.join(items) if separator else str(items) for items in lists]
        table = measured(draw, values).assign(tags=cells)
        if kind == "binary":
            return table.assign(target=events(draw, score))
        return table.assign(target=np.round(score + 0.3 * draw.normal(size=rows), 4))

    return make


def grades(columns: int, count: int, noise: float) -> Make:
    """Return a hidden value in ordered grades, the middle ones more frequent."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values = numbers(draw, rows, columns)
        hidden = standardize(values @ draw.normal(size=columns)) + smooth(draw, values, columns)
        hidden = standardize(hidden) + noise * draw.normal(size=rows)
        limits = np.quantile(hidden, 1 / (1 + np.exp(-np.linspace(-2.2, 2.2, count - 1))))
        return measured(draw, values).assign(target=np.digitize(hidden, limits) + 1)

    return make


def several_targets(columns: int, count: int, *, positive: bool) -> Make:
    """Return values that depend on the same features and have errors in common."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        values, shared = numbers(draw, rows, columns), draw.normal(size=rows)
        table = measured(draw, values)
        for place in range(count):
            value = smooth(draw, values, columns) + 0.2 * shared + 0.2 * draw.normal(size=rows)
            table[f"target{place}"] = np.round(np.exp(0.8 * value + 2) if positive else value, 4)
        return table

    return make


CODED = "A value of -200 means that the sensor gave no reading."
TABLES = (
    MadeTable("linear-wide", 300, "rmse", linear(400, 20, 0.4)),
    MadeTable("linear-200-columns", 1500, "log_loss", linear(200, 60, 0.7, "binary")),
    MadeTable("linear-few-rows", 300, "r2", linear(25, 10, 0.6)),
    MadeTable("curved-6-columns", 1000, "rmse", curved(6, 8, 2, 0.2)),
    MadeTable("curved-3-columns", 2000, "mae", curved(3, 6, 3, 0.3)),
    MadeTable("curved-30-columns", 6000, "r2", curved(30, 15, 3, 0.3)),
    MadeTable("monotone-heavy-errors", 1200, "mae", monotone(8, 2.0)),
    MadeTable("monotone-few-rows", 400, "rmse", monotone(12, 5.0)),
    MadeTable("rules-rare-class", 4000, "f1", rules(12, 3, 0.1)),
    MadeTable("rules-noisy-labels", 2500, "accuracy", rules(15, 3, 0.5, noise=0.3, words=True)),
    MadeTable("ratios-9-columns", 3000, "rmse", ratios(9, 0.2)),
    MadeTable("ratios-5-columns", 500, "mae", ratios(5, 0.4)),
    MadeTable("category-table-value", 3000, "rmse", category_tables(9, 7, "value")),
    MadeTable("category-table-class", 5000, "auroc", category_tables(14, 11, "binary")),
    MadeTable("many-levels-class", 8000, "auroc", many_levels(1500, "binary")),
    MadeTable("many-levels-value", 3000, "mae", many_levels(300, "value")),
    MadeTable("gaps-code-described", 2000, "rmse", coded_gaps(12, (-200,), "value", informative=False), CODED),
    MadeTable("gaps-codes-hidden", 3000, "auroc", coded_gaps(10, (-999, 9999), "binary", informative=True)),
    MadeTable("gaps-empty-informative", 1500, "log_loss", coded_gaps(15, (), "binary", informative=True)),
    MadeTable("prices-skewed", 2000, "rmsle", prices(10, 0.8)),
    MadeTable("prices-extreme", 5000, "mae", prices(6, 1.3)),
    MadeTable("counts-small", 3000, "mae", counts(8, 2.0, 0.3)),
    MadeTable("counts-large", 2500, "rmsle", counts(12, 40.0, 0.0)),
    MadeTable("clusters-26-letters", 10000, "accuracy", clusters(16, 26, 3, 0.55, letters=True)),
    MadeTable("clusters-12-classes", 1200, "macro_f1", clusters(10, 12, 2, 0.6)),
    MadeTable("mixed-5-classes", 2500, "log_loss", mixed_classes(9, 5)),
    MadeTable("mixed-12-classes", 6000, "macro_f1", mixed_classes(14, 12)),
    MadeTable("people-many", 10000, "auroc", people(8, 0.24)),
    MadeTable("people-few", 700, "log_loss", people(6, 0.4)),
    MadeTable("shifted-value", 2500, "rmse", shifted(8, "value")),
    MadeTable("shifted-class", 3000, "log_loss", shifted(10, "binary")),
    MadeTable("drifting-slow", 3000, "rmse", drifting(8, 0.5), in_order=True),
    MadeTable("drifting-fast", 4000, "mae", drifting(5, 2.5), in_order=True),
    MadeTable("dated-value", 3000, "mae", dated("value")),
    MadeTable("dated-class", 5000, "auroc", dated("binary")),
    MadeTable("panel-new-units", 3000, "rmse", panels(300, new_units=True)),
    MadeTable("panel-later-visits", 4000, "rmse", panels(220, new_units=False), in_order=True),
    MadeTable("repeated-class", 3000, "accuracy", repeated(7, 0.5, "binary")),
    MadeTable("repeated-value", 1500, "mae", repeated(9, 0.4, "value")),
    MadeTable("text-and-numbers-class", 2000, "auroc", with_text("binary")),
    MadeTable("text-and-numbers-value", 3000, "rmse", with_text("value")),
    MadeTable("tags-class", 3000, "auroc", tagged(60, 4.0, "; ", "binary")),
    MadeTable("tags-value", 2000, "rmse", tagged(25, 3.0, "", "value")),
    MadeTable("grades-6", 2500, "qwk", grades(10, 6, 0.5)),
    MadeTable("grades-4-few", 600, "qwk", grades(7, 4, 0.4)),
    MadeTable("targets-3", 2000, "mcrmse", several_targets(9, 3, positive=False), targets=3),
    MadeTable("targets-2-positive", 1500, "mcrmsle", several_targets(6, 2, positive=True), targets=2),
)


def make_rows(made: MadeTable, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return train and test with ids and targets, and the names of the targets."""
    draw = np.random.default_rng([seed, *made.name.encode()])
    table = made.make(draw, made.rows + made.test_rows)
    train, test = table.iloc[: made.rows], table.iloc[made.rows :]
    if not made.in_order:
        train, test = (side.iloc[draw.permutation(len(side))] for side in (train, test))
    table = pd.concat([train, test], ignore_index=True)
    targets = list(table.columns[-made.targets :])
    table.insert(0, "id", np.arange(len(table)))
    return table.iloc[: made.rows], table.iloc[made.rows :], targets


def sample_rows(metric: str, train: pd.DataFrame, test: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """Return a submission in the right form: a column per class where probabilities of several are asked for."""
    labels = sorted(train[targets[0]].unique())
    if metric == "log_loss" and len(labels) > 2:
        return test[["id"]].assign(**dict.fromkeys(labels, 1 / len(labels)))
    if metric in ("log_loss", "auroc"):
        return test[["id"]].assign(target=0.5)
    value = 1 if metric in VALUES else labels[0]
    return test[["id"]].assign(**dict.fromkeys(targets, value))


def write_table(folder: Path, made: MadeTable, seed: int) -> None:
    """Write one table as a task folder and a folder of answers."""
    train, test, targets = make_rows(made, seed)
    named = " and ".join(f"`{name}`" for name in targets)
    write_task(
        folder,
        made.name,
        files={
            "train.csv": train,
            "test.csv": test.drop(columns=targets),
            "sample_submission.csv": sample_rows(made.metric, train, test, targets),
        },
        description=f"Predict {named}. Submissions are scored by `{made.metric}`.\n\n{made.notes}".rstrip() + "\n",
        answers=test[["id", *targets]],
        grade={"metric": made.metric},
    )


if __name__ == "__main__":
    write_suite(__doc__, TABLES, write_table)
