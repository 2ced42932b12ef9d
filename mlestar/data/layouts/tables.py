"""Train and test are tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import pandas as pd

from mlestar.data.layouts.assets import Assets, find_assets
from mlestar.data.layouts.composed import find_composed_id, find_sentence, with_composed_id
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource, without_columns
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.statistics import MISSING
from mlestar.data.tables.writer import write_cells, write_rows


@dataclass(frozen=True, kw_only=True)
class TrainTestTables(Layout):
    """A table of labelled rows and a table of rows to predict, each perhaps with files of its own."""

    name: ClassVar[str] = "tables"

    assets: Assets | None = None
    """The files that rows name, where those of train and of test are in different folders."""

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if not (source.has_table("train") and source.has_table("test")):
            return None
        train, test = source.table("train"), source.table("test")
        sample = source.table("sample_submission") if source.has_table("sample_submission") else None
        empty = _empty_columns(train, test)
        notes = [*source.notes()]
        if empty:
            notes.append(f"{test.name}: {', '.join(empty[:6])} empty in every row, so ignored")
        test = without_columns(test, empty)
        assets = find_assets(train, test, source.folder.files)
        composed, sentence = find_composed_id(train, test, sample), find_sentence(train, test)
        remarks = [assets.note] if assets else []
        if counters := [name for name in row_numbers(train, test) if sample is None or name not in sample.columns]:
            line = f"{', '.join(map(repr, counters))} only numbers the rows of each file, and is no feature"
            remarks.append(line)
            notes.append(line)
        if composed is not None:
            remarks.append(composed.note)
            notes.append(f"id: {composed.note}")
        if sentence is not None:
            notes.append(f"rows are tokens, and train and test number {sentence} alike: all rows of one stay together")
        return cls(
            source=source,
            train=with_composed_id(composed, train) if composed else train,
            test=with_composed_id(composed, test) if composed else test,
            sample=sample,
            assets=assets,
            note="; ".join(remarks),
            notes=tuple(notes),
            split=f"group:{sentence}" if sentence else None,
        )

    def owns(self, name: str) -> bool:
        return name in self.names or (self.assets is not None and self.assets.owns(name))

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        written = write_tables(self, rows, folder, self.assets)
        if self.assets is not None:
            written += self.assets.write(self.train, rows, self.input, folder, place)
        return written


def write_tables(layout: Layout, rows: HoldoutRows, folder: Path, assets: Assets | None = None) -> list[str]:
    """Write the train and the test table of a holdout; return their names.

    Records are copied as raw text where test rows have the same fields as train rows, in the same format.

    Args:
        layout: with tables of train and test.
        rows: of the holdout.
        folder: the folder to write into.
        assets: files of single rows, which cells of train name by their path.
    """
    train, test = (layout.source.tables.get(file.name) for file in (layout.train, layout.test))
    train.write(new_file(folder, layout.train.name), rows.train)
    path = new_file(folder, layout.test.name)
    cells = _withheld_cells(layout, rows, assets)
    if cells is None and not set(test.columns) & set(rows.targets):
        write_rows(train, rows.withheld, test, path)
    else:
        cells = train.frame.iloc[rows.withheld].reset_index(drop=True) if cells is None else cells
        hidden = [column for column in test.columns if column not in layout.test.columns]
        cells = cells.assign(**dict.fromkeys(hidden, ""))
        write_cells(cells.reindex(columns=list(test.columns), fill_value=""), test, path)
    return [layout.train.name, layout.test.name]


def _withheld_cells(layout: Layout, rows: HoldoutRows, assets: Assets | None) -> pd.DataFrame | None:
    """Return the cells of the withheld rows where they differ from those of train; None where they do not."""
    frame = layout.source.tables.get(layout.train.name).frame
    cells = frame.iloc[rows.withheld].reset_index(drop=True)
    changed = False
    if rows.id is not None and rows.ids is not None and rows.id not in layout.train.columns:
        cells, changed = cells.assign(**{rows.id: rows.ids.to_numpy()}), True
    for column, first in row_numbers(layout.train, layout.test).items():
        if column != rows.id:
            cells, changed = cells.assign(**{column: [str(first + row) for row in range(len(cells))]}), True
    if assets is not None and (renamed := assets.rename(cells)) is not None:
        return renamed
    return cells if changed else None


def row_numbers(train: TaskFile, test: TaskFile) -> dict[str, int]:
    """Return the columns that only number the rows of each file, with the first number: they begin anew in test."""
    if train.frame is None or test.frame is None or len(test.frame) < 2:
        return {}
    firsts: dict[str, int] = {}
    for column in test.columns:
        if column in train.columns and (first := test.frame[column].iloc[0]) in ("0", "1"):
            files = [file.frame[column] for file in (train, test) if file.frame is not None]
            if all(_counts_from(int(first), cells) for cells in files):
                firsts[column] = int(first)
    return firsts


def _counts_from(first: int, cells: pd.Series) -> bool:
    # Most columns are told apart by their first cells.
    heads = (cells.iloc[:20], cells)
    return all(part.tolist() == [str(first + row) for row in range(len(part))] for part in heads)


def new_file(folder: Path, name: str) -> Path:
    """Return the path of a file to write; its folder exists."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _empty_columns(train: TaskFile, test: TaskFile) -> list[str]:
    """List the columns of train that test has without a single value, as where the target's column was kept."""
    if train.frame is None or test.frame is None or not len(test.frame):
        return []
    shared = [column for column in test.columns if column in train.columns]
    return [column for column in shared if _is_empty(test.frame[column]) and not _is_empty(train.frame[column])]


def _is_empty(cells: pd.Series) -> bool:
    # Most columns are told apart by their first cells.
    first = all(cell.strip() in MISSING for cell in cells.iloc[:20].tolist())
    return first and bool(cells.str.strip().isin(MISSING).all())
