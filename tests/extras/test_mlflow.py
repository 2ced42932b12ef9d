"""MLflow loads an exported folder, from a tracking server that is started as users start it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.export.alone.places import image_of
from tests.extras.mlflow_server import free_port, make_environment, serving
from tests.integration.exported_model import export_lightgbm, predict_itself

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1800)]

CLIENT = """
import sys

import mlflow
import pandas as pd

address, folder, rows, out = sys.argv[1:]
frame = pd.read_csv(rows)
mlflow.set_tracking_uri(address)
with mlflow.start_run() as run:
    mlflow.log_artifacts(folder, "model")
version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "signs").version
for name, uri in (("server", f"models:/signs/{version}"), ("folder", folder)):
    model = mlflow.pyfunc.load_model(uri)
    chances = model.predict(frame, params={"method": "predict_proba"})
    chances.assign(label=model.predict(frame)["label"]).to_csv(f"{out}/{name}.csv", index=False)
try:
    model.predict(frame.drop(columns="x"))
except Exception as error:
    print(error)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("mlflow"), "mlflow")


@pytest.fixture
def server(python: Path, tmp_path: Path) -> Iterator[str]:
    with serving(python, tmp_path, free_port()) as address:
        yield address


def test_mlflow_predicts_the_same_numbers(python: Path, server: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    exported = export_lightgbm(tmp_path, mark)
    table = tmp_path / "signs/test.csv"
    try:
        command = [str(word) for word in (python, "-c", CLIENT, server, exported, table, tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    finally:
        subprocess.run(["docker", "image", "rm", "--force", image_of(exported)], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:]
    truth = predict_itself(exported, pd.read_csv(table))
    for name in ("server", "folder"):
        predicted = pd.read_csv(tmp_path / f"{name}.csv")
        difference = np.abs(predicted["yes"] - truth).max()
        print(f"{name}: largest difference {difference}")
        assert difference <= 1e-12
        assert predicted["label"].tolist() == ["yes" if chance >= 0.5 else "no" for chance in truth]
    assert "missing inputs ['x']" in done.stdout
    assert not mark.exists()
