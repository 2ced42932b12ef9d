"""Tables are read as text and their records copied as raw text."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from mlestar.data.tables import delimited, is_table, read_table, source, spans
from mlestar.errors import TaskError

QUOTED = 'id,text,x\r\n1,"a, ""b""\nsecond line",1.10\r\n2,5" pipe,1e3\r\n3,"",\r\n'
FILES = {
    "plain.csv": "id,a\n1,x\n2,y\n3,z\n",
    "quoted.csv": QUOTED,
    "bom.csv": "\ufeffid,a\n1,x\n2,y\n3,z\n",
    "open_end.csv": "id,a\n1,x\n2,y\n3,z",
    "old_mac.csv": "id,a\r1,x\r2,y\r3,z\r",
    "semicolon.csv": "id;a\n1;2,5\n2;3,5\n3;4,5\n",
    "bar.csv": "id|a\n1|x\n2|y\n3|z\n",
    "tab.tsv": "id\ta\n1\tx, y\n2\t\n3\tz\n",
    "lines.jsonl": '{"id": 1, "x": 1.10}\n{"id": 2}\n{"id": 3, "x": null}\n',
    "array.json": '[\n  {"id": 1, "x": 1.10},\n  {"id": 2, "x": 2},\n  {"id": 3, "x": "\\u00e9"}\n]\n',
    "lines.json": '{"id": 1}\n{"id": 2}\n{"id": 3}\n',
}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", FILES)
def test_writing_every_row_reproduces_the_file(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, FILES[name])
    table = read_table(path)
    table.write(tmp_path / "copy", range(3))
    assert len(table) == 3
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_cells_are_their_raw_text(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "quoted.csv", QUOTED)).frame
    assert frame.to_numpy().tolist() == [["1", 'a, "b"\nsecond line', "1.10"], ["2", '5" pipe', "1e3"], ["3", "", ""]]


def test_cells_that_look_missing_stay_words(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "a.csv", "id,word\n01,NA\n02,null\n")).frame
    assert frame.to_numpy().tolist() == [["01", "NA"], ["02", "null"]]


def test_csv_fields_keep_their_raw_text(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "quoted.csv", QUOTED))
    table.write(tmp_path / "out.csv", [1, 0], columns=["x", "text"])
    assert (tmp_path / "out.csv").read_bytes() == b'x,text\r\n1e3,5" pipe\r\n1.10,"a, ""b""\nsecond line"\r\n'


def test_a_record_without_line_end_gets_one_when_it_moves_up(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "id\n1\n2"))
    table.write(tmp_path / "out.csv", [1, 0])
    assert (tmp_path / "out.csv").read_text() == "id\n2\n1\n"


def test_a_lone_blank_field_is_still_a_record(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "id,text\n1,\n2,x\n"))
    table.write(tmp_path / "out.csv", [0, 1], columns=["text"])
    assert read_table(tmp_path / "out.csv").frame["text"].tolist() == ["", "x"]


def test_blank_lines_are_not_records(tmp_path: Path) -> None:
    assert len(read_table(write(tmp_path, "a.csv", "id,a\n\n1,x\n   \n2,y\n\n"))) == 2


def test_json_fields_keep_their_raw_text(tmp_path: Path) -> None:
    text = '{"id": 1, "n": {"x": [1, 2.50]}, "v": 1e3}\n{"v": 1.10, "w": "\\u00e9", "id": 2}\n'
    table = read_table(write(tmp_path, "a.jsonl", text))
    table.write(tmp_path / "out.jsonl", [1, 0], columns=["v", "w", "n"])
    expected = '{"v": 1.10, "w": "\\u00e9"}\n{"v": 1e3, "n": {"x": [1, 2.50]}}\n'
    assert (tmp_path / "out.jsonl").read_text() == expected


def test_json_cells_are_text(tmp_path: Path) -> None:
    text = '{"a": 1.10, "b": true, "c": {"d": [1, null]}}\n{"a": null, "b": "é", "e": "1"}\n'
    table = read_table(write(tmp_path, "a.jsonl", text))
    assert table.columns == ("a", "b", "c", "e")
    assert table.frame.to_numpy().tolist() == [["1.10", "true", '{"d": [1, null]}', ""], ["", "é", "", "1"]]


def test_a_dropped_json_key_is_gone_however_often_it_occurs(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.jsonl", '{"y": 1, "id": 2, "y": 3}\n'))
    table.write(tmp_path / "out.jsonl", [0], columns=["id"])
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"id": 2}


def test_an_array_stays_an_array(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "array.json", FILES["array.json"]))
    table.write(tmp_path / "out.json", [2, 0], columns=["x"])
    assert json.loads((tmp_path / "out.json").read_text()) == [{"x": "é"}, {"x": 1.1}]


def test_gzip_is_kept_and_reproducible(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv.gz", gzip.compress(b"id,a\n1,x\n2,y\n")))
    table.write(tmp_path / "one.gz", [1])
    table.write(tmp_path / "two.gz", [1])
    assert gzip.decompress((tmp_path / "one.gz").read_bytes()) == b"id,a\n2,y\n"
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.0], "c": ["x", "y", None]})
    frame.to_parquet(tmp_path / "a.parquet", compression="zstd")
    table = read_table(tmp_path / "a.parquet")
    table.write(tmp_path / "out.parquet", [2, 0], columns=["c", "b"])
    assert table.frame.to_numpy().tolist() == [["1", "0.5", "x"], ["2", "", "y"], ["3", "2.0", ""]]
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "out.parquet"), frame.iloc[[2, 0]][["c", "b"]].reset_index(drop=True)
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_reads_what_the_csv_module_writes(delimiter: str, quoting: Literal[0, 1], tmp_path: Path) -> None:
    rows = [['a"b', "c,d", "e;f"], ["g\nh", "\r\n", "|"], ["", '""', "\t"], [" x ", "'", "0"]]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=quoting).writerows([["p", "q", "r"], *rows])
    table = read_table(write(tmp_path, "a.csv", stream.getvalue()))
    assert table.frame.to_numpy().tolist() == rows


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "a.csv is empty: it needs a header line"),
        ("a.csv", "a,b\n1,2\n3\n", "a.csv, line 3: 1 fields, but the header has 2"),
        ("a.csv", 'a,b\n1,"x\ny"\n2,"z\n', "a.csv, line 4: a quoted field is never closed"),
        ("a.csv", "a,b,a\n1,2,3\n", "a.csv: duplicate column name 'a'; give each column its own name"),
        (
            "a.csv",
            b"a\nb\n\xff\n",
            "a.csv, line 3: not UTF-8 text; save it as UTF-8, or name its encoding in task.toml",
        ),
        ("a.csv", "a\n\0\n", "a.csv, line 2: a NUL character; this is not a text table"),
        ("a.csv.gz", "a\n1\n", "a.csv.gz cannot be read: Not a gzipped file (b'a\\n')"),
        ("a.jsonl", '{"a": 1}\n[2]\n', "a.jsonl, line 2: expected one JSON object"),
        ("a.jsonl", '{"a": 1} {"a": 2}\n', "a.jsonl, line 1: expected one JSON object"),
        ("a.json", '[{"a": 1}', "a.json: broken JSON after record 1"),
        ("a.json", "[]", "a.json has no records"),
        ("a.txt", "a", "a.txt is not a table"),
    ],
)
def test_a_broken_table_is_reported_in_one_line(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(TaskError) as caught:
        read_table(path)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_one_json_object_is_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="holds one JSON object"):
        read_table(write(tmp_path, "config.json", '{"columns": {"a": 1}}'))


def test_unknown_columns_cannot_be_written(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "id\n1\n"))
    with pytest.raises(TaskError, match="no column 'z'"):
        table.write(tmp_path / "out.csv", [0], columns=["z"])


def test_columns_without_a_name_are_named_as_pandas_names_them(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ",a,\n0,x,1\n1,y,2\n")
    table = read_table(path)
    table.write(tmp_path / "out.csv", [1], columns=["Unnamed: 2", "Unnamed: 0"])
    assert table.columns == tuple(pd.read_csv(path).columns) == ("Unnamed: 0", "a", "Unnamed: 2")
    assert (tmp_path / "out.csv").read_text() == ",\n2,1\n"


def test_names_that_differ_in_blanks_are_different_columns(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a.csv", "id,y, y \n1, a,b\n")).frame.to_dict("list") == {
        "id": ["1"],
        "y": [" a"],
        " y ": ["b"],
    }


def test_a_quoted_header_may_hold_separators(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", '"a;b","c, d","名"\n1,"2;3",4\n'))
    assert (table.columns, table.frame.iloc[0].tolist()) == (("a;b", "c, d", "名"), ["1", "2;3", "4"])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_cells_do_not_depend_on_the_pieces_in_which_a_file_is_read(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CHUNK", size)
    monkeypatch.setattr(spans, "CHUNK", size)
    monkeypatch.setattr(delimited, "_SEGMENT", size)
    cells = [["1", "x\r\ny"], ["2", "é\n"], ["3", ""], ["4", "日本\r\n\r\n"]]
    stream = io.StringIO()
    csv.writer(stream).writerows([["a", "b"], *cells])
    table = read_table(write(tmp_path, "a.csv", stream.getvalue()))
    table.write(tmp_path / "out.csv", range(4))
    assert table.frame.to_numpy().tolist() == cells
    assert (tmp_path / "out.csv").read_bytes() == stream.getvalue().encode()


def test_a_file_that_was_changed_is_not_copied_from(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id\n1\n2\n")
    table = read_table(path)
    path.write_text("id\n1\n2\n3\n")
    with pytest.raises(TaskError, match=r"a\.csv was changed after it was read"):
        table.write(tmp_path / "out.csv", [0])


def test_cells_are_compact_in_memory(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{row},x{row % 7}\n" for row in range(20_000))
    frame = read_table(write(tmp_path, "a.csv", text)).frame
    # The text, and eight bytes for the position of each cell; a Python text needs fifty.
    assert frame.memory_usage(index=False, deep=True).sum() < len(text) + 2 * 9 * 20_000


def test_parquet_rows_in_any_order(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(200_000), "b": [f"x{row}" for row in range(200_000)]})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=30_000)
    table = read_table(tmp_path / "a.parquet")
    for rows in ([5, 70_000, 199_999], [199_999, 5, 5], []):
        table.write(tmp_path / "out.parquet", rows)
        assert pd.read_parquet(tmp_path / "out.parquet").to_dict("list") == frame.iloc[rows].to_dict("list")


def test_tables_are_recognised_by_their_names(tmp_path: Path) -> None:
    names = ["A.CSV", "b.tsv.gz", "c.parquet", "d.ndjson", "e.txt", "f.gz"]
    assert [is_table(write(tmp_path, name, "")) for name in names] == [True, True, True, True, False, False]
