"""The generated pictures: each set is read as a task, and shapes in colours anywhere are learned by a first script."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import made_pictures
from benchmarks.made_pictures import PICTURES, MadePictures, clean_document, coloured_shapes, soiled, write_pictures
from mlestar.data.task import Task
from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate, run


@pytest.mark.parametrize("made", PICTURES, ids=lambda made: made.name)
def test_a_task_is_read_from_a_set_that_is_the_same_for_a_seed(
    made: MadePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_pictures, "TEST_ROWS", 8)
    small = MadePictures(made.name, 24, made.draw, made.metric)
    for folder in ("first", "second"):
        write_pictures(tmp_path / folder, small, seed=1)
    first, second = (tmp_path / folder / "answers" / made.name / "answers.csv" for folder in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    spec = Task.load(tmp_path / "first" / "tasks" / made.name).spec
    assert spec.modality == "image"
    assert spec.target == tuple(pd.read_csv(first).columns[1:])


def test_shapes_in_colours_are_learned_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_pictures, "TEST_ROWS", 40)
    write_pictures(tmp_path, MadePictures("shapes", 120, coloured_shapes(32, 2, 2)), seed=0)
    task = tmp_path / "tasks" / "shapes"
    packages = ("scikit-learn", "numpy", "pandas", "scipy", "pillow")
    script = candidate(brief_of(task, packages), ModelCard(name="Support vector machine"))
    run(script.replace("FOLDS = 5", "FOLDS = 2"), task / "input", tmp_path / "work")
    found = pd.read_csv(tmp_path / "work" / "submission.csv").set_index("id")["kind"]
    answers = pd.read_csv(tmp_path / "answers" / "shapes" / "answers.csv").set_index("id")["kind"]
    assert (found == answers).mean() > 0.85


def test_a_soiled_document_is_darker_and_keeps_its_strokes() -> None:
    draw = np.random.default_rng(0)
    clean = clean_document(draw)
    dirty = soiled(draw, clean)
    assert dirty.shape == clean.shape
    assert dirty[clean > 0.9].mean() < 0.95
    assert dirty[clean < 0.1].mean() < dirty[clean > 0.9].mean() - 0.2
