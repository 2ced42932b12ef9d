"""Seconds until a run has read, analysed and staged its task, each measured in a process of its own.

usage: python benchmarks/staging.py TASK [TASK ...] [--repeats 3] [--python PYTHON ...]

`--python` names the interpreter of another checkout, to measure several beside each other, in turn. Prints a Markdown
row per task with the median for each interpreter.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DONE = "read, analysed and staged"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        stage_task(options.tasks[0])
        return
    print("| task | " + " | ".join(options.python) + " |\n|---" + "|---" * len(options.python) + "|")
    totals = [0.0] * len(options.python)
    for task in options.tasks:
        medians = measure(task, options.python, options.repeats)
        totals = [total + median for total, median in zip(totals, medians, strict=True)]
        print(f"| {task.name} | " + " | ".join(f"{median:.2f}" for median in medians) + " |", flush=True)
    print("| all | " + " | ".join(f"{total:.2f}" for total in totals) + " |")


def measure(task: Path, pythons: list[str], repeats: int) -> list[float]:
    """Return the median seconds of a task for each interpreter."""
    seconds: dict[str, list[float]] = {python: [] for python in pythons}
    for _ in range(repeats):
        for python in pythons:
            command = [str(Path(python).absolute()), str(Path(__file__).absolute()), "--one", str(task.absolute())]
            with tempfile.TemporaryDirectory() as scratch:
                done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=scratch)
            seconds[python].append(float(done.stdout.split()[-1]))
    return [statistics.median(seconds[python]) for python in pythons]


def stage_task(task: Path) -> None:
    """Start a run in the current folder, print the seconds until its task is staged, and end the process."""
    import mlestar

    start = time.monotonic()

    def on_event(event: mlestar.Event) -> None:
        if event.message.startswith(DONE):
            print(time.monotonic() - start, flush=True)
            os._exit(0)

    mlestar.solve(task, model="offline", runner="local", profile="quick", runs_dir=Path("runs"), on_event=on_event)


if __name__ == "__main__":
    main()
