"""The result of a run, as `result.json` holds it."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from mlestar.errors import UserError
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.uncertainty.record import Uncertainty
from mlestar.files import sha256_of
from mlestar.metrics.finite import Finite, finite
from mlestar.metrics.precision import Standing
from mlestar.metrics.spec import Direction, TaskSpec, sign
from mlestar.report.amounts import dollars, tokens
from mlestar.report.baselines import BaselineRow, is_noise, submitted_warning, winner_warning
from mlestar.report.differences import CONTEXT, difference
from mlestar.report.examples import ExamplesRow
from mlestar.report.history import History
from mlestar.report.leaderboard import leaderboard
from mlestar.report.lineage import PARENT, WINNER, chain, find_solution
from mlestar.report.outcome import OutcomeRow
from mlestar.report.representation import (
    lineage_html,
    lineage_text,
    result_html,
    result_text,
    solution_html,
    solution_text,
)
from mlestar.report.start import StartRow
from mlestar.runtime.weights import WeightRow
from mlestar.state import (
    Export,
    Importance,
    Rescoring,
    RunStatus,
    RunSummary,
    Source,
    VerdictStatus,
)
from mlestar.store import Cap, RunFolder
from mlestar.store.damage import damaged


class Score(BaseModel):
    """The scores of the exported solution; see `docs/scores.md` for what each of them means."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    holdout: Finite = None
    holdout_se: Finite = None
    fresh: Finite = None
    fresh_se: Finite = None
    blind: bool = False
    """The search had none of the fresh rows; False too where there is no fresh score."""
    reported: Finite = None


class MemberRow(BaseModel):
    """A solution in a blend of predictions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    solution: str
    """Its id."""
    weight: float
    """The weights of a blend add up to 1."""


class SolutionRow(BaseModel):
    """One solution of the run."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: str
    origin: str
    track: int
    title: str
    parent: str | None
    plan: str
    status: VerdictStatus
    message: str
    score: Score
    standing: Standing | None = None
    """In place of the holdout score, where only this may be shown while scripts can follow."""
    seconds: float
    script: str | None
    """Path of the script, relative to the run folder."""
    members: tuple[MemberRow, ...] = ()
    """Of a blend of predictions: the solutions whose scripts it runs."""
    combines: tuple[str, ...] = ()
    """Ids of the solutions whose scripts an agent combined in it."""
    compared: str | None = None
    """Id of the solution that the gain is over: its parent, or the best of those that it is made from."""
    gain: Finite = None
    """By how much it is better than that one on the same withheld rows, whatever the metric's direction."""
    gain_se: Finite = None
    """Of the paired difference."""

    def __repr__(self) -> str:
        return solution_text(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return solution_html(self)


class Lineage(tuple[SolutionRow, ...]):
    """A solution after all that it was made from, the first one first."""

    __slots__ = ()

    def __repr__(self) -> str:
        return lineage_text(self)

    def _repr_html_(self) -> str:
        return lineage_html(self)


class SpendRow(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, allow_inf_nan=False)

    model_calls: int = 0
    tokens: int = 0
    """Of input and output."""
    input_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those read from the provider's cache."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Of the output tokens, those used for reasoning."""
    usd: float | None = 0.0
    """None: the price of a model is unknown."""
    executions: int = 0
    retrievals: int = 0

    def __str__(self) -> str:
        kinds = [("cached", self.cached_tokens), ("reasoning", self.reasoning_tokens)]
        apart = ", ".join(f"{tokens(count).removesuffix(' tokens')} {kind}" for kind, count in kinds if count)
        counted = tokens(self.tokens) + (f" ({apart})" if apart else "")
        return f"{self.model_calls} model calls, {counted}, {dollars(self.usd)}; {self.executions} executions"


class CapRow(BaseModel):
    """A cap that stopped something."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    cap: Cap
    limit: float
    stopped: tuple[str, ...]
    """Steps, model calls and executions that it did not allow."""


class ModelRow(BaseModel):
    """A model that answered."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    model: str
    replies: dict[str, int]
    """Replies by role, those that a fork took over included."""
    refused: dict[str, int] = {}
    """Replies by role that did not satisfy their contract."""


class Result(BaseModel):
    """How a run ended, with its scores, files and costs."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run_id: str
    task: str
    status: RunStatus
    message: str = ""
    metric: str = ""
    direction: Direction = "maximize"
    score: Score = Score()
    winner: str | None = None
    model: str = ""
    """The model of the settings, and those of single roles."""
    models: tuple[ModelRow, ...] = ()
    """The models that answered."""
    weak_models: tuple[str, ...] = ()
    """One line for each model that was given up in a role, and the one that took over."""
    runner: str = ""
    network: bool = False
    """Scripts could reach the network."""
    split: SplitPlan | None = None
    fallback: str = ""
    """Why there was no holdout; scores are then the reported ones."""
    warnings: tuple[str, ...] = ()
    """What makes the scores less certain than they are by default."""
    folder: str
    solution: str | None = None
    solution_sha256: str | None = None
    """Of that file: the winner's script, with a block that declares what it imports."""
    submission: str | None = None
    report: str | None = None
    brief: str = ""
    """Blob of what agents were told about the task; empty in runs of versions that did not keep it here."""
    seconds: float = 0.0
    spend: SpendRow = SpendRow()
    caps: tuple[CapRow, ...] = ()
    """What a cap stopped; empty when the run went as far as its settings say."""
    rescorings: tuple[Rescoring, ...] = ()
    exports: tuple[Export, ...] = ()
    packages: tuple[str, ...] = ()
    """Packages that the winner declared and the sandbox lacked, with what they depend on: name, version and hashes."""
    sources: tuple[Source, ...] = ()
    """Every page and collection that retrieval returned: those that agents were shown, and those dropped."""
    solutions: tuple[SolutionRow, ...] = ()
    baselines: tuple[BaselineRow, ...] = ()
    """What a constant and a simple model score on the same rows; empty where the settings ask for none, and in runs of
    versions that made none."""
    start: StartRow | None = None
    """The person's own script that the run started from, with the score before and after."""
    weights: tuple[WeightRow, ...] = ()
    """The pretrained weights that the winner uses."""
    spec: TaskSpec | None = None
    """The task as the run understood it; None in runs of versions that did not keep it."""
    outcome: OutcomeRow | None = None
    """The winner's predictions beside the truth; None until the run has ended, and where that is not shown."""
    examples: ExamplesRow | None = None
    """A few pictures, sounds or texts with the winner's predictions; None until the run has ended, and for tables."""
    importance: Importance | None = None
    """How much worse the winner predicts when a column is permuted; `result.importance.frame()` returns a table. None
    where the settings ask for none, and in runs of versions that measured none."""
    history: History | None = None
    """The course of the run; None in runs of versions that did not keep it."""
    uncertainty: Uncertainty | None = None
    """Intervals or sets of classes with stated coverage for the winner's predictions; None until the run has ended, and
    in runs of versions that made none."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def optimism(self) -> float | None:
        """By how much the holdout score flatters the winner: positive where fresh rows are worse."""
        if self.score.holdout is None or self.score.fresh is None:
            return None
        optimism: float | None = finite(sign(self.direction) * (self.score.holdout - self.score.fresh))
        return optimism

    def __repr__(self) -> str:
        return result_text(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return result_html(self)

    def leaderboard(self) -> pd.DataFrame:
        """Return the solutions by id, best first by `score`, which chooses the winner, with the errors of all scores.

        `rows` names what `score` was graded on. `gain` is the paired difference to `parent`, positive where the
        solution is better. Solutions that failed come last.
        """
        return leaderboard(self)

    @property
    def winner_row(self) -> SolutionRow | None:
        """The winner; None where there is none."""
        return next((row for row in self.solutions if row.id == self.winner), None)

    def solution_row(self, name: str = WINNER) -> SolutionRow:
        """Return a solution by its id, or by the words `winner` and `start`.

        Raises:
            UserError: the run has no such solution.
        """
        return find_solution(self, name)

    def lineage(self, name: str = WINNER) -> Lineage:
        """Return a solution after all that it was made from, the first one first, each with its plan and its gain.

        Raises:
            UserError: the run has no such solution.
        """
        return Lineage(chain(self, name))

    def diff(self, before: str = PARENT, after: str = WINNER, *, context: int = CONTEXT) -> str:
        """Return how the scripts of two solutions differ, as a unified difference; empty where they are equal.

        Args:
            before: id of a solution, or `winner`, `start`, or `parent` for what the other one was made from.
            after: the same of the other solution.
            context: lines around a change.

        Raises:
            UserError: the run has no such solution, or one of them has no script.
        """
        return difference(self, before, after, context=context)

    @property
    def optimism_se(self) -> float | None:
        """The standard error of the optimism: the two scores are of different rows."""
        errors = (self.score.holdout_se, self.score.fresh_se)
        return None if None in errors else math.hypot(*(error or 0.0 for error in errors))

    @property
    def optimism_meaning(self) -> str:
        """Return what the optimism says, in a sentence."""
        if self.optimism is None:
            return ""
        if self.optimism_se is not None and is_noise(self.optimism, self.optimism_se):
            return "Fresh rows confirm it within noise."
        return "It is better than fresh rows confirm." if self.optimism > 0 else "Fresh rows confirm it."

    @property
    def baseline_warning(self) -> str:
        """Return a sentence where the winner is a baseline, or not better than one beyond noise; else an empty text."""
        if self.status == "baseline":
            row = next((row for row in self.baselines if row.name == self.winner), None)
            was_first = bool(self.exports) and self.exports[0].solution == self.winner
            return submitted_warning(row, was_first=was_first)
        return next(filter(None, (winner_warning(row) for row in self.baselines)), "")

    def predictor(self, **options: Any) -> Any:
        """Return what predicts new rows with the winner: `mlestar.predictor.PackagedPredictor` where one was accepted.

        Otherwise it is a `mlestar.predictor.ReplayPredictor`, whose calls train again.

        Args:
            **options: of `mlestar.predictor.open_predictor`; `how="replay"` replays in any case.

        Raises:
            UserError: the run has no solution, its data have changed, or rows of its task are files.
        """
        # By name, because that package reads results.
        return import_module("mlestar.predictor").open_predictor(self.folder, **options)

    def package(self, **options: Any) -> Any:
        """Split the winner into fitting and predicting; return a `mlestar.predictor.PackageInfo`, accepted or not.

        Args:
            **options: of `mlestar.predictor.apackage`.

        Raises:
            UserError: the run has no solution, its data have changed, or rows of its task are files.
        """
        return import_module("mlestar.predictor").package(self.folder, **options)

    async def apackage(self, **options: Any) -> Any:
        """Package the winner; the async variant of `package`."""
        return await import_module("mlestar.predictor").apackage(self.folder, **options)

    def export(self, folder: str | Path, **options: Any) -> Path:
        """Write the packaged winner as a folder that stands alone, and return the folder.

        Args:
            folder: a folder that does not exist or is empty.
            **options: of `mlestar.export.export_run`.

        Raises:
            UserError: the winner cannot be packaged, or the folder cannot be written.
        """
        path: Path = import_module("mlestar.export").export_run(self.folder, folder, **options)
        return path

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Return the result in a file.

        Raises:
            UserError: this version cannot read it.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            msg = f"{path} is no result of this version of mlestar, or was changed by hand; `mlestar doctor` repairs it"
            raise UserError(msg) from error

    def moved_to(self, folder: Path) -> "Result":
        """Return the result with the paths of its files in the folder where it was found."""
        before = Path(self.folder)
        if before == folder:
            return self
        files = {name: getattr(self, name) for name in ("solution", "submission", "report")}
        paths = {name: str(folder / Path(path).name) for name, path in files.items() if path}
        return self.model_copy(update={"folder": str(folder), "run_id": folder.name, **paths})

    @property
    def summary(self) -> RunSummary:
        """Return what matters most of the result."""
        shared = {name: getattr(self, name) for name in RunSummary.model_fields if name in Result.model_fields}
        if self.status == "baseline":
            shared["message"] = " ".join(filter(None, (self.message, self.baseline_warning)))
        if self.start and self.start.warning:
            shared["message"] = " ".join(filter(None, (shared["message"], self.start.warning)))
        return RunSummary(**shared, **self.score.model_dump(exclude={"reported"}))


def recorded_files(result: Result) -> dict[Path, str]:
    """Return the sha256 of the submission and of the script of a finished run, where its result has them."""
    files: dict[Path, str] = {}
    export = next((export for export in reversed(result.exports) if export.solution == result.winner), None)
    if result.submission and export and export.submission:
        files[Path(result.submission)] = export.submission
    if result.solution and result.solution_sha256:
        files[Path(result.solution)] = result.solution_sha256
    return files


def check_files(folder: RunFolder, result: Result) -> None:
    """Refuse a submission or a script that is not what the run wrote.

    Raises:
        UserError: a file is gone or was changed.
    """
    for path, sha in recorded_files(result).items():
        if not path.is_file() or sha256_of(path) != sha:
            what = "was changed after the run wrote it" if path.is_file() else "is gone"
            raise UserError(str(damaged(folder.path, path.name, what)))


def read_result(folder: RunFolder, *, check: bool = True) -> Result:
    """Return the result of a run that has one.

    Args:
        folder: of the run.
        check: also compare the submission and the script with what the run wrote.

    Raises:
        UserError: there is no result, its file is a link, its files were changed, or another version of this package
            made the run.
    """
    folder.read_settings()
    if folder.result.is_symlink():
        msg = f"{folder.result} is a link, which a run never makes: remove it and resume the run"
        raise UserError(msg)
    if not folder.result.is_file():
        msg = f"run {folder.run_id} in {folder.path.parent} has no result yet"
        raise UserError(msg)
    result = Result.read(folder.result).moved_to(folder.path)
    if check:
        check_files(folder, result)
    return result
