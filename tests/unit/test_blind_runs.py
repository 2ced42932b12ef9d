"""A whole run never shows rows that are kept apart, and a script that copies labels gains nothing on them."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mlestar.cli.console import show_result
from mlestar.data.task import Task
from mlestar.errors import ModelError
from mlestar.evaluation import divide_rows, infer_split
from mlestar.metrics.spec import NOT_BLIND
from mlestar.runners import Execution, Job
from tests.unit.scenario import (
    EARLY,
    SMALL,
    Reply,
    Scenario,
    by_card,
    failure,
    fence,
    lose_connection,
    resume,
    script,
    solve,
    success,
)

ROWS = 2000
NAMED = re.compile(r"(zq\d{5}x),(?:[-\d.]+,)?(yes|no)")


def write_noise(folder: Path, rows: int = ROWS) -> Path:
    """Write a task in which nothing but the labels themselves tells the labels."""
    rng = np.random.default_rng(0)
    count = rows + 400
    frame = pd.DataFrame({"id": [f"zq{row:05d}x" for row in range(count)], "x": rng.normal(size=count).round(4)})
    frame["label"] = rng.choice(["yes", "no"], count)
    folder.mkdir(parents=True)
    (folder / "task.md").write_text("# Noise\n\n## Evaluation\nClassification accuracy.\n")
    train, test = frame.iloc[:rows], frame.iloc[rows:].drop(columns="label")
    tables = {"train": train, "test": test, "sample_submission": test[["id"]].assign(label="no")}
    # A table beside train that has the labels again, first those of the first rows.
    tables["marks"] = train[["id", "label"]]
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


class Copier(Scenario):
    """Every script prints all that it reads, and submits the labels that the search and its prompts have shown."""

    def __init__(self, replies: Mapping[str, Reply] | None = None) -> None:
        broken = script("broken", "prints what it read")
        writers: dict[str, Reply] = {
            "initializer": by_card(A=fence(script(0.6, "A")), B=fence(broken)),
            "debugger": fence(broken),
        }
        super().__init__({**writers, **(replies or {})})
        self.seen: dict[str, str] = {}

    def answer(self, role: str, prompt: str) -> str:
        self.seen |= dict(NAMED.findall(prompt))
        return super().answer(role, prompt)

    def run(self, job: Job) -> Execution:
        super().run(job)
        text = "\n".join(path.read_text() for path in sorted(job.input.glob("*.csv")))
        if EARLY.fullmatch(job.name) or "# quality broken" in job.script:
            return replace(failure("broken"), stdout=text, stderr=f"KeyError: {text}")
        if "-" not in job.name:
            self.seen |= dict(NAMED.findall((job.input / "train.csv").read_text()))
        ids = pd.read_csv(job.input / "test.csv")["id"]
        labels = [self.seen.get(name) or ("yes", "no")[crc32(name.encode()) % 2] for name in ids]
        names = ("submission.csv",) if "variants" not in job.script else ("variants/baseline.csv", "variants/plain.csv")
        for name in names:
            (job.collect / name).parent.mkdir(exist_ok=True)
            pd.DataFrame({"id": ids, "label": labels}).to_csv(job.collect / name, index=False)
        return success(names, f"{text}\nFinal Validation Performance: 0.5\n")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "noise")


async def test_no_prompt_has_a_row_that_is_kept_apart(tmp_path: Path, task: Path) -> None:
    scenario = Copier()
    result = await solve(tmp_path, scenario, SMALL, task=task)
    loaded = Task.load(task)
    apart = divide_rows(loaded, infer_split(loaded), seed=0, fresh_share=0.15).apart
    assert apart is not None
    ids = loaded.train.rows["id"].to_numpy()
    prompts = "\n".join(prompt for prompts in scenario.prompts.values() for prompt in prompts)
    assert set(ids[apart.train]) & set(re.findall(r"zq\d{5}x", prompts))
    assert not set(ids[apart.withheld]) & set(re.findall(r"zq\d{5}x", prompts))
    assert f'"train_rows": {ROWS - len(apart.withheld)}' in prompts
    assert scenario.early
    assert result.score.blind


async def test_copied_labels_gain_nothing_on_rows_that_are_kept_apart(tmp_path: Path, task: Path) -> None:
    result = await solve(tmp_path, Copier(), SMALL, task=task)
    assert result.score.fresh is not None
    assert result.score.fresh_se is not None
    assert abs(result.score.fresh - 0.5) < 4 * result.score.fresh_se
    assert NOT_BLIND not in result.summary.text


async def test_a_small_table_keeps_no_rows_apart_and_says_so(tmp_path: Path) -> None:
    result = await solve(tmp_path, Copier(), SMALL, task=write_noise(tmp_path / "noise", 1000))
    assert result.score.fresh == 1.0
    assert not result.score.blind
    assert not any(rescoring.blind for rescoring in result.rescorings)
    assert NOT_BLIND in result.summary.text
    assert result.report is not None
    assert NOT_BLIND in Path(result.report).read_text()
    console = Console(file=StringIO(), width=200)
    show_result(console, result)
    assert isinstance(console.file, StringIO)
    assert NOT_BLIND in console.file.getvalue()


@pytest.mark.parametrize("kept_apart", [True, False])
async def test_a_resumed_run_goes_on_with_its_rows(kept_apart: bool, tmp_path: Path, task: Path) -> None:
    """Also a run of a version that kept no rows apart: its settings do not name the share."""
    first, second = Copier({"extractor": lose_connection}), Copier()
    with pytest.raises(ModelError):
        await solve(tmp_path, first, SMALL, task=task, model_attempts=1, fresh_share=0.15 if kept_apart else 0)
    path = tmp_path / "runs/run/settings.json"
    recorded = json.loads(path.read_text())
    recorded["settings"].pop("fresh_share", None)
    path.write_text(json.dumps(recorded))
    result = await resume(tmp_path, second)
    assert (result.status, result.score.blind) == ("solved", kept_apart)
    assert second.ran
    read = [files["train.csv"] for run in (first, second) for name, files in run.inputs.items() if "-" not in name]
    assert len(set(read)) == 1
    assert not set(first.ran) & set(second.ran)
