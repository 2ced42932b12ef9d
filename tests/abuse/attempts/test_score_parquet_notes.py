"""Labels of all rows are in the metadata of a Parquet file, not in a column.

Outcome: succeeded; prevented since.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, steal


def write(folder: Path, rows: Rows) -> None:
    ids = [row for row, _ in rows.pairs] + rows.tests
    table = pyarrow.table({"id": ids, "x": np.random.default_rng(0).random(len(ids))})
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({"note": json.dumps(dict(rows.pairs))}), folder / "extra.parquet"
    )


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    metadata = pyarrow.parquet.read_schema(folder / "extra.parquet").metadata or {}
    return dict(json.loads(metadata.get(b"note", b"{}")))


def test_the_notes_of_a_parquet_file_are_read(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
