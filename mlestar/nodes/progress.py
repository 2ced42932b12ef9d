"""What nodes tell while they work."""

from langgraph.runtime import Runtime

from mlestar.events import Event
from mlestar.settings import Settings
from mlestar.state import Solution
from mlestar.store import Spend


def tell(runtime: Runtime[Settings], stage: str, message: str, *, track: int | None = None) -> None:
    """Stream one line of progress."""
    runtime.stream_writer(Event(stage=stage, message=message, track=track))


def tell_solution(runtime: Runtime[Settings], solution: Solution, spend: Spend) -> None:
    """Stream the verdict on a solution, and what the run has cost so far."""
    verdict = solution.verdict
    runtime.stream_writer(
        Event(
            stage=solution.origin,
            message=solution.title if verdict.status == "ok" else f"{solution.title}: {verdict.message}",
            track=solution.track if solution.origin != "ensemble" else None,
            solution=solution.id,
            status=verdict.status,
            score=verdict.score,
            standard_error=verdict.search_se,
            reported=verdict.reported,
            seconds=verdict.seconds,
            tokens=spend.tokens,
            usd=spend.usd,
        )
    )
