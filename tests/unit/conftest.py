import socket

import pytest

from mlestar.rehearsal.plan import SplitPlan
from mlestar.state import Brief
from mlestar.task import TaskSpec


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse connections: a unit test that talks to anything is no unit test."""

    def refuse(self, address):
        msg = f"a unit test tried to connect to {address}"
        raise AssertionError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)


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
