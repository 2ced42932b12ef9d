"""Ablation summarizer: what a study found, in words."""

from collections.abc import Sequence

from mlestar.agents.context import Desk
from mlestar.agents.replies import prose
from mlestar.state import Variant


async def summarize_study(desk: Desk, study: str, output: str, graded: Sequence[Variant], noise: str) -> str:
    """Return what the study found; `noise` says how large a difference must be to mean anything."""
    return await desk.ask("summarizer", prose, study=study, output=output, graded=list(graded), noise=noise)
