"""The offline engineer's scripts for sounds run on tasks of every layout; their parts can be improved and studied."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.ensembling import Member
from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from mlestar.offline.kinds import all_kinds
from mlestar.offline.recipe import Idea
from mlestar.state import Brief, ModelCard
from tests.unit.offline_context import brief_of, candidate, code, grade_on_holdout, improve, run, score_of
from tests.unit.signal_tasks import (
    SOUND_TASKS,
    sounds_in_class_folders,
    sounds_of_speakers,
    tone,
    write_description,
    write_sound,
)

LINEAR = ModelCard(name="Discriminant analysis of spectra")
TREES = ModelCard(name="ExtraTrees")
KIND = next(kind for kind in all_kinds() if kind.name == "audio")
LEAST = {
    "class folders": 0.9,
    "speakers": -0.6,
    "columns": -45.0,
    "several labels": 0.9,
    "sample submission": 0.95,
    "class in the name": 0.9,
}
"""By task the lowest score that a script must reach; an error counts with a minus. Guesses reach about half of it."""


def first_script(brief: Brief, card: ModelCard) -> str:
    """Return a first script with fewer folds, copies, patterns and rounds, which learns these small tasks as well."""
    script = candidate(brief, card)
    for setting, value in (("FOLDS", 2), ("COPIES", 1), ("PATTERNS", 32)):
        script = re.sub(rf"^{setting} = \d+", f"{setting} = {value}", script, flags=re.MULTILINE)
    return re.sub(r"(n_estimators|max_iter)=\d+", r"\1=25", script)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds_in_class_folders(tmp_path_factory.mktemp("sounds") / "task")


@pytest.fixture(scope="module")
def brief(folder: Path) -> Brief:
    return brief_of(folder)


@pytest.mark.parametrize("name", SOUND_TASKS)
def test_a_script_learns_from_sounds_in_every_layout(name: str, tmp_path: Path) -> None:
    task_folder = SOUND_TASKS[name](tmp_path / "task")
    printed = run(first_script(brief_of(task_folder), LINEAR), task_folder, tmp_path / "work")
    task = Task.load(task_folder)
    sign = 1 if task.spec.direction == "maximize" else -1
    assert sign * score_of(printed) > LEAST[name]
    assert check_submission(task, tmp_path / "work" / "submission.csv") == ""


def test_a_script_is_graded_on_withheld_sounds_with_other_names(folder: Path, brief: Brief, tmp_path: Path) -> None:
    grade, _ = grade_on_holdout(first_script(brief, LINEAR), folder, tmp_path)
    assert grade > 0.9


@pytest.mark.parametrize("name", ["ExtraTrees", "HistGradientBoosting"])
def test_every_family_of_models_learns(name: str, folder: Path, brief: Brief, tmp_path: Path) -> None:
    printed = run(first_script(brief, ModelCard(name=name)), folder, tmp_path / "work")
    assert score_of(printed) > 0.9


def test_broken_sounds_are_named_and_count_as_silence(tmp_path: Path) -> None:
    task_folder = sounds_of_speakers(tmp_path / "task")
    printed = run(first_script(brief_of(task_folder), TREES), task_folder, tmp_path / "work")
    assert "clips/001.wav cannot be read" in printed
    assert score_of(printed) < 0.6


def test_a_sound_without_samples_counts_as_silence(tmp_path: Path) -> None:
    task_folder = sounds_in_class_folders(tmp_path / "task")
    for name in ("train/low/clip_000.wav", "test/clip_003.wav"):
        assert (task_folder / name).is_file()
        write_sound(task_folder / name, 8000, np.zeros(0))
    write_sound(task_folder / "train/low/clip_001.wav", 8000, np.full(800, np.inf), "float32")
    printed = run(first_script(brief_of(task_folder), LINEAR), task_folder, tmp_path / "work")
    assert score_of(printed) > 0.85


def test_a_script_that_reads_too_slowly_fits_on_fewer_sounds(folder: Path, brief: Brief, tmp_path: Path) -> None:
    printed = run(first_script(brief, TREES).replace("SECONDS = 60", "SECONDS = 0"), folder, tmp_path / "work")
    assert "32 of 54 train rows and 18 of 18 test rows were read in time" in printed
    assert score_of(printed) > 0.8


def test_a_script_ends_with_a_reason_when_most_sounds_are_broken(tmp_path: Path) -> None:
    task_folder = sounds_of_speakers(tmp_path / "task")
    script = first_script(brief_of(task_folder), LINEAR)
    for path in sorted((task_folder / "clips").iterdir())[::2]:
        path.write_bytes(b"no sound")
    with pytest.raises(ValueError, match="sounds can be read"):
        run(script, task_folder, tmp_path / "work")


def test_groups_stay_together_and_are_no_feature(tmp_path: Path) -> None:
    task_folder = sounds_of_speakers(tmp_path / "task")
    script = first_script(brief_of(task_folder), LINEAR)
    assert "def fold_groups" in script
    assert "CATEGORIES" not in script


def test_labels_are_read_by_the_numbers_that_the_description_gives_classes(tmp_path: Path) -> None:
    task_folder = write_description(tmp_path / "task", "AUC", "Predict 1 = whale, 0 = noise.")
    draw = np.random.default_rng(0)
    for row in range(48):
        call = row % 2
        wave = tone(draw, 300 + 500 * call, 4000)
        place = "test" if row % 8 > 5 else f"train/{['noise', 'whales'][call]}"
        write_sound(task_folder / place / f"{row}.wav", 4000, wave)
    names = sorted(path.name for path in (task_folder / "test").iterdir())
    pd.DataFrame({"clip": names, "label": 0.5}).to_csv(task_folder / "sample_submission.csv", index=False)
    assert score_of(run(first_script(brief_of(task_folder), LINEAR), task_folder, tmp_path / "work")) > 0.8


def test_aiff_files_are_read_without_a_package(tmp_path: Path) -> None:
    task_folder = write_description(tmp_path / "task", "accuracy", "Which call is in the `.aif` file?")
    draw = np.random.default_rng(0)
    for row in range(48):
        wave = tone(draw, 300 + 500 * (row // 4 % 2), 4000)
        place = "test" if row % 4 == 3 else f"train/{['low', 'high'][row // 4 % 2]}"
        path = task_folder / place / f"{row}.aif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_as_aiff(wave, 4000))
    assert score_of(run(first_script(brief_of(task_folder), LINEAR), task_folder, tmp_path / "work")) > 0.8


def _as_aiff(wave: np.ndarray, rate: int) -> bytes:
    """Return the bytes of an AIFF file of one channel and 16 bits."""
    samples = (wave * 32000).astype(">i2").tobytes()
    exponent = rate.bit_length() - 1
    high = (rate << (63 - exponent)).to_bytes(8, "big")
    head = b"\0\1" + len(wave).to_bytes(4, "big") + b"\0\x10" + (16383 + exponent).to_bytes(2, "big") + high
    body = b"AIFFCOMM" + len(head).to_bytes(4, "big") + head
    body += b"SSND" + (len(samples) + 8).to_bytes(4, "big") + bytes(8) + samples
    return b"FORM" + len(body).to_bytes(4, "big") + body


def test_sounds_that_no_package_can_read_end_the_script_with_a_reason(tmp_path: Path) -> None:
    task_folder = write_description(tmp_path / "task", "accuracy", "Which call is in the `.mp3` file?")
    for row in range(48):
        path = task_folder / ("test" if row % 4 == 3 else f"train/{['low', 'high'][row // 4 % 2]}") / f"{row}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"ID3")
    with pytest.raises(SystemExit, match="need the package soundfile"):
        run(first_script(brief_of(task_folder), LINEAR), task_folder, tmp_path / "work")
    assert "soundfile.read(path" in first_script(brief_of(task_folder, ("scikit-learn", "soundfile")), LINEAR)


@pytest.mark.parametrize("idea", KIND.ideas, ids=lambda idea: idea.name)
def test_every_idea_applies_to_a_script_that_then_runs(idea: Idea, folder: Path, brief: Brief, tmp_path: Path) -> None:
    changed = improve(first_script(brief, LINEAR), idea, KIND) or improve(first_script(brief, TREES), idea, KIND)
    assert score_of(run(changed, folder, tmp_path / "work")) > 0.8


def test_merged_models_share_the_features(folder: Path, brief: Brief, tmp_path: Path) -> None:
    script = code("merger", brief, base=first_script(brief, LINEAR), reference=first_script(brief, TREES))
    assert script.count("def describe") == 1
    assert "def fit_predict_b" in script
    assert score_of(run(script, folder, tmp_path / "work")) > 0.9


def test_a_study_switches_parts_of_the_sounds_off(folder: Path, brief: Brief, tmp_path: Path) -> None:
    printed = run(code("ablator", brief, script=first_script(brief, LINEAR), summaries=[]), folder, tmp_path / "work")
    assert "failed" not in printed
    for variant in KIND.variants:
        assert f"Ablation {variant.name}:" in printed


def test_an_ensemble_of_two_models_runs(folder: Path, brief: Brief, tmp_path: Path) -> None:
    codes = [first_script(brief, LINEAR), first_script(brief, TREES)]
    members = [Member(id=f"s{number}", title="", score=0.9, code=text) for number, text in enumerate(codes)]
    script = code("ensembler", brief, solutions=members, plan="Take the plain average.", seconds=60)
    assert score_of(run(script, folder, tmp_path / "work")) > 0.9
