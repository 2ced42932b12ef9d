"""The values that state, checkpoints and the ledger hold.

They are ids, hashes, numbers and short texts. Scripts, output, submissions and prompts are blobs in the run folder,
named by their sha256.
"""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, computed_field, model_serializer

from mlestar.metrics.finite import Finite, FiniteNumbers
from mlestar.metrics.precision import ShownScore, Standing, format_claim, format_score, show_score
from mlestar.metrics.spec import NOT_BLIND, Direction, sign
from mlestar.runners.base import ExecutionStatus
from mlestar.settings import ReviewPoint
from mlestar.state.member import BlendMember

NO_TRACK = -1
"""Track of what belongs to no track, such as an ensemble."""

VerdictStatus = Literal[
    "ok",
    "error",
    "timeout",
    "oom",
    "gpu_oom",
    "killed",
    "disk_full",
    "output_limit",
    "unavailable",
    "invalid",
    "leak",
    "unwritten",
    "refused",
]
"""`ok`: ran and was scored. `invalid`: its submission was rejected. `leak`: leakage that could not be repaired.
`unwritten`: no agent reply satisfied its contract. `refused`: the budget did not allow the run. The others are
`ExecutionStatus`."""

RunStatus = Literal["solved", "baseline", "no_solution", "stopped", "paused", "failed"]
"""`baseline`: what was submitted is a baseline, as no script of the run was better, or none could be submitted."""
FINISHED: tuple[RunStatus, ...] = ("solved", "baseline", "no_solution")
"""A run that ended so executes no further script, so that its scores may be read in full precision."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Citation(Frozen):
    """A page that a card or an answer is based on."""

    address: str
    title: str = ""


class ModelCard(Frozen):
    """A retrieved model."""

    name: str
    description: str = ""
    example_code: str = ""
    source: str = ""
    """Address or name of where it was found."""
    citations: tuple[Citation, ...] = ()
    """Pages it is based on, as retrieval named them."""
    found_by: str = ""
    """Name of the retriever that returned it."""
    libraries: tuple[str, ...] = ()
    """What the example imports: names of distributions or modules, perhaps with versions."""
    weights: tuple[str, ...] = ()
    """Addresses of pretrained weights that it loads; those inside a library are not listed."""
    licence: str = ""
    """Of its pretrained weights, where it is known."""
    by_person: bool = False
    """Added by hand: tried first, never dropped."""
    problem: str = ""
    """Why it cannot be used here."""


class Source(Frozen):
    """A page or collection that retrieval returned."""

    address: str
    title: str = ""
    found_by: str = ""
    """Name of the retriever."""
    cards: tuple[str, ...] = ()
    """Names of the cards that are based on it."""
    dropped: str = ""
    """Why no agent was shown it, or why the card made from it cannot run here; empty when it was used."""


class Measured(Frozen):
    """What running a script took, rounded to what matters."""

    seconds: float
    peak_memory_mb: Finite = None
    peak_gpu_memory_mb: Finite = None
    """Of one GPU; prompts leave it out where the script had none."""

    @classmethod
    def of(cls, seconds: float, peak_memory_mb: float | None, peak_gpu_memory_mb: float | None = None) -> "Measured":
        """Return figures of two digits."""
        memory, gpu_memory = _two_digits(peak_memory_mb), _two_digits(peak_gpu_memory_mb)
        return cls(seconds=float(f"{seconds:.2g}"), peak_memory_mb=memory, peak_gpu_memory_mb=gpu_memory)

    @model_serializer(mode="wrap")
    def _leave_out_gpu(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if name != "peak_gpu_memory_mb" or value is not None}


def _two_digits(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.2g}")


class Verdict(Frozen):
    """The outcome of an evaluation. A failure is a status, never a number."""

    status: VerdictStatus
    reported: Finite = None
    """What the script printed about itself: a claim."""
    holdout: Finite = None
    """The grader's score on the withheld rows."""
    holdout_se: Finite = None
    standing: Standing | None = None
    """How it compares with the best so far, where the holdout has graded as many submissions as it may."""
    message: str = ""
    """Why it failed, fit for an agent and a person."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_mb: Finite = None
    peak_gpu_memory_mb: Finite = None
    """Largest memory in use on one of its GPUs, sampled; other programs' memory on it is included."""
    submission: str | None = None
    """Blob of what it submitted for the withheld rows."""
    output: str | None = None
    """Blob of its standard output and error."""
    image: str = ""
    lock: str = ""
    """Blob of the lock of the packages that the script declared and got; empty without packages."""
    weights: tuple[str, ...] = ()
    """One line for each weight that the script declared and got."""
    debug_rounds: int = 0

    @property
    def measured(self) -> Measured | None:
        """What the run took; None when it did not run."""
        return Measured.of(self.seconds, self.peak_memory_mb, self.peak_gpu_memory_mb) if self.seconds else None

    @property
    def score(self) -> float | None:
        """What loops compare: `holdout`, or `reported` in a run without a holdout."""
        if self.status != "ok":
            return None
        return self.holdout if self.holdout is not None else self.reported

    @property
    def shown(self) -> ShownScore:
        """What agents and people are shown of the score while scripts can follow."""
        if self.status != "ok" or self.holdout is None:
            return self.score
        return show_score(self.holdout, self.holdout_se, self.standing)

    @property
    def headline(self) -> str:
        """The score as a person reads it while scripts can follow."""
        if self.standing or self.holdout is None:
            return str(self.standing or format_claim(self.reported))
        return format_score(self.holdout, self.holdout_se)


class ExecutionRecord(Frozen):
    """An execution as the ledger has it: what the runner returned, with its texts and files as blobs."""

    status: ExecutionStatus
    exit_code: int | None
    stdout: str
    """Blob."""
    stderr: str
    """Blob."""
    seconds: float
    peak_memory_mb: Finite
    peak_gpu_memory_mb: Finite = None
    files: dict[str, str]
    """Relative path of each output to its blob."""
    detail: str
    lock: str = ""
    """Blob of the lock of the packages that it declared and got; empty without packages."""
    weights: tuple[str, ...] = ()
    """One line for each weight that it declared and got."""


class Draft(Frozen):
    """A script that waits for its evaluation."""

    id: str
    origin: str
    """The stage that wrote it: one of `ORIGINS`, or a stage of a user's own."""
    track: int
    title: str
    script: str | None = None
    """Blob; None when no agent reply satisfied its contract."""
    parent: str | None = None
    plan: str = ""
    problem: str = ""
    """Why there is no script."""
    stretch: float = 1.0
    """Factor on the time limit of a script."""
    base: str | None = None
    """Blob of the checked script of which one block was changed; None where the whole script is new."""
    members: tuple[BlendMember, ...] = ()
    """Of a blend of predictions: the scripts that it runs."""
    combines: tuple[str, ...] = ()
    """Ids of the solutions whose scripts an agent combined in it."""


class Solution(Frozen):
    """A script with its verdict and where it came from."""

    id: str
    origin: str
    """The stage that wrote it: one of `ORIGINS`, or a stage of a user's own."""
    track: int
    title: str
    script: str | None
    parent: str | None = None
    plan: str = ""
    verdict: Verdict
    members: tuple[BlendMember, ...] = ()
    combines: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def headline(self) -> str:
        """What a person sees first where state is shown: score or failure, and the title."""
        score = self.verdict.headline if self.verdict.status == "ok" else self.verdict.status
        return f"{score}, {self.title}"

    @property
    def full_name(self) -> str:
        """The id and the title, or the title alone where it begins with the id, as that of a blend does."""
        return self.title if self.title.split(" ", 1)[0] == self.id else f"{self.id} {self.title}"

    @property
    def score(self) -> float | None:
        return self.verdict.score


class Gain(Frozen):
    """By how much a submission is better than the one that it started from, on the same rows, as agents may see it."""

    difference: float
    """Positive when it is better, whatever the metric's direction."""
    standard_error: float
    """Of the difference: much smaller than that of either score where the two are alike."""


class Attempt(Frozen):
    """A plan that was tried, and its outcome as agents may see it."""

    plan: str
    solution: str
    score: ShownScore
    status: VerdictStatus
    gain: Gain | None = None
    measured: Measured | None = None


class Variant(Frozen):
    """One variant of an ablation study as the grader graded it and agents may see it."""

    name: str
    score: ShownScore
    """None: it failed, so nothing is known about the part."""
    gain: Gain | None = None
    """Over the baseline."""
    claimed: Finite = None
    seconds: Finite = None
    """What it took, as the study printed."""


class Study(Frozen):
    """An ablation of one script."""

    script: str | None
    output: str = ""
    variants: tuple[Variant, ...] = ()
    status: VerdictStatus = "unwritten"
    summary: str = ""
    bug: str = ""
    failed: tuple[str, ...] = ()
    """Blobs of earlier versions that gave no result, oldest first."""
    repaired: bool = False
    """The debugger wrote another version."""
    measured: Measured | None = None

    @property
    def has_results(self) -> bool:
        """At least one variant, or the baseline, has a score."""
        return any(variant.score is not None for variant in self.variants)


class Block(Frozen):
    """An exact piece of a script."""

    text: str
    plan: str


class Rescoring(Frozen):
    """How a finalist scored on fresh rows."""

    solution: str
    fresh: Finite = None
    fresh_se: Finite = None
    scores: FiniteNumbers = ()
    submissions: tuple[str, ...] = ()
    """Blobs of what it submitted, in the order of the scores."""
    blind: bool = False
    """The search had none of the fresh rows, in no input, so that no script could hold their labels."""
    failed: bool = False
    """It did not run on the fresh rows."""
    message: str = ""


class Baseline(Frozen):
    """How good something simple is that needs no model call, on the rows that the solutions are graded on."""

    name: str
    """`constant`: the best constant for the metric; `simple`: a linear model or gradient boosting."""
    how: str = ""
    """What it is, in a few words."""
    holdout: Finite = None
    holdout_se: Finite = None
    fresh: Finite = None
    fresh_se: Finite = None
    blind: bool = False
    """The search had none of the fresh rows; False too where there is no fresh score."""
    winner_gain: Finite = None
    """By how much the best script of the run is better on the same rows, whatever the metric's direction: on the fresh
    rows, or on the holdout where one of them has no fresh score. None where it was not compared."""
    winner_gain_se: Finite = None
    compared: str | None = None
    """Id of that script: the winner, unless a baseline was submitted."""
    message: str = ""
    """Why there is none, or why a score is missing."""
    seconds: float = 0.0
    script: str | None = None
    """Blob; None where the constant was computed without a script."""


class Export(Frozen):
    """One attempt to run a solution on the real input."""

    solution: str
    submission: str | None = None
    message: str = ""
    seconds: float = 0.0


class RunSummary(Frozen):
    """The result of a run in short: how it ended, its scores, where its files are."""

    run_id: str
    status: RunStatus
    message: str = ""
    metric: str = ""
    direction: Direction = "maximize"
    fresh: Finite = None
    fresh_se: Finite = None
    blind: bool = False
    """The search had none of the fresh rows; False too where there is no fresh score."""
    holdout: Finite = None
    holdout_se: Finite = None
    folder: str
    solution: str | None = None
    submission: str | None = None
    report: str | None = None

    @property
    def text(self) -> str:
        """The summary in a few lines."""
        score = f"fresh {format_score(self.fresh, self.fresh_se)}" + ("" if self.blind else f" ({NOT_BLIND})")
        if self.fresh is None:
            score = f"holdout {format_score(self.holdout, self.holdout_se)}"
        lines = [f"run {self.run_id}: {self.status.replace('_', ' ')}", f"{self.metric} ({self.direction}): {score}"]
        lines += [self.message] if self.message else []
        paths = {"submission": self.submission, "script": self.solution, "report": self.report}
        return "\n".join([*lines, *(f"{name}: {path}" for name, path in paths.items() if path)])


Action = Literal["approve", "edit", "replace", "add", "reject"]


class Answer(Frozen):
    """What a person answers at a review point."""

    action: Action = Field(
        "approve",
        description="approve: accept the proposal. edit: `text` is the proposal as you changed it. replace: `text` or "
        "`cards` instead. add: the proposal with `text` or `cards` added. reject: do without it.",
    )
    text: str = Field(
        "", description="A summary, plan, block or script; at `submission` with replace, a solution's id."
    )
    cards: tuple[ModelCard, ...] = Field((), description="Model cards, for the review point `models`.")


class Question(Frozen):
    """What a run asks a person at a review point."""

    id: str
    """Name of the decision, e.g. `plan:t0.r1.2`; the same each time it is asked."""
    point: ReviewPoint | Literal["packages", "weights"]
    """A review point; or what a script declares and only a person may allow."""
    actions: tuple[Action, ...]
    """What can be answered here."""
    proposal: dict[str, Any]
    """What is proposed, by name; texts, numbers and lists of them. `problem`: why the last answer could not be used."""


def best_first(direction: Direction, solutions: Iterable[Solution]) -> list[Solution]:
    """Return the solutions that have a score, best first; equal scores keep their order."""
    scored = [(solution, solution.score) for solution in solutions]
    ranked = [(score, solution) for solution, score in scored if score is not None]
    return [solution for _, solution in sorted(ranked, key=lambda pair: -sign(direction) * pair[0])]
