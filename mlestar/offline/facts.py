"""The facts in a prompt, typed."""

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
    """The sections of a prompt."""

    by_tag: dict[str, list[Section]]

    @classmethod
    def read(cls, prompt: str) -> "Facts":
        return cls(sections(prompt))

    def text(self, tag: str, default: str = "") -> str:
        """Return the first section of a tag."""
        tagged = self.by_tag.get(tag)
        return tagged[0].text if tagged else default

    def all(self, tag: str) -> list[Section]:
        return self.by_tag.get(tag, [])

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
        """How the test differs from train; a random split where the prompt has none."""
        plan = self.data("holdout", {})
        return SplitPlan.model_validate(plan) if plan else SplitPlan(kind="random", fraction=0.2)

    @cached_property
    def environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.data("environment", {})
        return environment

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
        """Train's columns that test has too, without the id and the targets."""
        train, test = self.files.get(self.spec.train), self.files.get(self.spec.test)
        if train is None or test is None:
            return ()
        names = {column.name for column in test.columns} - {self.spec.id, *self.spec.target, *self.spec.train_only}
        return tuple(column for column in train.columns if column.name in names)

    def column(self, name: str | None) -> ColumnStatistics | None:
        """Return the statistics of a train column."""
        train = self.files.get(self.spec.train)
        return next((column for column in train.columns if column.name == name), None) if train else None
