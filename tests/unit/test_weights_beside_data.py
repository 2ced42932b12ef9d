"""Weights beside the data: a task keeps its layout, its rows and its holdout."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import search_holdout
from mlestar.evaluation.holdout.plan import SplitPlan

CLASSES = ("cat", "dog", "fox")
CONFIG = {"model_type": "vit", "id2label": dict(enumerate(CLASSES)), "label2id": {"cat": 0, "dog": 1, "fox": 2}}


def _write_picture(path: Path, content: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0" + bytes([content % 256, content // 256]))


def _write_test(folder: Path) -> None:
    for number in range(30):
        _write_picture(folder / f"test/{number}.png", number)
    names = [f"{number}.png" for number in range(30)]
    pd.DataFrame({"id": names, "label": "cat"}).to_csv(folder / "sample_submission.csv", index=False)


def _class_folders(folder: Path) -> None:
    for number in range(120):
        _write_picture(folder / f"{CLASSES[number % 3]}/{number}.png", number)


def _class_folders_with_test(folder: Path) -> None:
    _class_folders(folder)
    _write_test(folder)


def _class_in_name(folder: Path) -> None:
    for number in range(120):
        _write_picture(folder / f"pictures/{CLASSES[number % 3]}.{number}.png", number)


def _arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "X_train.npy", rng.normal(size=(120, 6)))
    np.save(folder / "y_train.npy", np.arange(120) % 3)
    np.save(folder / "X_test.npy", rng.normal(size=(30, 6)))


def _single_table(folder: Path) -> None:
    labels = [CLASSES[row % 3] for row in range(120)]
    pd.DataFrame({"size": range(120), "label": labels}).to_csv(folder / "data.csv", index=False)


def _write_config(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2))


def _write_model(folder: Path) -> None:
    _write_config(folder)
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + bytes(100))
    (folder / "training_args.bin").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": 0, "content": "x"}], "model": {}}))
    (folder / "vocab.txt").write_text("\n".join(f"word{number}" for number in range(100)))


@pytest.mark.parametrize(
    "write",
    [_class_folders, _class_folders_with_test, _class_in_name, _arrays, _single_table],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize(("beside", "place"), [(_write_config, "."), (_write_model, "."), (_write_model, "vit")])
def test_weights_beside_the_data_change_no_row_and_no_layout(
    tmp_path: Path, write: Callable[[Path], None], beside: Callable[[Path], None], place: str
) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "description.md").write_text("Predict `label` of each row.")
    write(folder)
    before = Task.load(folder, metric="accuracy")
    beside(folder / place)
    after = Task.load(folder, metric="accuracy")
    assert after.labelled
    assert after.layout.name == before.layout.name
    assert after.train.rows.equals(before.train.rows)
    assert len(after.test.rows) == len(before.test.rows)
    assert len(search_holdout(after, SplitPlan(kind="random", fraction=0.3), seed=1).withheld)


def test_rows_that_are_saved_as_tensors_stay_rows(tmp_path: Path) -> None:
    for number in range(90):
        path = tmp_path / f"{CLASSES[number % 3]}/{number}.pt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"PK\x03\x04" + bytes([number]))
    task = Task.load(tmp_path, metric="accuracy")
    assert len(task.train.rows) == 90
