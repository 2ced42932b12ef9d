"""Files whose rows cannot be listed: scripts read them, and scores are those that scripts report."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.errors import HoldoutError, TaskError


@dataclass(frozen=True, kw_only=True)
class PlainFiles(Layout):
    """Train and test by their names only."""

    name: ClassVar[str] = "files"

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        for role in ("train", "test"):
            if role not in source.roles:
                entries = ", ".join(source.folder.entries[:6])
                msg = f"no {role} file among {entries}: name it {role}.csv or set {role} in task.toml"
                raise TaskError(msg)
        sample = source.table("sample_submission") if source.has_table("sample_submission") else None
        train, test = source.table("train"), source.table("test")
        return cls(source=source, train=train, test=test, sample=sample, notes=source.notes())

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        msg = f"the rows of {self.train.name} cannot be listed"
        raise HoldoutError(msg)
