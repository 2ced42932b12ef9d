"""Helpers of the tests of the offline engineer: task folders, prompts as agents render them, running a script."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from langchain_core.messages import HumanMessage
from threadpoolctl import threadpool_limits

from mlestar.agents.replies import parse_code
from mlestar.agents.roles import ROLES
from mlestar.agents.script import check_script, reported_score
from mlestar.data.task import Task
from mlestar.evaluation import Grader, infer_split, search_holdout, stage
from mlestar.offline import OfflineEngineer
from mlestar.offline.facts import Facts
from mlestar.offline.ideas import carry_out, ideas_for
from mlestar.offline.recipe import Idea, Kind
from mlestar.offline.refinement import blocks_of
from mlestar.prompts import Prompts
from mlestar.state import Brief, ModelCard, StepFacts
from tests.unit.objects import read_object

CARD = ModelCard(name="HistGradientBoosting")


def write_task(folder: Path, rows: pd.DataFrame, target: str, metric: str, *, placeholder: object = None) -> Path:
    """Write a task folder whose test is the last quarter of the rows."""
    test_size = len(rows) // 4
    train, test = rows.iloc[:-test_size], rows.iloc[-test_size:]
    folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=target).to_csv(folder / "test.csv", index=False)
    filler = train[target].iloc[0] if placeholder is None else placeholder
    sample = pd.DataFrame({target: [filler] * test_size})
    if "id" in rows:
        sample.insert(0, "id", test["id"].to_numpy())
    sample.to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f'metric = "{metric}"\n', encoding="utf-8")
    return folder


def brief_of(folder: Path, packages: tuple[str, ...] = ("scikit-learn", "numpy", "pandas", "scipy")) -> Brief:
    task = Task.load(folder)
    return Brief(
        spec=task.spec,
        description=task.description,
        statistics=task.statistics,
        split=infer_split(task),
        python="3.11",
        packages=dict.fromkeys(packages, "1"),
        image="",
        cpus=2,
        memory_mb=4096,
        gpu="",
        seconds=60,
        subsample_rows=30_000,
        seed=0,
    )


def initializer_prompt(brief: Brief, card: ModelCard = CARD) -> str:
    """Return the prompt for a first script."""
    return prompt_of("initializer", brief, card=card)


def prompt_of(role: str, brief: Brief, track: int = 0, **values: object) -> str:
    common = {"role": role, "brief": brief, "facts": StepFacts(), "track": track, "attempt": 0, "refusal": ""}
    return Prompts().render(ROLES[role].prompt, **{**common, "measured": None, **values})


def reply(role: str, brief: Brief, track: int = 0, **values: object) -> str:
    return OfflineEngineer().invoke([HumanMessage(prompt_of(role, brief, track, **values))]).text


def code(role: str, brief: Brief, track: int = 0, **values: object) -> str:
    return parse_code(reply(role, brief, track, **values))


def data(role: str, brief: Brief, track: int = 0, **values: object) -> dict[str, Any]:
    """Return the JSON object of a reply."""
    answer: dict[str, Any] = read_object(reply(role, brief, track, **values))
    return answer


def candidate(brief: Brief, card: ModelCard = CARD) -> str:
    return check_script(code("initializer", brief, card=card))


def run(script: str, folder: Path, work: Path) -> str:
    """Run a script in a work folder with the task folder as its input; return what it printed.

    It runs in this process, because importing the libraries again would take most of the time, and on one thread,
    because on a busy machine threads wait for each other longer than these small tables take.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "input").symlink_to(folder)
    printed = io.StringIO()
    with contextlib.chdir(work), contextlib.redirect_stdout(printed), threadpool_limits(1):
        exec(compile(script, "main.py", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def score_of(printed: str) -> float:
    """Return the score in what a script printed; it must have printed one."""
    score = reported_score(printed)
    assert score is not None
    return score


def mixed_rows(size: int = 160) -> pd.DataFrame:
    """Rows of numbers, categories and gaps with a label that depends on both."""
    draw = np.random.default_rng(0)
    number, kind = draw.normal(size=size), draw.choice(["red", "green", "blue"], size)
    gaps = pd.Series(draw.normal(size=size)).mask(draw.random(size) < 0.3)
    label = np.where(number + (kind == "red") + 0.2 * draw.normal(size=size) > 0.4, "yes", "no")
    return pd.DataFrame({"id": np.arange(size), "number": number, "kind": kind, "gaps": gaps, "label": label})


def facts_of(brief: Brief) -> Facts:
    """Return the facts of a prompt for a first script."""
    return Facts.read(initializer_prompt(brief))


def grade_on_holdout(script: str, folder: Path, work: Path) -> tuple[float, str]:
    """Return the grade of a script on withheld rows, and what it printed; it must have one."""
    task, split = Task.load(folder), brief_of(folder).split
    assert split is not None
    holdout = search_holdout(task, split, seed=0)
    stage(task, holdout, work / "staged")
    printed = run(script, work / "staged", work / "script")
    grade = Grader(task, holdout).grade(work / "script" / "submission.csv")
    assert grade.problem == ""
    assert grade.score is not None
    return grade.score, printed


def improve(script: str, idea: Idea, kind: Kind) -> str:
    """Return the script with an idea carried out; empty where it suits no block of it."""
    for block in blocks_of(script, kind).values():
        if idea in ideas_for(block, kind):
            return script.replace(block, carry_out(block, idea.plan), 1)
    return ""
