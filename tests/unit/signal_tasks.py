"""Small tasks whose rows are sounds or signals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

SIZE = 72
RATES = (8000, 16000)


def is_test(row: int) -> bool:
    return row % 4 == 3


def tone(draw: np.random.Generator, pitch: float, rate: int, seconds: float = 0.3) -> np.ndarray:
    """Return a tone with noise, and some silence before and after it."""
    times = np.arange(int(rate * seconds * draw.uniform(0.7, 1.3))) / rate
    wave = 0.4 * np.sin(2 * np.pi * pitch * draw.uniform(0.95, 1.05) * times)
    silence = np.zeros(int(draw.integers(0, rate // 20)))
    whole = np.concatenate([silence, wave, silence])
    noisy: np.ndarray = whole + 0.02 * draw.normal(size=len(whole))
    return noisy


def write_sound(path: Path, rate: int, wave: np.ndarray, kind: str = "int16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = wave.astype(np.float32) if kind == "float32" else (wave * 32000).astype(np.int16)
    wavfile.write(path, rate, values)


def write_description(folder: Path, metric: str, text: str = "What is in the sound?") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text(f"{text} Metric: {metric}.\n", encoding="utf-8")
    return folder


def write_answers(folder: Path, rows: pd.DataFrame, targets: list[str], filler: str | float) -> None:
    """Write train, test and sample submission."""
    test = np.array([is_test(row) for row in range(len(rows))])
    rows[~test].to_csv(folder / "train.csv", index=False)
    rows[test].drop(columns=targets).to_csv(folder / "test.csv", index=False)
    sample = rows.loc[test, list(rows.columns[:1])]
    sample[targets] = filler
    sample.to_csv(folder / "sample_submission.csv", index=False)


def sounds_in_class_folders(folder: Path) -> Path:
    """Low, middle and high tones of two rates, one of them with two channels; the folder is the class."""
    draw = np.random.default_rng(0)
    for row in range(SIZE):
        label, rate = row // 4 % 3, RATES[row % 2]
        wave = tone(draw, 300 * 2**label, rate)
        wave = np.column_stack([wave, 0.5 * wave]) if row % 5 == 0 else wave
        place = "test" if is_test(row) else f"train/{['low', 'middle', 'high'][label]}"
        write_sound(folder / place / f"clip_{row:03d}.wav", rate, wave)
    return write_description(folder, "accuracy")


def sounds_of_speakers(folder: Path) -> Path:
    """Paths in a table; speakers of test are not in train; one file is broken, one empty, one silent, one missing."""
    draw = np.random.default_rng(1)
    rows = []
    for row in range(SIZE):
        speaker, word = (row % 4 == 3) * 4 + row // 4 % 4, row // 8 % 2
        wave = tone(draw, (300 + 30 * speaker) * (1 + word), 8000)
        path = f"clips/{row:03d}.wav"
        write_sound(folder / path, 8000, 0 * wave if row == 2 else wave)
        rows.append({"key": f"k{row}", "path": path, "speaker": f"s{speaker}", "word": ["yes", "no"][word]})
    whole = (folder / "clips/000.wav").read_bytes()
    (folder / "clips/000.wav").write_bytes(whole[:30])
    (folder / "clips/001.wav").write_bytes(b"")
    (folder / "clips/005.wav").unlink()
    write_answers(write_description(folder, "log loss"), pd.DataFrame(rows), ["word"], "yes")
    sample = pd.read_csv(folder / "sample_submission.csv")[["key"]].assign(no=0.5, yes=0.5)
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


def sounds_and_columns(folder: Path) -> Path:
    """A value that depends on the pitch and on two other columns."""
    draw = np.random.default_rng(2)
    rows = []
    for row in range(SIZE):
        pitch, age, site = draw.uniform(200, 1500), draw.uniform(0, 50), "AB"[row % 2]
        write_sound(folder / f"audio/r{row}.wav", 8000, tone(draw, pitch, 8000), "float32")
        value = 0.1 * pitch + age + 30 * (site == "A")
        beside = {"age (years)": round(age, 2), "site": site}
        rows.append({"id": row, "file": f"r{row}.wav", **beside, "value": round(value, 2)})
    write_answers(write_description(folder, "RMSE", "Predict the `value`."), pd.DataFrame(rows), ["value"], 0)
    return folder


def sounds_with_several_labels(folder: Path) -> Path:
    """Two tones that may be in a sound."""
    draw = np.random.default_rng(3)
    rows = []
    for row in range(SIZE):
        low, high = (int(flag) for flag in draw.integers(0, 2, 2))
        times = np.arange(2400) / 8000
        wave = low * np.sin(2 * np.pi * 400 * times) + high * np.sin(2 * np.pi * 1600 * times)
        write_sound(folder / f"audio/r{row}.wav", 8000, 0.3 * wave + 0.05 * draw.normal(size=2400))
        rows.append({"id": row, "file": f"r{row}.wav", "low": low, "high": high})
    text = "Predict the probability of each tone."
    write_answers(write_description(folder, "AUC (mean over columns)", text), pd.DataFrame(rows), ["low", "high"], 0.5)
    return folder


def sounds_by_sample(folder: Path) -> Path:
    """Labels of the files of a folder; the sample submission lists those of another one."""
    draw = np.random.default_rng(4)
    rows = []
    for row in range(SIZE):
        call = row // 4 % 2
        place = "test" if is_test(row) else "train"
        write_sound(folder / place / f"s{row:03d}.wav", 4000, tone(draw, 300 + 600 * call, 4000))
        rows.append({"clip": f"s{row:03d}.wav", "probability": call})
    table = pd.DataFrame(rows)
    test = np.array([is_test(row) for row in range(SIZE)])
    write_description(folder, "AUC", "Probability that a call is in the sound.")
    table[~test].to_csv(folder / "train.csv", index=False)
    table.loc[test, ["clip"]].assign(probability=0.5).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def sounds_named_by_class(folder: Path) -> Path:
    draw = np.random.default_rng(5)
    for row in range(SIZE):
        call = ["low", "high"][row // 4 % 2]
        name = f"test/{row}.wav" if is_test(row) else f"train/{call}.{row}.wav"
        write_sound(folder / name, 8000, tone(draw, {"low": 300, "high": 900}[call], 8000))
    return write_description(folder, "accuracy")


def waves(draw: np.random.Generator, labels: np.ndarray, length: int = 48, channels: int = 1) -> np.ndarray:
    """Return rows x channels x time: waves of another period for each class, beginning anywhere."""
    times = np.arange(length)
    starts = draw.uniform(0, 2 * np.pi, (len(labels), channels, 1))
    periods = np.array([6.0, 11.0, 19.0])[labels][:, None, None]
    noise = draw.normal(size=(len(labels), channels, length))
    noisy: np.ndarray = np.sin(2 * np.pi * times / periods + starts) + 0.3 * noise
    return noisy


def _labels_and_test() -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    return np.random.default_rng(6), np.arange(SIZE) // 4 % 3, np.array([is_test(row) for row in range(SIZE)])


def vectors_in_npz(folder: Path) -> Path:
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels)[:, 0]
    values[3, 5] = np.nan
    write_description(folder, "accuracy", "Predict the class of a signal.")
    np.savez_compressed(folder / "data.npz", x_train=values[~test], y_train=labels[~test], x_test=values[test])
    return folder


def channels_in_npy(folder: Path) -> Path:
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels, channels=3).transpose(0, 2, 1)
    write_description(folder, "log loss", "Predict the probability of each class.")
    np.save(folder / "X_train.npy", values[~test])
    np.save(folder / "y_train.npy", labels[~test])
    np.save(folder / "X_test.npy", values[test])
    sample = pd.DataFrame({"id": np.arange(test.sum()), **{f"class_{label}": 1 / 3 for label in range(3)}})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


def many_channels_in_npy(folder: Path) -> Path:
    """Ten channels, which could be taken for the rows of a picture."""
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels, length=64, channels=10).transpose(0, 2, 1)
    write_description(folder, "accuracy", "Predict the class of a signal.")
    np.savez(folder / "data.npz", x_train=values[~test], y_train=labels[~test], x_test=values[test])
    return folder


def signals_in_hdf5(folder: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels)[:, 0]
    target = values.std(axis=1) + labels + 0.01 * draw.normal(size=SIZE)
    write_description(folder, "MAE", "Predict `target` of a signal.")
    for name, rows in (("train", ~test), ("test", test)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["signal"], file["id"] = values[rows], np.flatnonzero(rows) + 500
            if name == "train":
                file["target"] = target[rows]
    sample = pd.DataFrame({"id": np.flatnonzero(test) + 500, "target": 0.0})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


def lists_in_cells(folder: Path) -> Path:
    draw, labels, _ = _labels_and_test()
    values = waves(draw, labels)[:, 0].round(3)
    lists = [str(row[: 40 + number % 8].tolist()) for number, row in enumerate(values)]
    lists[1] = ""
    names = np.array(["slow", "quick", "other"])[labels]
    rows = pd.DataFrame(
        {"id": np.arange(SIZE), "age": draw.uniform(0, 9, SIZE).round(1), "signal": lists, "kind": names}
    )
    write_answers(write_description(folder, "accuracy", "Predict the `kind`."), rows, ["kind"], "slow")
    return folder


def tables_of_readings(folder: Path) -> Path:
    """A table of readings for each row, named by its id; one lacks some of its readings, one has no file."""
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels, channels=2).transpose(0, 2, 1).round(3)
    write_description(folder, "accuracy", "Predict the class of a recording.")
    for row in np.delete(np.arange(SIZE), 5):
        place = folder / ("test" if test[row] else "train") / f"r{row}.csv"
        place.parent.mkdir(exist_ok=True)
        readings = pd.DataFrame(values[row], columns=["left", "right"]).head(int(48 - row % 5))
        readings.mask(draw.random(readings.shape) < 0.1 * (row == 9)).to_csv(place, index=False)
    rows = pd.DataFrame({"recording": [f"r{row}" for row in range(SIZE)], "kind": [f"k{label}" for label in labels]})
    rows[~test].to_csv(folder / "train_labels.csv", index=False)
    rows[test].assign(kind="k0").to_csv(folder / "sample_submission.csv", index=False)
    return folder


def arrays_of_rows(folder: Path) -> Path:
    """An array for each row of train.csv and test.csv, which have an age too; lengths differ."""
    draw, labels, test = _labels_and_test()
    values = waves(draw, labels, channels=3)
    rows = pd.DataFrame({"id": np.arange(SIZE) + 100, "age": draw.uniform(0, 9, SIZE).round(1)})
    rows["target"] = (3 * labels + 0.1 * rows["age"] + 0.1 * draw.normal(size=SIZE)).round(3)
    for row, name in enumerate(rows["id"]):
        place = folder / ("test" if test[row] else "train") / f"{name}.npy"
        place.parent.mkdir(exist_ok=True, parents=True)
        np.save(place, values[row, :, : 48 - row % 5].astype(np.float32))
    write_description(folder, "RMSE", "Predict the `target` of a recording.")
    rows[~test].to_csv(folder / "train.csv", index=False)
    rows[test].drop(columns="target").to_csv(folder / "test.csv", index=False)
    rows.loc[test, ["id"]].assign(target=0.0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


SOUND_TASKS = {
    "class folders": sounds_in_class_folders,
    "speakers": sounds_of_speakers,
    "columns": sounds_and_columns,
    "several labels": sounds_with_several_labels,
    "sample submission": sounds_by_sample,
    "class in the name": sounds_named_by_class,
}
ARRAY_TASKS = {
    "vectors": vectors_in_npz,
    "channels": channels_in_npy,
    "many channels": many_channels_in_npy,
    "hdf5": signals_in_hdf5,
    "cells": lists_in_cells,
    "tables": tables_of_readings,
    "files": arrays_of_rows,
}
