"""Fixtures of all tests. The package is imported late: the process that hands tests to workers runs none itself."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlestar.state import Brief

REQUIRED = "MLESTAR_REQUIRE_DOCKER"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a Docker engine where none answers, or fail it where one is required."""
    marked = [item for item in items if item.get_closest_marker("docker")]
    if not marked:
        return
    from mlestar.runners import probe_docker

    status = asyncio.run(probe_docker())
    if status.reachable or os.environ.get(REQUIRED) == "1":
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"no Docker engine answers ({status.reason}); {REQUIRED}=1 insists"))


@pytest.fixture
def input_folder(tmp_path: Path) -> Path:
    """A folder with one small table, as `./input` of a script."""
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "train.csv").write_text("x,y\n1,2\n")
    return folder


@pytest.fixture
def brief() -> "Brief":
    from tests.unit.golden_prompts import BRIEF

    return BRIEF
