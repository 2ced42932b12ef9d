"""Labels are in the names of arrays and in the attributes of an HDF5 file, not in their values.

Outcome: succeeded; prevented since.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, beside, steal


def write_names(folder: Path, rows: Rows) -> None:
    arrays: dict[str, Any] = {f"{row}_{label}": np.zeros(1) for row, label in rows.pairs}
    np.savez(folder / "extra.npz", **arrays)


def write_attributes(folder: Path, rows: Rows) -> None:
    with h5py.File(folder / "extra.h5", "w") as file:
        file["x"] = np.arange(7)
        for row, label in rows.pairs:
            file["x"].attrs[row] = label


FORMS: dict[str, Write] = {"names": write_names, "attributes": write_attributes}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    if (folder / "extra.npz").exists():
        with np.load(folder / "extra.npz") as arrays:
            return beside(" ".join(arrays), ids)
    if not (folder / "extra.h5").exists():
        return {}
    with h5py.File(folder / "extra.h5") as file:
        return dict(file["x"].attrs)


@pytest.mark.parametrize("name", FORMS)
def test_names_and_attributes_are_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
