"""Archives, workbooks and other formats are converted before they are read; plain folders stay as they are."""

import bz2
import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.formats import archives
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import infer_split, search_holdout, stage
from tests.unit.workbook import write_workbook

DESCRIPTION = "Predict y. The metric is RMSE.\n"
ROWS = 120


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(ROWS), "a": rng.normal(size=ROWS).round(4), "ort": rng.choice(["Köln", "x"], ROWS)}
    )
    frame["y"] = (2 * frame["a"] + rng.normal(size=ROWS)).round(3)
    return frame[:80], frame[80:].drop(columns="y").reset_index(drop=True)


def write_zip(path: Path, members: dict[str, str | bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def zipped(folder: Path, name: str, frame: pd.DataFrame) -> None:
    write_zip(folder / f"{name}.csv.zip", {f"{name}.csv": frame.to_csv(index=False), "__MACOSX/._a": b"\0"})


def in_tar(folder: Path, name: str, frame: pd.DataFrame) -> None:
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        data = frame.to_csv(index=False).encode()
        info = tarfile.TarInfo(f"./{name}.csv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


def in_bzip2(folder: Path, name: str, frame: pd.DataFrame) -> None:
    (folder / f"{name}.csv.bz2").write_bytes(bz2.compress(frame.to_csv(index=False).encode()))


def in_workbook(folder: Path, name: str, frame: pd.DataFrame) -> None:
    write_workbook(folder / f"{name}.xlsx", {"Sheet 1": [list(frame.columns), *frame.to_numpy().tolist()], "Empty": []})


def in_feather(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.reset_index(drop=True).to_feather(folder / f"{name}.feather")


def in_parts(folder: Path, name: str, frame: pd.DataFrame) -> None:
    (folder / f"{name}.parquet").mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(frame)), 11)):
        frame.iloc[part].to_parquet(folder / f"{name}.parquet" / f"part-{number}.parquet", index=False)
    (folder / f"{name}.parquet" / "_SUCCESS").touch()


def in_parquet_in_gzip(folder: Path, name: str, frame: pd.DataFrame) -> None:
    data = io.BytesIO()
    frame.to_parquet(data, index=False)
    (folder / f"{name}.parquet.gz").write_bytes(gzip.compress(data.getvalue()))


def in_encoding(encoding: str) -> Callable[[Path, str, pd.DataFrame], None]:
    def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
        (folder / f"{name}.csv").write_bytes(frame.to_csv(index=False).encode(encoding))

    return write


def compressed_utf16(folder: Path, name: str, frame: pd.DataFrame) -> None:
    (folder / f"{name}.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode("utf-16")))


WRITERS = {
    "zip": zipped,
    "tar": in_tar,
    "bzip2": in_bzip2,
    "workbook": in_workbook,
    "feather": in_feather,
    "parts": in_parts,
    "parquet in gzip": in_parquet_in_gzip,
    "utf-16": in_encoding("utf-16"),
    "utf-16-le": in_encoding("utf-16-le"),
    "utf-16-be": in_encoding("utf-16-be"),
    "utf-16 in gzip": compressed_utf16,
}


def make(folder: Path, write: Callable[[Path, str, pd.DataFrame], None], toml: str = "") -> Path:
    (folder / "input").mkdir(parents=True)
    (folder / "task.md").write_text(DESCRIPTION)
    for name, frame in zip(("train", "test"), frames(), strict=True):
        write(folder / "input", name, frame)
    if toml:
        (folder / "task.toml").write_text(toml)
    return folder


@pytest.mark.parametrize("kind", WRITERS)
def test_a_task_in_another_format_is_the_task_in_csv(kind: str, tmp_path: Path) -> None:
    plain = Task.load(make(tmp_path / "plain", in_encoding("utf-8")))
    task = Task.load(make(tmp_path / "other", WRITERS[kind]))
    assert task.spec.model_copy(update={"train": plain.spec.train, "test": plain.spec.test, "name": ""}) == (
        plain.spec.model_copy(update={"name": ""})
    )
    pd.testing.assert_frame_equal(task.train.rows, plain.train.rows)
    pd.testing.assert_frame_equal(task.test.rows, plain.test.rows)


@pytest.mark.parametrize("kind", WRITERS)
def test_scripts_read_plain_files_of_it(kind: str, tmp_path: Path) -> None:
    task = Task.load(make(tmp_path / "task", WRITERS[kind]), workspace=tmp_path / "prepared")
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "holdout")
    stage(task, None, tmp_path / "real")
    names = {path.name for path in (tmp_path / "real").iterdir()}
    suffix = ".parquet" if kind in ("feather", "parts", "parquet in gzip") else ".csv"
    assert names == {path.name for path in (tmp_path / "holdout").iterdir()} == {f"train{suffix}", f"test{suffix}"}
    read = pd.read_parquet if suffix == ".parquet" else pd.read_csv
    assert len(read(tmp_path / "holdout" / f"train{suffix}")) == len(holdout.train)
    assert set(read(tmp_path / "real" / f"train{suffix}")["ort"]) == {"Köln", "x"}


def test_a_plain_folder_is_read_where_it_is(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    assert Task.load(folder, workspace=tmp_path / "prepared").input == folder / "input"
    assert not (tmp_path / "prepared").exists()


def test_files_that_need_no_conversion_are_staged(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", zipped)
    (folder / "input" / "images" / "deep").mkdir(parents=True)
    for name in ("images/1.png", "images/deep/2.png", "notes.txt"):
        (folder / "input" / name).write_bytes(b"\x89PNG")
    task = Task.load(folder, workspace=tmp_path / "prepared")
    assert (task.input / "images").readlink() == (folder / "input" / "images")
    stage(task, None, tmp_path / "real")
    files = {path.relative_to(tmp_path / "real").as_posix() for path in (tmp_path / "real").rglob("*.*")}
    assert files == {"train.csv", "test.csv", "images/1.png", "images/deep/2.png", "notes.txt"}


def test_the_conversion_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    folder, workspace = make(tmp_path / "task", zipped), tmp_path / "prepared"
    first = (Task.load(folder, workspace=workspace).input / "train.csv").stat().st_ino
    again = Task.load(folder, workspace=workspace)
    assert (again.input / "train.csv").stat().st_ino == first
    assert any(note.startswith("train.csv.zip: read as train.csv") for note in again.notes)
    zipped(folder / "input", "train", frames()[0][:50])
    assert len(Task.load(folder, workspace=workspace).train.rows) == 50


def test_a_temporary_conversion_goes_with_its_task(tmp_path: Path) -> None:
    task = Task.load(make(tmp_path / "task", zipped))
    folder = task.input
    assert folder.is_dir()
    del task
    assert not folder.exists()


def test_names_that_are_set_may_be_those_of_the_files_in_the_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_workbook)
    (folder / "input" / "train.xlsx").rename(folder / "input" / "first.xlsx")
    assert Task.load(folder, train="first.xlsx", test="test.xlsx").spec.train == "first.csv"


def test_sheets_of_one_workbook_are_tables(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    sheets = {
        name: [list(frame), *frame.to_numpy().tolist()] for name, frame in zip(("train", "test"), frames(), strict=True)
    }
    write_workbook(folder / "input" / "data.xlsx", sheets)
    task = Task.load(folder)
    assert (task.spec.train, task.spec.test, len(task.train.rows)) == ("train.csv", "test.csv", 80)


def test_an_archive_of_a_whole_task_is_unpacked(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    train, test = frames()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("test.csv", test.to_csv(index=False))
    images = {f"images/{number}.png": b"\x89PNG" for number in range(20)}
    write_zip(
        folder / "input" / "data.zip", {"train.csv": train.to_csv(index=False), "test.zip": inner.getvalue(), **images}
    )
    task = Task.load(folder)
    assert (task.spec.train, task.spec.test) == ("train.csv", "test.csv")
    assert len(list((task.input / "images").iterdir())) == 20


def test_many_files_at_the_top_of_an_archive_get_a_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    write_zip(folder / "input" / "images.zip", {f"{number}.png": b"\x89PNG" for number in range(20)})
    assert len(list((Task.load(folder).input / "images").iterdir())) == 20


def test_partitions_are_a_column(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    train = frames()[0]
    (folder / "input" / "train.csv").unlink()
    for year, part in ((2019, train[:30]), (2020, train[30:])):
        (folder / "input" / "train" / f"year={year}").mkdir(parents=True)
        part.to_parquet(folder / "input" / "train" / f"year={year}" / "data.parquet", index=False)
    rows = Task.load(folder).train.rows
    assert rows["year"].value_counts().to_dict() == {"2020": 50, "2019": 30}


def test_parquet_files_of_several_tables_stay_apart(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda folder, name, frame: frame.to_parquet(folder / f"{name}.parquet"))
    assert Task.load(folder).input == folder / "input"


def test_a_table_in_the_folder_has_precedence_over_an_archive(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    write_zip(folder / "input" / "train.csv.zip", {"train.csv": "id,y\n1,2\n"})
    task = Task.load(folder)
    assert len(task.train.rows) == 80
    assert "train.csv.zip: train.csv in the folder is used instead of what is in it" in task.notes


@pytest.mark.parametrize(
    "name", ["../train.csv", "/tmp/train.csv", "a/../../train.csv", "..\\train.csv", "C:\\train.csv"]
)
def test_members_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    write_zip(folder / "input" / "train.zip", {name: "id,y\n1,2\n"})
    with pytest.raises(TaskError, match="leaves the folder it is unpacked into"):
        Task.load(folder, workspace=tmp_path / "prepared")
    assert {path.name for path in tmp_path.rglob("*.csv")} == set()


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    with zipfile.ZipFile(folder / "input" / "train.zip", "w") as archive:
        info = zipfile.ZipInfo("train.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/hostname")
    with pytest.raises(TaskError, match=r"train\.zip: 'train\.csv' is a link"):
        Task.load(folder)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    with tarfile.open(folder / "input" / "train.tar", "w") as archive:
        info = tarfile.TarInfo("train.csv")
        info.type, info.linkname = kind, "/etc/hostname"
        archive.addfile(info)
    with pytest.raises(TaskError, match="is a link or a device"):
        Task.load(folder)


def test_an_archive_that_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 2**20)
    folder = make(tmp_path / "task", lambda *_: None)
    write_zip(folder / "input" / "train.zip", {"train.csv": b"0" * 2**22})
    with pytest.raises(TaskError, match=r"unpacks to 4,194,304 bytes, \d+ times its size"):
        Task.load(folder)


@pytest.mark.parametrize(
    "name", ["train.zip", "train.tar.gz", "train.xlsx", "train.feather", "train.csv.xz", "train.parquet.gz"]
)
def test_a_broken_file_of_the_task_is_named(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "task", lambda *_: None)
    (folder / "input" / name).write_bytes(b"not what it says")
    with pytest.raises(TaskError, match=f"^{name} cannot be (unpacked|read)") as caught:
        Task.load(folder)
    assert "\n" not in str(caught.value)


def test_a_broken_file_that_is_not_needed_is_a_note(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    (folder / "input" / "more.zip").write_bytes(b"not what it says")
    assert any(note.startswith("more.zip cannot be unpacked") for note in Task.load(folder).notes)


def test_text_in_a_code_page_is_read_with_the_setting_that_the_error_names(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("cp1252"))
    with pytest.raises(TaskError, match=r'train\.csv, line \d+: not UTF-8 text.*encoding = "cp1252"'):
        Task.load(folder)
    (folder / "task.toml").write_text('encoding = "cp1252"\n')
    assert set(Task.load(folder).train.rows["ort"]) == {"Köln", "x"}


def test_an_unknown_encoding_is_an_error(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("cp1252"), 'encoding = "latin-99"\n')
    with pytest.raises(TaskError, match=r"'latin-99' in task\.toml is not known"):
        Task.load(folder)


def without_header(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_csv(folder / f"{name}.csv", index=False, header=False)


def test_a_missing_header_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"has no header: its first line .* header = false in task\.toml"):
        Task.load(make(tmp_path / "task", without_header))


def test_columns_without_a_header_are_numbered(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", without_header, "header = false\n")
    (folder / "input" / "sample_submission.csv").write_text("c0,c3\n" + "".join(f"{row},0\n" for row in range(80, 120)))
    task = Task.load(folder)
    assert (task.train.columns, task.test.columns) == (("c0", "c1", "c2", "c3"), ("c0", "c1", "c2"))
    assert (len(task.train.rows), len(task.test.rows), task.spec.target) == (80, 40, ("c3",))


@pytest.mark.parametrize("first", [True, False], ids=["target first", "target last"])
def test_columns_without_a_header_can_be_named(first: bool, tmp_path: Path) -> None:
    names = ["y", "id", "a", "ort"] if first else ["id", "a", "ort", "y"]

    def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
        without_header(folder, name, frame[[column for column in names if column in frame]])

    task = Task.load(
        make(tmp_path / "task", write, f'header = false\nnames = {names}\ntarget = "y"\n'.replace("'", '"'))
    )
    assert list(task.train.columns) == names
    assert task.test.columns == ("id", "a", "ort")


@pytest.mark.parametrize(
    "header",
    ["id,a,ort,y", ",a,ort,y", "0,1,2,3", "id,2019,ort,2020"],
    ids=["words", "index without a name", "positions", "years"],
)
def test_a_header_is_not_taken_for_data(header: str, tmp_path: Path) -> None:
    def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
        lines = frame.to_csv(index=False, header=False)
        names = header if name == "train" else header.rpartition(",")[0]
        (folder / f"{name}.csv").write_text(f"{names}\n{lines}")

    assert len(Task.load(make(tmp_path / "task", write)).train.rows) == 80


@pytest.mark.parametrize("name", ["description.txt", "Task.TXT", "README", "overview.md"])
def test_usual_names_of_descriptions(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    (folder / "task.md").unlink()
    (folder / name).write_bytes(b"\xef\xbb\xbf" + DESCRIPTION.encode())
    assert Task.load(folder).description == DESCRIPTION.strip()


def test_settings_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    (folder / "task.toml").write_bytes(b'\xef\xbb\xbfmetric = "mae"\r\n')
    assert Task.load(folder).spec.metric == "mae"


@pytest.mark.parametrize("suffix", [".pkl", ".sav", ".sqlite", ".7z"])
def test_a_format_that_nothing_reads_is_named(suffix: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "task", in_encoding("utf-8"))
    (folder / "input" / "train.csv").rename(folder / "input" / f"train{suffix}")
    with pytest.raises(TaskError, match=rf"^train\{suffix} cannot be read: \{suffix} files are not supported"):
        Task.load(folder)
