"""Tasks in every layout whose labelled rows are marked, so that a row is recognised wherever it is staged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mlestar.data.task import Task

ROWS, TESTS = 400, 100
SPLITS = ("random", "stratified", "group:city", "space:east+north", "time:day", "series:store:day", "series:city:day")
TABLE_NOTE = "Predict `y`.\n\n## Evaluation\nRMSE\n"


@dataclass(frozen=True)
class Marked:
    """A task and what recognises each of its labelled rows: bytes of its files and cells, and of its label."""

    task: Task
    marks: list[list[bytes]]


def mark(row: int) -> str:
    return f"zq{row:05d}x"


def target(row: int) -> str:
    return f"7{row:05d}.25"


def rows(first: int, count: int) -> pd.DataFrame:
    """Return rows with a mark, groups, places, days and series."""
    numbers = np.arange(first, first + count)
    rng = np.random.default_rng(first)
    columns: dict[str, object] = {
        "id": [mark(row) for row in numbers],
        "note": [f"{mark(row)}note" for row in numbers],
        "city": [f"C{number}" for number in rng.integers(0, 40, count)],
        "store": [f"S{row % 4}" for row in numbers],
        "day": pd.date_range("2020-01-01", periods=first + count)[first:].strftime("%Y-%m-%d"),
        "east": rng.uniform(0, 100, count).round(3),
        "north": rng.uniform(0, 100, count).round(3),
        "y": [target(row) for row in numbers],
    }
    return pd.DataFrame(columns)


def cell_marks() -> list[list[bytes]]:
    """Return the marks of rows of tables: of their cells and of their target."""
    return [[mark(row).encode(), target(row).encode()] for row in range(ROWS)]


def make_tables(folder: Path, split: str = "random") -> Marked:
    train, test = rows(0, ROWS), rows(ROWS, TESTS).drop(columns="y")
    metric = "rmse"
    if split == "stratified":
        train["y"], metric = np.where(np.arange(ROWS) % 3, "no", "yes"), "accuracy"
    _write(folder, {"train.csv": train, "test.csv": test, "sample_submission.csv": test[["id"]].assign(y=train.y[0])})
    marks = cell_marks() if metric == "rmse" else [row[:1] for row in cell_marks()]
    return Marked(Task.load(folder, metric=metric, split=split), marks)


def make_pictured_tables(folder: Path) -> Marked:
    marked = make_tables(folder)
    for row in range(ROWS + TESTS):
        _write_text(folder / "pictures" / f"{mark(row)}.jpg", f"picture {mark(row)}")
    return Marked(Task.load(folder, metric="rmse", split="random"), marked.marks)


def make_separate(folder: Path) -> Marked:
    train, test = rows(0, ROWS), rows(ROWS, TESTS)
    labels = train[["id", "y"]].sample(frac=1.0, random_state=0)
    tables = {"train_values.csv": train.drop(columns="y"), "train_labels.csv": labels}
    _write(folder, {**tables, "test_values.csv": test.drop(columns="y")})
    return Marked(Task.load(folder, metric="rmse", split="random"), cell_marks())


def make_single(folder: Path) -> Marked:
    _write(folder, {"customers.csv": rows(0, ROWS)})
    return Marked(Task.load(folder, metric="rmse", target="y", split="random"), cell_marks())


def make_arrays(folder: Path) -> Marked:
    folder.mkdir(parents=True)
    train, test = rows(0, ROWS), rows(ROWS, TESTS)
    for name, frame in (("train", train), ("test", test)):
        arrays = {"id": frame.id.to_numpy(dtype="S"), "image": np.arange(len(frame))[:, None] + np.zeros((1, 4))}
        label = {"label": np.arange(len(frame)) + 7_000_000} if name == "train" else {}
        np.savez(folder / f"{name}.npz", **arrays, **label)
    marks = [[mark(row).encode(), (7_000_000 + row).to_bytes(8, "little")] for row in range(ROWS)]
    return Marked(Task.load(folder, metric="rmse"), marks)


def make_labelled_files(folder: Path) -> Marked:
    labels = rows(0, ROWS)[["id", "y"]]
    _write(folder, {"train_labels.csv": labels, "sample_submission.csv": rows(ROWS, TESTS)[["id"]].assign(y=0.0)})
    for row in range(ROWS + TESTS):
        side = "train" if row < ROWS else "test"
        _write_text(folder / side / f"{mark(row)}.jpg", f"picture {mark(row)}")
    return Marked(Task.load(folder, metric="rmse"), cell_marks())


def make_class_folders(folder: Path) -> Marked:
    return _make_classes(folder, lambda row: f"train/{_kind(row)}/{mark(row)}.jpg")


def make_class_names(folder: Path) -> Marked:
    return _make_classes(folder, lambda row: f"train/{_kind(row)}.{row}.jpg")


def make_pairs(folder: Path) -> Marked:
    rng = np.random.default_rng(0)
    marks: list[list[bytes]] = []
    for row in range(ROWS + TESTS):
        side = "train" if row < ROWS else "test"
        pixels = rng.integers(0, 256, (4, 6), dtype=np.uint8)
        _write_picture(folder / side / f"{1000 + row}.png", pixels // 2)
        if row < ROWS:
            _write_picture(folder / "clean" / f"{1000 + row}.png", pixels)
            marks.append([(folder / name / f"{1000 + row}.png").read_bytes() for name in ("train", "clean")])
    cells = [(f"{1000 + row}_{y}_{x}", 1) for row in range(ROWS, ROWS + TESTS) for y in range(1, 5) for x in range(1, 7)]
    pd.DataFrame(cells, columns=["id", "value"]).to_csv(folder / "sampleSubmission.csv", index=False)
    return Marked(Task.load(folder, metric="rmse"), marks)


LAYOUTS: dict[str, Callable[[Path], Marked]] = {
    "tables": make_tables,
    "tables with pictures": make_pictured_tables,
    "separate labels": make_separate,
    "single table": make_single,
    "arrays": make_arrays,
    "labelled files": make_labelled_files,
    "class folders": make_class_folders,
    "class in the name": make_class_names,
    "file to file": make_pairs,
}


def _kind(row: int) -> str:
    return "cat" if row % 3 else "dog"


def _make_classes(folder: Path, name: Callable[[int], str]) -> Marked:
    for row in range(ROWS):
        _write_text(folder / name(row), f"picture {mark(row)}")
    for row in range(ROWS, ROWS + TESTS):
        _write_text(folder / f"test/{row}.jpg", f"picture {mark(row)}")
    task = Task.load(folder, metric="accuracy")
    content = [(task.input / name(row)).read_bytes() for row in range(ROWS)]
    order = [_row_of(task, number) for number in range(ROWS)]
    return Marked(task, [[content[row]] for row in order])


def _row_of(task: Task, number: int) -> int:
    """Return the row whose file is that of a number of the layout, which lists files by their names."""
    files = sorted(file for file in task.layout.source.folder.files if file.startswith("train/"))
    text = (task.input / files[number]).read_text()
    return int(text.removeprefix("picture zq").removesuffix("x"))


def _write(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text(TABLE_NOTE)
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
