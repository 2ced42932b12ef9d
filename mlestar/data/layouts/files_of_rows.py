"""The files of single labelled rows, in any layout whose rows are or name files."""

from collections.abc import Sequence

from mlestar.data.layouts.assets import Assets, FileIndex
from mlestar.data.layouts.file_rows import LabelledPaths
from mlestar.data.layouts.layout import Layout


def files_of_rows(layout: Layout, rows: Sequence[int]) -> list[list[str]]:
    """Return the files of labelled rows, given by their numbers, relative to the input folder; none where unknown."""
    paths, assets = getattr(layout, "paths", None), getattr(layout, "assets", None)
    if isinstance(paths, LabelledPaths):
        return [[paths.files[row]] for row in rows]
    frame = layout.train.rows
    if isinstance(assets, Assets):
        index, ways = assets.index, [pair.train for pair in assets.pairs]
    else:
        index = FileIndex.without(layout.source.folder.files, layout.names)
        ways = index.find_names(frame, layout.train.columns)[:1]
    cells = [frame[way.column].iloc[list(rows)].astype(str).tolist() for way in ways]
    return [
        [file for way, column in zip(ways, cells, strict=True) for file in index.files(way, column[place])]
        for place in range(len(rows))
    ]
