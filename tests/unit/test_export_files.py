"""New rows in an exported folder are written to the same files as in a replay."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import stage
from mlestar.export.files_of_task import row_files
from mlestar.predictor import check_frame, row_spec
from mlestar.predictor.new_rows import put_rows
from mlestar.predictor.row_files import RowFiles
from tests.unit.new_row_tasks import sales
from tests.unit.scenario import make_task


def houses(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return a task with semicolons, decimal commas and ids with zeros in front, and new rows."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"id": [f"h_{n:04d}" for n in range(90)], "area": rng.normal(80, 9, 90).round(1)})
    frame = frame.assign(note='a; "b"', price=rng.normal(200, 9, 90).round(1))
    frame[:60].to_csv(folder / "train.csv", sep=";", decimal=",", index=False)
    frame[60:].drop(columns="price").to_csv(folder / "test.csv", sep=";", decimal=",", index=False)
    frame[60:][["id"]].assign(price=0.5).to_csv(folder / "sample_submission.csv", sep=";", decimal=",", index=False)
    return folder, pd.DataFrame({"area": [80.5, None], "note": ["x;y", None]})


def signs(folder: Path) -> tuple[Path, pd.DataFrame]:
    return make_task(folder), pd.DataFrame({"id": ["b", "a"], "x": [1.5, 2], "z": [0, None]})


def without_test(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return a task without rows to predict, and new rows."""
    task, frame = signs(folder)
    (task / "test.csv").unlink()
    (task / "sample_submission.csv").unlink()
    (task / "task.toml").write_text('target = "label"\nid = "id"\n', encoding="utf-8")
    return task, frame


@pytest.mark.parametrize("make", [sales, houses, signs, without_test])
def test_new_rows_are_written_as_in_a_replay(tmp_path: Path, make: "object") -> None:
    assert callable(make)
    folder, frame = make(tmp_path / "task")
    task = Task.load(folder)
    spec = row_spec(task)
    cells = check_frame(spec, frame)
    staged = tmp_path / "staged"
    stage(task, None, staged)
    placed = put_rows(task, spec, staged, cells)
    files = RowFiles.model_validate_json(row_files(task, spec, tmp_path).model_dump_json())
    written = files.write(files.complete(spec, cells))
    names = {task.test.name, *([task.sample.name] if task.sample else [])}
    assert set(written) == names
    for name in names:
        assert written[name].decode() == (staged / name).read_text(encoding="utf-8")
    if task.spec.id is not None:
        assert files.complete(spec, cells)[task.spec.id].tolist() == placed.test.rows[task.spec.id].tolist()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".export")] == []


def test_rows_in_parquet_keep_the_types_of_the_file(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame({"id": range(60), "x": np.arange(60) / 7, "day": days, "ok": [True, False] * 30})
    frame["city"] = pd.Categorical(["Rome", "Oslo"] * 30)
    frame.assign(label=["a", "b"] * 30)[:40].to_parquet(tmp_path / "train.parquet", index=False)
    frame[40:].to_parquet(tmp_path / "test.parquet", index=False)
    task = Task.load(tmp_path)
    spec = row_spec(task)
    files = RowFiles.model_validate_json(row_files(task, spec, tmp_path).model_dump_json())
    written = files.write(files.complete(spec, check_frame(spec, frame[40:])))["test.parquet"]
    real = pd.read_parquet(tmp_path / "test.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(written)), real, check_categorical=False)


def test_rows_in_another_format_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": range(60), "x": np.arange(60) / 7, "label": ["a", "b"] * 30})
    frame[:40].to_json(tmp_path / "train.json", orient="records")
    frame[40:].drop(columns="label").to_json(tmp_path / "test.json", orient="records")
    task = Task.load(tmp_path)
    with pytest.raises(UserError, match=r"test\.json is no CSV, TSV or Parquet"):
        row_files(task, row_spec(task), tmp_path)
