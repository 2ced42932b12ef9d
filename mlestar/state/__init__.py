"""Typed state of the graphs and its reducer; `values.py` has the values in it."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mlestar.data.examples import ExampleName
from mlestar.state.brief import Brief
from mlestar.state.facts import StepFacts
from mlestar.state.importance import ColumnImportance, Importance, most_important_first
from mlestar.state.lessons import ConfirmedIdea, KnownFailure, PromptLessons, TriedIdea, TriedModel
from mlestar.state.member import BlendMember
from mlestar.state.origins import AS_GIVEN, BASELINE, ORIGINS, START
from mlestar.state.start import StartComparison, StartScript
from mlestar.state.supply import Supply
from mlestar.state.values import (
    FINISHED,
    NO_TRACK,
    Action,
    Answer,
    Attempt,
    Baseline,
    Block,
    Citation,
    Draft,
    ExecutionRecord,
    Export,
    Frozen,
    Gain,
    Measured,
    ModelCard,
    Question,
    Rescoring,
    RunStatus,
    RunSummary,
    Solution,
    Source,
    Study,
    Variant,
    Verdict,
    VerdictStatus,
    best_first,
)

__all__ = [
    "AS_GIVEN",
    "BASELINE",
    "CHECKPOINT_TYPES",
    "FINISHED",
    "NO_TRACK",
    "ORIGINS",
    "START",
    "Action",
    "Answer",
    "Attempt",
    "Baseline",
    "BlendMember",
    "Block",
    "Brief",
    "CandidateOutput",
    "CandidateState",
    "Citation",
    "ColumnImportance",
    "ConfirmedIdea",
    "Draft",
    "EnsembleOutput",
    "EnsembleState",
    "EvaluationInput",
    "EvaluationOutput",
    "EvaluationState",
    "ExecutionRecord",
    "Export",
    "Frozen",
    "Gain",
    "Importance",
    "KnownFailure",
    "Measured",
    "ModelCard",
    "PipelineInput",
    "PipelineState",
    "PromptLessons",
    "Question",
    "Rescoring",
    "RescoringState",
    "RunKeys",
    "RunStatus",
    "RunSummary",
    "Solution",
    "Source",
    "StartComparison",
    "StartScript",
    "StepFacts",
    "Study",
    "Supply",
    "TrackOutput",
    "TrackState",
    "TriedIdea",
    "TriedModel",
    "Variant",
    "Verdict",
    "VerdictStatus",
    "best_first",
    "merge_by_key",
    "most_important_first",
]

V = TypeVar("V")


def merge_by_key(left: dict[str, V] | None, right: dict[str, V] | None) -> dict[str, V]:
    """Reducer: later values win, key by key; applying an update twice changes nothing."""
    return {**(left or {}), **(right or {})}


class RunKeys(TypedDict, total=False):
    run_id: str
    brief: str
    """Blob of the `Brief`."""


class EvaluationInput(RunKeys, total=False):
    draft: Draft


class EvaluationState(EvaluationInput, total=False):
    solution: Solution
    solutions: Annotated[dict[str, Solution], merge_by_key]
    script: str
    """Blob of the current script, after repairs."""
    leaking: str
    """Block that leaks, empty when none does."""
    leak_reason: str
    evidence: str
    """What suggests leakage although the checker passed the script."""
    leak_rounds: int
    debug_rounds: int
    bug: str
    repaired: bool
    """The debugger wrote another script."""
    fixes: list[str]
    """Blobs of scripts that failed, oldest first."""
    suspected: bool
    """The leakage checker was given the grader's evidence."""
    execution: ExecutionRecord | None
    """None: the budget refused the run."""
    verdict: Verdict


class EvaluationOutput(TypedDict, total=False):
    solution: Solution
    solutions: Annotated[dict[str, Solution], merge_by_key]


class CandidateState(EvaluationState, total=False):
    track: int
    card: ModelCard
    number: int
    given: Solution
    """The person's own script as given."""
    given_file: str
    """Name of the file that it submitted."""


class CandidateOutput(TypedDict, total=False):
    solutions: Annotated[dict[str, Solution], merge_by_key]


class TrackState(RunKeys, total=False):
    task: str
    """Task folder; like the next four keys, set only when a track runs by itself."""
    example: str
    train_csv: str
    test_csv: str
    description: str
    track: int
    cards: list[ModelCard]
    sources: Annotated[dict[str, Source], merge_by_key]
    """By track and address."""
    draft: Draft
    solution: Solution
    solutions: Annotated[dict[str, Solution], merge_by_key]
    best: Solution | None
    ranked: list[str]
    """Ids of the candidates that ran, best first."""
    merged: int
    """Candidates already merged into the best, itself included."""
    outer: int
    inner: int
    study: Study
    summaries: list[str]
    blocks: list[str]
    """Blocks refined in earlier outer steps."""
    block: Block | None
    plan: str
    attempts: list[Attempt]
    changed: bool
    """The data-usage check wrote another script."""
    spent: bool
    """The budget allows no further step."""
    bests: Annotated[dict[str, Solution], merge_by_key]


class TrackOutput(TypedDict, total=False):
    sources: Annotated[dict[str, Source], merge_by_key]
    solutions: Annotated[dict[str, Solution], merge_by_key]
    bests: Annotated[dict[str, Solution], merge_by_key]


class EnsembleState(RunKeys, total=False):
    bests: Annotated[dict[str, Solution], merge_by_key]
    solutions: Annotated[dict[str, Solution], merge_by_key]
    draft: Draft
    solution: Solution
    round: int
    plan: str
    attempts: list[Attempt]
    spent: bool


class EnsembleOutput(TypedDict, total=False):
    solutions: Annotated[dict[str, Solution], merge_by_key]


class RescoringState(RunKeys, total=False):
    finalist: Solution


class PipelineInput(BaseModel):
    """What a run starts from: a task folder, a built-in example, or two tables as CSV text. Give one of the three."""

    task: str = Field("", title="Task folder", description="Folder with a task description and its data.")
    example: Literal["", ExampleName] = Field(
        "", title="Built-in example", description="A small task that is built in."
    )
    train_csv: str = Field("", title="Train table", description="CSV text: rows with the column to predict.")
    test_csv: str = Field("", title="Test table", description="CSV text: the same columns without the one to predict.")
    description: str = Field(
        "",
        description="For CSV text: what to predict and how it is scored, in words.",
        json_schema_extra={"langgraph_type": "prompt"},
    )
    run_id: str = Field(
        "", title="Run", description="Name of the run folder; empty: from the task's name and the time."
    )


class PipelineState(RunKeys, total=False):
    task: str
    example: str
    train_csv: str
    """Emptied by `prepare`, which writes it to the run folder; so are `test_csv` and `description`."""
    test_csv: str
    description: str
    bests: Annotated[dict[str, Solution], merge_by_key]
    """Best solution of each track."""
    solutions: Annotated[dict[str, Solution], merge_by_key]
    sources: Annotated[dict[str, Source], merge_by_key]
    rescorings: Annotated[dict[str, Rescoring], merge_by_key]
    order: list[str]
    """Solutions to export, best first."""
    winner: str | None
    draft: Draft
    solution: Solution
    exports: list[Export]
    baselines: dict[str, Baseline]
    """By name."""
    start: StartComparison
    importance: Importance
    """Of the columns, for what was submitted."""
    remark: str
    """What a person added at the last review point, for the report."""
    status: RunStatus
    summary: RunSummary


CHECKPOINT_TYPES: list[type] = [
    *Frozen.__subclasses__(),
    BlendMember,
    ColumnImportance,
    Importance,
    StartComparison,
    PipelineInput,
]
"""Types that checkpoints may hold, for `JsonPlusSerializer(allowed_msgpack_modules=...)`."""
