"""Choosing among the ideas to improve a block, and carrying out a plan."""

import math
import re
from collections.abc import Iterator, Sequence

from mlestar.offline.kinds import all_ideas, all_parts, ideas_of
from mlestar.offline.recipe import Idea, Kind
from mlestar.offline.rewriting import ROUNDS, scale_numbers
from mlestar.offline.surgery import functions


def part_of(block: str) -> str:
    """Return the part that a block is; empty for code that this engineer did not write."""
    names = [re.sub(r"_[a-z]$", "", name) for name in functions(block)]
    return next((part for part, (first, last) in all_parts().items() if first in names and last in names), "")


def ideas_for(block: str, kind: Kind | None = None) -> list[Idea]:
    """Return the ideas that can rewrite a block of a script for a kind of data, the most promising first."""
    part = part_of(block)
    return [idea for idea in ideas_of(kind) if idea.part == part and re.search(idea.requires, block)]


def carry_out(block: str, plan: str) -> str:
    """Return the block rewritten by a plan: with every idea that it quotes, or else the idea with the most cues."""
    text, part = " ".join(plan.split()), part_of(block)
    quoted = [idea for idea in all_ideas() if idea.part == part and idea.plan in text]
    chosen = [idea for idea in quoted if re.search(idea.requires, block)] or _suggested(ideas_for(block), text)
    if not chosen:
        return _scale_arguments(block, text)
    for idea in chosen:
        if re.search(idea.requires, block):
            block = idea.rewrite(block)
    return block


def _scale_arguments(block: str, plan: str) -> str:
    """Return the block with larger or smaller values of the arguments that a plan names; slower learning if none."""
    arguments = [name for name in _ARGUMENTS if name in plan]
    if not arguments:
        return scale_numbers({ROUNDS: 1.5, "learning_rate": 0.67})(block)
    factor = _LESS if _SMALLER.search(plan) else _MORE
    return scale_numbers({"|".join(arguments): factor})(block)


def plans_of_numbers(block: str, most_times: float = math.inf) -> Iterator[str]:
    """Yield plans that change one argument of the models in a block, if the script has time for the change."""
    for name in _ARGUMENTS:
        if not re.search(rf"\b{name}=", block):
            continue
        if name not in _LONGER or most_times >= _MORE:
            yield f"Raise {name} by half and keep everything else."
        yield f"Reduce {name} by two fifths and keep everything else."


def _suggested(ideas: Sequence[Idea], plan: str) -> list[Idea]:
    """Return the idea with the most cues in a plan; an empty list when no idea has any."""
    text = plan.lower()
    counts = [sum(cue in text for cue in idea.cues) for idea in ideas]
    most = max(counts, default=0)
    return [ideas[counts.index(most)]] if most else []


_SMALLER = re.compile(r"\b(?:lower|smaller|fewer|reduce|decrease|halve|less)\b", re.IGNORECASE)
_LONGER = ("n_estimators", "iterations", "max_iter")
"""Arguments to which the duration of a script is about proportional."""
_ARGUMENTS = (
    "learning_rate",
    *_LONGER,
    "num_leaves",
    "max_leaf_nodes",
    "max_depth",
    "reg_lambda",
    "l2_leaf_reg",
    "l2_regularization",
    "min_child_samples",
    "min_samples_leaf",
)
_MORE, _LESS = 1.5, 0.6
"""Factors by which a plan changes an argument. Chosen by judgement; not measured."""
