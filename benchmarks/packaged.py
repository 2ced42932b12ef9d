"""Package the winners of runs, and scripts of other authors; print what was packaged and how long predictions take.

    python benchmarks/packaged.py RUN_FOLDER... --runner local
    python benchmarks/packaged.py --task TASK_FOLDER --scripts FOLDER --runner local

Run folders are copied first. A script is run on its task as the only candidate of a run with the offline packager. Rows
are drawn from the test rows with replacement.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import mlestar
from mlestar.errors import OperatorError, UserError
from mlestar.llm import ScriptedModel
from mlestar.offline import OfflineEngineer
from mlestar.predictor import PackageInfo, apackage, open_predictor
from mlestar.predictor.packaged import How

ROWS = (1, 1_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--task", type=Path, help="task of the scripts")
    parser.add_argument("--scripts", type=Path, help="folder of scripts by other authors")
    parser.add_argument("--runner", default="docker")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="numbers of rows to predict")
    parser.add_argument("--without-replay", action="store_true", help="do not time replays, which train each time")
    chosen = parser.parse_args()
    print("| winner | packaged | difference | fit s | rows | packaged s | replay s |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        for name, run in [*copies(chosen.runs, Path(scratch)), *script_runs(chosen, Path(scratch))]:
            ways: list[How] = ["packaged"] if chosen.without_replay else ["packaged", "replay"]
            try:
                show(name, run, chosen.runner, chosen.rows, ways)
            except (UserError, OperatorError) as error:
                print(f"| {name} | no: {error} | | | | | |", flush=True)


def copies(runs: list[Path], scratch: Path) -> Iterator[tuple[str, Path]]:
    for number, run in enumerate(runs):
        copy = scratch / f"run{number}"
        shutil.copytree(run, copy, symlinks=True)
        yield run.parents[1].name if run.name == "run" else run.name, copy


def script_runs(chosen: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield the runs whose only candidate is a script of the folder."""
    for path in sorted(chosen.scripts.glob("*.py")) if chosen.scripts else []:
        replies = {
            "retriever": '```json\n{"cards": [{"name": "the script", "example_code": ""}]}\n```',
            "initializer": f"```python\n{path.read_text(encoding='utf-8')}\n```",
            "leakage_checker": '```json\n{"leak": false, "block": "", "reason": ""}\n```',
            "usage_checker": "ALL USED",
        }
        scripted = ScriptedModel(answer=lambda role, prompt, replies=replies: replies[role])
        models = {"default": OfflineEngineer()} | dict.fromkeys(replies, scripted)
        options = {"profile": "quick", "outer_steps": 0, "retrieved_models": 1, "baselines": False}
        result = mlestar.solve(chosen.task, model=models, runner=chosen.runner, runs_dir=scratch / path.stem, **options)
        yield path.stem, Path(result.folder)


def show(name: str, run: Path, runner: str, rows: list[int], ways: list[How]) -> None:
    info = asyncio.run(apackage(run, runner=runner, model="offline"))
    difference = max((check.difference for check in info.checks), default=0.0)
    if not info.accepted:
        print(f"| {name} | no: {info.reason} | {difference:.2g} | | | | |", flush=True)
        return
    for count in rows:
        seconds = [f"{timed(run, info, runner, count, way):.1f}" for way in ways]
        cells = [name, "yes", f"{difference:.2g}", f"{info.fit_seconds:.0f}", f"{count:,}", *seconds]
        print("| " + " | ".join(cells) + " |", flush=True)


def timed(run: Path, info: PackageInfo, runner: str, count: int, how: How) -> float:
    """Return how many seconds it takes to predict so many rows."""
    predictor = open_predictor(run, how=how, runner=runner)
    test = predictor.task.test.rows
    chosen = test.sample(count, replace=True, random_state=0).reset_index(drop=True)
    if info.rows.id is not None and info.rows.free_id:
        chosen = chosen.drop(columns=info.rows.id.name)
    started = time.monotonic()
    predicted: pd.DataFrame = predictor.predict_submission(chosen)
    assert len(predicted) == count
    return time.monotonic() - started


if __name__ == "__main__":
    main()
