"""Examples in the report: which rows are drawn, and that no file of a task can do harm."""

import io
import json
import os
import subprocess
import sys
import wave
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlestar
from mlestar.data.layouts.files_of_rows import files_of_rows
from mlestar.data.task import Task
from mlestar.evaluation.examples import EACH, choose_examples
from mlestar.evaluation.outcome import NotShownError
from mlestar.report import media
from mlestar.report.again import render_report
from mlestar.report.media import make_media, media_type, read_own
from mlestar.report.media_child import MOST_PIXELS, SECONDS, SIDE
from mlestar.runners import Execution, Job
from mlestar.store import RunFolder
from tests.unit.scenario import SMALL, Scenario, solve, success
from tests.unit.signal_tasks import tone, write_sound
from tests.unit.withheld import answers, submit


def test_right_and_wrong_labels_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    truth = np.array(["cat", "dog"] * 20, dtype=object)
    predicted = np.where(np.arange(40) % 3 == 0, "cat", truth)
    known = answers("accuracy", truth)
    found = choose_examples(known, submit(tmp_path, predicted))
    assert [row.group for row in found.examples] == ["right"] * EACH + ["wrong"] * EACH
    assert all((row.true == row.predicted) == (row.group == "right") for row in found.examples)
    assert all(row.true == truth[row.row] for row in found.examples)
    assert choose_examples(known, submit(tmp_path, predicted)) == found


def test_without_a_wrong_row_right_ones_are_shown(tmp_path: Path) -> None:
    truth = np.array(["cat", "dog"] * 3, dtype=object)
    found = choose_examples(answers("accuracy", truth), submit(tmp_path, truth))
    assert {row.group for row in found.examples} == {"right"}


def test_values_are_close_or_far(tmp_path: Path) -> None:
    truth = np.arange(50.0)
    found = choose_examples(answers("rmse", truth), submit(tmp_path, truth + np.where(truth > 40, 9.0, 0.1)))
    assert {row.group for row in found.examples} == {"close", "far"}
    assert all((row.row > 40) == (row.group == "far") for row in found.examples)


def test_the_most_probable_class_is_the_prediction(tmp_path: Path) -> None:
    truth = np.array(["a", "b", "b"] * 4, dtype=object)
    spec = {"classes": ("a", "b"), "prediction_columns": ("a", "b")}
    shares = np.tile([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], (4, 1))
    found = choose_examples(answers("log_loss", truth, spec), submit(tmp_path, shares, ("a", "b")))
    assert {(row.group, row.predicted) for row in found.examples} == {
        ("right", "a (0.90)"),
        ("right", "b (0.80)"),
        ("wrong", "a (0.60)"),
    }


def test_several_targets_have_no_examples(tmp_path: Path) -> None:
    spec = {"target": ("y", "z"), "prediction_columns": ("y", "z")}
    with pytest.raises(NotShownError):
        choose_examples(answers("rmse", np.zeros((3, 2)), spec), submit(tmp_path, np.zeros((3, 2)), ("y", "z")))


@pytest.fixture
def pictures(tmp_path: Path) -> Task:
    """Return a task whose rows name pictures."""
    folder, rng = tmp_path / "task", np.random.default_rng(0)
    rows = []
    for number in range(40):
        part = "train" if number < 30 else "test"
        path = folder / part / f"p{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (12, 10), dtype=np.uint8)).save(path)
        rows.append((f"p{number}.png", "cat" if number % 2 else "dog"))
    frame = pd.DataFrame(rows, columns=["image", "animal"])
    frame[:30].to_csv(folder / "train.csv", index=False)
    frame[30:][["image"]].assign(animal="cat").to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text('metric = "accuracy"\n', encoding="utf-8")
    return Task.load(folder)


class Parity(Scenario):
    """A scenario whose scripts tell the animal by the number in the name of its file, and most cats right."""

    def run(self, job: Job) -> Execution:
        if "variants" in job.script:
            return super().run(job)
        sample = pd.read_csv(job.input / "sample_submission.csv")
        numbers = sample["image"].str.extract(r"(\d+)")[0].astype(int)
        sample["animal"] = np.where((numbers % 2 == 1) & (numbers % 5 != 0), "cat", "dog")
        sample.to_csv(job.collect / "submission.csv", index=False)
        return success(("submission.csv",), "Final Validation Performance: 0.9\n")


async def test_a_run_keeps_examples_that_outlive_pruning(pictures: Task, tmp_path: Path) -> None:
    settings = {**SMALL, "outer_steps": 0, "importance": True}
    result = await solve(tmp_path, Parity(), settings, task=pictures)
    assert result.examples is not None
    rows = result.examples.rows
    assert {row.group for row in rows} <= {"right", "wrong"}
    assert rows
    assert all((row.true == row.predicted) == (row.group == "right") for row in rows)
    assert result.importance is not None
    assert "rows are files" in result.importance.reason
    folder = RunFolder.at(result.folder)
    page = render_report(folder)
    assert page.count("data:image/png;base64,") == len(rows)
    assert page == folder.report.read_text(encoding="utf-8")
    assert mlestar.prune(folder.path.parent)["run"] > 0
    assert render_report(folder).count("data:image/png;base64,") == len(rows)


def test_the_files_of_rows_are_found(pictures: Task) -> None:
    assert files_of_rows(pictures.layout, [0, 7]) == [["train/p0.png"], ["train/p7.png"]]


def test_the_files_of_class_folders_are_found(tmp_path: Path) -> None:
    for number in range(60):
        path = tmp_path / f"train/{'cat' if number % 2 else 'dog'}/{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {number}", encoding="utf-8")
    task = Task.load(tmp_path, metric="accuracy")
    assert files_of_rows(task.layout, [0]) == [[task.layout.paths.files[0]]]  # type: ignore[attr-defined]  # of its layout


def put(task: Task, name: str, data: bytes) -> str:
    (task.input / name).write_bytes(data)
    return name


def saved(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "F", "CMYK"])
def test_a_picture_becomes_small(pictures: Task, mode: str) -> None:
    kind = "TIFF" if mode in ("F", "CMYK") else "PNG"
    base = Image.new("L", (800, 400), 90)
    image = base.convert("I").convert("I;16") if mode == "I;16" else base.convert(mode)
    made = make_media(pictures, put(pictures, f"large.{kind.lower()}", saved(image, kind)), "image")
    assert made is not None
    assert media_type(made) == "image/jpeg"
    with Image.open(io.BytesIO(made)) as shown:
        assert shown.size == (SIDE, SIDE // 2)


def test_what_is_not_of_the_picture_is_not_kept(pictures: Task) -> None:
    from PIL.PngImagePlugin import PngInfo

    file, notes = io.BytesIO(), PngInfo()
    notes.add_text("Comment", "<script>secret</script>")
    Image.new("RGB", (20, 20)).save(file, "PNG", pnginfo=notes)
    made = make_media(pictures, put(pictures, "noted.png", file.getvalue() + b"<script>secret"), "image")
    assert made is not None
    assert media_type(made) == "image/png"
    assert b"secret" not in made


def bomb() -> bytes:
    """Return a small PNG that states far more pixels than may be decoded."""
    header = (60_000).to_bytes(4, "big") + (60_000).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.png", bomb()),
        ("cut.png", saved(Image.new("RGB", (50, 50)), "PNG")[:60]),
        ("empty.png", b""),
        ("vector.png", SVG),
        ("vector.svg", SVG),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("page.jpg", b"<html><script>alert(1)</script></html>"),
    ],
)
def test_a_file_that_is_no_sound_picture_is_not_shown(pictures: Task, name: str, data: bytes) -> None:
    assert MOST_PIXELS < 60_000**2
    assert make_media(pictures, put(pictures, name, data), "image") is None


def test_a_file_that_is_too_large_is_not_read(pictures: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_BYTES", 10)
    assert make_media(pictures, "train/p0.png", "image") is None


def test_a_decoder_that_does_not_end_is_stopped(
    pictures: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(media, "_CHILD", slow)
    monkeypatch.setattr(media, "SECONDS", 0.2)
    assert make_media(pictures, "train/p0.png", "image") is None


def test_no_link_leads_out_of_the_folder_of_the_task(pictures: Task, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(saved(Image.new("RGB", (20, 20)), "PNG"))
    (pictures.input / "link.png").symlink_to(secret)
    assert make_media(pictures, "link.png", "image") is None
    assert make_media(pictures, "../secret.png", "image") is None
    os.mkfifo(pictures.input / "pipe.png")
    assert make_media(pictures, "pipe.png", "image") is None
    assert read_own(pictures, "train/p0.png", 10**6) is not None


def test_a_clip_is_the_beginning_of_a_sound(pictures: Task) -> None:
    rng = np.random.default_rng(0)
    for kind in ("int16", "float32"):
        write_sound(pictures.input / "long.wav", 44_100, tone(rng, 300, 44_100, 6.0), kind)
        made = make_media(pictures, "long.wav", "audio")
        assert made is not None
        assert media_type(made) == "audio/wav"
        assert len(made) < media.MOST_MADE
        with wave.open(io.BytesIO(made)) as clip:
            assert (clip.getnchannels(), clip.getsampwidth()) == (1, 2)
            assert clip.getnframes() / clip.getframerate() == pytest.approx(SECONDS, rel=0.01)
    assert make_media(pictures, put(pictures, "broken.wav", b"RIFF\xff\xff\xff\xffWAVEfmt "), "audio") is None
    assert make_media(pictures, put(pictures, "empty.wav", b""), "audio") is None


def test_the_decoder_writes_no_file(tmp_path: Path) -> None:
    attack = "import sys; sys.argv = ['', sys.argv[1], 'image']\nimport runpy\n"
    attack += f"runpy.run_path({media._CHILD.as_posix()!r}, run_name='__main__')\n"
    attack += f"import pathlib\npathlib.Path({(tmp_path / 'written').as_posix()!r}).write_text('x' * 10)\n"
    data = saved(Image.new("RGB", (20, 20)), "PNG")
    command = [sys.executable, "-c", attack, json.dumps(sys.path)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "written").exists() or not (tmp_path / "written").read_bytes()
