"""A script names 3,000 outputs with escape codes, reversed text and broken UTF-8, to flood a record.

Outcome: prevented.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import execute
from tests.unit.hostile import hidden_marks

SCRIPT = r"""
import os
os.mkdir("out")
for number in range(1000):
    for name in (b"\x1b]52;c;%d\x07" % number, b"\xe2\x80\xae%d.csv" % number, b"\xff\xfe%d" % number):
        open(b"out/" + name, "wb").close()
open("out/good.csv", "w").write("id\n")
"""


@pytest.mark.docker
async def test_only_the_legible_output_is_copied(tmp_path: Path) -> None:
    (execution,) = await execute(tmp_path, SCRIPT, outputs=("out/*",))
    assert execution.status == "ok", execution
    assert execution.files == ("out/good.csv",)
    assert execution.detail.count("was refused") == 5
    assert hidden_marks(execution.detail) == []
    assert [path.name for path in (tmp_path / "collect0" / "out").iterdir()] == ["good.csv"]
