"""An archive of a million empty files keeps `check` busy for hours, as every name is compared with all others.

Outcome: succeeded; prevented since. Names are looked up instead: without that, unpacking passes the time limit.
"""

import shutil
import zipfile
from pathlib import Path

import pytest

from mlestar.data.formats.archives import unpack
from mlestar.errors import TaskError


@pytest.mark.timeout(60)
def test_names_are_not_compared_with_each_other(tmp_path: Path) -> None:
    count = 40_000
    folder = "/".join(["d" * 200] * 15)  # long names take longer to compare, so that fewer are enough
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(count):
            archive.writestr(f"{folder}/{number:06}", "")
    written, _ = unpack(tmp_path / "many.zip", tmp_path, lambda name: False)
    assert len(written) == count
    shutil.rmtree(tmp_path / ("d" * 200))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_still_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("a.csv", "2")
    with pytest.raises(TaskError, match="twice"):
        unpack(tmp_path / "twice.zip", tmp_path, lambda name: False)
