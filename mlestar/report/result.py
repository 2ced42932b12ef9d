"""What a run hands back: `result.json`."""

import asyncio
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlestar.rehearsal.plan import SplitPlan
from mlestar.report.page import render_page
from mlestar.spec import Direction
from mlestar.state import Brief, Export, Final, PipelineState, RunStatus, Solution, VerdictStatus
from mlestar.store import Cap
from mlestar.workbench import Workbench


class Score(BaseModel):
    """The scores of the exported solution; see `docs/scores.md` for what each can be trusted with."""

    model_config = ConfigDict(frozen=True)

    search: float | None = None
    search_se: float | None = None
    selection: float | None = None
    selection_se: float | None = None
    reported: float | None = None

    @property
    def optimism(self) -> float | None:
        """Return search minus selection: what choosing by the search score has flattered it by."""
        if self.search is None or self.selection is None:
            return None
        return self.search - self.selection


class SolutionRow(BaseModel):
    """One solution of the run."""

    model_config = ConfigDict(frozen=True)

    id: str
    origin: str
    track: int
    title: str
    parent: str | None
    plan: str
    status: VerdictStatus
    message: str
    score: Score
    seconds: float
    script: str | None
    """Path of the script, relative to the run folder."""


class SpendRow(BaseModel):
    model_config = ConfigDict(frozen=True)

    model_calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    """None: the price of the model is unknown."""
    executions: int = 0


class CapRow(BaseModel):
    """A cap that stopped something."""

    model_config = ConfigDict(frozen=True)

    cap: Cap
    limit: float
    stopped: tuple[str, ...]
    """Steps, model calls and executions that it did not allow."""


class Result(BaseModel):
    """What came of a run."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    task: str
    status: RunStatus
    message: str = ""
    metric: str = ""
    direction: Direction = "maximize"
    score: Score = Score()
    winner: str | None = None
    model: str = ""
    runner: str = ""
    network: bool = False
    """Scripts could reach the network."""
    rehearsal: SplitPlan | None = None
    fallback: str = ""
    """Why there was no rehearsal; scores are then the reported ones."""
    folder: str
    solution: str | None = None
    submission: str | None = None
    report: str | None = None
    seconds: float = 0.0
    spend: SpendRow = SpendRow()
    caps: tuple[CapRow, ...] = ()
    """What a cap stopped; empty when the run went as far as its settings say."""
    finals: tuple[Final, ...] = ()
    exports: tuple[Export, ...] = ()
    solutions: tuple[SolutionRow, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Result":
        return cls.model_validate_json(path.read_text(encoding="utf-8"))


async def write_result(bench: Workbench, state: PipelineState, *, message: str = "") -> Result:
    """Write `result.json` and `report.html` from what the run has reached, and return the result."""
    brief = await bench.brief(state) if "brief" in state else None
    result = await _gather(bench, state, brief, message)
    if brief:
        page = await asyncio.to_thread(render_page, result.model_dump(), brief.model_dump())
        await asyncio.to_thread(bench.folder.write_text, bench.folder.report, page)
    await asyncio.to_thread(bench.folder.write_json, bench.folder.result, result.model_dump(mode="json"))
    return result


async def _gather(bench: Workbench, state: PipelineState, brief: Brief | None, message: str) -> Result:
    folder, spend = bench.folder, await bench.budget.spend()
    noted = [Solution.model_validate(fact) for fact in await asyncio.to_thread(bench.ledger.notes, "solution")]
    solutions = {solution.id: solution for solution in noted} | state.get("solutions", {})
    finals, chosen = state.get("finals", {}), any(export.submission for export in state.get("exports", []))
    handed_in = chosen or bench.handed_in is not None
    winner = state.get("winner") if chosen or not bench.handed_in else bench.handed_in.solution.id
    task: dict[str, Any] = {"task": bench.task_folder.name}
    if brief:
        spec = brief.spec
        task = {"task": spec.name, "metric": spec.metric, "direction": spec.direction}
        task |= {"rehearsal": brief.split, "fallback": brief.fallback, "report": str(folder.report)}
        task |= {"runner": (await bench.environment()).runner}
    return Result(
        run_id=folder.run_id,
        status=state.get("status", "stopped"),
        message=message,
        score=_score(solutions[winner], finals) if winner else Score(),
        winner=winner,
        model=bench.caller.chosen.name,
        network=bench.settings.network,
        folder=str(folder.path),
        solution=str(folder.solution) if handed_in else None,
        submission=str(folder.submission) if handed_in else None,
        seconds=round(spend.seconds, 3),
        spend=SpendRow(model_calls=spend.model_calls, tokens=spend.tokens, usd=spend.usd, executions=spend.executions),
        caps=await _caps(bench),
        finals=tuple(finals.values()),
        exports=tuple(state.get("exports", [])),
        solutions=tuple(_row(bench, solution, finals) for solution in solutions.values()),
        **task,
    )


async def _caps(bench: Workbench) -> tuple[CapRow, ...]:
    stopped: dict[Cap, list[str]] = {}
    for fact in await asyncio.to_thread(bench.ledger.notes, "refused"):
        stopped.setdefault(fact["cap"], []).append(fact["label"])
    limits: dict[str, Any] = {cap: getattr(bench.settings, cap) for cap in stopped}
    return tuple(
        CapRow(cap=cap, limit=limits[cap], stopped=tuple(labels)) for cap, labels in stopped.items() if limits[cap]
    )


def _score(solution: Solution, finals: dict[str, Final]) -> Score:
    verdict, final = solution.verdict, finals.get(solution.id)
    return Score(
        search=verdict.search,
        search_se=verdict.search_se,
        selection=final.selection if final else None,
        selection_se=final.selection_se if final else None,
        reported=verdict.reported,
    )


def _row(bench: Workbench, solution: Solution, finals: dict[str, Final]) -> SolutionRow:
    script = bench.blobs.path(solution.script).relative_to(bench.folder.path) if solution.script else None
    return SolutionRow(
        id=solution.id,
        origin=solution.origin,
        track=solution.track,
        title=solution.title,
        parent=solution.parent,
        plan=solution.plan,
        status=solution.verdict.status,
        message=solution.verdict.message,
        score=_score(solution, finals),
        seconds=solution.verdict.seconds,
        script=str(script) if script else None,
    )
