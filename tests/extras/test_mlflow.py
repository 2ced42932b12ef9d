"""MLflow loads an exported folder, from a tracking server that is started as users start it."""

import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.export.alone.places import image_of
from tests.integration.exported_model import export_lightgbm, predict_itself
from tests.integration.serving import wait_until_served
from tests.unit.paths import ROOT

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
    """Return the interpreter of an environment with MLflow, which allows no pyarrow as new as the tested one."""
    folder = tmp_path_factory.mktemp("mlflow")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (folder / "constraints.txt").write_text("\n".join(line for line in lines if not line.startswith("pyarrow==")))
    uv = Path(sysconfig.get_path("scripts"), "uv")
    subprocess.run([uv, "venv", "--seed", folder / "env"], check=True, capture_output=True)
    interpreter = folder / "env/bin/python"
    options = ["-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt"), "mlflow"]
    subprocess.run([interpreter, *options], check=True, capture_output=True)
    return interpreter


@pytest.fixture
def server(python: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python.with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_served(f"{address}/health", 120)
        yield address
    finally:
        process.terminate()
        process.wait(30)


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
