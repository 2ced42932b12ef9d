"""Every notebook runs from a clean kernel, offline, and is stored with its outputs."""

import re
from pathlib import Path

import pytest

from tests.integration.stored_notebooks import NOTEBOOKS, code_cells, execute, kinds, read_notebook, texts
from tests.unit.hostile import hidden_marks

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")]
MAX_BYTES = 60_000
WITHOUT_OUTPUTS = {"2_steering_a_run", "3_reading_a_run", "4_embedding", "5_your_own_parts"}
"""Notebooks that `make notebooks` has not executed since their outputs are stored."""
EXECUTED = [path for path in NOTEBOOKS if path.stem not in WITHOUT_OUTPUTS]
OF_A_MACHINE = re.compile(r"/(?:tmp|home|root|Users|dev|var|work)/")


def test_there_are_five_notebooks() -> None:
    assert len(NOTEBOOKS) == 5


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_clean_kernel_with_outputs_like_those_stored(path: Path, tmp_path: Path) -> None:
    executed = execute(path, tmp_path)
    assert (tmp_path / "runs").is_dir()
    if path in EXECUTED:
        assert kinds(executed) == kinds(read_notebook(path)), "run `make notebooks`"


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_the_outputs_of_one_clean_execution(path: Path) -> None:
    notebook = read_notebook(path)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert path.stat().st_size < MAX_BYTES
    shown = "\n".join(texts(notebook))
    assert OF_A_MACHINE.findall(shown) == []
    assert hidden_marks(shown) == []
    assert "<script" not in shown


@pytest.mark.parametrize("name", sorted(WITHOUT_OUTPUTS))
def test_a_notebook_of_the_list_has_no_outputs(name: str) -> None:
    (path,) = [path for path in NOTEBOOKS if path.stem == name]
    assert [cell for cell in code_cells(read_notebook(path)) if cell.outputs or cell.execution_count] == []


def test_a_blocking_call_in_a_notebook_shows_its_progress_in_one_output() -> None:
    cell = next(cell for cell in code_cells(read_notebook(NOTEBOOKS[0])) if "mlestar.solve(" in cell.source)
    progress = cell.outputs[0]
    assert progress.output_type == "display_data"
    assert re.match(r"ended +\d+:\d\d\nbest +\S.*\nscripts +\d+ graded", progress.data["text/plain"])
