"""The offline engineer's networks for pictures learn small tasks; they run where torch is installed."""

from pathlib import Path

import pytest

from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate, run, score_of
from tests.unit.test_offline_images import NOISE, PACKAGES, arrays, write_pairs

NETWORK = ModelCard(name="Convolutional network")
SECONDS = 60
"""Of a script: its steps and its time depend on it."""


def train(folder: Path, work: Path) -> float:
    """Return the score that a script with a network prints."""
    pytest.importorskip("torch")
    facts = brief_of(folder, (*PACKAGES, "torch")).model_copy(update={"seconds": SECONDS})
    script = candidate(facts, NETWORK)
    assert "import torch" in script
    return score_of(run(script, folder, work))


def test_a_network_learns_classes(tmp_path: Path) -> None:
    arrays(tmp_path / "task")
    assert train(tmp_path / "task", tmp_path / "work") > 0.8


def test_a_network_cleans_pictures(tmp_path: Path) -> None:
    write_pairs(tmp_path / "task")
    assert train(tmp_path / "task", tmp_path / "work") < NOISE
