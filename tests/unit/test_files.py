"""Files that somebody else made: which are refused before they are read."""

import os
from pathlib import Path, PosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from mlestar.files import is_mostly_holes


class Remote(PosixPath):
    """A file on a file system that counts no blocks, and that says to have a gigabyte."""

    def stat(self, **_: Any) -> Any:
        return SimpleNamespace(st_size=2**30, st_blocks=0)


@pytest.mark.parametrize(("content", "holes"), [(b"data", False), (b"", True)])
def test_a_file_without_a_count_of_blocks_is_refused_only_without_data(
    tmp_path: Path, content: bytes, holes: bool
) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    if not content:
        os.truncate(path, 2**20)
    assert is_mostly_holes(Remote(path)) == holes
