"""Merger: trains the reference's model beside the base's and averages the two."""

from mlestar.agents.context import Desk
from mlestar.agents.replies import script


async def merge_scripts(desk: Desk, base: str, reference: str) -> str:
    """Return the base script with the reference's model integrated."""
    return await desk.ask("merger", script, base=base, reference=reference)
