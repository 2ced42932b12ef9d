"""The service of an exported folder, asked in this process; the predictor executes in one of its own."""

import asyncio
import io
import re
import socket
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import uvicorn
from starlette.testclient import TestClient
from uvicorn.server import ServerState

from mlestar.data.new_ids import IdNumbers
from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.export.alone.connections import PatientProtocol
from mlestar.export.alone.model import Description, Model, open_model
from mlestar.export.alone.process import PredictorProcess
from mlestar.export.alone.pyfunc import PyfuncModel
from mlestar.export.alone.service import ServiceLimits, make_app
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor import RowColumn, RowSpec, check_frame
from mlestar.predictor.row_files import RowFiles
from tests.unit.packaged import SIGNS, write_predictor
from tests.unit.scenario import Scenario, make_task, solve

LIMITS = ServiceLimits(body_mb=0.02, rows=50, seconds=20)
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("service")
    task = make_task(folder / "signs")
    (task / "notes.csv").write_text("word,meaning\na,b\n", encoding="utf-8")
    result = asyncio.run(solve(folder, Scenario(), task=task))
    notes = {"notes.csv": (task / "notes.csv").read_bytes()}
    write_predictor(result, SIGNS, {"model.json": b'{"threshold": 0.0}'}, data=notes)
    model = open_model(export_run(result.folder, folder / "out"), "process", 20)
    with TestClient(make_app(model, LIMITS), raise_server_exceptions=False) as asked:
        yield asked


def test_rows_in_json_and_in_csv_are_predicted(client: TestClient) -> None:
    rows = [{"x": 1.5, "z": 0}, {"x": "-2", "z": None}]
    expected = {"predictions": [{"label": "yes"}, {"label": "no"}]}
    assert client.post("/predict", json={"rows": rows}).json() == expected
    assert client.post("/predict", json=rows).json() == expected
    assert client.post("/predict", content="z,x\n0,1.5\n,-2\n", headers=CSV).json() == expected
    named = client.post("/predict", content="id,z,x\nb,0,1.5\na,,-2\n", headers=CSV)
    assert named.json() == expected


def test_the_service_says_that_it_works_and_what_it_needs(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    told = client.get("/").json()
    assert told["columns"] == [{"name": "x", "kind": "float"}, {"name": "z", "kind": "float"}]
    assert told["id"] == {"name": "id", "required": False}
    assert told["limits"] == {"body_mb": 0.02, "rows": 50, "seconds": 20}


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        ('{"rows": [{"z": 1}]}', "json", 422, "lacks the column 'x'"),
        ('{"rows": [{"x": "a", "z": 1}]}', "json", 422, "column 'x', row 1: 'a' is not a number"),
        ('{"rows": [{"x": 1, "z": 1}, {"z": 1}]}', "json", 422, "row 2 lacks 'x', which other rows have"),
        ('{"rows": []}', "json", 422, "the frame has no rows"),
        ('{"rows": [1]}', "json", 400, 'send {"rows"'),
        ('{"rows": [{"x": NaN, "z": 1}]}', "json", 400, "NaN is no JSON"),
        ("[" * 9000, "json", 400, "the body is no JSON"),
        ("{", "json", 400, "the body is no JSON"),
        ("", "csv", 400, "the body is no CSV"),
        ("x,z\n" + "1,2\n" * 51, "csv", 413, "51 rows: at most 50"),
        ("x,x,z\n1,2,3\n", "csv", 422, "the column 'x' occurs more than once"),
        ("x,z\n1,2\n3\n", "csv", 400, "row 2 has 1 fields, and the header line 2"),
        ("x,z\n1,2,3\n", "csv", 400, "row 1 has 3 fields, and the header line 2"),
        ("x,z\n\udcff,1\n".encode("utf-8", "surrogateescape"), "csv", 400, "the body is no CSV"),
        ('x,z\n"1,2\n', "csv", 400, "the body is no CSV"),
        ("x,z\n" + "1" * 30_000, "csv", 413, "larger than 0.02 MB"),
        ("x", "pdf", 415, "send application/json or text/csv"),
        ("x,z\n1,2\n", "csv; charset=utf-16", 415, "send UTF-8"),
        ('{"rows": [{"x": 1, "x": 2, "z": 1}]}', "json", 400, "the name 'x' occurs more than once in an object"),
        ('{"rows": [{"x": 1e999, "z": 1}]}', "json", 400, "the number 1e999 is too large"),
        ('{"rows": [{"x": "inf", "z": 1}]}', "json", 422, "column 'x', row 1: 'inf' is not a number"),
        ('{"rows": [{"x": %s, "z": 1}]}' % ("9" * 400), "json", 422, "is not a number"),
        ('{"rows": [{"x": 1, "z": 1, "\\ud800": 1}]}', "json", 400, "a name has a character that UTF-8 does not have"),
        ('{"rows": [{"x": 1, "z": 1, "id": "\\ud800"}]}', "json", 422, "has a character that UTF-8 does not have"),
        (",".join(map(str, range(1500))), "csv", 413, "1500 columns: at most 1002"),
        ("[" + ",".join(f'{{"{name}":1}}' for name in range(1100)) + "]", "json", 413, "at most 50 in one request"),
    ],
)
def test_what_does_not_suit_is_refused_in_one_line(
    client: TestClient, body: str | bytes, kind: str, status: int, message: str
) -> None:
    header = {"content-type": f"text/{kind}" if kind.startswith("csv") else f"application/{kind}"}
    answer = client.post("/predict", content=body, headers=header)
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text
    assert "\n" not in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_other_addresses_and_methods_are_refused(client: TestClient) -> None:
    assert client.get("/predict").status_code == 405
    assert client.get("/docs").json() == {"error": "Not Found"}


SPEC: dict[str, Any] = {
    "name": "t",
    "problem": "multiclass",
    "metric": "log_loss",
    "direction": "minimize",
    "target": ("y",),
    "id": "id",
    "train": "train.csv",
    "test": "test.csv",
    "prediction_columns": ("p0", "p1"),
    "prediction_kind": "probability",
    "classes": ("0", "1"),
}


class FixedProcess(PredictorProcess):
    """A process that writes the same submission each time."""

    def __init__(self, submission: str) -> None:
        super().__init__(list, environment={}, seconds=1)
        self.submission, self.files = submission, dict[str, bytes]()

    def start(self) -> None:
        pass

    def predict(self, files: Any) -> str:
        self.files = files
        return self.submission


def fixed(submission: str, **values: Any) -> Model:
    rows = RowSpec(columns=(RowColumn(name="x", kind="float"),), id=RowColumn(name="id", kind="id"))
    files = RowFiles(test="test.csv", columns=("id", "x"), ids=IdNumbers(start="r", width=3, first=7))
    spec = TaskSpec.model_validate(SPEC)
    known = {"spec": spec, "rows": rows, "files": files, "labels": ("0", "1"), **values}
    return Model(Description.model_validate(known), FixedProcess(submission))


def test_probabilities_have_the_names_of_their_classes() -> None:
    model = fixed("id,p0,p1\nr008,0.25,0.75\nr007,0.5,0.5\n")
    with TestClient(make_app(model, LIMITS)) as client:
        answer = client.post("/predict", json=[{"x": 1}, {"x": 2}]).json()
    assert answer["predictions"] == [{"y": 0}, {"y": 1}]
    assert answer["probabilities"] == [{"0": 0.5, "1": 0.5}, {"0": 0.25, "1": 0.75}]


def test_ranks_are_neither_labels_nor_probabilities() -> None:
    model = fixed("id,p0,p1\nr007,1,2\n", ranks=True)
    with pytest.raises(UserError, match="predicts ranks of rows among each other"):
        model.predict(pd.DataFrame({"x": [1.0]}))
    with TestClient(make_app(model, LIMITS)) as client:
        assert client.post("/predict", json=[{"x": 1}]).json() == {"ranks": [{"p0": "1", "p1": "2"}]}


def test_a_predictor_that_fails_says_so_and_nothing_else() -> None:
    with TestClient(make_app(fixed("id,p0,p1\nr007,0.1,secret\n"), LIMITS), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json=[{"x": 1}])
    assert answer.status_code == 500
    assert answer.json() == {"error": "the predictor failed for these rows; the log of the service says why"}


def test_a_predictor_finds_rows_and_a_sample_in_files() -> None:
    rows = RowSpec(columns=(RowColumn(name="x", kind="float"),), counters={"row": 0})
    files = RowFiles(
        test="test.csv",
        columns=("row", "x"),
        delimiter=";",
        sample="sample.csv",
        sample_columns=("row", "y"),
        sample_values={"y": "0.5"},
    )
    complete = files.complete(rows, pd.DataFrame({"x": ["1", ""]}, dtype=object))
    assert files.write(complete) == {"test.csv": b"row;x\n0;1\n1;\n", "sample.csv": b"row,y\n0,0.5\n1,0.5\n"}


def test_mlflow_chooses_what_is_predicted() -> None:
    model = PyfuncModel(fixed("id,p0,p1\nr007,0.25,0.75\n"))
    frame = pd.DataFrame({"x": [1.0]})
    assert model.predict(frame)["y"].tolist() == [1]
    assert model.predict(frame, {"method": "predict_proba"}).to_dict("list") == {0: [0.25], 1: [0.75]}
    with pytest.raises(UserError, match=re.escape("method='fit': choose one of predict, predict_proba")):
        model.predict(frame, {"method": "fit"})


def test_cells_with_line_ends_stay_in_their_row() -> None:
    rows = RowSpec(columns=(RowColumn(name="x", kind="text"), RowColumn(name="n", kind="int")))
    cells = check_frame(rows, pd.DataFrame({"x": ["a\rb", "c\nd", 'e"f'], "n": [1, 2, 3]}))
    written = RowFiles(test="test.csv", columns=("x", "n")).write(cells)["test.csv"]
    read = pd.read_csv(io.BytesIO(written))
    assert read.to_numpy().tolist() == [["a\rb", 1], ["c\nd", 2], ['e"f', 3]]


@pytest.mark.parametrize("name", ["MODEL_BODY_MB", "MODEL_ROWS", "MODEL_SECONDS"])
@pytest.mark.parametrize("value", ["many", "nan", "inf", "0", "-1"])
def test_a_limit_that_is_no_number_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name}='{value}': give a number above 0"):
        ServiceLimits.of_environment()


async def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "seconds", 0.05)
    config = uvicorn.Config(make_app(fixed(""), LIMITS), lifespan="off", ws="none", timeout_keep_alive=60)
    for sent in (b"", b"GET /health HTT", b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"):
        client, server = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: PatientProtocol(config, ServerState(), {}), server
        )
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 30)
        assert (b'{"status":"ok"}' in answer) == (len(sent) > 20)
        writer.close()
