"""Task folders with planted codes for missing values, and ordinary ones without any."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import Task

ROWS = 600
WORDS = ("unknown", "?", "missing", "none", "-", "not available")
Draw = Callable[[np.random.Generator, int], np.ndarray]


def texts(numbers: np.ndarray, decimals: int) -> np.ndarray:
    """Return numbers as a file holds them."""
    rounded = np.round(numbers, decimals)
    return np.array([str(int(value)) if decimals <= 0 else f"{value:.{decimals}f}" for value in rounded], dtype=object)


def scaled(draw: Draw, decimals: int, scales: tuple[float, ...] = (1.0,)) -> Draw:
    """Return the texts of a distribution, on one of these scales."""
    return lambda rng, rows: texts(draw(rng, rows) * rng.choice(scales), decimals)


SKEWED = {
    "lognormal": scaled(lambda rng, rows: rng.lognormal(1, 0.8, rows), 2, (1, 3, 10)),
    "exponential": scaled(lambda rng, rows: rng.exponential(5, rows), 2, (1, 4)),
    "gamma": scaled(lambda rng, rows: rng.gamma(2, 3, rows), 1, (1, 5)),
    "zero-inflated": scaled(lambda rng, rows: rng.gamma(2, 3, rows) * (rng.random(rows) < 0.4), 2),
}
HEAVY = {
    "pareto": scaled(lambda rng, rows: 1 + rng.pareto(2, rows), 2, (1, 3)),
    "student": scaled(lambda rng, rows: rng.standard_t(3, rows), 3, (1, 4)),
    "laplace": scaled(lambda rng, rows: rng.laplace(0, 3, rows), 2),
    "wide lognormal": scaled(lambda rng, rows: rng.lognormal(0, 1.3, rows), 3),
}
WHOLE = {
    "age": scaled(lambda rng, rows: rng.normal(45, 12, rows).clip(18, 90), 0),
    "count": scaled(lambda rng, rows: rng.poisson(rng.choice([12, 25]), rows), 0),
    "overdispersed": scaled(lambda rng, rows: rng.negative_binomial(2, 0.1, rows), 0),
    "year": scaled(lambda rng, rows: rng.integers(1950, 2024, rows), 0),
}
BOUNDED = {
    "share": scaled(lambda rng, rows: rng.beta(2, 3, rows), 3),
    "percentage": scaled(lambda rng, rows: rng.uniform(5, 100, rows), 1),
    "rating": scaled(lambda rng, rows: rng.integers(1, 11, rows), 0),
    "angle": scaled(lambda rng, rows: rng.uniform(0, 90, rows), 1),
}
SYMMETRIC = {
    "normal": scaled(lambda rng, rows: rng.normal(10, 3, rows), 2),
    "temperature": scaled(lambda rng, rows: rng.normal(12, 9, rows), 1),
    "standardised": scaled(lambda rng, rows: rng.normal(0, 1, rows), 4),
}
POSITIVE = {
    "age": WHOLE["age"],
    "pressure": scaled(lambda rng, rows: rng.normal(60, 12, rows).clip(20), 1),
    "speed": scaled(lambda rng, rows: rng.uniform(0.5, 100, rows), 2),
    "length": scaled(lambda rng, rows: rng.uniform(0.5, 4, rows), 2),
    "ratio": scaled(lambda rng, rows: rng.gamma(3, 0.4, rows) + 0.05, 3),
}
ALL = SKEWED | HEAVY | WHOLE | BOUNDED | SYMMETRIC
CODES = ("-200", "-999", "-9999", "9999", "999", "99.99", "99999", "-99.9")


@dataclass
class Planted:
    """A table with codes, as text."""

    frame: pd.DataFrame
    description: str = ""
    codes: dict[str, set[str]] = field(default_factory=dict)

    def plant(self, column: str, codes: list[str], rng: np.random.Generator) -> None:
        """Replace some cells of a column by codes."""
        for code in codes:
            rows = rng.random(len(self.frame)) < rng.uniform(0.03, 0.25)
            self.frame.loc[rows, column] = code
            self.codes.setdefault(column, set()).add(code)


def far_codes(cells: pd.Series) -> list[str]:
    """Return the codes that lie farther from a column's numbers than their range."""
    numbers = pd.to_numeric(cells)
    low, high = numbers.min(), numbers.max()
    reach = high - low
    return [code for code in CODES if float(code) < low - reach or float(code) > high + reach]


def draw_table(rng: np.random.Generator, columns: dict[str, Draw], rows: int = ROWS) -> pd.DataFrame:
    table = {name: draw(rng, rows) for name, draw in columns.items()}
    target = texts(rng.normal(200, 40, rows), 1)
    return pd.DataFrame({"id": np.arange(rows).astype(str), **table, "y": target}, dtype=str)


def any_columns(rng: np.random.Generator, pool: dict[str, Draw], count: int = 4) -> dict[str, Draw]:
    names = rng.choice(sorted(pool), size=min(count, len(pool)), replace=False)
    return {str(name).replace(" ", "_"): pool[str(name)] for name in names}


def plant_far(rng: np.random.Generator, pool: dict[str, Draw], count: int = 1) -> Planted:
    """Return a table with far codes in one column of a pool."""
    names = any_columns(rng, pool, 1)
    planted = Planted(draw_table(rng, names | any_columns(rng, ALL, 3)))
    column = next(iter(names))
    codes = far_codes(planted.frame[column])
    planted.plant(column, [str(code) for code in rng.choice(codes, size=count, replace=False)], rng)
    return planted


def plant_described(rng: np.random.Generator) -> Planted:
    """Return a table whose description names a code for all columns, near the values or far."""
    planted = Planted(draw_table(rng, any_columns(rng, ALL)))
    code = str(rng.choice(["-200", "-999", "9999", "-99"]))
    for column in [str(name) for name in planted.frame][1:4]:
        if float(code) < 0 or pd.to_numeric(planted.frame[column]).max() < float(code):
            planted.plant(column, [code], rng)
    sentences = (
        "Missing values are tagged with {} value.",
        "{} means not recorded.",
        "A value of {} marks a reading that is missing.",
        "Where nothing was measured, the tables hold {}.",
        "Unknown values are coded as `{}`.",
        "Cells with {} were not observed.",
        "When the sensor failed, {} was written.",
    )
    planted.description = str(rng.choice(sentences)).format(code)
    return planted


def plant_described_column(rng: np.random.Generator) -> Planted:
    """Return a table whose description names a code for one column, inside its range or near it."""
    planted = Planted(draw_table(rng, {"days": WHOLE["overdispersed"], **any_columns(rng, SKEWED, 2)}))
    code = str(rng.choice(["-1", "99", "999", "-9"]))
    planted.plant("days", [code], rng)
    lines = (
        "| days | days since the last contact; {} = never contacted |",
        "- `days`: days since the last visit ({} if unknown)",
        "days: number of days, {} means not recorded",
        "In `days`, {} stands for a missing value.",
    )
    planted.description = str(rng.choice(lines)).format(code)
    return planted


def plant_minus_one(rng: np.random.Generator) -> Planted:
    names = any_columns(rng, POSITIVE, 1)
    planted = Planted(draw_table(rng, names | any_columns(rng, SYMMETRIC, 2)))
    planted.plant(next(iter(names)), ["-1"], rng)
    return planted


def plant_target(rng: np.random.Generator) -> Planted:
    planted = Planted(draw_table(rng, any_columns(rng, ALL)))
    pool = SKEWED | HEAVY | SYMMETRIC
    planted.frame["y"] = pool[str(rng.choice(sorted(pool)))](rng, ROWS)
    planted.plant("y", [str(rng.choice(far_codes(planted.frame["y"])))], rng)
    return planted


def plant_word(rng: np.random.Generator) -> Planted:
    names = any_columns(rng, SKEWED | HEAVY | SYMMETRIC | {"age": WHOLE["age"]}, 3)
    planted = Planted(draw_table(rng, names))
    planted.plant(str(rng.choice([*names, "y"])), [str(rng.choice(WORDS))], rng)
    return planted


def plant_several(rng: np.random.Generator) -> Planted:
    """Return a table with two numbers in one column, another number and a word in others."""
    planted = plant_far(rng, WHOLE | SYMMETRIC, count=2)
    others = [str(name) for name in planted.frame if name not in ("id", "y") and name not in planted.codes]
    planted.plant(others[0], [str(rng.choice(far_codes(planted.frame[others[0]])))], rng)
    planted.plant("y", [str(rng.choice(WORDS))], rng)
    return planted


KINDS: dict[str, Callable[[np.random.Generator], Planted]] = {
    "description, all columns": plant_described,
    "description, one column": plant_described_column,
    "-1 among positive numbers": plant_minus_one,
    "target": plant_target,
    "word among numbers": plant_word,
    "several codes in one table": plant_several,
    "skewed": lambda rng: plant_far(rng, SKEWED),
    "heavy-tailed": lambda rng: plant_far(rng, HEAVY),
    "whole numbers": lambda rng: plant_far(rng, WHOLE),
    "bounded": lambda rng: plant_far(rng, BOUNDED),
}


def draw_prices(rng: np.random.Generator, rows: int) -> np.ndarray:
    whole = rng.choice([4, 9, 14, 19, 29, 49, 99, 199, 999], rows, p=[0.2, 0.2, 0.15, 0.15, 0.1, 0.1, 0.04, 0.03, 0.03])
    return np.array([f"{value}.99" for value in whole], dtype=object)


def draw_capped(rng: np.random.Generator, rows: int) -> np.ndarray:
    return texts(rng.lognormal(3, 0.6, rows).clip(max=rng.choice([50, 99, 99.9])), 1)


def round_to(digits: int, draw: Draw) -> Draw:
    """Return numbers that are rounded to some digits, so that large ones repeat."""
    return lambda rng, rows: np.array([f"{value:.{digits}g}" for value in draw(rng, rows)], dtype=object)


ORDINARY: dict[str, Draw] = {
    **ALL,
    **POSITIVE,
    "wider pareto": scaled(lambda rng, rows: 1 + rng.pareto(1.1, rows), 2, (1, 10, 100)),
    "cauchy": scaled(lambda rng, rows: rng.standard_cauchy(rows), 2),
    "whole cauchy": scaled(lambda rng, rows: 10 * rng.standard_cauchy(rows), 0),
    "rounded pareto": scaled(lambda rng, rows: 10 * np.round(1 + rng.pareto(1, rows)), 0),
    "pareto of one digit": round_to(1, lambda rng, rows: 1 + rng.pareto(0.9, rows)),
    "pareto of two digits": round_to(2, lambda rng, rows: 9 * (1 + rng.pareto(0.9, rows))),
    "cauchy of one digit": round_to(1, lambda rng, rows: 100 * rng.standard_cauchy(rows)),
    "capped": draw_capped,
    "capped tail": scaled(lambda rng, rows: (1 + rng.pareto(1, rows)).clip(max=99), 2),
    "capped at 999": scaled(lambda rng, rows: (10 * (1 + rng.pareto(0.8, rows))).clip(max=999), 0),
    "house value": scaled(lambda rng, rows: rng.normal(22, 12, rows).clip(5, 50), 1),
    "floor": scaled(lambda rng, rows: rng.normal(-60, 25, rows).clip(-100, -5), 0),
    "prices": draw_prices,
    "amounts": scaled(lambda rng, rows: rng.choice([0, 5, 10, 20, 50, 100, 500, 1000], rows), 0),
    "percent of 100": scaled(lambda rng, rows: rng.normal(90, 20, rows).clip(0, 100), 0),
    "five stars": scaled(lambda rng, rows: rng.integers(1, 6, rows), 0),
    "grade": scaled(lambda rng, rows: rng.choice([1, 2, 3, 4, 99], rows), 0),
    "class code": scaled(lambda rng, rows: rng.choice([10, 20, 30, 60, 70, 120, 190, 999], rows), 0),
    "sign": scaled(lambda rng, rows: rng.choice([-1, 0, 1], rows), 0),
    "vote": scaled(lambda rng, rows: rng.choice([-1, 1], rows), 0),
    "balance": scaled(lambda rng, rows: rng.integers(-3, 12, rows), 0),
    "likert": scaled(lambda rng, rows: rng.integers(-2, 3, rows), 0),
    "one-hot": scaled(lambda rng, rows: rng.random(rows) < 0.02, 0),
    "rare event": scaled(lambda rng, rows: rng.poisson(0.05, rows), 0),
    "log of zeros": scaled(lambda rng, rows: np.log(rng.gamma(2, 3, rows) * (rng.random(rows) < 0.6) + 1e-9), 3),
    "bonus": scaled(lambda rng, rows: (rng.random(rows) < 0.1) * rng.choice([500, 1000], rows), 0),
    "cents": scaled(lambda rng, rows: rng.gamma(2, 20, rows).round() + 0.99, 2),
    "foreign key": scaled(lambda rng, rows: rng.integers(1, 1200, rows), 0),
    "zip": scaled(lambda rng, rows: rng.choice([10115, 80331, 99999, 20095, 50667], rows), 0),
    "minutes": scaled(lambda rng, rows: rng.choice([0, 15, 30, 45], rows), 0),
    "elevation": scaled(lambda rng, rows: rng.gamma(1, 200, rows) - 20, 0),
    "longitude": scaled(lambda rng, rows: rng.uniform(-180, 180, rows), 4),
    "mixture": scaled(lambda rng, rows: np.where(rng.random(rows) < 0.1, 500, 20) + rng.normal(0, 3, rows), 1),
}


def draw_ordinary(rng: np.random.Generator) -> Planted:
    columns = any_columns(rng, ORDINARY, 8)
    table = draw_table(rng, columns, rows=int(rng.choice([120, 600, 3000])))
    table["colour"] = rng.choice(["red", "blue", "unknown", "none"], len(table))
    table["y"] = ORDINARY[str(rng.choice(["house value", "capped", "lognormal", "cauchy", "cents", "zero-inflated"]))](
        rng, len(table)
    )
    sentences = (
        "",
        "Some values are missing and left blank.",
        "About 20 % of the values in 3 columns are missing.",
        "The tables have 999 rows; there are no missing values.",
        "Missing values are imputed with the mean of 5 neighbours.",
    )
    return Planted(table, str(rng.choice(sentences)))


def write_planted(planted: Planted, folder: Path) -> Task:
    """Write a table as a task folder, its last quarter as test rows, and read it."""
    train = int(0.75 * len(planted.frame))
    folder.mkdir(parents=True)
    planted.frame.iloc[:train].to_csv(folder / "train.csv", index=False)
    planted.frame.iloc[train:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    (folder / "task.md").write_text(f"Predict y. The metric is RMSE.\n\n{planted.description}\n")
    return Task.load(folder)


def found_codes(task: Task) -> dict[str, set[str]]:
    """Return the codes that were recognised, by column of train."""
    return {column.name: set(column.missing_codes) for column in task.statistics[0].columns if column.missing_codes}


def same_codes(found: dict[str, set[str]], planted: dict[str, set[str]]) -> bool:
    """Return whether the same codes are in the same columns, however they are spelled."""
    return _plain(found) == _plain(planted)


def _plain(codes: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: {_number(code) for code in column} for name, column in codes.items()}


def _number(code: str) -> str:
    number = pd.to_numeric(code, errors="coerce")
    return code if np.isnan(number) else str(float(number))


def seeds(count: int, start: int = 0) -> Iterator[np.random.Generator]:
    return (np.random.default_rng([14, seed]) for seed in range(start, start + count))
