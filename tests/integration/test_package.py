"""A packaged winner in a real sandbox: what was accepted predicts the submission, and a hostile file harms nothing."""

import builtins
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from langchain_core.language_models import BaseChatModel

import mlestar
from mlestar.data.examples import write_example
from mlestar.errors import UserError
from mlestar.llm import ScriptedModel
from mlestar.offline import OfflineEngineer
from mlestar.predictor import open_predictor
from mlestar.predictor.package import PackageInfo, describe_file
from tests.unit.offline_context import mixed_rows
from tests.unit.packaged import record_sums

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
@pytest.mark.timeout(900)
def test_the_winner_of_one_table_without_a_test_is_packaged(tmp_path: Path) -> None:
    train = mixed_rows(240)
    settings = {**SETTINGS, "runner": "local", "runs_dir": tmp_path / "runs"}
    result = mlestar.solve(train=train, target="label", metric="accuracy", settings=settings, run_id="run")
    assert result.submission is None
    info = result.package()
    assert info.accepted, info.reason
    assert {check.name for check in info.checks} >= {"train rows in place of a test", "one row alone", "withheld rows"}
    new = train.drop(columns="label")[:9]
    packaged, replayed = result.predictor(how="packaged").predict(new), result.predictor(how="replay").predict(new)
    assert packaged["label"].tolist() == replayed["label"].tolist()


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


PLACES = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

train, test = pd.read_csv("./input/train.csv"), pd.read_csv("./input/test.csv")
both = pd.concat([train, test], ignore_index=True)
both["place"] = both.groupby("kind").cumcount()
names = ["size", "place"]
x, t = both[: len(train)], both[len(train) :]
held = np.arange(len(x)) % 4 == 0
model = LinearRegression().fit(x.loc[~held, names], x.loc[~held, "y"])
error = np.sqrt(np.mean((model.predict(x.loc[held, names]) - x.loc[held, "y"]) ** 2))
print(f"Final Validation Performance: {error}")
model = LinearRegression().fit(x[names], x["y"])
pd.DataFrame({"id": test["id"], "y": model.predict(t[names])}).to_csv("./submission.csv", index=False)
"""
"""A feature of a row is how many rows of its kind come before it, in train and test together."""


def test_a_winner_that_counts_rows_is_packaged_with_its_train_rows(tmp_path: Path) -> None:
    task = tmp_path / "places"
    write_places(task)
    replies = {
        "retriever": '```json\n{"cards": [{"name": "linear", "example_code": ""}]}\n```',
        "initializer": f"```python\n{PLACES}\n```",
        "leakage_checker": '```json\n{"leak": false, "block": "", "reason": ""}\n```',
        "usage_checker": "ALL USED",
    }
    scripted = ScriptedModel(answer=lambda role, prompt: replies[role])
    models: dict[str, BaseChatModel] = {"default": OfflineEngineer(), **dict.fromkeys(replies, scripted)}
    settings = {**SETTINGS, "runner": "local", "runs_dir": tmp_path / "runs"}
    result = mlestar.solve(task, settings=settings, model=models, run_id="run")
    info = result.package(model="offline")
    assert info.accepted, info.reason
    assert info.depends
    assert info.train_files == ("rows/train.csv",)
    differences = {check.name: check.difference for check in info.checks}
    assert differences["test rows"] == differences["withheld rows"] == 0
    assert differences["one row alone"] > 0
    notes: list[str] = []
    predictor = open_predictor(result.folder, on_note=notes.append)
    assert len(predictor.predict(pd.read_csv(task / "input/test.csv")[:1])) == 1
    assert any("depends on the other rows" in note for note in notes)


def write_places(folder: Path) -> None:
    """Write a task whose target grows with the place of a row among those of its kind."""
    rng, count = np.random.default_rng(0), 500
    rows = pd.DataFrame({"id": range(count), "size": rng.normal(size=count), "kind": rng.choice(["a", "b"], count)})
    rows["y"] = rows["size"] + 0.05 * rows.groupby("kind").cumcount() + rng.normal(size=count)
    (folder / "input").mkdir(parents=True)
    (folder / "task.md").write_text("Predict y, scored by RMSE.", encoding="utf-8")
    rows[:350].to_csv(folder / "input/train.csv", index=False)
    rows[350:].drop(columns="y").to_csv(folder / "input/test.csv", index=False)


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
