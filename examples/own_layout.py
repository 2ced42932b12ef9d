"""A layout of your own: lines of `label<TAB>text`. `python examples/own_layout.py FOLDER` writes a task in it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from mlestar.data.layouts import HoldoutRows, Layout, PlaceFile, TaskFile, TaskSource
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.statistics import FileStatistics, column_statistics

TRAIN, TEST = "train.txt", "test.txt"
WORDS = {
    "greeting": ["hello", "good", "morning", "dear", "friend"],
    "order": ["please", "send", "two", "boxes", "today"],
}


@dataclass(frozen=True, kw_only=True)
class LabelledLines(Layout):
    """`train.txt` has lines of a label, a tab and a text; `test.txt` has lines of texts."""

    name = "labelled lines"

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if not {TRAIN, TEST} <= set(source.folder.files):
            return None
        train = [line.split("\t", 1) for line in read_lines(source.folder.input / TRAIN)]
        return cls(
            source=source,
            train=TaskFile(TRAIN, ("label", "text"), pd.DataFrame(train, columns=["label", "text"], dtype=str)),
            test=TaskFile(TEST, ("text",), pd.DataFrame({"text": read_lines(source.folder.input / TEST)}, dtype=str)),
            note=f"a line of {TRAIN} is a label, a tab and a text; a line of {TEST} is a text. There is no header. "
            f"Submit a table with the column label, a row for each line of {TEST}, in its order",
            modality="text",
        )

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        frame = self.train.rows
        write_lines(folder / TRAIN, frame["label"].iloc[rows.train] + "\t" + frame["text"].iloc[rows.train])
        write_lines(folder / TEST, frame["text"].iloc[rows.withheld])
        return [TRAIN, TEST]

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        frame = self.train.rows if rows is None else self.train.rows.iloc[rows]
        columns = tuple(column_statistics(name, frame[name], rules) for name in ("label", "text"))
        size = (self.input / TRAIN).stat().st_size
        return (FileStatistics(file=TRAIN, size=size, rows=len(self.train.rows), columns=columns),)


def read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def write_lines(path: Path, lines: pd.Series) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_task(folder: Path) -> Path:
    """Write a task of 300 labelled lines and 90 others."""
    rng = np.random.default_rng(0)
    labels = rng.choice(list(WORDS), 390)
    texts = [" ".join([*rng.choice(WORDS[label], 2), *rng.choice(["now", "again", "soon"], 2)]) for label in labels]
    folder.mkdir(parents=True)
    (folder / "task.md").write_text("Is a line a greeting or an order? Accuracy.\n", encoding="utf-8")
    (folder / "task.toml").write_text('layout = "own_layout:LabelledLines"\n', encoding="utf-8")
    write_lines(folder / TRAIN, pd.Series(labels[:300]) + "\t" + pd.Series(texts[:300]))
    write_lines(folder / TEST, pd.Series(texts[300:]))
    return folder


if __name__ == "__main__":
    print(write_task(Path(sys.argv[1])))
