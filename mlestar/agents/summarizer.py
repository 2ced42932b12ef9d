"""Ablation summarizer: what a study found, in words."""

from collections.abc import Sequence

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_prose
from mlestar.state import Variant


async def summarize_study(agent: AgentContext, study: str, output: str, graded: Sequence[Variant], noise: str) -> str:
    """Return what the study found; `noise` says how large a difference must be to mean anything."""
    return await agent.ask("summarizer", parse_prose, study=study, output=output, graded=list(graded), noise=noise)
