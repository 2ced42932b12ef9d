"""Run task folders end to end and grade their submissions on labels outside those folders.

usage: python benchmarks/tasks.py --tasks DIR --answers DIR --grade GRADE.py [--only ID ...] [--runner docker local]
                                  [--profile quick] [--seed 0 ...] [--runs-dir DIR]

TASKS holds one task folder per id, ANSWERS one folder per id, and `GRADE.py ANSWERS/ID SUBMISSION` prints a JSON object
with `score`. Prints one Markdown row per run.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HEAD = "| task | runner | seed | exit | seconds | graded | fresh | holdout | reported |"


def main() -> None:
    options = parse_options()
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for task in options.only or sorted(path.name for path in options.tasks.iterdir()):
        for runner in options.runner:
            for seed in options.seed:
                print(run_task(options, task, runner, seed), flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--grade", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--runner", nargs="*", default=["docker", "local"])
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--seed", nargs="*", type=int, default=[0])
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    return parser.parse_args()


def run_task(options: argparse.Namespace, task: str, runner: str, seed: int) -> str:
    run_id = f"{task}-{runner}-{options.profile}-{seed}-{int(time.time())}"
    command = [sys.executable, "-m", "mlestar", "run", options.tasks / task, "--model", "offline", "--json", "--quiet"]
    command += ["--profile", options.profile, "--runner", runner, "--runs-dir", options.runs_dir]
    command += ["--run-id", run_id, "--set", f"seed={seed}"]
    start = time.monotonic()
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    result = json.loads(process.stdout) if process.stdout.strip() else {"score": {}}
    score = result["score"]
    cells = [task, runner, seed, process.returncode, f"{seconds:.0f}", grade(options, task, result.get("submission"))]
    cells += [format_score(score, "fresh"), format_score(score, "holdout"), format_number(score.get("reported"))]
    return "| " + " | ".join(map(str, cells)) + " |"


def grade(options: argparse.Namespace, task: str, submission: str | None) -> str:
    if not submission:
        return "-"
    command = [sys.executable, options.grade, options.answers / task, submission]
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return format_number(json.loads(process.stdout).get("score"))


def format_score(score: dict[str, float | None], name: str) -> str:
    error = score.get(f"{name}_se")
    return format_number(score.get(name)) + (f" ± {error:.2g}" if error else "")


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


if __name__ == "__main__":
    main()
