"""Whether one CPU per script with as many scripts as cores beats two CPUs per script: whole runs, interleaved.

usage: python benchmarks/share.py [--rounds 2] [--runner docker] [--lock FILE] [--work DIR]

Two small tables (the demonstration's, and a generated one of 5,000 rows) are solved by the offline engineer with the
profile quick, alternately with either share. Prints the wall time of each run and the ratio of the medians.
"""

import argparse
import fcntl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.cli.demo import make_demo

SHARES = {"1 CPU, one script per core": ["cpus=1", "parallel=2"], "2 CPUs, one script": ["cpus=2", "parallel=1"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runner", default="docker")
    parser.add_argument("--lock", type=Path, help="file that is locked during each run")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mlestar-share")
    options = parser.parse_args()
    tasks = {"demonstration": make_demo(options.work / "demo"), "5,000 rows": make_table(options.work / "table")}
    for name, task in tasks.items():
        times: dict[str, list[float]] = {share: [] for share in SHARES}
        for number in range(options.rounds):
            for share, settings in SHARES.items():
                times[share].append(solve(options, task, settings))
                print(f"{name}, round {number + 1}, {share}: {times[share][-1]:.1f} s", flush=True)
        one, two = (statistics.median(times[share]) for share in SHARES)
        print(f"{name}: median {one:.1f} s with {next(iter(SHARES))}, ratio {one / two:.2f} of the other", flush=True)


def make_table(folder: Path) -> Path:
    """Write a regression task of 5,000 rows with twelve numbers and two categories."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(5000, 12)), columns=[f"x{i}" for i in range(12)]).round(4)
    frame.insert(0, "id", np.arange(len(frame)))
    frame["town"], frame["make"] = rng.choice(list("abcdefgh"), 5000), rng.choice(["p", "q", "r"], 5000)
    signal = frame["x0"] * frame["x1"] + np.sin(frame["x2"] * 2) + frame["town"].map(ord) / 5 + (frame["make"] == "q")
    frame["y"] = (signal + rng.normal(scale=0.5, size=5000)).round(4)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text("Predict y.\n\n## Evaluation\nRoot mean squared error.\n", encoding="utf-8")
    frame[:4000].to_csv(folder / "train.csv", index=False)
    frame[4000:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    frame[4000:][["id"]].assign(y=0.0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def solve(options: argparse.Namespace, task: Path, settings: list[str]) -> float:
    command = [sys.executable, "-m", "mlestar", "run", task, "--model", "offline", "--profile", "quick"]
    command += ["--json", "--quiet"]
    command += ["--runner", options.runner, "--runs-dir", options.work / "runs"]
    command += [part for setting in settings for part in ("--set", setting)]
    command += ["--run-id", f"{task.name}-{time.time_ns()}"]
    with (options.lock or options.work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        return time.monotonic() - started


if __name__ == "__main__":
    main()
