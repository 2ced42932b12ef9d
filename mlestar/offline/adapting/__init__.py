"""Adapting a person's own script to the contract, by its syntax tree and without a language model."""

from collections.abc import Callable

from mlestar.offline.adapting.ending import without_exit
from mlestar.offline.adapting.libraries import replace_libraries
from mlestar.offline.adapting.outputs import write_submission_file
from mlestar.offline.adapting.paths import read_input
from mlestar.offline.adapting.scoring import add_score
from mlestar.offline.facts import Facts
from mlestar.syntax import parse


def adapt(facts: Facts) -> str:
    """Return the script with the paths of the contract and a score line; other code stays unchanged."""
    steps: tuple[Callable[[str], str], ...] = (
        lambda script: replace_libraries(script, facts.packages),
        write_submission_file,
        lambda script: read_input(script, facts),
        without_exit,
    )
    script = facts.text("script")
    for step in steps:
        changed = step(script)
        script = changed if _compiles(changed) else script
    return add_score(script, facts)


def _compiles(script: str) -> bool:
    try:
        parse(script)
    except (SyntaxError, ValueError):
        return False
    return True
