"""Task folders whose files are links, pipes, or unpack to far more than they are: one line, in bounded memory."""

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mlestar.data.tables.source import MAX_COLUMNS
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.files import open_regular
from tests.unit.command_line import call

KIB_PER_MIB = 1024
MAX_MIB = 1500
"""Peak memory of `mlestar check` on a hostile folder; pandas, Arrow and scikit-learn alone take 300."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "task.md").write_text("Predict y. The metric is RMSE.\n")
    (folder / "task.toml").write_text('target = "y"\n')
    rows = range(60)
    (folder / "train.csv").write_text("id,a,y\n" + "".join(f"{row},{row % 7},{row % 5}\n" for row in rows))
    (folder / "test.csv").write_text("id,a\n" + "".join(f"{row + 60},{row % 7}\n" for row in rows))
    (folder / "sample_submission.csv").write_text("id,y\n" + "".join(f"{row + 60},0\n" for row in rows))
    return folder


def refuse(folder: Path, *words: str) -> None:
    """Check that the command line refuses a folder in one line with status 2."""
    ended = call("check", folder)
    assert ended.exit_code == 2, ended.output
    line = ended.stderr.strip()
    assert "\n" not in line
    assert all(word in line for word in words), line


@pytest.mark.parametrize("name", ["task.md", "task.toml", "sample_submission.csv", "train.csv", "input", "notes.txt"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    if name == "input":
        secret.mkdir()
        (folder / "train.csv").rename(secret / "train.csv")
    else:
        secret.write_text("root:x:0\n")
        (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    refuse(folder, name, "outside the task folder")


@pytest.mark.parametrize("name", ["task.md", "task.toml"])
def test_a_link_beside_the_input_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "input").mkdir()
    for path in folder.glob("*.csv"):
        path.rename(folder / "input" / path.name)
    (tmp_path / "secret").write_text("root:x:0\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "secret")
    refuse(folder, name, "outside the task folder")


def test_a_link_in_a_hidden_folder_that_a_setting_names_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "train.csv").symlink_to(tmp_path / "train.csv")
    (folder / "task.toml").write_text('train = ".hidden/train.csv"\n')
    refuse(folder, ".hidden/train.csv", "outside the task folder")


@pytest.mark.parametrize("name", ["task.md", "task.toml", "train.csv"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_regular_file_does_not_block(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    ended = call("check", folder)
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1) or name == "task.md"


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "pipe")


def test_mlestar_toml_that_is_a_pipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "mlestar.toml")
    monkeypatch.chdir(tmp_path)
    ended = call("settings")
    assert ended.exit_code == 2
    assert "mlestar.toml cannot be read: it is not a regular file" in ended.stderr


def test_deep_toml_is_one_line(folder: Path) -> None:
    (folder / "task.toml").write_text("a = " + "[" * 100_000)
    refuse(folder, "task.toml cannot be read")


def write_gzip(path: Path, block: bytes, count: int) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(count):
            file.write(block)


def bomb_csv(folder: Path) -> None:
    write_gzip(folder / "train.csv.gz", b"1,2\n" * 2**18, 600)


def bomb_json(folder: Path) -> None:
    write_gzip(folder / "train.json.gz", b'{"a": 1}\n' * 2**17, 600)


def bomb_parquet(folder: Path) -> None:
    column = pyarrow.array(np.zeros(10**6, dtype=np.int64))
    table = pyarrow.table({"a": column, "b": column})
    with pyarrow.parquet.ParquetWriter(folder / "train.parquet", table.schema, compression="zstd") as writer:
        for _ in range(300):
            writer.write_table(table)


def bomb_workbook(folder: Path) -> None:
    archive = zipfile.ZipFile(folder / "train.xlsx", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("xl/worksheets/sheet1.xml", "w") as file:
        for _ in range(600):
            file.write(b" " * 2**20)


def far_cell(folder: Path) -> None:
    sheet = '<sheetData><row><c r="A1"><v>1</v></c></row><row><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    with zipfile.ZipFile(folder / "train.xlsx", "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet)


def wide(folder: Path) -> None:
    names = ",".join(f"c{number}" for number in range(200_000))
    (folder / "train.csv").write_text(f"{names}\n{names}\n")


def wide_quoted(folder: Path) -> None:
    names = ",".join(f'"c{number}"' for number in range(200_000))
    (folder / "train.csv").write_text(f"{names}\n{names}\n")


def many_keys(folder: Path) -> None:
    lines = (f'{{"k{number}": 1}}' for number in range(MAX_COLUMNS + 10))
    (folder / "train.jsonl").write_text("\n".join(lines))


def long_line(folder: Path) -> None:
    with (folder / "train.csv").open("wb") as file:
        for _ in range(300):
            file.write(b"a" * 2**20)


def long_cell(folder: Path) -> None:
    with (folder / "train.csv").open("wb") as file:
        file.write(b'a,b\n1,"')
        for _ in range(300):
            file.write(b"x" * 2**20 + b"\n")
        file.write(b'"\n')


def short_lines(folder: Path) -> None:
    with (folder / "train.csv").open("wb") as file:
        file.write(b'a,b\n1,"')
        for _ in range(300):
            file.write(b"x\n" * 2**19)
        file.write(b'"\n')


def deep_json(folder: Path) -> None:
    (folder / "train.json").write_text('[{"a": ' + "[" * 200_000 + "]" * 200_000 + "}]")


def huge_array(folder: Path) -> None:
    np.save(folder / "train.npy", np.zeros((4, 4)))
    content = (folder / "train.npy").read_bytes().replace(b"(4, 4)", b"(9999999999, 4)")
    (folder / "train.npy").write_bytes(content.replace(b" " * 9 + b"\n", b"\n"))


BOMBS: dict[Callable[[Path], None], str] = {
    bomb_csv: "unpacks to more than",
    bomb_json: "unpacks to more than",
    bomb_parquet: "unpacks to at least",
    bomb_workbook: "unpacks to more than",
    far_cell: "has a sheet of 1,048,576 rows",
    wide: "has 200,000 columns",
    wide_quoted: "has 200,000 columns",
    many_keys: "different keys",
    long_line: "has a record of",
    long_cell: "has a record of",
    short_lines: "lines of 2.0 bytes",
    deep_json: "broken JSON",
}


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_a_bomb_is_refused_in_bounded_memory(folder: Path, make: Callable[[Path], None]) -> None:
    (folder / "train.csv").unlink()
    make(folder)
    code = "import sys; from mlestar.cli import main; sys.argv = ['mlestar', 'check', sys.argv[1]]; main()"
    errors = folder.parent / "stderr"
    with errors.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.DEVNULL, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    line = errors.read_text()
    assert process.returncode == 2, line[-2000:]
    assert line.count("\n") == 1, line[-2000:]
    assert BOMBS[make] in line
    assert usage.ru_maxrss < MAX_MIB * KIB_PER_MIB


def test_ten_thousand_columns_still_work(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"c{number}" for number in range(10_000)]
    for file, rows, columns in (("train", 40, ["id", *names, "y"]), ("test", 20, ["id", *names])):
        lines = [",".join(columns)]
        for row in range(rows):
            cells = map(str, rng.integers(0, 9, len(columns) - 1))
            lines.append(",".join([f"{file}{row}", *cells]))
        (tmp_path / f"{file}.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "task.md").write_text("Predict y. The metric is RMSE.\n")
    assert Task.load(tmp_path).spec.target == ("y",)


def test_an_array_that_claims_more_than_its_file_holds_is_refused(tmp_path: Path) -> None:
    from mlestar.data.layouts.array_files import list_arrays

    huge_array(tmp_path)
    with pytest.raises(TaskError, match="its header says"):
        list_arrays(tmp_path, "train.npy")


def test_an_hdf5_file_that_reads_another_file_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    from mlestar.data.layouts.array_files import list_arrays

    with h5py.File(tmp_path / "train.h5", "w") as file:
        file.create_dataset("a", (10,), dtype="u1", external=[("/etc/passwd", 0, 10)])
    with pytest.raises(TaskError, match="kept in another file"):
        list_arrays(tmp_path, "train.h5")


def test_a_picture_that_unpacks_to_too_many_pixels_is_refused(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    from mlestar.data.layouts.pixels import read_sizes

    image.new("1", (40_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(TaskError, match="cannot be read as a picture"):
        read_sizes([tmp_path / "bomb.png"])
