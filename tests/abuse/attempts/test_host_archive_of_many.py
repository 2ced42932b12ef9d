"""An archive of 150,000 empty files keeps `check` busy for hours, because every name is compared with every other.

Outcome: succeeded; prevented since. Names are looked up instead: without that, unpacking passes the time limit.
"""

import zipfile
from pathlib import Path

import pytest

from mlestar.data.formats.archives import unpack
from mlestar.errors import TaskError


class Unwritten(Exception):
    """Ends the unpacking at the last file."""


@pytest.mark.timeout(60)
def test_names_are_not_compared_with_each_other(tmp_path: Path) -> None:
    count = 150_000
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(count):
            archive.writestr(f"d/{number}", "")

    written, skipped = unpack(tmp_path / "many.zip", tmp_path, lambda name: not name.endswith("99999"))
    assert written == ["d/99999"]
    assert len(skipped) == count - 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_still_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("a.csv", "2")
    with pytest.raises(TaskError, match="twice"):
        unpack(tmp_path / "twice.zip", tmp_path, lambda name: False)
