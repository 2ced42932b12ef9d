"""A packaged winner in a real sandbox: what was accepted predicts the submission, and a hostile file harms nothing."""

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlestar
from mlestar.data.examples import write_example
from mlestar.errors import UserError

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "local"]
SETTINGS = {"model": "offline", "profile": "quick", "retrieved_models": 1, "outer_steps": 0, "baselines": False}


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.slow
@pytest.mark.parametrize("runner", KINDS)
def test_a_packaged_winner_predicts_what_was_submitted(tmp_path: Path, runner: str) -> None:
    task = write_example("wine", tmp_path / "wine")
    result = mlestar.solve(task, settings={**SETTINGS, "runner": runner, "runs_dir": tmp_path / "runs"}, run_id="run")
    info = result.package()
    assert info.accepted, info.reason
    assert {check.name for check in info.checks} >= {"test rows", "one row alone", "withheld rows"}
    predictor = result.predictor()
    assert predictor.describe()["kind"] == "packaged"
    test, submitted = pd.read_csv(task / "input/test.csv"), pd.read_csv(result.submission or "", dtype=str)
    predicted = predictor.predict_submission(test[:7])
    columns = list(predictor.task.spec.prediction_columns)
    assert predicted[columns].to_numpy().tolist() == submitted[columns][:7].to_numpy().tolist()
    planted = Path(result.folder) / "predictor" / "model" / "script1" / "planted.pkl"
    planted.write_bytes(pickle.dumps(Hostile(tmp_path / "harm")))
    with pytest.raises(UserError, match=r"planted\.pkl has changed"):
        predictor.predict(test[:1])
    assert not (tmp_path / "harm").exists()
    assert result.predictor(how="replay").describe()["kind"] == "replay"
