"""Exporting a packaged predictor as a folder that stands alone."""

import asyncio
import json
import os
import pickle
import py_compile
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from huggingface_hub import ModelCard
from packaging.requirements import Requirement

from mlestar.errors import OperatorError, UserError
from mlestar.evaluation.uncertainty.record import CHECKED, LEVELS, LevelCheck, TargetUncertainty, Uncertainty
from mlestar.export import export_run
from mlestar.export.alone.front import Execution
from mlestar.export.alone.model import open_model
from mlestar.export.alone.places import image_of
from mlestar.export.alone.sums import check_folder
from mlestar.export.card import cell, describe_coverage
from mlestar.export.lock import SERVICE, lock
from mlestar.export.neutral import without_cells, without_paths
from mlestar.export.saved import is_missing
from mlestar.export.sources import MODULES, package_sources
from mlestar.predictor import RowColumn, RowSpec
from mlestar.report import Result
from tests.unit.command_line import call
from tests.unit.packaged import SIGNS, write_predictor
from tests.unit.paths import ROOT
from tests.unit.scenario import Scenario, make_task, solve

NOTES = {"notes.csv": b"word,meaning\na,b\n"}
MODEL = {"model.json": b'{"threshold": 0.0}'}


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a run with a packaged predictor; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("export")
    task = make_task(folder / "signs")
    (task / "notes.csv").write_bytes(NOTES["notes.csv"])
    result = asyncio.run(solve(folder, Scenario(), task=task))
    write_predictor(result, SIGNS, MODEL, data=NOTES)
    return result


@pytest.fixture(scope="module")
def exported(solved: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the exported folder; tests leave it as it is."""
    return export_run(solved.folder, tmp_path_factory.mktemp("exports") / "signs")


@pytest.fixture
def repackaged(solved: Result) -> "Repackage":
    """Return what exports the run with another predictor."""

    def repackage(target: Path, code: str, model: dict[str, bytes]) -> Path:
        folder = Path(solved.folder) / "predictor"
        kept = folder.rename(folder.with_name("kept"))
        try:
            write_predictor(solved, code, model, data=NOTES)
            return export_run(solved.folder, target)
        finally:
            shutil.rmtree(folder)
            kept.rename(folder)

    return repackage


Repackage = Callable[[Path, str, dict[str, bytes]], Path]


def task_of(result: Result) -> Path:
    return Path(result.folder).parents[1] / "signs"


def texts(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


ALONE = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mlestar":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import pandas as pd
import mlestar_model.pyfunc, mlestar_model.service
from mlestar_model import load
with load(sys.argv[1], execution="process") as model:
    rows = pd.read_csv(sys.argv[2])
    print(model.predict(rows).to_csv(index=False))
"""


def test_the_folder_predicts_without_this_package(exported: Path, solved: Result) -> None:
    test = task_of(solved) / "test.csv"
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, exported, test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(test)
    expected = ["label", *("yes" if x > 0 else "no" for x in rows["x"])]
    assert done.stdout.split() == expected


def test_modules_of_the_folder_import_each_other_and_what_is_pinned() -> None:
    pinned = {
        "mlestar_model",
        "numpy",
        "pandas",
        "pyarrow",
        "pydantic",
        "starlette",
        "uvicorn",
        *sys.stdlib_module_names,
    }
    for name, text in package_sources().items():
        for module in re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.MULTILINE):
            own = module.removeprefix("mlestar_model.")
            assert own in MODULES or module.split(".")[0] in pinned, f"{name} imports {module}"


def test_versions_of_the_service_are_those_that_are_tested() -> None:
    tested = {row for row in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in row}
    rows = [row for row in SERVICE.read_text(encoding="utf-8").splitlines() if not row.startswith("#")]
    assert set(rows) <= tested


def test_versions_are_those_of_the_place_where_the_predictor_was_fitted() -> None:
    code = (
        "# /// script\n# dependencies = ['xgboost']\n# ///\nTEXT = '''\n|import sklearn.svm\n|from os import path'''\n"
    )
    installed = {
        "numpy": "2.0.1",
        "scikit_learn": "1.9.1",
        "joblib": "1.0",
        "xgboost-cpu": "3.2.0",
        "own-secret": "1.0",
    }
    packages = lock(code, installed, ("timm==1.0.3 --hash=sha256:0",))
    lines = packages.requirements.splitlines()
    assert lines[0] == "-c constraints.txt"
    assert {"numpy==2.0.1", "scikit-learn==1.9.1", "xgboost-cpu==3.2.0"} <= set(lines)
    assert all(str(Requirement(line).specifier).startswith("==") for line in lines[1:])
    assert packages.constraints == "joblib==1.0\n"
    assert next(package for package in packages.needed if package.name == "scikit-learn").licence
    with pytest.raises(UserError, match="cannot be pinned"):
        lock("import numpy", {"numpy": "2 --index-url x"})
    with pytest.raises(UserError, match="declares 'xgboost', which was not installed"):
        lock(code, {})


def test_nothing_of_train_of_this_machine_and_no_secret_is_written(
    solved: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "a-value-that-nobody-may-read")
    folder = export_run(solved.folder, tmp_path / "out")
    train = pd.read_csv(task_of(solved) / "train.csv", dtype=str)
    cells = {text for name in ("x", "z") for text in train[name] if len(text) > 5}
    private = {str(ROOT), str(tmp_path), str(task_of(solved).parent), str(Path.home()) + "/", "a-value-that-nobody"}
    for name, text in texts(folder).items():
        assert not [one for one in cells if re.search(rf"(?<![\d.]){re.escape(one)}(?!\d)", text)], name
        assert not [one for one in private if one in text], name
    assert not list(folder.rglob("train*"))
    assert [path.name for path in (folder / "predictor/data").iterdir()] == ["notes.csv"]


def test_the_card_has_scores_split_and_limits(exported: Path, solved: Result) -> None:
    card = texts(exported)["MODEL_CARD.md"]
    assert card.startswith("---\nlibrary_name: mlestar\n")
    for text in (
        "label (binary), for rows of a table; the classes are no, yes.",
        "| holdout | 0.9",
        "withheld: at random, with the same share of each class. Errors are standard errors.",
        "300 labelled rows",
        "Side files of the task that it reads are in `predictor/data/`.\n\n## Scores",
        "Settings: profile quick, seed 0, tracks 1, ",
        "| submission | 100 | 0 | 1e-06 |",
        "| pandas | 3.",
    ):
        assert text in card, text
    assert f"solution `{solved.winner}`" in card
    known = vars(ModelCard(card).data)
    assert known["library_name"] == "mlestar"
    metrics = [(row.metric_name, row.metric_type, row.metric_value) for row in known["eval_results"]]
    assert metrics == [("fresh", "accuracy", 0.907), ("holdout", "accuracy", 0.907)]


def test_the_coverage_of_intervals_is_stated_where_there_are_some() -> None:
    values = {"width": 2.5, "coverage_se": 0.02, "quantile_se": 0.02}
    checks = tuple(LevelCheck(level=level, coverage=level - 0.01, **values) for level in CHECKED)
    target = TargetUncertainty(target="price", quantiles=tuple(LEVELS), checks=checks)
    known = Uncertainty(
        kind="interval",
        withheld_rows=90,
        withheld_units=90,
        fresh_rows=80,
        fresh_units=80,
        levels=LEVELS,
        targets=(target,),
    )
    measured, *said = describe_coverage(known)
    assert measured.startswith("Intervals of a stated coverage, and the share of fresh rows inside them: ")
    assert known.summary in measured
    assert "79" in known.summary
    assert said == [known.rule, known.promise]
    unchecked = describe_coverage(known.model_copy(update={"fresh_rows": 0}))
    assert unchecked[3].startswith("No fresh rows checked the coverage")
    assert describe_coverage(None) == describe_coverage(Uncertainty(kind="none")) == []


def test_texts_from_elsewhere_are_text_in_a_card() -> None:
    assert cell("a|b\n<img src=x> `c` [d](e)\x1b[2J") == "a&#124;b &#60;img src=x&#62; &#96;c&#96; &#91;d&#93;(e)"


def test_examples_of_rows_are_made_up() -> None:
    columns = (
        RowColumn(name="seen", kind="date", date_format="%d.%m.%Y", examples=("31.01.2024",)),
        RowColumn(name="when", kind="date", examples=("2024-01-31T12:30",)),
        RowColumn(name="paid", kind="bool", examples=("true", "false")),
        RowColumn(name="city", kind="category", examples=("Rome",)),
    )
    neutral = without_cells(RowSpec(columns=columns, id=RowColumn(name="id", kind="id", examples=("7",))))
    assert [column.examples for column in neutral.columns] == [
        ("03.02.2001",),
        ("2001-02-03T04:05",),
        ("true", "false"),
        (),
    ]
    assert neutral.id is not None
    assert neutral.id.examples == ()


def test_a_folder_is_written_whole_or_not_at_all(solved: Result, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert export_run(solved.folder, tmp_path / "empty") == tmp_path / "empty"
    (tmp_path / "file").touch()
    for target, message in (
        (tmp_path / "empty", "is not empty"),
        (tmp_path / "file", "is no folder"),
        (tmp_path / "none/out", "no folder for the export"),
        (Path(solved.folder) / "out", "where nothing changes"),
    ):
        with pytest.raises(UserError, match=message):
            export_run(solved.folder, target)
    saved = Path(solved.folder) / "predictor/model/model.json"
    try:
        saved.write_bytes(b'{"threshold": 9}')
        with pytest.raises(UserError, match=r"model\.json was changed since it was recorded: run `mlestar package`"):
            export_run(solved.folder, tmp_path / "out")
    finally:
        saved.write_bytes(MODEL["model.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the cards of /home/u/secret/cards.md were not read", "the cards of cards.md were not read"),
        ("'~/work/metric.py:score'", "'metric.py:score'"),
        (r"C:\Users\u\model.gguf", "model.gguf"),
        ("in /data/u/", "in "),
        ("see https://a.b/c/d and and/or 3/4/5 km/h", "see https://a.b/c/d and and/or 3/4/5 km/h"),
    ],
)
def test_paths_are_told_by_their_last_part(text: str, shown: str) -> None:
    assert without_paths(text) == shown


def test_no_path_of_the_machine_is_in_the_folder(solved: Result, tmp_path: Path) -> None:
    path, warning = Path(solved.folder) / "result.json", "the file /home/jdoe/secret/cards.md was not read"
    kept = path.read_text(encoding="utf-8")
    record = json.loads(kept) | {"warnings": [warning], "model": "local:/home/jdoe/model.gguf"}
    folder = Path(solved.folder) / "predictor"
    aside = folder.rename(folder.with_name("kept"))
    named: dict[str, Any] = {"runner": "/home/jdoe/my.py:R", "image": "registry.jdoe:5000/x", "lock": "jdoe"}
    try:
        write_predictor(solved, SIGNS, MODEL, data=NOTES, made_by="/home/jdoe/model.gguf", **named)
        path.write_text(json.dumps(record), encoding="utf-8")
        written = texts(export_run(solved.folder, tmp_path / "out"))
    finally:
        path.write_text(kept, encoding="utf-8")
        shutil.rmtree(folder)
        aside.rename(folder)
    assert "the file cards.md was not read" in written["MODEL_CARD.md"]
    assert [name for name, text in written.items() if "jdoe" in text] == []


def test_an_empty_folder_stays_the_same_one(solved: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    assert export_run(solved.folder, ".") == tmp_path
    assert (Path.cwd() / "README.md").is_file()
    assert tmp_path.stat().st_ino == before
    assert not list(tmp_path.glob(".export-*"))
    check_folder(tmp_path)


def test_an_export_does_not_change_the_run_or_its_data(solved: Result, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(solved.folder)
    (tmp_path / "data").symlink_to(task_of(solved))
    other = Path(solved.folder).parent / "other" / ".." / "run" / "out"
    for target, message in (
        (tmp_path / "run/out", "where nothing changes"),
        (other, "where nothing changes"),
        (task_of(solved) / "out", "is among the data of the run"),
        (tmp_path / "data/out", "is among the data of the run"),
    ):
        with pytest.raises(UserError, match=message):
            export_run(solved.folder, target)


@pytest.mark.parametrize("name", ["with spaces", "Modèle für Kundin", "-rf", "a'b\"c$(x)"])
def test_folders_may_have_any_name(solved: Result, tmp_path: Path, name: str) -> None:
    with open_model(export_run(solved.folder, tmp_path / name), "process") as model:
        assert model.predict(pd.DataFrame({"x": [1.0], "z": 0.0}))["label"].tolist() == ["yes"]


def test_a_disk_that_is_full_leaves_nothing(solved: Result, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for target in (tmp_path / "out", tmp_path / "empty"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
        try:
            with pytest.raises(UserError, match=f"cannot write {target}: .*File too large"):
                export_run(solved.folder, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert not list((tmp_path / "empty").iterdir())


def test_a_predictor_that_is_not_accepted_or_needs_weights_is_refused(solved: Result, tmp_path: Path) -> None:
    code = '# /// script\n# dependencies = []\n# [tool.mlestar]\n# weights = ["hf:a/b"]\n# ///\n'
    folder = Path(solved.folder) / "predictor"
    kept = folder.rename(folder.with_name("kept"))
    try:
        write_predictor(solved, code, MODEL)
        with pytest.raises(UserError, match=r"declares pretrained weights \(hf:a/b\), which are not exported"):
            export_run(solved.folder, tmp_path / "out")
        write_predictor(solved, SIGNS, MODEL, accepted=False, reason="predictions differ")
        with pytest.raises(UserError, match="no packaged predictor that was accepted: predictions differ"):
            export_run(solved.folder, tmp_path / "out")
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


def test_a_run_is_packaged_when_it_never_was_or_has_another_winner(solved: Result, tmp_path: Path) -> None:
    assert not is_missing(Path(solved.folder), solved)
    assert is_missing(Path(solved.folder), solved.model_copy(update={"solution_sha256": "0"}))
    assert is_missing(tmp_path, solved)


def test_the_command_writes_the_folder(solved: Result, tmp_path: Path) -> None:
    done = call("export", "run", tmp_path / "out", "--runs-dir", Path(solved.folder).parent)
    assert done.exit_code == 0, done.output
    assert "README.md has the commands" in done.output
    again = call("export", "run", tmp_path / "out", "--runs-dir", Path(solved.folder).parent)
    assert (again.exit_code, "is not empty" in again.output) == (2, True)


@pytest.mark.parametrize("execution", ["docker", "process"])
@pytest.mark.parametrize("name", ["predictor/model/model.json", "predictor/predictor.py", "mlestar_model/worker.py"])
def test_changed_files_are_refused(exported: Path, tmp_path: Path, execution: Execution, name: str) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    with (folder / name).open("a") as file:
        file.write("\n")
    with pytest.raises(UserError, match=rf"{name} was changed since it was recorded: export the model again"):
        open_model(folder, execution)


@pytest.mark.parametrize("name", ["predictor/model/other.pkl", "predictor/data/other.csv", "predictor/other.py"])
def test_files_that_were_added_to_the_predictor_are_refused(exported: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    (folder / name).touch()
    added = re.escape(name.removeprefix("predictor/"))
    with pytest.raises(UserError, match=f"{added} was added since it was recorded: export the model again"):
        open_model(folder, "process")


def test_compiled_code_beside_the_predictor_is_not_used(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    script, mark = folder / "predictor/predictor.py", tmp_path / "mark"
    kept, times = script.read_bytes(), script.stat()
    hostile = f"open({str(mark)!r}, 'w').close()\n".encode()
    script.write_bytes(hostile + b"#" * (len(kept) - len(hostile)))
    os.utime(script, (times.st_atime, times.st_mtime))
    py_compile.compile(str(script))  # as Python would for an import of it
    script.write_bytes(kept)
    os.utime(script, (times.st_atime, times.st_mtime))
    assert list(folder.glob("predictor/__pycache__/*.pyc"))
    with open_model(folder, "process") as model:
        assert model.predict(pd.DataFrame({"x": [1.0], "z": 0.0}))["label"].tolist() == ["yes"]
    assert not mark.exists()


class Hostile:
    """Writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


READS_A_PICKLE = """
import pickle
with open(__file__.replace("predictor.py", "model/model.pkl"), "rb") as file:
    pickle.load(file)
def predict(model, data, submission):
    submission.write_text((data / "sample_submission.csv").read_text())
"""


def test_a_hostile_pickle_is_read_only_where_a_person_asked_for_it(
    repackaged: Repackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    folder = repackaged(tmp_path / "out", READS_A_PICKLE, {"model.pkl": pickle.dumps(Hostile(mark))})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match="the command `docker` is missing"):
        open_model(folder)
    assert not mark.exists()
    with open_model(folder, "process") as model:
        model.predict(pd.DataFrame({"x": [1.0], "z": 0.0}))
    assert mark.exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('x')", "the predictor failed: KeyError: 'x'"),
        ("raise SystemExit(3)", "the predictor failed: SystemExit: 3"),
        ("import os; os._exit(3)", "the process of the predictor ended with status 3"),
        ("import time; time.sleep(60)", "the process of the predictor took more than 2 s"),
        ("submission.write_text('id,label\\n1,no\\n')", "the predictor wrote 1 rows for 2"),
        ("submission.write_text('id,label\\n1,no\\n2,no\\n')", "the ids that the predictor wrote are not those"),
        ("submission.write_text('id\\n400\\n401\\n')", "the predictor wrote no column 'label'"),
        ("pass", "the predictor failed: FileNotFoundError"),
    ],
)
def test_a_predictor_that_fails_is_an_error_of_one_line(
    repackaged: Repackage, tmp_path: Path, body: str, message: str
) -> None:
    code = f"def predict(model, data, submission):\n    {body}\n"
    folder = repackaged(tmp_path / "out", code, MODEL)
    with open_model(folder, "process", seconds=2) as model, pytest.raises(OperatorError, match=re.escape(message)):
        model.predict(pd.DataFrame({"x": [1.0, 2.0], "z": 0.0}))


def test_a_process_is_started_anew_after_a_failure_and_has_no_secrets(
    repackaged: Repackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    code = """
import os
def predict(model, data, submission):
    if len((data / "test.csv").read_text().splitlines()) > 2:
        os._exit(1)
    submission.write_text("id,label\\n400," + str(os.environ.get("SOME_API_KEY")) + "\\n")
"""
    folder = repackaged(tmp_path / "out", code, MODEL)
    rows = pd.DataFrame({"x": [1.0, 2.0], "z": 0.0})
    with open_model(folder, "process") as model:
        with pytest.raises(OperatorError, match="ended with status 1"):
            model.predict(rows)
        assert model.predict(rows[:1])["label"].tolist() == ["None"]


LEAVES_A_PROCESS = """
import os
import time

def predict(model, data, submission):
    child = os.fork()
    if not child:
        os.closerange(3, 256)
        time.sleep(60)
        os._exit(0)
    (data.parent.parent / "%s").write_text(str(child))
    time.sleep(60)
"""


def test_processes_of_a_predictor_that_takes_too_long_end_with_it(repackaged: Repackage, tmp_path: Path) -> None:
    mark = Path(tempfile.gettempdir()) / f"child-{tmp_path.name}-{os.getpid()}"
    folder = repackaged(tmp_path / "out", LEAVES_A_PROCESS % mark.name, MODEL)
    try:
        with (
            open_model(folder, "process", seconds=2) as model,
            pytest.raises(OperatorError, match="took more than 2 s"),
        ):
            model.predict(pd.DataFrame({"x": [1.0], "z": 0.0}))
        status = Path(f"/proc/{mark.read_text()}/stat")
        until = time.monotonic() + 20
        while status.exists() and status.read_text().split()[2] != "Z" and time.monotonic() < until:
            time.sleep(0.05)
        assert not status.exists() or status.read_text().split()[2] == "Z"
    finally:
        mark.unlink(missing_ok=True)


USES_A_CLASS = """
import pickle

class Rule:
    def label(self, x):
        return "yes" if x > 0 else "no"

def predict(model, data, submission):
    with (model / "model.pkl").open("rb") as file:
        rule = pickle.load(file)
    (data / "sub").mkdir()
    submission.write_text("id,label\\n400," + rule.label(1) + "\\n")
"""


def test_saved_files_know_the_classes_of_the_predictor_by_the_name_of_the_main_module(
    repackaged: Repackage, tmp_path: Path
) -> None:
    saved = b"c__main__\nRule\n)\x81."
    folder = repackaged(tmp_path / "out", USES_A_CLASS, {"model.pkl": saved})
    with open_model(folder, "process") as model:
        assert model.predict(pd.DataFrame({"x": [1.0], "z": 0.0}))["label"].tolist() == ["yes"]
    assert not (folder / "predictor/data/sub").exists()


def test_frames_are_refused_by_name_before_anything_executes(exported: Path) -> None:
    with open_model(exported, "process") as model:
        with pytest.raises(UserError, match="the frame lacks the column 'x'"):
            model.predict(pd.DataFrame({"z": [1.0]}))
        with pytest.raises(UserError, match="column 'x', row 1: 'a' is not a number"):
            model.predict(pd.DataFrame({"x": ["a"], "z": 0}))
        with pytest.raises(UserError, match="hold no probabilities but labels"):
            model.predict_proba(pd.DataFrame({"x": [1.0], "z": 0}))


def test_the_image_has_another_name_when_a_file_differs(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    assert image_of(folder) == image_of(exported)
    with (folder / "SHA256SUMS").open("a") as file:
        file.write("0  none\n")
    assert image_of(folder) != image_of(exported)


def test_mlflow_finds_the_columns(exported: Path) -> None:
    values = json.loads(texts(exported)["MLmodel"])
    inputs = json.loads(values["signature"]["inputs"])
    assert [(column["name"], column["required"]) for column in inputs] == [("id", False), ("x", True), ("z", True)]
    assert values["flavors"]["python_function"]["config"] == {"execution": "docker"}
