"""What a prompt says about the task, typed."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.metrics.spec import TaskSpec
from mlestar.offline.sections import Section, sections


@dataclass(frozen=True)
class Facts:
    """A prompt, read."""

    parts: dict[str, list[Section]]

    @classmethod
    def read(cls, prompt: str) -> "Facts":
        return cls(sections(prompt))

    def text(self, tag: str, default: str = "") -> str:
        """Return the first section of a tag."""
        found = self.parts.get(tag)
        return found[0].text if found else default

    def all(self, tag: str) -> list[Section]:
        return self.parts.get(tag, [])

    def data(self, tag: str, default: object = None) -> Any:
        """Return the JSON of a section."""
        text = self.text(tag)
        return json.loads(text) if text.strip() else default

    @cached_property
    def spec(self) -> TaskSpec:
        return TaskSpec.model_validate(self.data("spec"))

    @cached_property
    def files(self) -> dict[str, FileStatistics]:
        tables = [FileStatistics.model_validate(file) for file in self.data("column_statistics", [])]
        return {statistics.file: statistics for statistics in tables}

    @cached_property
    def split(self) -> SplitPlan:
        """How the test differs from train; a plain split where the prompt does not say."""
        plan = self.data("holdout", {})
        return SplitPlan.model_validate(plan) if plan else SplitPlan(kind="random", fraction=0.2)

    @cached_property
    def environment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data("environment", {})
        return found

    @property
    def packages(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.environment.get("packages", {}))

    @property
    def seconds(self) -> float:
        """Time limit of a script."""
        return float(self.environment.get("seconds", 600))

    @property
    def track(self) -> int:
        return int(self.text("track", "0") or 0)

    @property
    def attempt(self) -> int:
        return int(self.text("attempt", "0") or 0)

    @property
    def test_columns(self) -> tuple[ColumnStatistics, ...]:
        """Columns that train and test share, as train holds them; the id and the targets left out."""
        train, test = self.files.get(self.spec.train), self.files.get(self.spec.test)
        if train is None or test is None:
            return ()
        names = {column.name for column in test.columns} - {self.spec.id, *self.spec.target, *self.spec.train_only}
        return tuple(column for column in train.columns if column.name in names)

    def column(self, name: str | None) -> ColumnStatistics | None:
        """Return the statistics of a train column."""
        train = self.files.get(self.spec.train)
        return next((c for c in train.columns if c.name == name), None) if train else None
