"""Ablation writer: a study that switches parts of a script off."""

from collections.abc import Sequence

from mlestar.agents.desk import Desk
from mlestar.agents.replies import block
from mlestar.script import ScriptError, syntax_error


async def write_study(desk: Desk, script: str, summaries: Sequence[str]) -> str:
    """Return a study script that writes `variants/NAME.csv` for the baseline and every variant."""
    return await desk.ask("ablator", _parse, script=script, summaries=summaries)


def _parse(reply: str) -> str:
    study = block(reply)
    problem = syntax_error(study)
    if problem:
        raise ScriptError(problem)
    if "variants" not in study:
        msg = "the study never writes variants/NAME.csv"
        raise ScriptError(msg)
    return study
