"""Seconds and peak memory of reading, describing, splitting, staging and grading, for tables and images of many sizes.

    python -m benchmarks.data [--quick] [--folder DIR]

Each size is a process of its own, so that its peak is its own. Prints a table, the growth between sizes, and an
extrapolation for 20 GB of images, which is marked so.
"""

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

MAX_CELLS = 100_000_000
ROWS = (10_000, 100_000, 1_000_000, 5_000_000)
COLUMNS = (10, 100, 1_000, 10_000)
QUICK = ((10_000, 10), (10_000, 100), (100_000, 10))
IMAGE_BYTES = 100_000
IMAGES = 20_000
"""2 GB."""
QUICK_IMAGES = 200
TEST_SHARE = 0.2
PART_CELLS = 2_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--folder", type=Path, help="where the data are generated; several GB")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    root = Path(tempfile.mkdtemp(prefix="mlestar-data-", dir=options.folder))
    try:
        run_all(root, quick=options.quick)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run_all(root: Path, *, quick: bool) -> None:
    every = [(rows, columns) for rows in ROWS for columns in COLUMNS if rows * columns <= MAX_CELLS]
    sizes = QUICK if quick else every
    print(
        "| input | MB | load s | split s | stage s | grade s | total s | peak MB |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    results: list[tuple[float, float]] = []
    for rows, columns in sizes:
        figures = run(root / "task", f"{rows:,} x {columns:,}", partial(write_table, rows=rows, columns=columns))
        results.append((rows * columns, figures["total"]))
    images = QUICK_IMAGES if quick else IMAGES
    figures = run(root / "task", f"{images:,} images", partial(write_images, count=images))
    report_growth(results)
    factor = 20e9 / (images * IMAGE_BYTES)
    print(f"20 GB of images: EXTRAPOLATED, not measured: {figures['total'] * factor:.0f} s")


def run(folder: Path, name: str, write: Callable[[Path], None]) -> dict[str, float]:
    """Measure one input in a process of its own and print its row."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    command = [sys.executable, "-m", "benchmarks.data", "--child", str(folder)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        sys.exit(f"{name}: {(child.stderr.strip() or 'killed').splitlines()[-1]}")
    figures: dict[str, float] = json.loads(child.stdout.strip().splitlines()[-1])
    steps = " | ".join(f"{figures[step]:.1f}" for step in ("load", "split", "stage", "grade", "total"))
    print(f"| {name} | {size:,.0f} | {steps} | {figures['peak']:,.0f} |", flush=True)
    return figures


def report_growth(results: list[tuple[float, float]]) -> None:
    """Print how seconds grow with cells, over the largest and the smallest size; 1 is linear."""
    (few, fast), (many, slow) = min(results), max(results)
    exponent = math.log(slow / fast) / math.log(many / few)
    print(f"\ngrowth: seconds rise with cells to the power of {exponent:.2f}, from {few:,.0f} to {many:,.0f} cells")


def measure(folder: Path) -> dict[str, float]:
    """Return seconds of each step, and the peak of resident memory in MB."""
    from mlestar.data.task import Task
    from mlestar.evaluation import Grader, infer_split, search_holdout, stage

    figures: dict[str, float] = {}

    def timed(name: str, step: Callable[[], object]) -> object:
        start = time.perf_counter()
        result = step()
        figures[name] = time.perf_counter() - start
        return result

    task = timed("load", lambda: Task.load(folder))
    assert isinstance(task, Task)
    holdout = timed("split", lambda: search_holdout(task, infer_split(task), seed=0))
    timed("stage", lambda: stage(task, holdout, folder.with_name("staged"), link=True))
    submission = folder.with_name("staged") / "sample_submission.csv"
    timed("grade", lambda: Grader(task, holdout, 100).grade(submission))
    shutil.rmtree(folder.with_name("staged"))
    figures["total"] = sum(figures.values())
    # Kilobytes on Linux, bytes on macOS.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return figures


def write_table(folder: Path, rows: int, columns: int) -> None:
    """Write a task with a target that is a noisy sum of its first columns, in parts of limited size."""
    rng = np.random.default_rng(0)
    names = [f"f{number}" for number in range(columns - 2)]
    (folder / "task.md").write_text("Predict y. The metric is RMSE.\n")
    first = 0
    for name, count in (("train", int(rows * (1 - TEST_SHARE))), ("test", int(rows * TEST_SHARE))):
        with (folder / f"{name}.csv").open("w") as file:
            file.write(",".join(["id", *names, "y"][: None if name == "train" else -1]) + "\n")
            step = max(1, PART_CELLS // columns)
            for start in range(0, count, step):
                part = min(count - start, step)
                values = rng.integers(-999, 1000, size=(part, len(names))) / 100
                target = values[:, :3].sum(axis=1) + rng.normal(size=part)
                cells = values if name == "test" else np.column_stack([values, target.round(2)])
                for number, row in enumerate(cells.tolist(), first + start):
                    file.write(f"{number},{','.join(map(str, row))}\n")
        first += count
    with (folder / "sample_submission.csv").open("w") as file:
        file.write("id,y\n")
        file.writelines(f"{number},0\n" for number in range(int(rows * (1 - TEST_SHARE)), first))


def write_images(folder: Path, count: int) -> None:
    """Write labelled files of random bytes with the names of pictures."""
    rng = np.random.default_rng(0)
    (folder / "task.md").write_text("Predict label. The metric is accuracy.\n")
    first_test = int(count * (1 - TEST_SHARE))
    for name in ("train", "test"):
        (folder / name).mkdir()
    for number in range(count):
        name = "train" if number < first_test else "test"
        (folder / name / f"{number:06}.jpg").write_bytes(rng.bytes(IMAGE_BYTES))
    labels = "".join(f"{number:06},{rng.integers(2)}\n" for number in range(first_test))
    (folder / "train.csv").write_text("id,label\n" + labels)
    sample = "".join(f"{number:06},0\n" for number in range(first_test, count))
    (folder / "sample_submission.csv").write_text("id,label\n" + sample)


if __name__ == "__main__":
    main()
