"""An exported folder in a real container: its service answers over HTTP, and the predictor executes nowhere else."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.data.examples import write_example
from mlestar.export.alone.model import open_model
from mlestar.export.alone.places import image_of
from tests.integration.exported_model import SETTINGS, export_lightgbm, predict_itself
from tests.integration.serving import wait_until_served

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks") / "mark"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, mark: Path) -> Iterator[Path]:
    """Return an exported folder; its image is removed."""
    out = export_lightgbm(tmp_path_factory.mktemp("export"), mark)
    yield out
    subprocess.run(["docker", "image", "rm", "--force", image_of(out)], check=False, capture_output=True)


@pytest.fixture
def rows(exported: Path) -> pd.DataFrame:
    return pd.read_csv(exported.parent / "signs/test.csv")


def test_a_container_predicts_the_same_and_a_hostile_pickle_stays_in_it(
    exported: Path, rows: pd.DataFrame, mark: Path
) -> None:
    with open_model(exported) as model:
        chances = model.predict_proba(rows)["yes"]
        assert np.abs(chances - predict_itself(exported, rows)).max() <= 1e-12
        assert set(model.predict(rows)["label"]) == {"yes", "no"}
        with pytest.raises(RuntimeError, match=r"'uid': 10001, 'network': 101, 'root': False"):
            model.predict(rows[:1].assign(z=7777))
    assert not mark.exists()
    listed = subprocess.run(
        ["docker", "ps", "--quiet", "--filter", "name=mlestar-model-"], capture_output=True, check=True
    )
    assert listed.stdout == b""


@pytest.fixture
def service(exported: Path) -> Iterator[str]:
    """Start the service with the commands of the folder's own page, and return its address."""
    page = (exported / "README.md").read_text(encoding="utf-8")
    build = re.search(r"^docker build .*$", page, re.MULTILINE)
    run = re.search(r"^docker run (?:.*\\\n)*.*$", page, re.MULTILINE)
    assert build is not None
    assert run is not None
    name = f"mlestar-test-{os.getpid()}"
    subprocess.run(shlex.split(build[0]), cwd=exported, check=True, capture_output=True)
    words = shlex.split(run[0].replace("\\\n", "").replace("127.0.0.1:8000:8000", "127.0.0.1::8000"))
    image = words[-1]
    words[words.index("--name") + 1] = name
    subprocess.run([*words[:2], "--detach", *words[2:]], check=True, capture_output=True)
    try:
        port = subprocess.run(["docker", "port", name, "8000"], check=True, capture_output=True, text=True).stdout
        address = f"http://{port.splitlines()[0].strip()}"
        wait_until_served(f"{address}/health", 60)
        yield address
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        subprocess.run(["docker", "image", "rm", "--force", image], check=False, capture_output=True)


def test_the_service_answers_real_requests(exported: Path, rows: pd.DataFrame, mark: Path, service: str) -> None:
    truth = predict_itself(exported, rows)
    seconds = {}
    for count in (1, 1000):
        frame = pd.concat([rows] * 4)[:count].drop(columns="id")
        body = {"rows": frame.to_dict("records")}
        times = []
        for _ in range(5):
            started = time.perf_counter()
            answer = httpx.post(f"{service}/predict", json=body, timeout=60).json()
            times.append(time.perf_counter() - started)
        seconds[count] = sorted(times)[2]
        chances = np.array([row["yes"] for row in answer["probabilities"]])
        assert np.abs(chances - np.tile(truth, 4)[:count]).max() <= 1e-12
    print("seconds of an answer by rows:", seconds)
    table = httpx.post(
        f"{service}/predict", content=rows.to_csv(index=False), headers={"content-type": "text/csv"}, timeout=60
    ).json()
    assert len(table["predictions"]) == len(rows)
    refused = httpx.post(f"{service}/predict", json=[{"x": "much", "z": 1}])
    assert (refused.status_code, "column 'x', row 1" in refused.json()["error"]) == (422, True)
    failed = httpx.post(f"{service}/predict", json=[{"x": 1, "z": 7777}])
    assert (failed.status_code, "RuntimeError" in failed.text) == (500, False)
    assert not mark.exists()


def test_a_service_without_network_answers_over_a_socket(exported: Path, rows: pd.DataFrame, mark: Path) -> None:
    page = (exported / "README.md").read_text(encoding="utf-8")
    run = re.findall(r"^docker run (?:.*\\\n)*.*$", page, re.MULTILINE)[1]
    (exported / ".env").write_text("KEY=secret", encoding="utf-8")
    folder = exported / "socket"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with open_model(exported) as model:
        model.start()  # builds the image
    name = f"mlestar-test-socket-{os.getpid()}"
    words = shlex.split(run.replace("\\\n", "").replace("$PWD", str(exported)))
    words[words.index("--name") + 1], words[-1] = name, image_of(exported)
    subprocess.run([*words[:2], "--detach", *words[2:]], check=True, capture_output=True)
    try:
        for _ in range(120):
            if (folder / "socket").exists():
                break
            time.sleep(0.5)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(folder / "socket"))) as client:
            answer = client.post("http://model/predict", json=rows[:3].to_dict("records"), timeout=60).json()
        assert len(answer["probabilities"]) == 3
        listed = subprocess.run(["docker", "exec", name, "ls", "-a"], check=True, capture_output=True, text=True).stdout
        assert {".env", "socket"} & set(listed.split()) == set()
        assert "model.json" in listed
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
    assert not mark.exists()


def test_a_run_is_packaged_and_its_container_repeats_the_submission(tmp_path: Path) -> None:
    task = write_example("diabetes", tmp_path / "task")
    result = mlestar.solve(task, settings={**SETTINGS, "runs_dir": tmp_path / "runs"}, run_id="run")
    out = result.export(tmp_path / "out", runner="local")
    test, submitted = pd.read_csv(task / "input/test.csv"), pd.read_csv(result.submission or "", dtype=str)
    try:
        with open_model(out) as model:
            predicted = model.predict_submission(test)
    finally:
        subprocess.run(["docker", "image", "rm", "--force", image_of(out)], check=False, capture_output=True)
    assert result.spec is not None
    for column in result.spec.prediction_columns:
        if result.spec.prediction_kind == "label":
            assert predicted[column].tolist() == submitted[column].tolist()
        else:
            assert np.abs(predicted[column].astype(float) - submitted[column].astype(float)).max() <= 1e-6
