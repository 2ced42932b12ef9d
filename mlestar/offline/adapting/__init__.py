"""Adapting a person's own script to the contract, by its syntax tree and without a language model."""

from mlestar.offline.adapting.ending import without_exit
from mlestar.offline.adapting.libraries import replace_libraries
from mlestar.offline.adapting.outputs import write_submission_file
from mlestar.offline.adapting.paths import read_input
from mlestar.offline.adapting.scoring import add_score
from mlestar.offline.facts import Facts


def adapt(facts: Facts) -> str:
    """Return the script with the paths of the contract and a score line; what is not understood stays."""
    script = facts.text("script")
    script = replace_libraries(script, facts.packages)
    script = write_submission_file(script)
    script = read_input(script, facts)
    return add_score(without_exit(script), facts)
