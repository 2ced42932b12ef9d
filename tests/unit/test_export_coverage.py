"""Intervals and sets of classes of exported models."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.export.alone.model import open_model
from mlestar.export.alone.pyfunc import PyfuncModel
from mlestar.export.alone.service import make_app
from mlestar.report import Result
from tests.unit.packaged import write_predictor
from tests.unit.scenario import solve
from tests.unit.test_export_service import CSV, LIMITS, fixed
from tests.unit.test_predict_coverage import Numbers, record, rows_of, write_task

PREDICTS_X = """
import csv

def predict(model, data, submission):
    with (data / "test.csv").open() as rows, submission.open("w") as out:
        out.write("id,y\\n")
        out.writelines(f"{row['id']},{row['x']}\\n" for row in csv.DictReader(rows))
"""


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("numbers")
    task = write_task(folder / "task", "y", "mae")
    return asyncio.run(solve(folder, Numbers(), task=task, retrieved_models=1, fresh_splits=0))


@pytest.fixture(scope="module")
def exported(numbers: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_predictor(numbers, PREDICTS_X, {"model.json": b"{}"})
    return export_run(numbers.folder, tmp_path_factory.mktemp("exports") / "numbers")


def test_an_exported_model_has_the_intervals_of_the_run(numbers: Result, exported: Path) -> None:
    rows = rows_of(numbers)[::-1]
    expected = numbers.predictor(how="replay", runner=Numbers().runner()).predict_interval(rows, coverage=0.9)
    with open_model(exported, "process") as model:
        found = model.predict_interval(rows, coverage=0.9)
        pd.testing.assert_frame_equal(found, expected)
        by_mlflow = PyfuncModel(model).predict(rows, {"method": "predict_interval", "coverage": 0.9})
        pd.testing.assert_frame_equal(by_mlflow, expected)
        with pytest.raises(UserError, match="predictions of the model have intervals: use predict_interval"):
            model.predict_set(rows)
        with pytest.raises(UserError, match=r"the model: a coverage of 0\.3 is not between"):
            model.predict_interval(rows, coverage=0.3)


def test_its_pages_say_that_it_has_intervals_and_what_was_not_checked(exported: Path) -> None:
    page, card = ((exported / name).read_text(encoding="utf-8") for name in ("README.md", "MODEL_CARD.md"))
    assert "predict?coverage=0.9" in page
    assert "model.predict_interval(frame, coverage=0.9)" in page
    assert "No fresh rows checked the coverage" in card
    params = json.loads(json.loads((exported / "MLmodel").read_text(encoding="utf-8"))["signature"]["params"])
    assert [(param["name"], param["default"]) for param in params] == [("method", "predict"), ("coverage", 0.9)]


def test_a_service_adds_sets_to_predictions_when_a_coverage_is_asked_for() -> None:
    known = record("probability", 0.6)
    model = fixed("id,p0,p1\nr007,0.25,0.75\nr008,0.5,0.5\n", uncertainty=known)
    with TestClient(make_app(model, LIMITS)) as client:
        asked = client.post("/predict?coverage=0.8", content="x\n1\n2\n", headers=CSV).json()
        assert asked["sets"] == [{"set": [1]}, {"set": [0, 1]}]
        assert "sets" not in client.post("/predict", json=[{"x": 1}, {"x": 2}]).json()
        told = client.get("/").json()["coverage"]
        assert (told["kind"], told["from"], told["to"]) == ("set", 0.5, 0.99)
        assert told["limits"][0].startswith("no fresh rows checked the coverage")


@pytest.mark.parametrize(
    ("address", "body", "status", "message"),
    [
        ("?coverage=much", [{"x": 1}], 400, "coverage='much' is no number"),
        ("?coverage=nan", [{"x": 1}], 422, "a coverage of nan is not between 0.5 and 0.99"),
        ("?coverage=1.5", [{"x": 1}], 422, "a coverage of 1.5 is not between 0.5 and 0.99"),
        ("?coverages=0.9", [{"x": 1}], 400, "there is no parameter 'coverages'"),
        ("", {"rows": [{"x": 1}], "coverage": 0.9}, 400, "beside rows there is 'coverage'"),
    ],
)
def test_a_coverage_that_is_none_is_refused(address: str, body: Any, status: int, message: str) -> None:
    model = fixed("id,p0,p1\nr007,0.25,0.75\n", uncertainty=record("probability", 0.6))
    with TestClient(make_app(model, LIMITS)) as client:
        answer = client.post(f"/predict{address}", json=body)
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


def test_a_model_without_intervals_says_why() -> None:
    for known, message in ((None, "has no intervals or sets"), ({"kind": "none", "reason": "ranks"}, "sets: ranks")):
        with TestClient(make_app(fixed("id,p0,p1\nr007,0.25,0.75\n", uncertainty=known), LIMITS)) as client:
            answer = client.post("/predict?coverage=0.9", json=[{"x": 1}])
            assert (answer.status_code, message in answer.json()["error"]) == (422, True)
            assert client.get("/").json()["coverage"] is None


def test_ends_that_are_no_numbers_are_null() -> None:
    values = {"problem": "regression", "metric": "rmsle", "prediction_kind": "value", "prediction_columns": ("y",)}
    spec = fixed("").description.spec.model_copy(update=values)
    model = fixed("id,y\nr007,-1\nr008,1e300\n", uncertainty=record("log", 99.0), spec=spec, labels=())
    with TestClient(make_app(model, LIMITS)) as client:
        answer = client.post("/predict?coverage=0.9", json=[{"x": 1}, {"x": 2}]).json()
    first, second = answer["intervals"]
    assert first == {"lower": None, "upper": None}
    assert np.isfinite(second["lower"])
    assert second["upper"] is None
