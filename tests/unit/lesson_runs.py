"""Runs that leave lessons: a task whose names and values can be recognised, scripts that execute, and records."""

from pathlib import Path

import numpy as np
import pandas as pd

import mlestar
from mlestar.lessons import RunLessons, TaskFacts, Trial
from mlestar.report import Result
from tests.unit.scenario import SMALL, Scenario, as_json, by_card, fence

SECRET = "sk-abcdefghijklmnop1234"
PLAN = f"Compare the `shoe_size` with 'approved', use max_depth=7, read /home/ann/notes.csv and {SECRET}."
HIDDEN = ("shoe", "approved", "declined", "verdict", "notes", "/ann", SECRET, "loans", "customers")
"""Names, values and texts of the task that no lessons may hold."""

SCRIPT = """import csv
import os


def load(name):
    with open("./input/" + name) as file:
        return list(csv.DictReader(file))


def model(row):
    return "approved" if {rule} else "declined"


train = load("train.csv")
right = [model(row) == row["verdict"] for row in train]
test = load("test.csv")


def write(path, rows):
    with open(path, "w") as file:
        file.write("id,verdict\\n" + "".join(row["id"] + "," + model(row) + "\\n" for row in rows))


write("./submission.csv", test)
print("Final Validation Performance:", sum(right) / len(right))
"""
STUDY = """
os.makedirs("variants", exist_ok=True)
write("variants/baseline.csv", test)
write("variants/without_shoe_size.csv", [dict(row, shoe_size="-9") for row in test])
print("Ablation baseline: 0.5 in 0.1 s")
print("Ablation without_shoe_size: 0.4 in 0.1 s")
"""
BROKEN, GOOD, BEST = 'float(row["hat_size"]) > 0', 'float(row["shoe_size"]) > 0.7', 'float(row["shoe_size"]) > 0'


def make_loans(folder: Path, rows: int = 400) -> Path:
    """Write a task whose target follows from one column."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.arange(rows), "shoe_size": rng.normal(size=rows).round(4)})
    frame["verdict"] = np.where(frame["shoe_size"] > 0, "approved", "declined")
    folder.mkdir(parents=True)
    (folder / "task.md").write_text("# Loans of customers\n\nClassification accuracy.\n", encoding="utf-8")
    frame[:300].to_csv(folder / "train.csv", index=False)
    frame[300:].drop(columns="verdict").to_csv(folder / "test.csv", index=False)
    frame[300:][["id"]].assign(verdict="declined").to_csv(folder / "sample_submission.csv", index=False)
    return folder


def model_block(rule: str) -> str:
    return f'def model(row):\n    return "approved" if {rule} else "declined"'


def loans_scenario() -> Scenario:
    """Return replies with which one script is repaired, one plan helps and one fails."""
    return Scenario(
        initializer=by_card(A=fence(SCRIPT.format(rule=BROKEN)), B=fence(SCRIPT.format(rule=GOOD))),
        debugger=fence(SCRIPT.format(rule='float(row["shoe_size"]) > 1.2')),
        merger=fence(SCRIPT.format(rule='float(row["shoe_size"]) > 2')),
        ablator=fence(SCRIPT.format(rule=GOOD) + STUDY),
        extractor=as_json(block=model_block(GOOD), plan=PLAN),
        planner="Divide the number by zero and look at what happens.",
        coder=[fence(model_block(BEST)), fence(model_block("1 / 0"))],
    )


async def solve_loans(folder: Path, **settings: object) -> Result:
    """Run the task with scripts that really execute, with lessons in `folder/lessons`."""
    task = make_loans(folder / "loans")
    chosen = {**SMALL, "runs_dir": folder / "runs", "lessons": folder / "lessons", "finalists": 1, "fresh_splits": 0}
    values = {**chosen, "runner": "local", "debug_rounds": 1, "fresh_share": 0, "memory_mb": 1024, **settings}
    return await mlestar.asolve(task, settings=values, run_id="first", model=loans_scenario().model())


def facts(**changed: object) -> TaskFacts:
    """Return the facts of a small task of two classes, some of them replaced."""
    common = {"kind": "table", "problem": "binary", "metric": "accuracy", "direction": "maximize"}
    common |= {"prediction": "label", "rows": "hundreds", "columns": "up to 10"}
    return TaskFacts.model_validate({**common, **changed})


def idea(text: str, effect: float | None = 2.0, **changed: object) -> Trial:
    """Return a plan with a gain in standard errors."""
    return Trial.model_validate({"kind": "idea", "idea": text, "effect": effect, "error": 1.0, **changed})


def lessons(run: str, *trials: Trial, **changed: object) -> RunLessons:
    return RunLessons.model_validate({"run": run, "facts": facts(), "trials": trials, **changed})
