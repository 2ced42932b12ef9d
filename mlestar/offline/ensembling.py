"""Planning an ensemble and writing it as one script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlestar.offline.facts import Facts
from mlestar.offline.surgery import add_imports, constants, functions, imports, needed, rename, used
from mlestar.offline.tables.recipes import render

PIPELINE = ("build_features", "cross_validate")
_SHARED_ENDS = frozenset({"run", "main"})


@dataclass(frozen=True)
class Combination:
    """A way to combine the members' predictions."""

    mode: str
    plan: str
    cues: tuple[str, ...]


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
        "forward fresh with replacement. The search starts from the plain average, so that few rows cannot drive "
        "it far. For the reported score the weights of a fold come from the other folds.",
        ("weight", "greedy", "hill"),
    ),
    Combination(
        "ranks",
        "Train all members on the same folds, put each member's predictions on the common scale of their ranks, and "
        "map the average rank back to the first member's values. Members that are certain in different degrees then "
        "count the same. Folds and decision rule stay those of the first member.",
        ("rank",),
    ),
    Combination(
        "geometric",
        "Train all members on the same folds and take the average of the logarithms of their predictions, turned back "
        "afterwards. A member that is sure something is unlikely then counts for more than in a plain average. "
        "Probabilities are brought back to a sum of one.",
        ("logarithm", "geometric", "logit"),
    ),
    Combination(
        "median",
        "Train all members on the same folds and take the median of their predictions and their plain average, half "
        "and half. The median ignores a member that goes astray on a row. Nothing is fitted on the held-out rows.",
        ("median",),
    ),
)


def choose_plan(facts: Facts) -> str:
    """Return a plan that differs from those tried."""
    told = " ".join(" ".join(section.text.split()) for section in facts.all("attempt_record"))
    fresh = [combination for combination in COMBINATIONS if combination.plan not in told]
    if fresh:
        return fresh[0].plan
    count = len(facts.all("attempt_record"))
    return f"{COMBINATIONS[0].plan} Give the best member {count + 1} votes and every other member one."


def write_ensemble(facts: Facts) -> str | None:
    """Return one script that trains and combines the members; None when fewer than two can be taken apart."""
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
        known = {**constants(other), **functions(other)}
        parts += [rename(known[name], names) for name in moved]
        pipelines.append((names.get(PIPELINE[0], PIPELINE[0]), names.get(PIPELINE[1], PIPELINE[1])))
    values = {"pipelines": pipelines, "mode": _mode(text), "votes": _votes(text), "maximize": _maximize(facts)}
    head = base[: base.index("def run()")].rstrip()
    script = "\n\n\n".join([head, *parts, render("ensemble.py.jinja", values).strip("\n")]) + "\n"
    return add_imports(_share_time(script, facts, len(usable)), [line for other in others for line in imports(other)])


def _moved(base: str, other: str) -> list[str]:
    """Return what the other member's pipeline needs and the base does not have to the letter."""
    mine = {**constants(base), **functions(base)}
    theirs = {**constants(other), **functions(other)}
    wanted = [name for name in needed(other, *PIPELINE) if name not in _SHARED_ENDS]
    changed = {name for name in wanted if mine.get(name) != theirs[name] and name not in ("STARTED", "SECONDS")}
    while more := {name for name in wanted if name not in changed and used(theirs[name]) & changed}:
        changed |= more
    return [name for name in wanted if name in changed]


def _mode(text: str) -> str:
    plain = " ".join(text.split())
    exact = [combination.mode for combination in COMBINATIONS if combination.plan in plain]
    counts = [(sum(cue in plain.lower() for cue in c.cues), -place) for place, c in enumerate(COMBINATIONS)]
    return exact[0] if exact else COMBINATIONS[-max(counts)[1]].mode


def _votes(text: str) -> int:
    found = re.search(r"best member (\d+) votes", " ".join(text.split()))
    return int(found[1]) if found else 1


def _maximize(facts: Facts) -> bool:
    return facts.spec.direction == "maximize"


def _share_time(script: str, facts: Facts, members: int) -> str:
    limit = int(facts.text("seconds") or round(facts.seconds))
    return re.sub(r"^SECONDS = .+$", f"SECONDS = {limit} // {members}", script, count=1, flags=re.MULTILINE)


def best_alone(sections: Sequence[str]) -> str:
    """Return the first script, for an ensemble that cannot be written."""
    return sections[0] if sections else ""
