"""The records of train themselves are written in another form for each class, which the test keeps.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import stage_task
from tests.unit.reveal_layouts import make_tables, write_tables

FORMS = {
    "quotes": ('"{0}",{1},{2},{3}\n', "{0},{1},{2},{3}\n"),
    "line ends": ("{0},{1},{2},{3}\r\n", "{0},{1},{2},{3}\n"),
    "spacing": (
        '{{"id": "{0}", "size": {1}, "rank": {2}, "label": "{3}"}}\n',
        '{{"id":"{0}","size":{1},"rank":{2},"label":"{3}"}}\n',
    ),
    "order of keys": (
        '{{"rank": {2}, "size": {1}, "id": "{0}", "label": "{3}"}}\n',
        '{{"id": "{0}", "size": {1}, "rank": {2}, "label": "{3}"}}\n',
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_withheld_rows_are_written_alike(tmp_path: Path, name: str) -> None:
    marked, plain = FORMS[name]
    data = tmp_path / "task"
    data.mkdir()
    train, test = make_tables()
    write_tables(data, train, test)
    text = "".join((marked if row[3] == "cat" else plain).format(*row) for row in train.to_numpy().tolist())
    if name in ("spacing", "order of keys"):
        (data / "train.csv").unlink()
        (data / "test.csv").unlink()
        (data / "train.jsonl").write_text(text)
        test.to_json(data / "test.jsonl", orient="records", lines=True)
    else:
        (data / "train.csv").write_bytes(("id,size,rank,label\n" + text).encode())
    stage_task(data, tmp_path / "input")
    (path,) = [path for path in (tmp_path / "input").iterdir() if path.name.startswith("test.")]
    lines = [line for line in path.read_bytes().decode().split("\n") if line and not line.startswith("id,")]
    shapes = {"".join(mark for mark in line if mark in ' \r",:{}') for line in lines}
    assert len(lines) > 50
    assert len(shapes) == 1
    assert len({line.find("id") for line in lines}) == 1
