"""A run with a packaged predictor of LightGBM, exported."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

import mlestar
from mlestar.export import export_run
from tests.unit.packaged import write_predictor
from tests.unit.scenario import make_task

SETTINGS = {"model": "offline", "runner": "local", "profile": "quick", "retrieved_models": 1, "outer_steps": 0}
CODE = """
# /// script
# dependencies = ["lightgbm", "pandas"]
# ///
import os
import pickle
import socket

import lightgbm
import pandas as pd


def load(model):
    with (model / "extra.pkl").open("rb") as file:
        pickle.load(file)
    return lightgbm.Booster(model_file=str(model / "model.txt"))


def reachable():
    try:
        socket.create_connection(("192.0.2.1", 80), 1).close()
    except OSError as error:
        return error.errno
    return 0


def predict(model, data, submission):
    rows = pd.read_csv(data / "test.csv")
    if (rows["z"] == 7777).all():
        facts = {"uid": os.getuid(), "network": reachable(), "root": os.access("/", os.W_OK)}
        raise RuntimeError(str(facts))
    chances = load(model).predict(rows[["x", "z"]])
    pd.DataFrame({"id": rows["id"], "label": chances}).to_csv(submission, index=False)
"""


class Hostile:
    """Writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch {self.path}",)


def export_lightgbm(folder: Path, mark: Path) -> Path:
    """Return an exported folder with a model of LightGBM and a pickle that writes a mark when it is read."""
    task = make_task(folder / "signs", 1600)
    (task / "task.md").write_text("# Signs\n\n## Evaluation\nArea under the ROC curve.\n", encoding="utf-8")
    (task / "sample_submission.csv").unlink()
    train = pd.read_csv(task / "train.csv")
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(train[["x", "z"]], train["label"] == "yes"),
        20,
    )
    result = mlestar.solve(task, settings={**SETTINGS, "runs_dir": folder / "runs"}, run_id="run")
    model = {"model.txt": booster.model_to_string().encode(), "extra.pkl": pickle.dumps(Hostile(mark))}
    packages = {"lightgbm": "4.7.0", "scipy": "1.17.1", "pandas": pd.__version__, "numpy": np.__version__}
    write_predictor(result, CODE, model, packages=packages, safe=False)
    return export_run(result.folder, folder / "out")


def predict_itself(exported: Path, rows: pd.DataFrame) -> np.ndarray:
    """Return what LightGBM itself predicts."""
    booster = lightgbm.Booster(model_file=exported / "predictor/model/model.txt")
    return np.asarray(booster.predict(rows[["x", "z"]]))
