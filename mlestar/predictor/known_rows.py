"""Rows to predict of a staged input as new rows: some of them, in another order."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts.array_files import read_array
from mlestar.data.layouts.arrays import Arrays
from mlestar.data.task import Task
from mlestar.predictor.asset_names import files_of_rows, find_asset_names
from mlestar.predictor.new_arrays import arrays_of_rows, cells_of
from mlestar.predictor.new_assets import NewAsset
from mlestar.predictor.new_rows import NewRows


def known_rows(task: Task, staged: Path, cells: pd.DataFrame, places: np.ndarray) -> NewRows:
    """Return rows to predict with their files.

    Args:
        task: of the run.
        staged: its real input.
        cells: the chosen rows; their ids may be left out.
        places: their places among the rows to predict.
    """
    layout = task.layout
    if isinstance(layout, Arrays):
        arrays = {name: read_array(staged, array)[places] for name, array in arrays_of_rows(layout).items()}
        kept = {name: array for name, array in arrays.items() if array.ndim > 1 or name in cells.columns}
        fields = cells_of(kept)
        own = [name for name in cells.columns if name not in fields.columns]
        rows = pd.concat([cells[own].reset_index(drop=True), fields], axis=1)
        return NewRows(rows, rows, arrays=kept)
    names = files_of_rows(task, cells, [way.names for way in find_asset_names(task)])
    assets = tuple(NewAsset(staged / name, name) for name in names)
    return NewRows(cells, cells, assets)
