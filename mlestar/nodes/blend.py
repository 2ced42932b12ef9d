"""Blend: what scripts predicted for the withheld rows is averaged, and an average that helps is one more solution."""

import asyncio
import logging
from collections.abc import Sequence

import numpy as np
from langgraph.runtime import Runtime
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlestar.agents.declarations import declare
from mlestar.agents.script import ScriptError
from mlestar.errors import OperatorError, clean_text
from mlestar.evaluation.blending.fitted import cross_fitted
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.script import Part, write_blend
from mlestar.evaluation.blending.weights import MAX_CANDIDATES, Mixture
from mlestar.metrics.precision import format_score
from mlestar.nodes.ensemble import ENSEMBLE_STRETCH
from mlestar.nodes.finalists import choose_finalists, ranked_scripts
from mlestar.nodes.grading import compare_submissions, grade_file
from mlestar.nodes.progress import emit, emit_solution
from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.grading import MESSAGE_CHARACTERS
from mlestar.runtime.inputs import StagedInput
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, BlendMember, Brief, PipelineState, Solution, Verdict
from mlestar.store import key_of

logger = logging.getLogger("mlestar.nodes")

BLEND = "blend"
"""Id of the solution."""


async def blend(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Blend the predictions of all scripts; nothing is trained and no model is asked."""
    ctx = await find_context(state, runtime)
    if not ctx.settings.blend:
        return {}
    brief = await ctx.brief(state)
    try:
        solution, gain = await _blend(ctx, brief, state)
    except (OperatorError, OSError):
        raise
    except NotBlendedError as reason:
        emit(runtime, "blend", f"no blend: {reason}")
        return {}
    except Exception as error:  # a blend that fails must not end the run
        logger.warning("run %s: no blend", ctx.folder.run_id, exc_info=True)
        message = clean_text(f"no blend: it failed: {type(error).__name__}: {error}")
        emit(runtime, "blend", message[:MESSAGE_CHARACTERS])
        return {}
    emit(runtime, "blend", f"{solution.id} of {len(solution.members)} scripts: {gain}")
    await emit_solution(runtime, ctx, solution, brief.spec.direction)
    # A run that ends early reports from here.
    key, fact = key_of("solution", solution.id), solution.model_dump(mode="json")
    await asyncio.to_thread(ctx.services.ledger.note, "solution", key, fact, replace=True)
    return {"solutions": {solution.id: solution}}


async def _blend(ctx: RunContext, brief: Brief, state: PipelineState) -> tuple[Solution, str]:
    """Return the blend and its gain in words.

    Raises:
        NotBlendedError: there is none, or the rows do not confirm that it is better than the best script.
    """
    staged = await ctx.inputs.search(brief)
    scripts = [one for one in ranked_scripts(state, brief.spec.direction) if one.id != BLEND]
    ranked, finalists = graded_scripts(scripts), choose_finalists(scripts, ctx.settings.finalists)
    left = await seconds_left(ctx, [one.verdict.seconds for one in finalists])
    limit = min(ctx.settings.script_seconds / ENSEMBLE_STRETCH, left)
    candidates = choose_candidates(ranked, limit)
    if sum(solution.verdict.seconds <= limit for solution in candidates) < 2:
        msg = "fewer than two graded scripts fit the time that is left"
        raise NotBlendedError(msg)
    paths = [await asyncio.to_thread(ctx.services.blobs.verified, one.verdict.submission or "") for one in candidates]
    fit = await ctx.grading.blend(staged, paths, [one.verdict.seconds for one in candidates], limit)
    if np.count_nonzero(fit.whole.weights) < 2:
        msg = f"no mix is better than {ranked[0].id} alone"
        raise NotBlendedError(msg)
    blended, single = [
        await ctx.services.keep(await asyncio.to_thread(cross_fitted, staged.form, _units(staged), paths, halves))
        for halves in (fit.halves, fit.singles)
    ]
    gain = await _confirm(ctx, staged, blended, single)
    return await _solution(ctx, brief, staged, candidates, fit.whole, blended), gain


def choose_candidates(ranked: Sequence[Solution], limit: float) -> list[Solution]:
    """Return the best scripts that may be members, and those among the best that are too slow: a blend must beat them.

    Args:
        ranked: graded solutions, best first.
        limit: of the seconds of a member.
    """
    quick = [solution for solution in ranked if solution.verdict.seconds <= limit][:MAX_CANDIDATES]
    slow = [solution for solution in ranked[:MAX_CANDIDATES] if solution.verdict.seconds > limit]
    chosen = {solution.id for solution in (*quick, *slow)}
    return [solution for solution in ranked if solution.id in chosen]


async def seconds_left(ctx: RunContext, finalists: Sequence[float]) -> float:
    """Return what a blend may take of the time that was left when this was first asked.

    The ledger keeps it: a run that is repeated or forked has another time left, and would choose among other scripts.

    Args:
        ctx: of the run.
        finalists: the seconds of the finalists without the blend.
    """
    ledger, key = ctx.services.ledger, key_of("blend_seconds", BLEND)
    recorded = await asyncio.to_thread(ledger.recall, key)
    if recorded is None:
        recorded = {"seconds": await ctx.services.budget.finalist_seconds(finalists)}
        await asyncio.to_thread(ledger.note, "blend_seconds", key, recorded)
    return float(recorded["seconds"])


def graded_scripts(ranked: Sequence[Solution]) -> list[Solution]:
    """Return the solutions with predictions for the withheld rows, those with the same predictions once."""
    graded: dict[str, Solution] = {}
    for solution in ranked:
        if solution.verdict.holdout is not None and solution.verdict.submission:
            graded.setdefault(solution.verdict.submission, solution)
    return list(graded.values())


def _units(staged: StagedInput) -> np.ndarray:
    if staged.grader is None:
        msg = "no rows are withheld"
        raise NotBlendedError(msg)
    return staged.grader.units


async def _confirm(ctx: RunContext, staged: StagedInput, blended: str, single: str) -> str:
    """Return by how much cross-fitted predictions are better than those of the best script, cross-fitted too.

    The gain must be larger than its own standard error, as an improvement of the ladder of Blum and Hardt (2015), which
    `runtime/graded.py` cites.

    Raises:
        NotBlendedError: it is not.
    """
    comparison = await compare_submissions(ctx, staged, blended, single)
    if comparison is None:
        msg = "it could not be graded"
        raise NotBlendedError(msg)
    shown = format_score(comparison.difference, comparison.standard_error)
    gain = f"its gain over the best script is {shown} on rows that chose neither"
    if comparison.difference <= max(0.0, comparison.standard_error):
        raise NotBlendedError(gain)
    return gain


async def _solution(
    ctx: RunContext,
    brief: Brief,
    staged: StagedInput,
    candidates: Sequence[Solution],
    mixture: Mixture,
    submission: str,
) -> Solution:
    """Return the blend as a solution; its score is that of the cross-fitted predictions."""
    pairs = [(one, weight) for one, weight in zip(candidates, mixture.weights, strict=True) if weight > 0]
    members = [BlendMember(solution=one.id, script=one.script or "", weight=weight) for one, weight in pairs]
    script = await _write(ctx, brief, members, mixture.scale)
    verdict = Verdict(
        status="ok",
        reported=_reported(pairs),
        seconds=sum(one.verdict.seconds for one, _ in pairs),
        peak_memory_mb=max((one.verdict.peak_memory_mb or 0.0 for one, _ in pairs)) or None,
        submission=submission,
        image=brief.image,
        lock=await _lock(ctx, [one for one, _ in pairs]),
        weights=tuple(dict.fromkeys(line for one, _ in pairs for line in one.verdict.weights)),
    )
    shares = ", ".join(f"{member.solution} {member.weight:.2f}" for member in members)
    return Solution(
        id=BLEND,
        origin="ensemble",
        track=NO_TRACK,
        title=f"blend of {shares}",
        script=script,
        plan=f"Average the predictions of {len(members)} scripts ({mixture.scale}).",
        verdict=await grade_file(ctx, brief, verdict, submission, staged),
        members=tuple(members),
    )


async def _write(ctx: RunContext, brief: Brief, members: Sequence[BlendMember], scale: str) -> str:
    """Return the blob of the blend's script, which declares what its members declare."""
    sources = [await ctx.services.text(member.script) for member in members]
    parts = [Part(one.solution, source, one.weight) for one, source in zip(members, sources, strict=True)]
    try:
        _check_needs(sources)
        code = write_blend(
            parts,
            columns=brief.spec.prediction_columns,
            scale=scale,
            # Also where the withheld rows have no ids of their own: the real ones may have.
            key=brief.spec.id,
            delimiter=brief.spec.submission_delimiter,
            decimal=brief.spec.submission_decimal,
        )
        for source in sources:
            code = declare(code, source) if read_needs(source) != read_needs("") else code
    except (ScriptError, NeedsError, ValueError) as error:
        raise NotBlendedError(str(error)) from error
    return await ctx.services.keep(code)


def _check_needs(sources: Sequence[str]) -> None:
    """Refuse members that declare the same package in different ways: they run with the same packages here.

    Raises:
        NotBlendedError: two of them do.
    """
    declared: dict[str, str] = {}
    for requirement in (text for source in sources for text in read_needs(source).dependencies):
        name = canonicalize_name(Requirement(requirement).name)
        if declared.setdefault(name, requirement) != requirement:
            msg = f"its scripts need {declared[name]!r} and {requirement!r}"
            raise NotBlendedError(msg)


async def _lock(ctx: RunContext, members: Sequence[Solution]) -> str:
    """Return the blob of the locks of all members, empty without packages."""
    locks = [await ctx.services.text(one.verdict.lock) for one in members if one.verdict.lock]
    lines = dict.fromkeys(line for lock in locks for line in lock.splitlines())
    return await ctx.services.keep("".join(f"{line}\n" for line in lines)) if lines else ""


def _reported(pairs: Sequence[tuple[Solution, float]]) -> float | None:
    """Return the weighted mean of the scores that the members report, as the script prints it."""
    reported = [(weight, one.verdict.reported) for one, weight in pairs if one.verdict.reported is not None]
    total = sum(weight for weight, _ in reported)
    return sum(weight * score for weight, score in reported) / total if total else None
