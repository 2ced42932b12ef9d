"""Ablation summarizer: the results of a study in words."""

from collections.abc import Sequence

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_prose
from mlestar.agents.role import EXACT, Role
from mlestar.agents.sharing import limit_output
from mlestar.state import Measured, Variant

SUMMARIZER = Role("summarizer", "debuggers", EXACT, parse_prose)


async def summarize_study(
    agent: AgentContext,
    study: str,
    output: str,
    graded: Sequence[Variant],
    noise: str,
    measured: Measured | None = None,
) -> str:
    """Return the results of the study; `noise` is the smallest difference that means anything."""
    output = limit_output(output, agent.brief.share)
    return await agent.ask(SUMMARIZER, study=study, output=output, graded=list(graded), noise=noise, measured=measured)
