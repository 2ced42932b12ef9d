"""The result of a run, as `result.json` holds it."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from mlestar.errors import UserError
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.files import sha256_of
from mlestar.metrics.finite import Finite, finite
from mlestar.metrics.precision import Standing, round_score
from mlestar.metrics.spec import Direction, TaskSpec, sign
from mlestar.report.amounts import dollars, tokens
from mlestar.report.baselines import BaselineRow, submitted_warning, winner_warning
from mlestar.report.page import render_page
from mlestar.runtime.context import RunContext
from mlestar.runtime.weights import WeightRow, declared_weights
from mlestar.state import (
    BASELINE,
    ORIGINS,
    Baseline,
    Brief,
    Export,
    PipelineState,
    Rescoring,
    RunStatus,
    RunSummary,
    Solution,
    Source,
    VerdictStatus,
)
from mlestar.store import Cap, Ledger, RunFolder
from mlestar.store.damage import damaged

ENDED = ("solved", "baseline", "no_solution")
"""A run that ended so executes no further script, so that its scores may be read in full precision."""


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
    weights: tuple[WeightRow, ...] = ()
    """The pretrained weights that the winner uses."""
    spec: TaskSpec | None = None
    """The task as the run understood it; None in runs of versions that did not keep it."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def optimism(self) -> float | None:
        """By how much the holdout score flatters the winner: positive where fresh rows are worse."""
        if self.score.holdout is None or self.score.fresh is None:
            return None
        optimism: float | None = finite(sign(self.direction) * (self.score.holdout - self.score.fresh))
        return optimism

    @property
    def baseline_warning(self) -> str:
        """Return a sentence where the winner is a baseline, or not better than one beyond noise; else an empty text."""
        if self.status == "baseline":
            row = next((row for row in self.baselines if row.name == self.winner), None)
            was_first = bool(self.exports) and self.exports[0].solution == self.winner
            return submitted_warning(row, was_first=was_first)
        return next(filter(None, (winner_warning(row) for row in self.baselines)), "")

    def predictor(self, **options: Any) -> Any:
        """Return a `mlestar.predictor.ReplayPredictor`, which predicts new rows with the winner.

        Args:
            **options: of `mlestar.predictor.open_replay`.

        Raises:
            UserError: the run has no solution, its data have changed, or rows of its task are files.
        """
        # By name, because that package reads results.
        return import_module("mlestar.predictor").open_replay(self.folder, **options)

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


async def write_result(ctx: RunContext, state: PipelineState, *, message: str = "") -> Result:
    """Write `result.json` and `report.html` from the state that the run has reached, and return the result."""
    brief = await ctx.brief(state) if "brief" in state else None
    result = await _gather(ctx, state, brief, message)
    if brief:
        shown = {**result.model_dump(), "baseline_warning": result.baseline_warning}
        page = await asyncio.to_thread(render_page, shown, brief.model_dump())
        await asyncio.to_thread(ctx.folder.write_text, ctx.folder.report, page)
    await asyncio.to_thread(ctx.folder.write_json, ctx.folder.result, result.model_dump(mode="json"))
    return result


async def _gather(ctx: RunContext, state: PipelineState, brief: Brief | None, message: str) -> Result:
    folder, spend, ledger = ctx.folder, await ctx.services.budget.spend(), ctx.services.ledger
    facts = [Solution.model_validate(fact) for fact in await asyncio.to_thread(ledger.notes, "solution")]
    solutions = {solution.id: solution for solution in facts} | state.get("solutions", {})
    rescorings, chosen = state.get("rescorings", {}), any(export.submission for export in state.get("exports", []))
    left_out = _unused_baselines(state)
    current = ctx.submission.current
    if current is not None:
        # A baseline is in no note, and the state may have been lost since it was submitted.
        solutions.setdefault(current.solution.id, current.solution)
    submitted = chosen or current is not None
    ended = state.get("status") in ENDED
    winner = state.get("winner") if chosen or current is None else current.solution.id
    if winner not in solutions:
        # A person edited its script, which is not evaluated yet.
        winner = None
    task: dict[str, Any] = {"task": Path((await asyncio.to_thread(folder.read_settings)).task).name}
    if brief:
        spec = brief.spec
        task = {"task": spec.name, "metric": spec.metric, "direction": spec.direction}
        task |= {"spec": spec, "split": brief.split, "fallback": brief.fallback, "report": str(folder.report)}
        task |= {"runner": (await ctx.executor.environment()).runner, "network": brief.network}
    return Result(
        run_id=folder.run_id,
        status=state.get("status", "stopped"),
        message=message,
        score=_score(solutions[winner], rescorings, ended) if winner else Score(),
        winner=winner,
        model=ctx.services.caller.models.title,
        models=await asyncio.to_thread(_models, ledger),
        weak_models=tuple(fact["line"] for fact in await asyncio.to_thread(ledger.notes, "weak_model")),
        warnings=(
            *(brief.warnings if brief else ()),
            *await asyncio.to_thread(ctx.inputs.warnings),
            *ctx.executor.warnings(),
        ),
        folder=str(folder.path),
        solution=str(folder.solution) if submitted else None,
        solution_sha256=current.script if submitted and current else None,
        submission=str(folder.submission) if submitted and brief and brief.spec.has_test else None,
        seconds=round(spend.seconds, 3),
        spend=SpendRow.model_validate(spend),
        caps=await _caps(ctx),
        rescorings=tuple(
            row if ended else _shown_rescoring(row) for name, row in rescorings.items() if name not in left_out
        ),
        exports=tuple(state.get("exports", [])),
        sources=(*_sources(state), *_refused_supplies(await asyncio.to_thread(ledger.notes, "refused_supply"))),
        weights=await _weights(ctx, solutions[winner]) if winner else (),
        packages=await _packages(ctx, solutions[winner]) if winner else (),
        solutions=tuple(
            _row(ctx, solution, rescorings, ended)
            for solution in sorted(solutions.values(), key=_position)
            if solution.id not in left_out
        ),
        baselines=tuple(_baseline_row(ctx, baseline, ended) for baseline in state.get("baselines", {}).values()),
        **task,
    )


def _unused_baselines(state: PipelineState) -> set[str]:
    """Return the ids of baselines that were not exported: the table of baselines has them, and no other."""
    exported = {export.solution for export in state.get("exports", [])}
    baselines = {name for name, solution in state.get("solutions", {}).items() if solution.origin == BASELINE}
    return baselines - exported


async def _packages(ctx: RunContext, winner: Solution) -> tuple[str, ...]:
    """Return the lock of the packages that a script declared and got, a line for each."""
    lock = winner.verdict.lock
    return tuple((await ctx.services.text(lock)).splitlines()) if lock else ()


def _position(solution: Solution) -> tuple[bool, int, int, list[int]]:
    """Return the sort key of a solution: by track, then by stage, whichever branch finished first."""
    numbers = [int(number) for number in re.findall(r"\d+", solution.id)]
    stage = ORIGINS.index(solution.origin) if solution.origin in ORIGINS else len(ORIGINS)
    return solution.track < 0, solution.track, stage, numbers


def _sources(state: PipelineState) -> tuple[Source, ...]:
    """Return each page once, with the cards of all tracks that cite it; dropped ones last."""
    merged: dict[tuple[str, str], Source] = {}
    for source in state.get("sources", {}).values():
        key = source.address, source.dropped
        first = merged.get(key, source)
        cards = tuple(dict.fromkeys([*first.cards, *source.cards]))
        merged[key] = first.model_copy(update={"cards": cards})
    return tuple(sorted(merged.values(), key=lambda source: bool(source.dropped)))


def _refused_supplies(facts: list[dict[str, Any]]) -> Iterator[Source]:
    """Yield the packages and weights that scripts declared and may not use."""
    for fact in facts:
        yield Source(address=fact["address"], found_by=f"declared {fact['kind']}", dropped=fact["dropped"])


async def _weights(ctx: RunContext, solution: Solution) -> tuple[WeightRow, ...]:
    if solution.script is None:
        return ()
    code = await ctx.services.text(solution.script)
    return await asyncio.to_thread(declared_weights, ctx.services.ledger, code)


def _models(ledger: Ledger) -> tuple[ModelRow, ...]:
    """Return every model that answered, with its replies and those that were refused by role."""
    replies: dict[str, dict[str, int]] = {}
    for model, role, count in ledger.answered():
        replies.setdefault(model, {})[role] = count
    refused = Counter((fact["model"], fact["role"]) for fact in ledger.notes("reply") if fact["refusal"])
    rows = []
    for model, roles in replies.items():
        counts = {role: refused[model, role] for role in roles if refused[model, role]}
        rows.append(ModelRow(model=model, replies=roles, refused=counts))
    return tuple(rows)


async def _caps(ctx: RunContext) -> tuple[CapRow, ...]:
    stopped: dict[Cap, list[str]] = {}
    for fact in await asyncio.to_thread(ctx.services.ledger.notes, "refusal"):
        reason = f" ({fact['reason']})" if fact.get("reason") else ""
        stopped.setdefault(fact["cap"], []).append(fact["label"] + reason)
    limits: dict[str, Any] = {cap: getattr(ctx.settings, cap) for cap in stopped}
    return tuple(
        CapRow(cap=cap, limit=limits[cap], stopped=tuple(labels)) for cap, labels in stopped.items() if limits[cap]
    )


def _score(solution: Solution, rescorings: dict[str, Rescoring], ended: bool) -> Score:
    """Return the scores of a solution: in full precision when the run has ended, else as they may be shown."""
    verdict, final = solution.verdict, rescorings.get(solution.id)
    holdout, fresh = (
        (verdict.holdout, verdict.holdout_se),
        (None, None) if final is None else (final.fresh, final.fresh_se),
    )
    if not ended:
        holdout = (None, None) if verdict.standing else _shown(*holdout)
        fresh = _shown(*fresh)
    return Score(
        holdout=holdout[0],
        holdout_se=holdout[1],
        fresh=fresh[0],
        fresh_se=fresh[1],
        blind=bool(final and final.blind and final.fresh is not None),
        reported=verdict.reported,
    )


def _shown(score: float | None, error: float | None) -> tuple[float | None, float | None]:
    return round_score(score, error), round_score(error, error)


def _shown_rescoring(rescoring: Rescoring) -> Rescoring:
    """Return a rescoring as it may be shown while scripts can follow: without the scores that its mean is made of."""
    fresh, error = _shown(rescoring.fresh, rescoring.fresh_se)
    return rescoring.model_copy(update={"fresh": fresh, "fresh_se": error, "scores": ()})


def _baseline_row(ctx: RunContext, baseline: Baseline, ended: bool) -> BaselineRow:
    row = BaselineRow.model_validate(baseline).model_copy(update={"script": _script_path(ctx, baseline.script)})
    if ended:
        return row
    names = ("holdout", "fresh", "winner_gain")
    shown = {name: _shown(getattr(row, name), getattr(row, f"{name}_se")) for name in names}
    scores = {name: score for name, (score, _) in shown.items()}
    return row.model_copy(update=scores | {f"{name}_se": error for name, (_, error) in shown.items()})


def _script_path(ctx: RunContext, script: str | None) -> str | None:
    return str(ctx.services.blobs.path(script).relative_to(ctx.folder.path)) if script else None


def _row(ctx: RunContext, solution: Solution, rescorings: dict[str, Rescoring], ended: bool) -> SolutionRow:
    return SolutionRow(
        id=solution.id,
        origin=solution.origin,
        track=solution.track,
        title=solution.title,
        parent=solution.parent,
        plan=solution.plan,
        status=solution.verdict.status,
        message=solution.verdict.message,
        score=_score(solution, rescorings, ended),
        standing=None if ended else solution.verdict.standing,
        seconds=solution.verdict.seconds,
        script=_script_path(ctx, solution.script),
        members=tuple(MemberRow(solution=member.solution, weight=member.weight) for member in solution.members),
    )
