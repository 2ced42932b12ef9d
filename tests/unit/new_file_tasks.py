"""Small tasks whose rows are files, have files or are those of arrays, and new rows for each."""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TRAIN, TEST = range(30), range(30, 40)


@dataclass(frozen=True)
class NewRowTask:
    """A task, and new rows for it."""

    folder: Path
    rows: Any
    """What a caller passes."""
    files: Path | None
    staged: set[str]
    """The files of new rows in the input of scripts."""
    ids: list[str]
    """Of the new rows; empty where they have none."""


def write_picture(path: Path, grey: int = 0, side: int = 6) -> None:
    """Write a grey picture as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = (b"\0" + bytes([grey % 256] * side)) * side
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_sound(path: Path, value: int, rate: int = 8000) -> None:
    """Write a sound of one channel as WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = struct.pack("<8h", *([value] * 8))
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def describe(folder: Path, text: str = "Predict the `kind`. Metric: accuracy.") -> Path:
    folder.mkdir(parents=True)
    (folder / "task.md").write_text(text, encoding="utf-8")
    return folder


def kind(number: int) -> str:
    return "odd" if number % 2 else "even"


def labelled_files(folder: Path) -> NewRowTask:
    task = describe(folder / "task")
    names = [f"{number:04d}" for number in range(40)]
    for number, name in enumerate(names):
        write_picture(task / ("train" if number in TRAIN else "test") / f"{name}.png", number)
    pd.DataFrame({"id": names[:30], "kind": map(kind, TRAIN)}).to_csv(task / "train.csv", index=False)
    pd.DataFrame({"id": names[30:], "kind": "odd"}).to_csv(task / "sample_submission.csv", index=False)
    for name in ("0500", "0501"):
        write_picture(folder / "new" / f"{name}.png", 7)
    return NewRowTask(task, folder / "new", None, {"test/0500.png", "test/0501.png"}, ["0500", "0501"])


def labelled_files_without_sample(folder: Path) -> NewRowTask:
    new = labelled_files(folder)
    (new.folder / "sample_submission.csv").unlink()
    return new


def zipped_files(folder: Path) -> NewRowTask:
    """Archives in place of folders, in the task and of new rows."""
    new = labelled_files(folder)
    for name in ("train", "test"):
        zip_folder(new.folder / name, new.folder / f"{name}.zip")
    zip_folder(new.rows, folder / "new.zip")
    return NewRowTask(new.folder, folder / "new.zip", None, new.staged, new.ids)


def zip_folder(folder: Path, archive: Path) -> None:
    """Replace a folder by an archive with it."""
    with zipfile.ZipFile(archive, "w") as written:
        for path in sorted(folder.iterdir()):
            written.write(path, f"{folder.name}/{path.name}")
    shutil.rmtree(folder)


def class_folders(folder: Path) -> NewRowTask:
    task = describe(folder / "task")
    for number in range(40):
        place = task / "train" / kind(number) if number in TRAIN else task / "test"
        write_picture(place / f"{number:04d}.png", number)
    write_picture(folder / "new" / "a.png", 1)
    write_picture(folder / "new" / "b.png", 2)
    return NewRowTask(task, folder / "new", None, {"test/a.png", "test/b.png"}, ["a.png", "b.png"])


def class_folders_without_test(folder: Path) -> NewRowTask:
    task = describe(folder / "task")
    for number in range(40):
        write_picture(task / "train" / kind(number) / f"{number:04d}.png", number)
    write_picture(folder / "new" / "a.png", 1)
    return NewRowTask(task, folder / "new" / "a.png", None, {"test/a.png"}, ["a.png"])


def class_in_name(folder: Path) -> NewRowTask:
    task = describe(folder / "task")
    for number in range(40):
        name = f"train/{kind(number)}.{number}.png" if number in TRAIN else f"test/{number}.png"
        write_picture(task / name, number)
    write_picture(folder / "new" / "test" / "77.png", 1)
    return NewRowTask(task, folder / "new", None, {"test/77.png"}, ["77.png"])


def crystals(folder: Path) -> NewRowTask:
    """Rows of tables that have a folder of files each; train and test count from 1 both."""
    task = describe(folder / "task", "Predict the `energy`. Metric: RMSE.")
    rng = np.random.default_rng(0)
    for side, count in (("train", 30), ("test", 10)):
        frame = pd.DataFrame({"id": range(1, count + 1), "atoms": rng.integers(2, 9, count)})
        frame = frame.assign(energy=rng.normal(2, 1, count).round(2)) if side == "train" else frame
        frame.to_csv(task / f"{side}.csv", index=False)
        for name in frame["id"]:
            (task / side / str(name)).mkdir(parents=True)
            (task / side / str(name) / "geometry.xyz").write_text(f"atom {side} {name}", encoding="utf-8")
    pd.DataFrame({"id": range(1, 11), "energy": 0.0}).to_csv(task / "sample_submission.csv", index=False)
    for name in ("3", "400"):
        (folder / "new" / name).mkdir(parents=True)
        (folder / "new" / name / "geometry.xyz").write_text(f"atom new {name}", encoding="utf-8")
    rows = pd.DataFrame({"id": [400, 3], "atoms": [4, 5]})
    staged = {"test/3/geometry.xyz", "test/400/geometry.xyz"}
    return NewRowTask(task, rows, folder / "new", staged, ["400", "3"])


def leaves(folder: Path) -> NewRowTask:
    """Rows of tables whose pictures are in one folder."""
    task = describe(folder / "task")
    for number in range(40):
        write_picture(task / "images" / f"{number + 1}.png", number)
    frame = pd.DataFrame({"id": range(1, 41), "width": np.arange(40) / 7, "kind": map(kind, range(40))})
    frame[:30].to_csv(task / "train.csv", index=False)
    frame[30:].drop(columns="kind").to_csv(task / "test.csv", index=False)
    frame[30:][["id"]].assign(kind="odd").to_csv(task / "sample_submission.csv", index=False)
    for name in ("35", "90"):
        write_picture(folder / "new" / f"{name}.png", 9)
    rows = pd.DataFrame({"id": [90, 35], "width": [0.5, 1.5]})
    return NewRowTask(task, rows, folder / "new", {"images/35.png", "images/90.png"}, ["90", "35"])


def sounds(folder: Path) -> NewRowTask:
    """Rows of tables with a column of paths."""
    task = describe(folder / "task")
    for number in range(40):
        write_sound(task / "audio" / f"r{number}.wav", number)
    frame = pd.DataFrame({"id": [f"r{number}" for number in range(40)], "kind": map(kind, range(40))})
    frame.insert(1, "file", "audio/" + frame["id"] + ".wav")
    frame[:30].to_csv(task / "train.csv", index=False)
    frame[30:].drop(columns="kind").to_csv(task / "test.csv", index=False)
    write_sound(folder / "new" / "x.wav", 1)
    rows = pd.DataFrame({"id": ["x1"], "file": ["x.wav"]})
    return NewRowTask(task, rows, folder / "new", {"audio/x.wav"}, ["x1"])


def one_table(folder: Path) -> NewRowTask:
    """One table without a test, whose rows have pictures."""
    task = describe(folder / "task")
    for number in range(40):
        write_picture(task / "images" / f"p{number}.png", number)
    frame = pd.DataFrame({"name": [f"p{number}" for number in range(40)], "kind": map(kind, range(40))})
    frame.to_csv(task / "train.csv", index=False)
    (task / "task.toml").write_text('id = "name"\ntarget = "kind"\n', encoding="utf-8")
    write_picture(folder / "new" / "images" / "q1.png", 3)
    frame[:1].assign(name="q1").drop(columns="kind").to_csv(folder / "new" / "test.csv", index=False)
    return NewRowTask(task, folder / "new", None, {"images/q1.png"}, ["q1"])


def arrays(folder: Path) -> NewRowTask:
    """Train and test in one file."""
    task = describe(folder / "task")
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 99, (30, 6, 6)), rng.integers(0, 99, (10, 6, 6))
    np.savez(task / "data.npz", x_train=train, y_train=np.arange(30) % 2, x_test=test)
    return NewRowTask(task, rng.integers(0, 99, (3, 6, 6)), None, set(), [])


def arrays_with_ids(folder: Path) -> NewRowTask:
    task = describe(folder / "task")
    rng = np.random.default_rng(0)
    ids = np.arange(1, 41)
    np.savez(task / "train.npz", id=ids[:30], image=rng.random((30, 6, 6)), label=ids[:30] % 2)
    np.savez(task / "test.npz", id=ids[30:], image=rng.random((10, 6, 6)))
    pd.DataFrame({"id": ids[30:], "label": 0}).to_csv(task / "sample_submission.csv", index=False)
    folder.joinpath("new").mkdir()
    np.savez(folder / "new" / "rows.npz", id=np.array([70, 60]), image=rng.random((2, 6, 6)))
    return NewRowTask(task, folder / "new" / "rows.npz", None, set(), ["70", "60"])


MAKERS: dict[str, Callable[[Path], NewRowTask]] = {
    make.__name__: make
    for make in (
        labelled_files,
        labelled_files_without_sample,
        zipped_files,
        class_folders,
        class_folders_without_test,
        class_in_name,
        crystals,
        leaves,
        sounds,
        one_table,
        arrays,
        arrays_with_ids,
    )
}
