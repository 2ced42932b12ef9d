"""Write a small task folder in each layout: `python examples/layouts.py [FOLDER]`, then `mlestar check FOLDER/NAME`.

The data are the flowers, digits and patients that ship with scikit-learn.
"""

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits, load_iris

SHARE = 0.3
"""Of the rows, for test."""


def flowers() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return labelled rows, and rows to predict without the label."""
    data = load_iris(as_frame=True)
    frame = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    frame["species"] = data.target_names[data.target]
    return divide(frame, "flower", ["species"])


def patients() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    return divide(frame.round(3), "patient", ["progression"])


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey pictures of 8 x 8 pixels, their digits, and a mask of those for test."""
    data = load_digits()
    return (data.images * 15).astype(np.uint8), data.target, mask(len(data.target))


def divide(frame: pd.DataFrame, key: str, targets: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame.insert(0, key, np.arange(1, len(frame) + 1))
    test = mask(len(frame))
    return frame[~test].reset_index(drop=True), frame[test].drop(columns=targets).reset_index(drop=True)


def mask(count: int) -> np.ndarray:
    return np.random.default_rng(0).random(count) < SHARE


def describe(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text(text + "\n", encoding="utf-8")


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write a grey picture as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def tables(folder: Path) -> None:
    train, test = flowers()
    describe(folder, "Predict the `species` of a flower. Metric: accuracy.")
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["flower"]].assign(species="setosa").to_csv(folder / "sample_submission.csv", index=False)


def single_table(folder: Path) -> None:
    train, _ = patients()
    describe(folder, "Predict `progression`. Metric: RMSE.")
    train.to_csv(folder / "patients.csv", index=False)


def separate_labels(folder: Path) -> None:
    train, test = flowers()
    describe(folder, "Predict the `species` of a flower. Metric: accuracy.")
    train.drop(columns="species").to_csv(folder / "train_values.csv", index=False)
    train[["flower", "species"]].to_csv(folder / "train_labels.csv", index=False)
    test.to_csv(folder / "test_values.csv", index=False)
    test[["flower"]].assign(species="setosa").to_csv(folder / "submission_format.csv", index=False)


def several_targets(folder: Path) -> None:
    train, test = flowers()
    describe(folder, "Predict `petal_length` and `petal_width`. Metric: RMSE, averaged over both.")
    train.drop(columns="species").to_csv(folder / "train.csv", index=False)
    test.drop(columns=["petal_length", "petal_width"]).to_csv(folder / "test.csv", index=False)


def labelled_files(folder: Path) -> None:
    images, labels, test = digits()
    describe(folder, "Which digit is in the picture? Metric: accuracy.")
    names = np.array([f"{number:04d}" for number in range(len(labels))])
    for name, image, in_test in zip(names, images, test, strict=True):
        write_picture(folder / ("test" if in_test else "train") / f"{name}.png", image)
    pd.DataFrame({"id": names[~test], "digit": labels[~test]}).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": names[test], "digit": 0}).to_csv(folder / "sample_submission.csv", index=False)


def class_folders(folder: Path) -> None:
    images, labels, test = digits()
    describe(folder, "Which digit is in the picture? Metric: accuracy.")
    for number, (image, label, in_test) in enumerate(zip(images, labels, test, strict=True)):
        place = folder / "test" if in_test else folder / "train" / f"digit_{label}"
        write_picture(place / f"{number:04d}.png", image)


def class_in_name(folder: Path) -> None:
    images, labels, test = digits()
    describe(folder, "Is it an odd or an even digit? Metric: accuracy.")
    for number, (image, label, in_test) in enumerate(zip(images, labels, test, strict=True)):
        kind = "odd" if label % 2 else "even"
        place = folder / "test" / f"{number}.png" if in_test else folder / "train" / f"{kind}.{number}.png"
        write_picture(place, image)


def arrays(folder: Path) -> None:
    images, labels, test = digits()
    describe(folder, "Which digit is in the picture? Metric: accuracy.")
    np.savez_compressed(folder / "digits.npz", x_train=images[~test], y_train=labels[~test], x_test=images[test])


def file_pairs(folder: Path) -> None:
    images, _, test = digits()
    describe(
        folder, "Remove the noise from the pictures: predict the `value` of every pixel, from 0 to 1. Metric: RMSE."
    )
    rng = np.random.default_rng(1)
    lines: list[str] = []
    for number in range(60):
        noisy = np.clip(images[number] + rng.normal(0, 40, (8, 8)), 0, 255).astype(np.uint8)
        write_picture(folder / ("test" if test[number] else "train") / f"{number}.png", noisy)
        if test[number]:
            lines += [f"{number}_{row}_{column}" for row in range(1, 9) for column in range(1, 9)]
        else:
            write_picture(folder / "train_cleaned" / f"{number}.png", images[number])
    pd.DataFrame({"id": lines, "value": 1}).to_csv(folder / "sample_submission.csv", index=False)


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "tables": tables,
    "single-table": single_table,
    "separate-labels": separate_labels,
    "several-targets": several_targets,
    "labelled-files": labelled_files,
    "class-folders": class_folders,
    "class-in-name": class_in_name,
    "arrays": arrays,
    "file-pairs": file_pairs,
}


def write_all(folder: Path) -> None:
    """Write a task folder for each layout below `folder`."""
    for name, write in LAYOUTS.items():
        write(folder / name)


if __name__ == "__main__":
    write_all(Path(sys.argv[1] if len(sys.argv) > 1 else "layouts"))
