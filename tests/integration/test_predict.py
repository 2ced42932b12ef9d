"""Predicting new rows in a real sandbox: the replayed script gives the submission again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.data.examples import write_example
from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.llm import ScriptedModel
from mlestar.offline import OfflineEngineer
from mlestar.predictor import package
from mlestar.report import Result
from tests.unit.command_line import call
from tests.unit.new_file_tasks import class_folders, write_picture

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


GREY = """
import struct, zlib
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression


def grey(path):
    content = path.read_bytes()
    place, packed = 8, b""
    while place < len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        if content[place + 4 : place + 8] == b"IDAT":
            packed += content[place + 8 : place + 8 + size]
        place += 12 + size
    return float(np.frombuffer(zlib.decompress(packed), np.uint8).mean())
"""
SCRIPT = f"""{GREY}

train = {{path: path.parent.name for path in sorted(Path("input/train").rglob("*.png"))}}
means = {{}}
for label in sorted(set(train.values())):
    means[label] = np.mean([grey(path) for path, own in train.items() if own == label])
rows = sorted(Path("input/test").rglob("*.png"))
nearest = [min(means, key=lambda label: abs(means[label] - grey(path))) for path in rows]
pd.DataFrame({{"id": [path.name for path in rows], "label": nearest}}).to_csv("submission.csv", index=False)
print("Final Validation Performance: 0.5")
"""
OF_CLASSES = f"""{GREY}

train, rows = sorted(Path("input/train").rglob("*.png")), sorted(Path("input/test").rglob("*.png"))
model = LogisticRegression().fit([[grey(path) / 255] for path in train], [path.parent.name for path in train])
predicted = model.predict([[grey(path) / 255] for path in rows])
pd.DataFrame({{"id": [path.name for path in rows], "label": predicted}}).to_csv("submission.csv", index=False)
print("Final Validation Performance: 0.5")
"""


def solve_with(script: str, task: Path, runs: Path, runner: str) -> Result:
    """Run a task whose only candidate is a script."""
    replies = {
        "retriever": '```json\n{"cards": [{"name": "a script", "example_code": ""}]}\n```',
        "initializer": f"```python\n{script}\n```",
        "leakage_checker": '```json\n{"leak": false, "block": "", "reason": ""}\n```',
        "usage_checker": "ALL USED",
    }
    scripted = ScriptedModel(answer=lambda role, prompt: replies[role])
    model = {"default": OfflineEngineer()} | dict.fromkeys(replies, scripted)
    settings = {**SETTINGS, "model": None, "baselines": False, "runner": runner, "runs_dir": runs}
    return mlestar.solve(task, model=model, settings=settings, run_id="run")


@pytest.mark.slow
def test_a_winner_whose_rows_are_files_is_packaged(tmp_path: Path) -> None:
    new = class_folders(tmp_path)
    result = solve_with(OF_CLASSES, new.folder, tmp_path / "runs", "local")
    info = package(result.folder, model="offline")
    assert info.accepted, info.reason
    replayed = result.predictor(how="replay").predict_submission(new.rows, files=new.files)
    packaged = result.predictor(how="packaged").predict_submission(new.rows, files=new.files)
    assert packaged.equals(replayed)
    assert packaged.iloc[:, 0].tolist() == new.ids


@pytest.mark.parametrize("runner", KINDS)
def test_new_files_are_predicted_by_the_winner(tmp_path: Path, runner: str) -> None:
    new = class_folders(tmp_path)
    for path in (new.folder / "train").rglob("*.png"):
        write_picture(path, 50 if path.parent.name == "odd" else 200)
    result = solve_with(SCRIPT, new.folder, tmp_path / "runs", runner)
    predictor = result.predictor()
    tested = predictor.predict_submission(new.folder / "test")
    assert tested.to_numpy().tolist() == pd.read_csv(result.submission or "", dtype=str).to_numpy().tolist()
    write_picture(new.rows / "a.png", 40)
    write_picture(new.rows / "b.png", 210)
    out = tmp_path / "out.csv"
    done = call("predict", "run", new.rows, "-o", out, "--runs-dir", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    assert out.read_text(encoding="utf-8") == "id,label\na.png,odd\nb.png,even\n"
    inside = call("predict", "run", new.rows, "-o", new.rows / "out.csv", "--runs-dir", tmp_path / "runs")
    assert (inside.exit_code, "would be among the new rows" in " ".join(inside.output.split())) == (2, True)
    write_picture(new.rows / "c.jpg", 210)
    refused = call("predict", "run", new.rows, "-o", out, "--runs-dir", tmp_path / "runs")
    assert refused.exit_code == 2
    assert "'c.jpg' ends in '.jpg'; the files of the task end in '.png'" in " ".join(refused.output.split())
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith(".predict")]
    with pytest.raises(UserError, match="an exported folder takes rows of a table only: `mlestar predict"):
        export_run(result.folder, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
