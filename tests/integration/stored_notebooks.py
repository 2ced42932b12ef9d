"""Execute the notebooks and store their outputs: `make notebooks`, with names of notebooks for some of them."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import nbformat
from nbclient import NotebookClient

from tests.unit.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 1800
"""Limit of one cell."""


def read_notebook(path: Path) -> nbformat.NotebookNode:
    read = cast(Callable[..., nbformat.NotebookNode], nbformat.read)  # nbformat is only partly typed
    return read(path, as_version=4)


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook executed by a clean kernel in an empty folder, whose path its outputs do not contain."""
    notebook = read_notebook(path)
    metadata = notebook.metadata
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    # The kernel would add its version to the metadata, and the client times to the cells.
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    notebook.metadata = nbformat.from_dict({**metadata, "language_info": {"name": "python"}})  # type: ignore[no-untyped-call]
    for cell in code_cells(notebook):
        cell.outputs = [_without_path(output, f"{folder.resolve()}/") for output in cell.outputs]
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _without_path(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return value.replace(path, "")
    if isinstance(value, list):
        return [_without_path(item, path) for item in value]
    if isinstance(value, dict):
        return type(value)({name: _without_path(item, path) for name, item in value.items()})
    return value


def kinds(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return the kinds of the outputs of each code cell."""
    return [[_kind(output) for output in cell.outputs] for cell in code_cells(notebook)]


def _kind(output: Any) -> str:
    return " ".join([output.output_type, *sorted(output.get("data", {})), output.get("name", "")]).strip()


def texts(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield every text of the outputs."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield from output.get("data", {}).values()
            yield output.get("text", "")


def main() -> None:
    wanted = sys.argv[1:]
    for path in NOTEBOOKS:
        if wanted and not any(path.stem.startswith(name) for name in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder))
        path.write_text(f"{nbformat.writes(notebook).rstrip()}\n", encoding="utf-8")  # type: ignore[no-untyped-call]
        print(path.name, path.stat().st_size // 1024, "KiB")


if __name__ == "__main__":
    main()
