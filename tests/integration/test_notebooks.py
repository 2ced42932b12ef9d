"""Every notebook runs from a clean kernel, offline, and is stored without output."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import nbformat
import pytest
from nbclient import NotebookClient

from tests.unit.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    read = cast(Callable[..., nbformat.NotebookNode], nbformat.read)  # nbformat is only partly typed
    return read(path, as_version=4)


def test_there_are_five_notebooks() -> None:
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_clean_kernel(path: Path, tmp_path: Path) -> None:
    notebook = read_notebook(path)
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_output(path: Path) -> None:
    cells = read_notebook(path).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
