"""Panels of series with held-out answers, written as a suite of `mlestar bench`.

    python -m benchmarks.made_series SUITE [--only ID ...] [--seed 0] [--list]

Writes `SUITE/tasks/ID` and `SUITE/answers/ID` for every panel in `PANELS`. A panel has several series with levels,
trends and seasons of their own, promotions and holidays that are known beforehand, and missing days; test is the
continuation of every series. The same seed gives the same bytes. All shapes and strengths were chosen by judgement, so
that panels differ; none was measured.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchmarks.suites import write_suite
from mlestar.bench.generated import write_task

Draw = np.random.Generator
Step = Literal["D", "W", "h"]
HOLIDAYS = ("01-01", "02-14", "05-01", "07-04", "10-31", "11-26", "12-24", "12-25", "12-26")
PERIODS: dict[Step, tuple[float, ...]] = {"D": (7, 365.25), "W": (52.18,), "h": (24, 168)}
"""Steps after which seasons repeat."""
START = "2020-01-01"


@dataclass(frozen=True)
class MadePanel:
    """One panel with its settings."""

    name: str
    step: Step
    series: int
    length: int
    """Steps of each series, those of test included."""
    horizon: int
    """Steps of test."""
    metric: str
    season: float = 0.3
    """Strength of the seasons."""
    trend: float = 0.3
    """Change of the logarithm of the level from the first step to the last."""
    noise: float = 0.15
    promotions: float = 0.0
    """Share of the steps with a promotion."""
    holidays: bool = False
    """Some days of the year are unlike others; the table does not say which."""
    missing: float = 0.0
    """Share of the steps of train without a row."""
    breaks: bool = False
    """Levels of some series jump."""
    late: bool = False
    """Some series begin late."""
    level: float = 100.0
    counts: bool = False
    """The target is a whole number with Poisson's noise too."""
    stores: bool = False
    """A series is a pair of a store and a product, in two columns."""


PANELS = (
    MadePanel("daily-shops", "D", 12, 900, 42, "rmsle", promotions=0.2, holidays=True, counts=True, stores=True),
    MadePanel("daily-gaps", "D", 8, 700, 30, "mae", missing=0.1, trend=0.6),
    MadePanel("daily-rare-sales", "D", 20, 400, 28, "rmse", level=1.2, counts=True, stores=True, promotions=0.1),
    MadePanel("daily-breaks", "D", 10, 800, 60, "smape", breaks=True, holidays=True),
    MadePanel("daily-one-series", "D", 1, 1400, 90, "mae", holidays=True, trend=0.8, season=0.4),
    MadePanel("weekly-products", "W", 30, 150, 13, "smape", promotions=0.15, counts=True),
    MadePanel("weekly-late", "W", 40, 120, 12, "rmse", late=True, trend=0.9),
    MadePanel("hourly-load", "h", 4, 1700, 168, "mae", season=0.5, noise=0.08),
    MadePanel("hourly-rides", "h", 6, 1200, 72, "rmsle", season=0.8, counts=True, level=30.0),
)


def season_of(draw: Draw, times: np.ndarray, period: float, strength: float) -> np.ndarray:
    """Return a season of a few waves, which is 0 in the mean."""
    waves = np.zeros(len(times))
    for number in range(1, 4):
        waves += draw.normal() / number * np.sin(2 * np.pi * number * times / period + draw.uniform(0, 6))
    return strength * waves


def holiday_effects(draw: Draw, dates: pd.DatetimeIndex) -> np.ndarray:
    """Return an effect for each holiday, the same in every year, and half of it on the day before."""
    effects = np.zeros(len(dates))
    days = dates.strftime("%m-%d")
    for holiday, effect in zip(HOLIDAYS, draw.normal(0, 0.6, len(HOLIDAYS)), strict=True):
        on_day = np.asarray(days == holiday)
        effects += effect * on_day + 0.5 * effect * np.append(on_day[1:], False)
    return effects


def make_series(draw: Draw, made: MadePanel, dates: pd.DatetimeIndex, shared: np.ndarray) -> pd.DataFrame:
    """Return the rows of one series: date, target and what is known beforehand."""
    times = np.arange(made.length)
    log_level = np.log(made.level) + 0.7 * draw.normal() + made.trend * draw.normal() * times / made.length
    log_level = log_level + shared * draw.uniform(0.5, 1.5)
    for period in PERIODS[made.step]:
        log_level = log_level + season_of(draw, times, period, made.season / 3)
    if made.breaks:
        place = int(draw.uniform(0.3, 0.9) * (made.length - made.horizon))
        log_level = log_level + draw.normal(0, 0.5) * (times >= place)
    table = pd.DataFrame({"date": dates})
    if made.promotions:
        promotion = np.repeat(draw.random(made.length // 5 + 1) < made.promotions, 5)[: made.length]
        price = np.round(draw.uniform(2, 40) * np.where(promotion, draw.uniform(0.6, 0.9), 1.0), 2)
        log_level = log_level + draw.uniform(0.1, 0.7) * promotion
        table = table.assign(promotion=promotion.astype(int), price=price)
    slow = np.zeros(made.length)
    for place, step in enumerate(draw.normal(0, made.noise / 3, made.length - 1), 1):
        slow[place] = 0.95 * slow[place - 1] + step
    mean = np.exp(log_level + slow)
    if made.counts:
        return table.assign(target=draw.poisson(mean * draw.gamma(12, 1 / 12, made.length)))
    return table.assign(target=np.round(mean * np.exp(made.noise * draw.normal(size=made.length)), 2))


def make_panel(made: MadePanel, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and test, with ids; test is the last `horizon` steps of every series."""
    draw = np.random.default_rng([seed, *made.name.encode()])
    dates = pd.date_range(START, periods=made.length, freq="W-MON" if made.step == "W" else made.step)
    shared = sum(season_of(draw, np.arange(made.length), period, made.season) for period in PERIODS[made.step])
    shared = shared + (holiday_effects(draw, dates) if made.holidays else 0)
    parts = []
    for number in range(made.series):
        part = make_series(draw, made, dates, np.asarray(shared))
        keys = [("store", f"s{number % 4}"), ("product", f"p{number // 4:02}")]
        for place, (name, value) in enumerate(keys if made.stores else [("series", f"series{number:02}")]):
            part.insert(1 + place, name, value)
        known = draw.random(made.length) >= made.missing
        if made.late and number % 3 == 0:
            known[: int(draw.uniform(0.2, 0.7) * made.length)] = False
        part["held"] = np.arange(made.length) >= made.length - made.horizon
        parts.append(part[known | part["held"].to_numpy()])
    table = pd.concat(parts).sort_values("date", kind="stable", ignore_index=True)
    table["date"] = table["date"].dt.strftime("%Y-%m-%d %H:%M:%S" if made.step == "h" else "%Y-%m-%d")
    if made.series == 1:
        table = table.drop(columns="series")
    table.insert(0, "id", np.arange(len(table)))
    held = table.pop("held")
    return table[~held], table[held]


def write_panel(folder: Path, made: MadePanel, seed: int) -> None:
    """Write one panel as a task folder and a folder of answers."""
    train, test = make_panel(made, seed)
    steps = {"D": "days", "W": "weeks", "h": "hours"}[made.step]
    write_task(
        folder,
        made.name,
        files={
            "train.csv": train,
            "test.csv": test.drop(columns="target"),
            "sample_submission.csv": test[["id"]].assign(target=1),
        },
        description=(
            f"Forecast `target` for the next {made.horizon} {steps}. Submissions are scored by `{made.metric}`.\n"
        ),
        answers=test[["id", "target"]],
        grade={"metric": made.metric},
    )


if __name__ == "__main__":
    write_suite(__doc__, PANELS, write_panel)
