"""Progress events of nodes."""

from langgraph.runtime import Runtime

from mlestar.events import Event
from mlestar.metrics.precision import round_score
from mlestar.metrics.spec import Direction
from mlestar.runtime.context import RunContext
from mlestar.runtime.progress import few_words
from mlestar.settings import Settings
from mlestar.state import Solution


def emit(
    runtime: Runtime[Settings],
    stage: str,
    message: str,
    *,
    track: int | None = None,
    solution: str | None = None,
    problem: str = "",
) -> None:
    """Stream one line of progress; with a problem it says why something failed."""
    runtime.stream_writer(Event(stage=stage, message=message, track=track, solution=solution, problem=problem))


def emit_step(
    runtime: Runtime[Settings], stage: str, track: int, *, outer: int, inner: int | None = None, plan: str = ""
) -> None:
    """Stream that a step of a track's loops begins, with its numbers from 1."""
    message = f"block {outer}" if inner is None else f"block {outer}, plan {inner}"
    counters = {"track": track, "outer": outer, "inner": inner}
    runtime.stream_writer(
        Event(stage=stage, message=message, work="step", phase="begin", plan=few_words(plan), **counters)
    )


async def emit_solution(runtime: Runtime[Settings], ctx: RunContext, solution: Solution, direction: Direction) -> None:
    """Stream the verdict on a solution, with what the run has cost so far."""
    verdict = solution.verdict
    hidden = verdict.standing is not None
    runtime.stream_writer(
        Event(
            stage=solution.origin,
            message=solution.title if verdict.status == "ok" else f"{solution.title}: {verdict.message}",
            track=solution.track if solution.track >= 0 else None,
            solution=solution.id,
            title=solution.title,
            problem="" if verdict.status == "ok" else f"{verdict.status}: {verdict.message}",
            script=solution.script,
            verdict=verdict.status,
            score=verdict.shown if isinstance(verdict.shown, float) else None,
            standing=verdict.standing,
            direction=direction,
            standard_error=None if hidden else round_score(verdict.holdout_se, verdict.holdout_se),
            reported=verdict.reported,
            seconds=verdict.seconds,
            spend=await ctx.services.spending(),
        )
    )
