"""What scripts with networks do apart from the networks: how long they train, and what they make of pictures."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlestar.offline.surgery import functions, needed
from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate
from tests.unit.signal_tasks import sounds_in_class_folders
from tests.unit.test_offline_images import PACKAGES, arrays, write_pairs

SECONDS = 60
WRITERS: dict[str, Callable[[Path], object]] = {
    "pictures": arrays,
    "pairs": write_pairs,
    "sounds": sounds_in_class_folders,
}


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def script_of(folder: Path) -> str:
    facts = brief_of(folder, (*PACKAGES, "torch")).model_copy(update={"seconds": SECONDS})
    script = candidate(facts, ModelCard(name="Convolutional network"))
    assert "import torch" in script
    return script


def take(script: str, name: str, **values: Any) -> Any:
    """Return a function of a script with the functions that it needs; `values` are what else it reads."""
    parts = functions(script)
    code = "\n\n".join(parts[part] for part in needed(script, name) if part in parts)
    values = {"SECONDS": SECONDS, "STARTED": 0.0, "np": np, **values}
    exec(compile(code, "main.py", "exec"), values)
    return values[name]


@pytest.fixture(scope="module", params=WRITERS)
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("network") / "task"
    WRITERS[request.param](folder)
    return script_of(folder)


def train(script: str, steps: int, seconds: float, pace: Callable[[int], float]) -> list[float]:
    """Return how much was done before each step of a training; `pace` gives the seconds of a step."""
    clock, done = Clock(), []
    for share in take(script, "schedule", time=clock)(steps, seconds):
        done.append(share)
        clock.now += pace(len(done))
    return done


def test_the_clock_changes_nothing_where_there_is_time(script: str) -> None:
    quick = train(script, 50, 30.0, lambda step: 0.0)
    assert quick == train(script, 50, 30.0, lambda step: 2.0 if step < 3 else 0.3)
    assert quick == pytest.approx(np.arange(50) / 50)


def test_a_slow_machine_trains_to_the_end_of_the_schedule_in_fewer_steps(script: str) -> None:
    done = train(script, 1000, 30.0, lambda step: 1.0)
    assert 25 <= len(done) <= 31
    assert done[-1] > 0.85
    assert (np.diff(done) > 0).all()


def test_a_fit_gets_a_share_of_the_time_that_is_left(script: str) -> None:
    clock = Clock()
    seconds_of_fit = take(script, "seconds_of_fit", time=clock)
    first = seconds_of_fit(0.4)
    clock.now = 0.5 * SECONDS
    second = seconds_of_fit(0.4)
    clock.now = 2.0 * SECONDS
    assert 0.4 * SECONDS > first > second > seconds_of_fit(0.4) > 0


def test_every_network_trains_by_the_schedule(script: str) -> None:
    [loop] = re.findall(r"^ +for done in schedule\((.*)\):$", script, flags=re.MULTILINE)
    assert "seconds_of_fit(" in loop


def test_pictures_are_smaller_where_there_are_many(tmp_path: Path) -> None:
    arrays(tmp_path / "task")
    plan_training = take(script_of(tmp_path / "task"), "plan_training")
    side, epochs = plan_training(64, 100, 100)
    small, few = plan_training(64, 4000, 4000)
    assert (side, small) == (64, 16)
    assert epochs > few >= 4
    assert plan_training(64, 4000, 400)[1] > few


def test_grey_and_coloured_pictures_have_the_same_layers(tmp_path: Path) -> None:
    write_pairs(tmp_path / "task")
    shapes = {("train", "a"): np.ones((8, 12, 1), np.float32), ("test", "b"): np.ones((8, 8, 4), np.float32)}
    background = SimpleNamespace(median_filter=lambda grey, size, mode: grey)
    layers_of = take(script_of(tmp_path / "task"), "layers_of", PICTURES=shapes, Image=Image, ndimage=background)
    assert {layers_of(picture).shape[0] for picture in shapes.values()} == {5}
