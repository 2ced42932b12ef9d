"""Tables in which a known structure divides test from train, and null tables in which none does."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.split import choose_plan
from mlestar.metrics.spec import TaskSpec


@dataclass(frozen=True)
class Plant:
    """A table, which of its rows are test, and what a right plan is."""

    frame: pd.DataFrame
    in_test: np.ndarray
    is_right: Callable[[SplitPlan], bool]


def plan_of(frame: pd.DataFrame, in_test: np.ndarray) -> SplitPlan:
    """Infer the split of a table, of whose columns `y` is the target and `id`, where there is one, the id."""
    cells = frame.astype(str).replace("nan", "")
    train, test = cells[~in_test].reset_index(drop=True), cells[in_test].drop(columns="y").reset_index(drop=True)
    spec = TaskSpec(
        name="planted",
        problem="regression",
        modality="table",
        train="train.csv",
        test="test.csv",
        target=("y",),
        id="id" if "id" in frame else None,
        metric="rmse",
        direction="minimize",
        prediction_kind="value",
        prediction_columns=("y",),
    )
    return choose_plan(spec, train, test)[0]


def features(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Return a varied number of feature columns that have nothing to do with the structure."""
    columns: dict[str, np.ndarray] = {}
    for number in range(rng.integers(1, 7)):
        columns[f"f{number}"] = rng.normal(size=rows).round(rng.integers(2, 6)) * 10.0 ** rng.integers(-2, 4)
    for number in range(rng.integers(0, 5)):
        columns[f"k{number}"] = rng.integers(0, rng.integers(2, 60), rows)
    for number in range(rng.integers(0, 3)):
        columns[f"c{number}"] = rng.choice(["red", "green", "blue", "black", "white"], rows)
    return columns


def _pick(rng: np.random.Generator, *options: str) -> str:
    return str(rng.choice(options))


def _table(rng: np.random.Generator, columns: dict[str, object], rows: int) -> pd.DataFrame:
    """Return the columns among features, with an id in half of the tables, in a shuffled order of columns."""
    everything = {**columns, **features(rng, rows)}
    names = rng.permutation(list(everything))
    frame = pd.DataFrame({name: everything[name] for name in names})
    if rng.random() < 0.5 and "id" not in frame:
        frame.insert(0, "id", np.arange(rows))
    return frame.assign(y=rng.normal(size=rows).round(4))


def _shuffle(rng: np.random.Generator, frame: pd.DataFrame, in_test: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    order = rng.permutation(len(frame)) if rng.random() < 0.5 else np.arange(len(frame))
    return frame.iloc[order].reset_index(drop=True), in_test[order]


def _draw_groups(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Put a fifth to a third of the groups into test."""
    groups = np.unique(codes)
    return np.isin(codes, rng.choice(groups, max(2, int(len(groups) * rng.uniform(0.2, 0.34))), replace=False))


def _after(moments: "pd.Series[pd.Timestamp]", share: float) -> np.ndarray:
    """Mark the moments that come after this share of the rows."""
    values = moments.to_numpy()
    return np.asarray(values >= np.sort(values)[int(share * len(values))])


def plant_time(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 1])
    rows = int(rng.integers(150, 3000))
    moments = pd.Series(pd.Timestamp("2017-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 700, rows)), unit="D"))
    name = _pick(rng, "date", "when", "Sold On", "timestamp", "visit_day")
    cells = moments.dt.strftime(_pick(rng, "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%Y-%m-%d %H:%M:%S"))
    frame = _table(rng, {name: cells.to_numpy()}, rows)
    in_test = _after(moments, rng.uniform(0.65, 0.85))
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.kind == "time" and plan.column == name)


def plant_parts(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 2])
    rows = int(rng.integers(200, 3000))
    moments = pd.Series(pd.Timestamp("2016-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 1400, rows)), unit="D"))
    prefix = _pick(rng, "", "sale_", "obs ")
    year, month, day = f"{prefix}year", f"{prefix}month", f"{prefix}day"
    columns: dict[str, object] = {year: moments.dt.year.to_numpy(), month: moments.dt.month.to_numpy()}
    if rng.random() < 0.3:
        columns[month] = moments.dt.strftime("%b").to_numpy()
    if rng.random() < 0.5:
        columns[day] = moments.dt.day.to_numpy()
    frame = _table(rng, columns, rows)
    cut = pd.Timestamp("2019-01-01") + pd.DateOffset(months=int(rng.integers(0, 8)))
    in_test = (moments >= cut).to_numpy()
    return Plant(
        *_shuffle(rng, frame, in_test), lambda plan: plan.kind == "time" and {year, month} <= set(plan.columns)
    )


def plant_prose(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 3])
    rows = int(rng.integers(150, 1500))
    moments = pd.Series(pd.Timestamp("2018-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 600, rows)), unit="D"))
    form = _pick(rng, "%B %d, %Y", "%d %B %Y", "%Y-%m-%d", "%d.%m.%Y", "%d %b %Y")
    words = rng.choice(["good", "poor", "late", "clean", "noisy", "friendly", "small"], (rows, 6))
    name = _pick(rng, "comment", "note", "review")
    texts = [
        f"{' '.join(some[:3])} visit on {when.strftime(form)}, {' '.join(some[3:])}"
        for some, when in zip(words, moments, strict=True)
    ]
    frame = _table(rng, {name: texts}, rows)
    in_test = _after(moments, rng.uniform(0.65, 0.85))
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.kind == "time" and plan.column == name)


def plant_group(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 4])
    rows = int(rng.integers(300, 3000))
    codes = rng.integers(0, max(12, rows // int(rng.integers(4, 20))), rows)
    name = _pick(rng, "patient", "customer_id", "subject", "household", "store nr")
    in_test = _draw_groups(rng, codes)
    frame = _table(rng, {name: [f"P{code}" for code in codes] if rng.random() < 0.5 else codes}, rows)
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.kind == "group" and plan.column == name)


def plant_files(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 5])
    rows = int(rng.integers(300, 2000))
    codes = rng.integers(0, max(12, rows // int(rng.integers(5, 20))), rows)
    form = _pick(rng, "rec_{n:04d}_speaker{g:02d}.wav", "img/{n}/case-{g}/left.png", "{n:05d}-{g}", "s{k}_p{g}_{n}.csv")
    cells = [form.format(n=number, g=code, k=number % 4) for number, code in enumerate(codes)]
    name = _pick(rng, "file", "path", "id", "recording")
    in_test = _draw_groups(rng, codes)
    frame = _table(rng, {name: cells}, rows)

    def right(plan: SplitPlan) -> bool:
        if plan.kind != "group" or plan.column != name or plan.group_rule is None:
            return False
        named = plan.group_rule.apply(name, pd.Series(cells))
        return bool((pd.crosstab(named, codes) > 0).sum(axis=0).max() == 1)

    return Plant(*_shuffle(rng, frame, in_test), right)


def plant_composite(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 6])
    rows = int(rng.integers(500, 3000))
    first, second = rng.integers(0, rng.integers(8, 20), rows), rng.integers(1, rng.integers(5, 9), rows)
    names = [_pick(rng, "school", "site", "store_id"), _pick(rng, "class", "bed", "room", "batch")]
    in_test = _draw_groups(rng, first * 100 + second)
    frame = _table(rng, {names[0]: [f"S{code}" for code in first], names[1]: second}, rows)
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.kind == "group" and set(plan.columns) == set(names))


def plant_series(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 7])
    count = int(rng.integers(12, 120))
    lengths = rng.integers(8, 60, count)
    codes = np.repeat(np.arange(count), lengths)
    steps = [np.cumsum(rng.uniform(0.2, 2.0, length)) + rng.uniform(0, 100) for length in lengths]
    times = np.concatenate(steps)
    style = _pick(rng, "real", "date", "counter", "real")
    columns: dict[str, object] = {}
    when = _pick(rng, "test_time", "time", "t") if style == "real" else _pick(rng, "date", "visited")
    if style == "real":
        columns[when] = times.round(4)
    elif style == "date":
        columns[when] = (pd.Timestamp("2020-01-01") + pd.to_timedelta((times * 24).astype(int), unit="h")).strftime(
            "%Y-%m-%d %H:%M"
        )
    else:
        when = _pick(rng, "visit", "seq", "cycle")
        columns[when] = np.concatenate([np.arange(1, length + 1) for length in lengths])
    name = _pick(rng, "subject#", "store", "engine", "customer_id")
    columns[name] = codes if rng.random() < 0.5 else [f"u{code}" for code in codes]
    share = rng.uniform(0.15, 0.35)
    place = np.concatenate([np.arange(length) / length for length in lengths])
    in_test = place >= 1 - share
    only = rng.random(count)
    in_test = np.where(only[codes] < 0.05, True, np.where(only[codes] > 0.9, False, in_test))
    frame = _table(rng, columns, len(codes))
    return Plant(
        *_shuffle(rng, frame, in_test),
        lambda plan: plan.kind == "series" and plan.column == when and plan.series == (name,),
    )


def plant_space(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 8])
    rows = int(rng.integers(400, 3000))
    x, y = rng.uniform(0, 1, rows), rng.uniform(0, 1, rows)
    sides = int(rng.integers(4, 9))
    in_test = _draw_groups(rng, (x * sides).astype(int) * 100 + (y * sides).astype(int))
    names = [("lat", "lon"), ("Latitude", "Longitude"), ("pos_x", "pos_y"), ("easting", "northing"), ("f_a", "f_b")][
        seed % 5
    ]
    scale = 5.0 if "lat" in names[0].lower() else 10.0 ** rng.integers(0, 5)
    frame = _table(rng, {names[0]: (50 + x * scale).round(5), names[1]: (8 + y * scale).round(5)}, rows)
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.kind == "space" and set(plan.columns) == set(names))


def plant_copies(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 9])
    count, width, copies = int(rng.integers(100, 700)), int(rng.integers(4, 20)), int(rng.integers(2, 5))
    base = rng.normal(size=(count, width)) * 10.0 ** rng.integers(-1, 3, width)
    codes = np.repeat(np.arange(count), copies)
    noise = rng.normal(size=(len(codes), width)) * base.std(axis=0) * 10 ** rng.uniform(-4, -1.3)
    values = base[codes] + noise
    frame = pd.DataFrame({f"m{number}": values[:, number] for number in range(width)})
    if rng.random() < 0.5:
        frame.insert(0, "id", rng.permutation(len(codes)))
    frame["y"] = rng.normal(size=len(codes))
    in_test = _draw_groups(rng, codes)
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.keep_duplicates and bool(plan.widths))


def plant_equal(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 10])
    base = _table(rng, {}, int(rng.integers(150, 1000))).drop(columns=["id", "y"], errors="ignore")
    base["f0"] = rng.normal(size=len(base))
    codes = np.repeat(np.arange(len(base)), rng.integers(1, 5, len(base)))
    frame = base.iloc[codes].reset_index(drop=True).assign(y=rng.normal(size=len(codes)))
    in_test = _draw_groups(rng, codes)
    return Plant(*_shuffle(rng, frame, in_test), lambda plan: plan.keep_duplicates)


PLANTS: dict[str, Callable[[int], Plant]] = {
    "time": plant_time,
    "year and month": plant_parts,
    "date in prose": plant_prose,
    "group": plant_group,
    "group in file names": plant_files,
    "composite group": plant_composite,
    "series": plant_series,
    "space": plant_space,
    "near copies": plant_copies,
    "equal rows": plant_equal,
}


def _is_random(plan: SplitPlan) -> bool:
    return plan.kind in ("stratified", "random") and not plan.keep_duplicates


def _null(rng: np.random.Generator, columns: dict[str, object], rows: int) -> Plant:
    frame = _table(rng, columns, rows)
    in_test = rng.random(rows) < rng.uniform(0.1, 0.5)
    if rng.random() < 0.3 and "id" in frame:
        # Ids that number train first, then test.
        frame["id"] = np.argsort(np.argsort(in_test, kind="stable"), kind="stable")
    return Plant(frame, in_test, _is_random)


def null_dates(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 20])
    rows = int(rng.integers(100, 2500))
    moments = pd.Series(pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"))
    columns: dict[str, object] = {"date": moments.dt.strftime("%Y-%m-%d"), "year": moments.dt.year}
    columns |= {"month": moments.dt.month, "note": [f"seen on {when:%d %B %Y} again" for when in moments]}
    return _null(rng, columns, rows)


def null_categories(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 21])
    rows = int(rng.integers(60, 2500))
    cities = rng.zipf(1.5, rows)
    columns: dict[str, object] = {"city": cities, "store_id": rng.integers(0, max(rows // 5, 4), rows)}
    columns["path"] = [f"a{number % 7}/rec_{number}_p{city}.wav" for number, city in enumerate(cities)]
    return _null(rng, columns, rows)


def null_text(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 22])
    rows = int(rng.integers(60, 1200))
    words = rng.choice(["good", "poor", "late", "clean", "noisy", "friendly", "small", "on 2019"], (rows, 8))
    return _null(rng, {"text": [" ".join(some) for some in words]}, rows)


def null_places(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 23])
    rows = int(rng.integers(100, 2500))
    centres = rng.uniform(40, 60, (int(rng.integers(3, 30)), 2))
    places = centres[rng.integers(0, len(centres), rows)] + rng.normal(size=(rows, 2)) * rng.uniform(0.001, 1.0)
    return _null(rng, {"lat": places[:, 0].round(5), "lon": places[:, 1].round(5)}, rows)


def null_repeats(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 24])
    count, copies = int(rng.integers(30, 400)), int(rng.integers(2, 7))
    codes = np.repeat(np.arange(count), copies)
    base = rng.normal(size=(count, 6))
    values = base[codes] + rng.normal(size=(len(codes), 6)) * 10 ** rng.uniform(-4, 0)
    columns: dict[str, object] = {f"m{number}": values[:, number] for number in range(6)}
    columns |= {"patient": codes, "visit": np.tile(np.arange(copies), count), "time": rng.uniform(0, 99, len(codes))}
    return _null(rng, columns, len(codes))


def null_equal(seed: int) -> Plant:
    rng = np.random.default_rng([seed, 25])
    rows = int(rng.integers(100, 2000))
    kinds = {name: rng.integers(0, int(rng.integers(2, 6)), rows) for name in ("a", "b", "c", "school", "class")}
    return _null(rng, dict(kinds), rows)


NULLS: tuple[Callable[[int], Plant], ...] = (
    null_dates,
    null_categories,
    null_text,
    null_places,
    null_repeats,
    null_equal,
)
