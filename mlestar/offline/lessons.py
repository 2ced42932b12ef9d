"""The order of ideas by what came of them: in earlier runs on similar tasks, and in other tracks of this run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.kinds import id_of, quoted_ideas
from mlestar.offline.recipe import Idea

PRIOR = 1.0
"""Weight of the assumption that an idea changes nothing: as much as one run on an equal task. Chosen by judgement; not
measured."""
NOTHING = 0.25
"""Size of the mean effect, in standard errors, below which an idea keeps its place. Chosen by judgement; not
measured."""
MOST = 3.0
"""Standard errors at which an effect of another track counts at most."""


def expected_effects(facts: Facts) -> dict[str, float]:
    """Return the effect that each idea can be expected to have, in standard errors, by the ids of ideas.

    It is the mean over all trials, weighted by the similarity of their tasks, with one more trial of weight `PRIOR` and
    no effect. The effect of a plan with several ideas is divided among them. What another track of this run confirmed
    counts as a trial on an equal task.
    """
    sums, weights = defaultdict[str, float](float), defaultdict[str, float](float)
    for ids, effect, weight in (*_earlier(facts), *_confirmed(facts)):
        for name in ids:
            sums[name] += weight * effect / len(ids)
            weights[name] += weight
    return {name: sums[name] / (weights[name] + PRIOR) for name in sums}


def _earlier(facts: Facts) -> list[tuple[Sequence[str], float, float]]:
    lessons: Mapping[str, Any] = facts.data("lessons", {})
    return [(idea["ids"], float(idea["effect"]), float(idea["weight"])) for idea in lessons.get("ideas", [])]


def _confirmed(facts: Facts) -> list[tuple[Sequence[str], float, float]]:
    plans = [plan for plan in facts.data("confirmed", []) if plan["gain_error"]]
    effects = [min(MOST, plan["gain"] / plan["gain_error"]) for plan in plans]
    return [(list(quoted_ideas(plan["plan"])), effect, 1.0) for plan, effect in zip(plans, effects, strict=True)]


def order_ideas(ideas: Sequence[Idea], effects: Mapping[str, float]) -> list[Idea]:
    """Return ideas sorted: those that helped, then those without a visible effect, then those that hurt or failed.

    The first and the last are sorted by their expected effect. Ideas of which nothing is known, and those whose effect
    is smaller than `NOTHING`, keep their order.
    """

    def place(idea: Idea) -> float:
        effect = effects.get(id_of(idea), 0.0)
        return 0.0 if abs(effect) < NOTHING else -effect

    return sorted(ideas, key=place)
