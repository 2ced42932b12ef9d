"""Grade the solutions of each stage of finished runs on labels that were never in the task folder.

usage: python benchmarks/stages.py --answers DIR --grade GRADE.py RUN_FOLDER ...

Stages of a run: the solutions that its tracks started to refine (`initial`, the mean over the tracks), those that they
ended with (`refined`, likewise), the best ensemble by holdout score, and the solution that was submitted (`final`).
`best initial` is the initial solution with the best holdout score, which the run would have submitted without
refinement and ensemble. `blend` is the blend of all predictions with the weights that the `blend` node finds, whether
the run kept it or not. Each runs once on the real input; scripts that ran there already are read from the ledger.

Prints one Markdown row per run, one per task with the means over its runs, and the gain of each stage over `initial`,
positive when better, with the standard error of a paired bootstrap over the graded rows. GRADE.py is imported for
`read`, `align` and `score`; ANSWERS holds one folder per task with `answers.csv` and `grade.json`.
"""

import argparse
import asyncio
import importlib.util
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pandas as pd

from mlestar.evaluation.blending.combine import blend_tables, read_table
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.weights import fit_blend
from mlestar.graph import build_graph
from mlestar.nodes.blend import choose_candidates, graded_scripts
from mlestar.nodes.ensemble import ENSEMBLE_STRETCH
from mlestar.nodes.finalists import ranked_scripts
from mlestar.report.result import Result, SolutionRow
from mlestar.runtime.context import RunContext, close_context, open_context
from mlestar.settings import Settings
from mlestar.state import PipelineState
from mlestar.store import RunFolder, open_checkpoints

STAGES = ("best initial", "initial", "refined", "ensemble", "blend", "final")
GAINS = ("refined", "ensemble", "blend", "final")
INITIAL = ("candidate", "merge", "usage")
RESAMPLES = 200
"""Of the graded rows, for the standard error of a gain. Chosen by judgement; not measured."""


@dataclass
class GradedRun:
    """The stages of one run: the score of each, and its scores on the same resamples of the graded rows."""

    run: str
    task: str
    scores: dict[str, float]
    resampled: dict[str, np.ndarray]


def main() -> None:
    options = parse_options()
    grader = load_grader(options.grade)
    runs = [asyncio.run(grade_run(path, options, grader)) for path in options.runs]
    print(f"| run | {' | '.join(STAGES)} |")
    print("|---" * (len(STAGES) + 1) + "|")
    for run in runs:
        print(f"| {run.run} | " + " | ".join(format_number(run.scores.get(stage)) for stage in STAGES) + " |")
    print(f"\n| task | runs | {' | '.join(STAGES)} | {' | '.join(f'gain of {stage}' for stage in GAINS)} |")
    print("|---" * (len(STAGES) + 2 + len(GAINS)) + "|")
    by_task = defaultdict(list)
    for run in runs:
        by_task[run.task].append(run)
    for task, runs_of_task in by_task.items():
        print(format_summary(task, runs_of_task, direction(options.answers / task)))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--grade", type=Path, required=True)
    return parser.parse_args()


def load_grader(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("grader", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def direction(answers: Path) -> int:
    return 1 if json.loads((answers / "grade.json").read_text())["direction"] == "maximize" else -1


async def grade_run(path: Path, options: argparse.Namespace, grader: ModuleType) -> GradedRun:
    folder = RunFolder(path.parent, path.name)
    record = folder.read_settings()
    result = Result.read(folder.result)
    settings = Settings.resolve(record.settings | {"runs_dir": path.parent, "max_executions": None, "max_hours": 1000})
    task = Path(record.task).name
    ctx = await open_context(settings, path.name)
    try:
        rows_by_stage = stages(result)
        rows = {row.id: row for stage in rows_by_stage.values() for row in stage}
        submissions = {name: await submit(ctx, folder, row) for name, row in rows.items()}
        graded = {name: grade(grader, options.answers / task, path) for name, path in submissions.items()}
        blended = await blend(ctx, folder, record.thread, result)
    finally:
        await close_context(ctx)
    grades = {stage: [graded[row.id] for row in rows] for stage, rows in rows_by_stage.items() if rows}
    if blended:
        grades["blend"] = [grade(grader, options.answers / task, blended)]
    return GradedRun(
        run=path.name,
        task=task,
        scores={stage: float(np.mean([score for score, _ in pairs])) for stage, pairs in grades.items()},
        resampled={stage: np.mean([resampled for _, resampled in pairs], axis=0) for stage, pairs in grades.items()},
    )


def stages(result: Result) -> dict[str, list[SolutionRow]]:
    """Return the solutions of each stage."""
    rows = {row.id: row for row in result.solutions if row.status == "ok" and row.score.holdout is not None}
    sign = -1 if result.direction == "maximize" else 1

    def best(candidates: Iterable[SolutionRow]) -> list[SolutionRow]:
        return sorted(candidates, key=lambda row: sign * (row.score.holdout or 0))[:1]

    tracks = sorted({row.track for row in rows.values() if row.track >= 0})
    starts = {row.track: row.parent for row in result.solutions if re.fullmatch(r"t\d+\.r1\.1", row.id)}
    ensembles = [row for row in rows.values() if row.origin == "ensemble" and not row.members]
    members = re.findall(r"t\d+\.[^\s,]+", ensembles[0].title) if ensembles else []
    initial = [row for row in rows.values() if row.origin in INITIAL]
    return {
        "best initial": best(initial),
        "initial": [rows[str(starts[track])] for track in tracks if track in starts],
        "refined": [rows[member] for member in members],
        "ensemble": best(ensembles),
        "final": [rows[result.winner]] if result.winner in rows else [],
    }


async def blend(ctx: RunContext, folder: RunFolder, thread: str, result: Result) -> Path | None:
    """Return a submission with the blend of what the scripts predict for the rows of test; None where there is none."""
    async with open_checkpoints(folder.checkpoints, ctx.settings.checkpoints) as saver:
        graph = build_graph().compile(checkpointer=saver, name="pipeline")
        state = await graph.aget_state({"configurable": {"thread_id": thread}})
    brief = await ctx.brief(state.values)
    grader = (await ctx.inputs.search(brief)).grader
    scripts = ranked_scripts(cast("PipelineState", state.values), brief.spec.direction)
    limit = ctx.settings.script_seconds / ENSEMBLE_STRETCH
    candidates = choose_candidates(graded_scripts([one for one in scripts if not one.members]), limit)
    if grader is None or len(candidates) < 2:
        return None
    paths = [ctx.services.blobs.path(one.verdict.submission or "") for one in candidates]
    seconds = [one.verdict.seconds for one in candidates]
    try:
        mixture = fit_blend(grader.answers, paths, seconds, limit).whole
    except NotBlendedError:
        return None
    rows = {row.id: row for row in result.solutions}
    used = [(one.id, weight) for one, weight in zip(candidates, mixture.weights, strict=True) if weight > 0]
    print(f"{result.run_id}: {mixture.scale} of {used}", file=sys.stderr)
    columns, delimiter = brief.spec.prediction_columns, brief.spec.submission_delimiter
    tables = [read_table(await submit(ctx, folder, rows[name]), columns, delimiter) for name, _ in used]
    weights = [weight for _, weight in used]
    mixed = blend_tables(tables, weights, columns=columns, scale=mixture.scale, key=brief.spec.id)
    path = folder.path / "blend of all.csv"
    mixed.to_csv(path, index=False)
    return path


async def submit(ctx: RunContext, folder: RunFolder, row: SolutionRow) -> Path:
    """Run a solution on the real input and return its submission."""
    script = await ctx.services.keep((folder.path / str(row.script)).read_text(encoding="utf-8"))
    staged, label = await ctx.inputs.real(), f"{row.id}-stage"
    execution = await ctx.executor.execute(script, staged, stretch=3.0, stage="export", kind="export", label=label)
    return ctx.services.blobs.path(execution.files["submission.csv"])


def grade(grader: ModuleType, answers: Path, submission: Path) -> tuple[float, np.ndarray]:
    """Return the score of a submission, and its scores on resamples of the graded rows that all submissions share."""
    labels, form = grader.read(answers / "answers.csv"), json.loads((answers / "grade.json").read_text())
    frame = grader.align(grader.read(submission), labels, form)[0]
    resamples = np.random.default_rng(0).integers(0, len(labels), (RESAMPLES, len(labels)))
    scores = [grader.score(take(frame, rows, form), take(labels, rows, form), form) for rows in resamples]
    return grader.score(frame, labels, form), np.array(scores)


def take(frame: pd.DataFrame, rows: np.ndarray, form: dict[str, Any]) -> pd.DataFrame:
    """Return rows with repetition, each with an id of its own."""
    return frame.iloc[rows].assign(**{form["id_column"]: [str(n) for n in range(len(rows))]}).reset_index(drop=True)


def format_summary(task: str, runs: list[GradedRun], sign: int) -> str:
    means = {stage: [run.scores[stage] for run in runs if stage in run.scores] for stage in STAGES}
    cells = [task, str(len(runs)), *(format_number(float(np.mean(means[s]))) if means[s] else "-" for s in STAGES)]
    cells += [format_gain(runs, stage, sign) for stage in GAINS]
    return f"| {' | '.join(cells)} |"


def format_gain(runs: list[GradedRun], stage: str, sign: int) -> str:
    """Return by how much a stage beats the initial solutions, positive is better, with its paired standard error."""
    runs = [run for run in runs if stage in run.scores]
    if not runs:
        return "-"
    mean = float(np.mean([sign * (run.scores[stage] - run.scores["initial"]) for run in runs]))
    resampled = np.mean([sign * (run.resampled[stage] - run.resampled["initial"]) for run in runs], axis=0)
    return f"{mean:+.4g} ± {float(resampled.std()):.2g}"


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


if __name__ == "__main__":
    main()
