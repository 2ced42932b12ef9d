"""Small generated tasks for the scripts with torch, and what such a script must reach on each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

from tests.unit import test_offline_images as images
from tests.unit.signal_tasks import sounds_and_columns, sounds_in_class_folders

NETWORK, PRETRAINED = "Convolutional network", "Pretrained EfficientNet"


@dataclass(frozen=True)
class TorchTask:
    """A task for a script with torch."""

    write: Callable[[Path], object]
    card: str
    """Of the model."""
    least: float
    """Score that the script must reach; an error counts with a minus."""
    seconds: int = 20
    """Limit of the script, on which its steps depend."""


def small_digits(folder: Path, rows: int = 300) -> None:
    """Write digits of 8 x 8 pixels, of ten classes."""
    digits = load_digits()
    pictures, labels = digits.images[: rows + 60].astype(np.uint8) * 15, digits.target[: rows + 60]
    write_arrays(folder, pictures, labels, rows)


def few_rows(folder: Path) -> None:
    """Write twenty rows with labels."""
    write_arrays(folder, images.PICTURES[:36], images.LYING[:36].astype(int), 20)


def many_classes(folder: Path, classes: int = 100) -> None:
    """Write coloured pictures whose class is the place of a spot among a hundred."""
    draw = np.random.default_rng(4)
    labels = np.tile(np.arange(classes), 5)
    pictures = draw.integers(0, 60, (len(labels), 40, 40, 3)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        down, across = 4 * (label // 10), 4 * (label % 10)
        picture[down : down + 4, across : across + 4] = (220, 180, 60)
    write_arrays(folder, pictures, labels, 4 * classes)


def write_arrays(folder: Path, pictures: np.ndarray, labels: np.ndarray, rows: int) -> None:
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "data.npz", x_train=pictures[:rows], y_train=labels[:rows], x_test=pictures[rows:])
    images.settings(folder, "accuracy")


def brightness(folder: Path) -> None:
    """Write pictures in several formats with a value: how bright the bar is."""
    write_answers(folder, pd.DataFrame({"level": images.LEVEL.round(1)}), "mae")


def two_labels(folder: Path) -> None:
    """Write pictures with two labels: whether the bar lies, and whether it is bright."""
    labels = {"lies": images.LYING.astype(int), "bright": (np.median(images.LEVEL) < images.LEVEL).astype(int)}
    write_answers(folder, pd.DataFrame(labels), "auroc")


def write_answers(folder: Path, answers: pd.DataFrame, metric: str) -> None:
    """Write the pictures, the answers of train, and a sample submission."""
    for row in range(images.ROWS):
        suffix, picture = images.in_form(row)
        images.save(folder / ("test" if images.TEST[row] else "train") / f"{row:03d}{suffix}", picture)
    table = pd.concat([pd.DataFrame({"id": [f"{row:03d}" for row in range(images.ROWS)]}), answers], axis=1)
    table[~images.TEST].to_csv(folder / "train.csv", index=False)
    table[images.TEST].assign(**dict.fromkeys(map(str, answers), 0)).to_csv(
        folder / "sample_submission.csv", index=False
    )
    (folder / "task.toml").write_text(f'metric = "{metric}"\ntarget = {list(answers)!r}\n', encoding="utf-8")


def coloured_pairs(folder: Path) -> None:
    """Write noisy pictures and their clean versions, where every third noisy one has colours and one is large."""
    images.write_pairs(folder)
    for part in ("train", "test"):
        for path in sorted((folder / part).iterdir())[::3]:
            grey = np.asarray(Image.open(path).convert("L")).astype(int)
            coloured = np.stack([grey, grey - 20, grey + 20], axis=2).clip(0, 255).astype(np.uint8)
            images.save(path, coloured)


TORCH_TASKS = {
    "grey arrays": TorchTask(images.arrays, NETWORK, 0.8),
    "formats and sizes": TorchTask(images.class_folders, NETWORK, 0.8),
    "columns beside": TorchTask(images.paths_in_tables, NETWORK, 0.8),
    "8 x 8 pixels": TorchTask(small_digits, NETWORK, 0.8),
    "twenty rows": TorchTask(few_rows, NETWORK, 0.6),
    "a hundred classes": TorchTask(many_classes, NETWORK, 0.1),
    "values": TorchTask(brightness, NETWORK, -35.0),
    "two labels": TorchTask(two_labels, NETWORK, 0.7),
    "pretrained classes": TorchTask(images.class_folders, PRETRAINED, 0.8),
    "pretrained values": TorchTask(brightness, PRETRAINED, -35.0),
    "pairs": TorchTask(images.write_pairs, NETWORK, -0.6 * images.NOISE),
    "coloured pairs": TorchTask(coloured_pairs, NETWORK, -0.6 * images.NOISE),
    "sounds": TorchTask(sounds_in_class_folders, NETWORK, 0.7, seconds=60),
    "values of sounds": TorchTask(sounds_and_columns, NETWORK, -38.0, seconds=60),
}
