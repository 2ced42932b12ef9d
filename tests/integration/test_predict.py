"""Predicting new rows in a real sandbox: the replayed script gives the submission again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.data.examples import write_example

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "local"]
SETTINGS = {"model": "offline", "profile": "quick", "retrieved_models": 1, "outer_steps": 0}


@pytest.mark.slow
@pytest.mark.parametrize("runner", KINDS)
def test_the_test_rows_are_predicted_as_they_were_submitted(tmp_path: Path, runner: str) -> None:
    task = write_example("wine", tmp_path / "wine")
    result = mlestar.solve(task, settings={**SETTINGS, "runner": runner, "runs_dir": tmp_path / "runs"}, run_id="run")
    predictor = result.predictor()
    assert predictor.describe()["runner"] == runner
    test, submitted = pd.read_csv(task / "input/test.csv"), pd.read_csv(result.submission or "", dtype=str)
    replayed = predictor.predict_submission(test)
    for column in predictor.task.spec.prediction_columns:
        if predictor.task.spec.prediction_kind == "label":
            assert replayed[column].tolist() == submitted[column].tolist()
        else:
            assert np.allclose(replayed[column].astype(float), submitted[column].astype(float), rtol=0, atol=1e-9)
    assert len(predictor.predict(test[:1])) == 1
    # Neither a container nor a folder is left behind.
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith(".predict")] == []
