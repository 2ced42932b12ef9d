"""The order of ideas by their effects in earlier runs on similar tasks and in other tracks of this run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.kinds import id_of, quoted_ideas
from mlestar.offline.recipe import Idea

PRIOR = 1.0
"""Weight of the prior that an idea has no effect: that of one run on an equal task. Chosen by judgement; not
measured."""
NOTHING = 0.25
"""Absolute mean effect, in standard errors, below which an idea keeps its position. Chosen by judgement; not
measured."""
MOST = 3.0
"""Upper limit of the effect of another track, in standard errors. Chosen by judgement; not measured."""


def expected_effects(facts: Facts) -> dict[str, float]:
    """Return the expected effect of each idea, in standard errors, by the ids of ideas.

    It is the mean over all trials, weighted by the similarity of their tasks, and over one more trial with no effect
    and weight `PRIOR`. The effect of a plan with several ideas is divided among them. What another track of this run
    confirmed counts as a trial on an equal task.
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

    Ideas that helped or hurt are sorted by their expected effect. Ideas without trials, and those whose effect is
    smaller than `NOTHING`, keep their order.
    """

    def sort_key(idea: Idea) -> float:
        effect = effects.get(id_of(idea), 0.0)
        return 0.0 if abs(effect) < NOTHING else -effect

    return sorted(ideas, key=sort_key)
