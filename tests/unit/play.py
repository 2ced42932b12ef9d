"""A scripted engineer and a scripted sandbox: the whole machine without a model and without an engine.

A script states its quality in a comment. The scripted sandbox submits predictions that are right on that share of rows,
so the real judge, on the real rehearsal, grades it by its quality.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.models import ScriptedModel
from mlestar.runners import Execution, Job, ScriptedRunner

QUALITY = re.compile(r"# quality (\S+)")


def make_task(folder: Path, rows: int = 400) -> Path:
    """Write a task whose target follows from one column."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"id": np.arange(rows), "x": rng.normal(size=rows).round(4), "z": rng.normal(size=rows).round(4)}
    )
    frame["label"] = np.where(frame["x"] > 0, "yes", "no")
    folder.mkdir(parents=True)
    (folder / "task.md").write_text("# Signs\n\n## Evaluation\nClassification accuracy.\n", encoding="utf-8")
    train, test = frame.iloc[: rows * 3 // 4], frame.iloc[rows * 3 // 4 :].drop(columns="label")
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(label="no").to_csv(folder / "sample_submission.csv", index=False)
    return folder


def script(quality: float | str, title: str = "") -> str:
    """Return a script of this quality; a word instead of a number names how it fails."""
    return (
        f"# quality {quality} {title}\n"
        "def load():\n    return 1\n\n\n"
        f"def model():\n    return '{title}'\n\n\n"
        "print('Final Validation Performance: 0.5')\nopen('submission.csv')\n"
    )


def fence(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


class Play:
    """Replies by role, taken in turn; the last one is repeated. Counts what was asked and run."""

    def __init__(self, claim: float = 0.5, **replies: str | list[str] | Callable[[str], str]) -> None:
        self.replies = {**DEFAULTS, **replies}
        self.claim = claim
        self.asked: list[str] = []
        self.prompts: defaultdict[str, list[str]] = defaultdict(list)
        self.ran: list[str] = []

    def model(self) -> ScriptedModel:
        return ScriptedModel(answer=self.answer)

    def runner(self) -> ScriptedRunner:
        return ScriptedRunner(self.run)

    def count(self) -> Counter[str]:
        return Counter(self.asked)

    def answer(self, role: str, prompt: str) -> str:
        reply = self.replies[role]
        turn = self.asked.count(role)
        self.asked.append(role)
        self.prompts[role].append(prompt)
        if callable(reply):
            return reply(prompt)
        return reply if isinstance(reply, str) else reply[min(turn, len(reply) - 1)]

    def run(self, job: Job) -> Execution:
        self.ran.append(job.name)
        quality = QUALITY.findall(job.script)[-1]
        if not quality.replace(".", "").isdigit():
            return failure(quality)
        files = ("submission.csv",) if "variants" not in job.script else ("variants/baseline.csv", "variants/plain.csv")
        for name, share in zip(files, (float(quality), float(quality) - 0.1), strict=False):
            write_submission(job, name, share)
        return success(files, self.claim)


def write_submission(job: Job, name: str, share: float) -> None:
    test = pd.read_csv(job.input / "test.csv")
    truth = np.where(test["x"] > 0, "yes", "no")
    wrong = np.arange(len(test)) >= round(share * len(test))
    label = np.where(wrong, np.where(truth == "yes", "no", "yes"), truth)
    target = job.collect / name
    target.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"id": test["id"], "label": label}).to_csv(target, index=False)


def success(files: tuple[str, ...], claim: float) -> Execution:
    return Execution(
        status="ok",
        exit_code=0,
        stdout=f"Final Validation Performance: {claim}\n",
        stderr="",
        seconds=1.0,
        peak_memory_mb=10.0,
        files=files,
    )


def failure(kind: str) -> Execution:
    status = "timeout" if kind == "slow" else "error"
    error = "Traceback (most recent call last):\nKeyError: 'x'"
    return Execution(status=status, exit_code=1, stdout="", stderr=error, seconds=1.0, peak_memory_mb=10.0, files=())


def cards(*names: str) -> str:
    return fence(json.dumps({"cards": [{"name": name, "libraries": []} for name in names]}), "json")


DEFAULTS: dict[str, str | list[str] | Callable[[str], str]] = {
    "analyst": fence("{}", "json"),
    "retriever": cards("A", "B"),
    "initializer": [fence(script(0.6, "A")), fence(script(0.7, "B"))],
    "merger": fence(script(0.75, "merged")),
    "usage_checker": "ALL USED",
    "leakage_checker": fence('{"leak": false}', "json"),
    "ablator": fence("# quality 0.8\n# writes variants/NAME.csv\nprint(1)"),
    "summarizer": "The plain variant is worse: the part helps.",
    "extractor": fence(
        json.dumps({"block": "def load():\n    return 1", "plan": "Load better, by a better way."}), "json"
    ),
    "coder": [fence(f"def load():\n    # quality {q}\n    return 1") for q in (0.85, 0.9, 0.7, 0.6)],
    "planner": [f"Plan number {number} for the block." for number in range(2, 20)],
    "ensemble_planner": [f"Average in way {number}." for number in range(1, 20)],
    "ensembler": [fence(script(q, f"ensemble{q}")) for q in (0.8, 0.95, 0.85)],
    "bug_summarizer": "The column x is missing.",
    "debugger": fence(script(0.65, "mended")),
}
