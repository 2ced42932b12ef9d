import asyncio
import os
from pathlib import Path

import pytest

from mlestar.rehearsal.plan import SplitPlan
from mlestar.runners import probe_docker
from mlestar.state import Brief
from mlestar.task import TaskSpec

REQUIRED = "MLESTAR_REQUIRE_DOCKER"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a Docker engine where none answers, or fail it where one is required."""
    marked = [item for item in items if item.get_closest_marker("docker")]
    if not marked:
        return
    status = asyncio.run(probe_docker())
    if status.reachable or os.environ.get(REQUIRED) == "1":
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"no Docker engine answers ({status.reason}); {REQUIRED}=1 insists"))


@pytest.fixture
def input_folder(tmp_path: Path) -> Path:
    """A folder with one small table, as `./input` of a script."""
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "train.csv").write_text("x,y\n1,2\n")
    return folder


@pytest.fixture
def brief() -> Brief:
    spec = TaskSpec(
        name="tumours",
        problem="binary",
        metric="log_loss",
        direction="minimize",
        target=("benign",),
        id="id",
        train="train.csv",
        test="test.csv",
        sample_submission="sample_submission.csv",
        prediction_columns=("benign",),
        prediction_kind="probability",
        classes=("0", "1"),
        pos_label="1",
        train_rows=398,
        test_rows=171,
    )
    return Brief(
        spec=spec,
        description="Predict the probability that a mass is benign.",
        preview="train.csv: 398 rows",
        profile=(),
        split=SplitPlan(kind="stratified", fraction=0.3, evidence=("no column tells test from train",)),
        python="3.11.7",
        packages={"scikit-learn": "1.9.1", "lightgbm": "4.7.0"},
        image="sha256:0",
        cpus=2,
        memory_mb=8192,
        gpu="",
        seconds=120,
        subsample_rows=30_000,
        seed=0,
    )
