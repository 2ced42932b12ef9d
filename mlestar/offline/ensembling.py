"""Planning an ensemble and writing it as one script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlestar.offline.facts import Facts
from mlestar.offline.rendering import render
from mlestar.offline.surgery import add_imports, constants, functions, imports, needed, rename, used
from mlestar.offline.tables.recipes import dialect_arguments

PIPELINE = ("build_features", "cross_validate")
_IMPORTS = ("import time", "import numpy as np", "import pandas as pd")
"""What the combination of the members needs."""
_ENTRY_POINTS = frozenset({"run", "main"})


@dataclass(frozen=True)
class Combination:
    """A way to combine the members' predictions."""

    mode: str
    plan: str
    cues: tuple[str, ...]
    fits_texts: bool = True
    """Whether it can be used where predictions refer to candidate texts of a row, which ranks do not preserve."""


COMBINATIONS = (
    Combination(
        "mean",
        "Train all members on the same folds and take the plain average of their predictions before any threshold, cut "
        "point or clipping. Their features and models differ, so that their errors partly cancel. The decision rule is "
        "tuned on the averaged held-out predictions of the other folds.",
        ("plain average", "simple average", "equal weight", "mean of"),
    ),
    Combination(
        "weights",
        "Train all members on the same folds and average them with weights found on held-out predictions by greedy "
        "forward selection with replacement. The selection starts from the plain average, so that few rows cannot move "
        "it far. For the reported score the weights of a fold come from the other folds.",
        ("weight", "greedy", "hill"),
    ),
    Combination(
        "ranks",
        "Train all members on the same folds, turn each member's predictions into ranks, and map the average rank back "
        "to the first member's values. Members with differently scaled predictions then have the same weight. Folds "
        "and decision rule stay those of the first member.",
        ("rank",),
        fits_texts=False,
    ),
    Combination(
        "geometric",
        "Train all members on the same folds and take the geometric mean of their predictions by averaging logarithms. "
        "A member that gives a class a probability close to zero then has more weight than in a plain average. "
        "Probabilities are normalized to a sum of one.",
        ("logarithm", "geometric", "logit"),
    ),
    Combination(
        "median",
        "Train all members on the same folds and take the median of their predictions and their plain average, half "
        "and half. The median is robust to one member with a large error. Nothing is fitted on the held-out rows.",
        ("median",),
    ),
)


def choose_plan(facts: Facts) -> str:
    """Return a plan that differs from the earlier ones."""
    earlier = " ".join(" ".join(section.text.split()) for section in facts.all("attempt_record"))
    untried = [
        combination
        for combination in COMBINATIONS
        if combination.plan not in earlier and (facts.spec.prediction_kind != "text" or combination.fits_texts)
    ]
    if untried:
        return untried[0].plan
    count = len(facts.all("attempt_record"))
    return f"{COMBINATIONS[0].plan} Give the best member {count + 1} votes and every other member one."


def combine_scripts(facts: Facts) -> str | None:
    """Return one script that trains and combines the members; None when fewer than two have the required functions."""
    scripts = [section.text for section in facts.all("solution")]
    usable = [script for script in scripts if {*PIPELINE, "make_folds", "run"} <= functions(script).keys()]
    if len(usable) < 2:
        return None
    base, *others = usable
    text = facts.text("plan")
    pipelines = [PIPELINE]
    parts: list[str] = []
    for number, other in enumerate(others, 2):
        moved = _moved(base, other)
        names = {name: f"{name}_{number}" for name in moved}
        definitions = {**constants(other), **functions(other)}
        parts += [rename(definitions[name], names) for name in moved]
        build, validate = PIPELINE
        pipelines.append((names.get(build, build), names.get(validate, validate)))
    values = {"pipelines": pipelines, "mode": _mode(text), "votes": _votes(text), "maximize": _maximize(facts)}
    defined = functions(base).keys()
    values |= {"tuned": "tune" in defined, "has_writer": "write_predictions" in defined}
    values |= {"spec": facts.spec, "cut_predictions": facts.cut_predictions, "dialect": dialect_arguments(facts)}
    head = base[: base.index("def run()")].rstrip()
    script = "\n\n\n".join([head, *parts, render("ensemble.py.jinja", values).strip("\n")]) + "\n"
    lines = [*_IMPORTS, *(line for other in others for line in imports(other))]
    return add_imports(_share_time(script, facts, len(usable)), lines)


def _moved(base: str, other: str) -> list[str]:
    """Return the definitions that the other member's pipeline needs and that differ from the base's."""
    base_definitions = {**constants(base), **functions(base)}
    definitions = {**constants(other), **functions(other)}
    required = [name for name in needed(other, *PIPELINE) if name not in _ENTRY_POINTS]
    different = {name for name in required if base_definitions.get(name) != definitions[name]}
    different -= {"STARTED", "SECONDS"} & base_definitions.keys()
    while callers := {name for name in required if name not in different and used(definitions[name]) & different}:
        different |= callers
    return [name for name in required if name in different]


def _mode(text: str) -> str:
    """Return the combination that a plan quotes, otherwise the one with the most cues in it; the first if none has."""
    plan = " ".join(text.split())
    for combination in COMBINATIONS:
        if combination.plan in plan:
            return combination.mode
    best = max(COMBINATIONS, key=lambda combination: sum(cue in plan.lower() for cue in combination.cues))
    return best.mode


def _votes(text: str) -> int:
    """Return the votes of the best member in a plan of `choose_plan`."""
    votes = re.search(r"best member (\d+) votes", " ".join(text.split()))
    return int(votes[1]) if votes else 1


def _maximize(facts: Facts) -> bool:
    return facts.spec.direction == "maximize"


def _share_time(script: str, facts: Facts, members: int) -> str:
    """Return the script with the time limit divided among the members."""
    limit = int(facts.text("seconds") or round(facts.seconds))
    return re.sub(r"^SECONDS = .+$", f"SECONDS = {limit} // {members}", script, count=1, flags=re.MULTILINE)


def best_alone(sections: Sequence[str]) -> str:
    """Return the first script, for an ensemble that cannot be written."""
    return sections[0] if sections else ""
