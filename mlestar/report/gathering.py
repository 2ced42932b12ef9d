"""Gathering what a run did into its result, which is written with the HTML report."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlestar.report.baselines import BaselineRow
from mlestar.report.differences import read_scripts
from mlestar.report.examples import find_examples, read_media
from mlestar.report.gains import find_gains
from mlestar.report.history import read_history
from mlestar.report.outcome import find_outcome
from mlestar.report.page import render_page
from mlestar.report.result import Result, Score, SpendRow
from mlestar.report.rows import cap_rows, model_rows, position, score_of, script_path, shown_score, solution_row
from mlestar.report.start import StartRow, gather_start
from mlestar.report.uncertainty import find_uncertainty
from mlestar.runtime.context import RunContext
from mlestar.runtime.weights import WeightRow, declared_weights
from mlestar.state import (
    BASELINE,
    FINISHED,
    Baseline,
    Brief,
    PipelineState,
    Rescoring,
    Solution,
    Source,
)
from mlestar.store import RunFolder


async def write_result(ctx: RunContext, state: PipelineState, *, message: str = "") -> Result:
    """Write `result.json` and `report.html` from the state that the run has reached, and return the result."""
    brief = await ctx.brief(state) if "brief" in state else None
    result = await _gather(ctx, state, brief, message)
    if brief:
        page = await asyncio.to_thread(_render, ctx.folder, result, brief)
        await asyncio.to_thread(ctx.folder.write_text, ctx.folder.report, page)
    await asyncio.to_thread(ctx.folder.write_json, ctx.folder.result, result.model_dump(mode="json"))
    return result


def _render(folder: RunFolder, result: Result, brief: Brief) -> str:
    return render_page(result, brief, read_scripts(result), folder.read_settings().settings, read_media(result))


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
    ended = state.get("status") in FINISHED
    winner = state.get("winner") if chosen or current is None else current.solution.id
    if winner not in solutions:
        # A person edited its script, which is not evaluated yet.
        winner = None
    task = await _facts_of_task(ctx, state, brief)
    if brief and winner and ended:
        task["uncertainty"] = await find_uncertainty(ctx, brief, solutions[winner], rescorings.get(winner))
        task["examples"] = await find_examples(ctx, brief, solutions[winner], rescorings.get(winner))
        task["outcome"] = await find_outcome(ctx, brief, solutions[winner], rescorings.get(winner))
    gains = await find_gains(ctx, brief, solutions, ended=ended) if brief else {}
    return Result(
        run_id=folder.run_id,
        status=state.get("status", "stopped"),
        message=message,
        score=score_of(solutions[winner], rescorings, ended) if winner else Score(),
        winner=winner,
        model=ctx.services.caller.models.title,
        models=await asyncio.to_thread(model_rows, ledger),
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
        history=await asyncio.to_thread(read_history, ledger),
        importance=state.get("importance") if ended else None,
        spend=SpendRow.model_validate(spend),
        caps=await asyncio.to_thread(cap_rows, ledger, ctx.settings),
        rescorings=tuple(
            row if ended else _shown_rescoring(row) for name, row in rescorings.items() if name not in left_out
        ),
        exports=tuple(state.get("exports", [])),
        sources=(*_sources(state), *_refused_supplies(await asyncio.to_thread(ledger.notes, "refused_supply"))),
        weights=await _weights(ctx, solutions[winner]) if winner else (),
        packages=await _packages(ctx, solutions[winner]) if winner else (),
        solutions=tuple(
            solution_row(ctx.folder, solution, rescorings, gains.get(solution.id), ended)
            for solution in sorted(solutions.values(), key=position)
            if solution.id not in left_out
        ),
        start=_shown_start(gather_start(brief, solutions, state), ended),
        baselines=tuple(_baseline_row(ctx, baseline, ended) for baseline in state.get("baselines", {}).values()),
        **task,
    )


async def _facts_of_task(ctx: RunContext, state: PipelineState, brief: Brief | None) -> dict[str, Any]:
    """Return what the result says about its task and how it was scored; the name alone before the task was read."""
    if brief is None:
        return {"task": Path((await asyncio.to_thread(ctx.folder.read_settings)).task).name}
    spec = brief.spec
    return {
        "task": spec.name,
        "metric": spec.metric,
        "direction": spec.direction,
        "spec": spec,
        "split": brief.split,
        "fallback": brief.fallback,
        "report": str(ctx.folder.report),
        "brief": state["brief"],
        "runner": (await ctx.executor.environment()).runner,
        "network": brief.network,
    }


def _unused_baselines(state: PipelineState) -> set[str]:
    """Return the ids of baselines that were not exported: the table of baselines has them, and no other."""
    exported = {export.solution for export in state.get("exports", [])}
    baselines = {name for name, solution in state.get("solutions", {}).items() if solution.origin == BASELINE}
    return baselines - exported


async def _packages(ctx: RunContext, winner: Solution) -> tuple[str, ...]:
    """Return the lock of the packages that a script declared and got, a line for each."""
    lock = winner.verdict.lock
    return tuple((await ctx.services.text(lock)).splitlines()) if lock else ()


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


def _shown_rescoring(rescoring: Rescoring) -> Rescoring:
    """Return a rescoring as it may be shown while scripts can follow: without the scores that its mean is made of."""
    fresh, error = shown_score(rescoring.fresh, rescoring.fresh_se)
    return rescoring.model_copy(update={"fresh": fresh, "fresh_se": error, "scores": ()})


def _baseline_row(ctx: RunContext, baseline: Baseline, ended: bool) -> BaselineRow:
    row = BaselineRow.model_validate(baseline).model_copy(update={"script": script_path(ctx.folder, baseline.script)})
    if ended:
        return row
    names = ("holdout", "fresh", "winner_gain")
    shown = {name: shown_score(getattr(row, name), getattr(row, f"{name}_se")) for name in names}
    scores = {name: score for name, (score, _) in shown.items()}
    return row.model_copy(update=scores | {f"{name}_se": error for name, (_, error) in shown.items()})


def _shown_start(row: StartRow | None, ended: bool) -> StartRow | None:
    """Return a start as it may be shown: while scripts can follow, without the digits beyond its errors."""
    if row is None or ended:
        return row
    names = ("given_holdout", "holdout", "fresh", "after", "gain")
    shown = {name: shown_score(getattr(row, name), getattr(row, f"{name}_se")) for name in names}
    scores = {name: score for name, (score, _) in shown.items()}
    return row.model_copy(update=scores | {f"{name}_se": error for name, (_, error) in shown.items()})
