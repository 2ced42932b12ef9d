"""What a benchmark records: a row for each task, tool and seed, and what all rows have in common."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite, FiniteNumbers
from mlestar.metrics.spec import Direction, sign

Stage = Literal["initial", "merged", "refined", "ensemble", "blend", "final"]
RowStatus = Literal["graded", "no_solution", "invalid", "failed", "timeout", "unavailable"]
"""`graded`: has a score. `invalid`: its submission was rejected. `unavailable`: the tool cannot be installed or does
not handle such data. `failed` and `timeout`: it ended with an error, or did not end in time."""
Medal = Literal["gold", "silver", "bronze"]
OWN = "mlestar"
"""The tool that is this package."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Graded(Frozen):
    """A submission graded on labels that the tool never had."""

    score: Finite = None
    standard_error: Finite = None
    """None where the rows of the answers cannot be resampled, as when another program grades."""
    resampled: tuple[Finite, ...] = ()
    """Scores on bootstrap resamples of the rows: the same resamples for every submission of a task. None where the
    metric is undefined on one."""
    problem: str = ""
    """Why there is no score."""


class StageRow(Frozen):
    """The best solution when a stage of a run ended."""

    stage: Stage
    solution: str
    holdout: Finite = None
    holdout_se: Finite = None
    fresh: Finite = None
    fresh_se: Finite = None


class Standing(Frozen):
    """Where a score is on the leaderboard of a competition."""

    medal: Medal | None = None
    above_median: bool = False
    thresholds: dict[str, float] = {}
    """`gold`, `silver`, `bronze` and `median`."""
    teams: int | None = None


class BenchRow(Frozen):
    """One tool on one task with one seed."""

    task: str
    tool: str
    seed: int
    status: RowStatus
    reason: str = ""
    """In a line, why there is no score, or what a run left out."""
    metric: str = ""
    direction: Direction = "maximize"
    graded: Graded = Graded()
    holdout: Finite = None
    holdout_se: Finite = None
    fresh: Finite = None
    fresh_se: Finite = None
    reported: Finite = None
    seconds: float = 0.0
    model_calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    executions: int = 0
    failures: dict[str, int] = {}
    """Solutions without a score, by the status of their verdict."""
    is_winner_exported: bool | None = None
    """The submission is that of the solution which was chosen, not of the next best; None without a submission."""
    stages: tuple[StageRow, ...] = ()
    standing: Standing | None = None
    submission: str | None = None
    """Path, relative to the folder of the benchmark."""
    run: str | None = None
    """Path of the run folder, relative to the folder of the benchmark."""
    run_metric: str = ""
    """Metric of holdout, fresh and reported score, where it is another one than that of the graded score."""
    made_with: dict[str, str] = {}
    """Conditions, settings of the tool, and fingerprints of task and answers."""

    @property
    def optimism(self) -> float | None:
        """By how much the holdout score is better than the graded one."""
        if self.holdout is None or self.graded.score is None or self.run_metric:
            return None
        return sign(self.direction) * (self.holdout - self.graded.score)


class TaskRow(Frozen):
    """A task of the suite, whether any tool solved it or not."""

    id: str
    flaws: tuple[str, ...] = ()
    """Known flaws of its data, which are stated with every number."""
    problem: str = ""
    """Why it was not run."""
    shortcut: str = ""
    """Of a generated task: what its train data offers and its test rows lack; empty for all others."""
    plain_score: Finite = None
    """Of such a task: what a plain model reaches that never had the shortcut."""
    no_information: bool = False
    """A generated task whose features say nothing about its labels."""


class Conditions(Frozen):
    """The conditions under which all rows were made."""

    profile: str = ""
    model: str = ""
    minutes: float | None = None
    """Limit for every tool; None: that of the profile."""
    runner: str = ""
    seeds: tuple[int, ...] = (0,)
    cpus: int = 0
    parallel: int = 1
    """Tools that run at once, and share the machine."""
    memory_mb: int = 0
    machine: str = ""
    version: str = ""
    """Of this package."""
    settings: tuple[str, ...] = ()
    """All other settings of its runs that are not those of the profile, as `name=value`."""


def find_differences(first: Conditions, second: Conditions, names: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return what differs of some conditions: its name and the two values, as a person reads them."""
    values = [(name, getattr(first, name), getattr(second, name)) for name in names]
    return [(name.replace("_", " "), _show(before), _show(after)) for name, before, after in values if before != after]


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


class Reliability(Frozen):
    """What noise alone gives on a task."""

    task: str
    shuffled: FiniteNumbers = ()
    """Scores of a simple model that was trained on shuffled labels, one for each shuffle."""
    constant: Finite = None
    naive: Finite = None
    careful: Finite = None
    in_order: bool | None = None
    """Whether the three are in their known order; None where one is missing."""
    direction: Direction = "maximize"
    reason: str = ""
    """Why some of it is missing, in a line."""


class Bench(Frozen):
    """The contents of `bench.json`."""

    format: int = 1
    suite: str
    conditions: Conditions
    tasks: tuple[TaskRow, ...] = ()
    rows: tuple[BenchRow, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    statements: tuple[str, ...] = ()
    """Lines that belong to every table of these numbers."""

    @property
    def no_information(self) -> frozenset[str]:
        """The tasks in which nothing can be learnt."""
        return frozenset(task.id for task in self.tasks if task.no_information)
