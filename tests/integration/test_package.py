"""A packaged winner in a real sandbox: what was accepted predicts the submission, and a hostile file harms nothing."""

import builtins
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlestar
from mlestar.data.examples import write_example
from mlestar.errors import UserError
from mlestar.predictor.package import PackageInfo, describe_file, record_sums

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "local"]
SETTINGS = {"model": "offline", "profile": "quick", "retrieved_models": 1, "outer_steps": 0, "baselines": False}


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


class Revealing:
    """Tries to write a file when it is unpickled, and fails with what it can do there."""

    def __init__(self, path: Path) -> None:
        code = f"""import contextlib, os, socket
with contextlib.suppress(OSError):
    open({str(path)!r}, "w").close()
reached = False
with contextlib.suppress(OSError):
    reached = socket.socket().connect_ex(("1.1.1.1", 53)) == 0
raise RuntimeError(f"uid {{os.getuid()}}, network {{reached}}, home {{os.path.exists({str(path.parent)!r})}}")
"""
        self.code = code

    def __reduce__(self) -> Any:
        return builtins.exec, (self.code,)


LOADING = """import pickle

def fit(data, model):
    pass

def predict(model, data, submission):
    for path in sorted(model.rglob("*.pkl")):
        pickle.loads(path.read_bytes())
"""


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
    with pytest.raises(UserError, match=r"planted\.pkl was added since it was recorded"):
        predictor.predict(test[:1])
    assert not (tmp_path / "harm").exists()
    assert result.predictor(how="replay").describe()["kind"] == "replay"
    if runner == "docker":
        accept_pickle(Path(result.folder) / "predictor", planted, tmp_path / "harm")
        with pytest.raises(UserError, match=r"RuntimeError: uid [1-9]\d*, network False, home False"):
            result.predictor(how="packaged").predict(test[:1])
        assert not (tmp_path / "harm").exists()


def accept_pickle(folder: Path, path: Path, mark: Path) -> None:
    """Write a pickle that wants to write a mark, as if it and a script that loads it had been accepted."""
    path.write_bytes(pickle.dumps(Revealing(mark)))
    (folder / "predictor.py").write_text(LOADING, encoding="utf-8")
    info = PackageInfo.model_validate_json((folder / "predictor.json").read_text(encoding="utf-8"))
    file = describe_file(path, path.relative_to(folder / "model").as_posix())
    assert not file.safe
    changed = info.model_copy(update={"files": (*info.files, file), "safe": False})
    (folder / "predictor.json").write_text(changed.model_dump_json(), encoding="utf-8")
    record_sums(folder.parent)
