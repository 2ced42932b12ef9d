"""Choosing a block by its measured effect, and planning how to improve it."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from types import MappingProxyType

from mlestar.metrics.spec import sign
from mlestar.offline.adapting.scoring import SCORE_MARK
from mlestar.offline.facts import Facts
from mlestar.offline.ideas import carry_out, ideas_for, plans_of_numbers
from mlestar.offline.kinds import all_ideas, all_parts, all_variants, find_kind, id_of, parts_by_gain
from mlestar.offline.lessons import MOST, expected_effects, order_ideas
from mlestar.offline.recipe import Idea, Kind
from mlestar.offline.sections import Section
from mlestar.offline.surgery import functions

_MIN_IDEAS = 2
"""Ideas that a block should allow, so that there is a second plan when the first does not help."""
_MIN_EFFECT = 0.001
"""Share of the baseline's score below which an effect without a standard error counts as none. Chosen by judgement; not
measured."""
_PARTS_OF_VARIANT: Mapping[str, tuple[str, ...]] = {
    "fewer_rounds": ("fit_predict", "make_model"),
    "only_model": ("fit_predict",),
    "untuned": ("tune",),
    "plain_scale": ("to_scale",),
}
"""By the beginning of a variant's name: the parts whose effect it measures."""
_MOST_COMBINED = 3
"""Ideas in one plan, when each was tried alone. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Effect:
    """By how much a variant of a study is worse than the baseline."""

    difference: float
    """Positive when the part that is switched off helps, for metrics of both directions."""
    standard_error: float | None
    """Of the difference on the same rows; None where only the two scores are known."""
    scale: float = 1.0
    """Size of the baseline's score."""

    @property
    def is_confirmed(self) -> bool:
        """Whether it is larger than its standard error, or than a small share of the score where no error is known."""
        least = _MIN_EFFECT * self.scale if self.standard_error is None else self.standard_error
        return abs(self.difference) > least


def effects(facts: Facts) -> dict[str, Effect]:
    """Return the effect of each variant of a study; failed variants are left out."""
    scores = _scores(facts)
    baseline = scores.pop("baseline", None)
    if baseline is None:
        return {}
    factor, gains = sign(facts.spec.direction), _gains(facts)
    scale = abs(baseline) or 1.0
    by_scores = {
        name: Effect(factor * (baseline - score), None, scale) for name, score in scores.items() if score is not None
    }
    return {name: gains.get(name, effect) for name, effect in by_scores.items()}


def _gains(facts: Facts) -> dict[str, Effect]:
    """Return the effects of the variants that were compared with the baseline on the same rows."""
    gains = {item["name"]: item.get("gain") for item in facts.data("graded", [])}
    return {
        name: Effect(-float(gain["difference"]), float(gain["standard_error"])) for name, gain in gains.items() if gain
    }


def summarize_effects(facts: Facts) -> str:
    """Return the results of a study in words, part by part, the differences with their standard errors."""
    scores, by_variant = _scores(facts), effects(facts)
    lines = [f"The unchanged script scores {scores.get('baseline')} ({facts.spec.metric}, {facts.spec.direction})."]
    for name, score in scores.items():
        if name in by_variant:
            lines.append(f"{name}: {score:.6g}, {_describe(by_variant[name])}.")
        elif name != "baseline":
            lines.append(f"{name}: failed, so the effect of this part is unknown.")
    confirmed = {name: effect for name, effect in by_variant.items() if effect.is_confirmed}
    if confirmed:
        largest = max(confirmed, key=lambda name: abs(confirmed[name].difference))
        lines.append(f"{largest} has the largest effect: refine this part next.")
    elif by_variant:
        lines.append("No part has an effect larger than its error: refine a part that this study has not covered.")
    return "\n".join(lines)


def _scores(facts: Facts) -> dict[str, float | None]:
    """Return the graded score of every variant and of the baseline."""
    scores = {item["name"]: item["score"] for item in facts.data("graded", [])}
    return {name: score if isinstance(score, float | int) else None for name, score in scores.items()}


def _describe(effect: Effect) -> str:
    change = "worse" if effect.difference > 0 else "better"
    error = "" if effect.standard_error is None else f" +- {effect.standard_error:.2g}"
    size = f"{change} by {abs(effect.difference):.3g}{error}"
    if not effect.is_confirmed:
        return f"{size}; no visible effect"
    return f"{size}; this part {'helps' if effect.difference > 0 else 'hurts'}"


def choose_block(facts: Facts) -> tuple[str, str]:
    """Return the block to refine, copied exactly, and the first plan for it."""
    script = facts.text("script")
    kind = find_kind(facts)
    blocks = blocks_of(script, kind)
    earlier = {name for section in facts.all("earlier_block") for name in functions(section.text)}
    new_blocks = {name: text for name, text in blocks.items() if name not in earlier}
    candidates = new_blocks or blocks
    if not candidates:
        return foreign_block(script)
    name = max(candidates, key=lambda name: _rank(name, candidates[name], facts, kind))
    overfits = _overfits(facts)
    turn = 0 if overfits else facts.track
    most_times = _most_times(facts)
    plan = next_plan(
        candidates[name],
        [],
        turn,
        kind=kind,
        overfits=overfits,
        most_times=most_times,
        expected=_expected(facts, overfits),
    )
    return candidates[name], plan


def _expected(facts: Facts, overfits: bool) -> Mapping[str, float]:
    """Return the expected effects of ideas; the idea of fewer rounds comes first where a study found that it helps."""
    expected = expected_effects(facts)
    measured = [id_of(idea) for idea in all_ideas() if idea.name == "fewer rounds"] if overfits and expected else []
    return {**expected, **dict.fromkeys(measured, MOST)}


def blocks_of(script: str, kind: Kind | None = None) -> dict[str, str]:
    """Return the blocks of a script for which there are ideas, by the name of their first function."""
    lines, texts, parts = script.split("\n"), functions(script), all_parts()
    blocks: dict[str, str] = {}
    for name in texts:
        part = _part(name)
        if part not in parts:
            continue
        last = name.replace(part, parts[part][1], 1)
        if last not in texts:
            continue
        start, end = lines.index(texts[name].split("\n")[0]), lines.index(texts[last].split("\n")[0])
        block = "\n".join(lines[start : end + len(texts[last].split("\n"))])
        if ideas_for(block, kind):
            blocks[name] = block
    return blocks


def _part(name: str) -> str:
    """Return the name of a function without the letter of a merged model."""
    return re.sub(r"_[a-z]$", "", name)


def _overfits(facts: Facts) -> bool:
    """Return whether fewer rounds scored better."""
    fewer = effects(facts).get("fewer_rounds")
    return fewer is not None and fewer.difference < 0


def _rank(name: str, block: str, facts: Facts, kind: Kind | None) -> tuple[int, float, bool, float]:
    """Return the priority of a block as a sort key; larger is better.

    Blocks with a confirmed effect come first, sorted by its size; then blocks that no variant measured, those with
    several ideas before others, in the order of `parts_by_gain`; then blocks without a confirmed effect.
    """
    part = _part(name)
    measured = [effect for variant, effect in effects(facts).items() if part in _measured_parts(variant, effect)]
    confirmed = [abs(effect.difference) for effect in measured if effect.is_confirmed]
    level = 2 if confirmed else 0 if measured else 1
    second_model = 0.5 if name.endswith("_b") else 0.0
    has_choice = len(ideas_for(block, kind)) >= _MIN_IDEAS
    return level, max(confirmed, default=0.0), has_choice, -parts_by_gain(kind).index(part) - second_model


def _measured_parts(variant: str, effect: Effect) -> tuple[str, ...]:
    """Return the parts whose effect a variant measures."""
    # Where fewer rounds are not clearly worse, the variant does not measure the other parts of the models.
    if variant == "fewer_rounds" and (effect.difference < 0 or not effect.is_confirmed):
        return ("make_model",)
    own = {one.name: one.parts for one in all_variants() if one.parts}
    for beginning, parts in {**own, **_PARTS_OF_VARIANT}.items():
        if variant.startswith(beginning):
            return parts
    return ("build_features", variant.removeprefix("without_"))


def plan_next(facts: Facts) -> str:
    """Return the next plan for a block, depending on the scores of the earlier ones."""
    records = facts.all("attempt_record")
    gains = [(_gain(record, facts), record.text) for record in records]
    ranked = sorted(((gain, plan) for gain, plan in gains if gain is not None), reverse=True)
    better = [plan for gain, plan in ranked if gain > 0]
    earlier = [record.text for record in records]
    kind, most_times = find_kind(facts), _most_times(facts)
    block, expected = facts.text("block"), expected_effects(facts)
    return next_plan(block, earlier, facts.track, better, kind=kind, most_times=most_times, expected=expected)


def _most_times(facts: Facts) -> float:
    """Return the factor by which a script may take longer within its time limit, given its measured duration."""
    seconds = float(facts.data("measured", {}).get("seconds") or 0.0)
    return facts.seconds / seconds if seconds else math.inf


def _gain(record: Section, facts: Facts) -> float | None:
    """Return by how much an attempt is better than the baseline: as measured on the same rows, else by the scores."""
    gain = _number(record.attributes.get("gain", ""))
    if gain is not None:
        return gain
    score, baseline = _number(record.attributes.get("score", "")), _number(facts.text("baseline"))
    return None if score is None or baseline is None else sign(facts.spec.direction) * (score - baseline)


def next_plan(
    block: str,
    earlier: Sequence[str],
    turn: int,
    better: Sequence[str] = (),
    *,
    kind: Kind | None = None,
    overfits: bool = True,
    most_times: float = math.inf,
    expected: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Return a plan whose block differs from the earlier ones; it keeps an idea that helped and adds another.

    After all ideas were tried alone, plans combine several ideas, and then change single arguments. The last plan is
    repeated only when no other plan is left.

    Args:
        block: code to improve.
        earlier: plans for it that were tried.
        turn: number of the track; it alternates between the two best ideas, so that tracks begin differently.
        better: those of the earlier plans that scored better than the baseline, the best first.
        kind: of the data, for ideas that fit its scripts.
        overfits: whether fewer rounds scored better; otherwise this idea comes last.
        most_times: factor by which the script may take longer; ideas that take longer are not tried.
        expected: effects of ideas by their ids, from lessons.
    """
    ideas = order_ideas(_affordable(ideas_for(block, kind), most_times), expected)
    earlier_texts = [" ".join(plan.split()) for plan in earlier]
    untried = [idea for idea in ideas if not any(idea.plan in text for text in earlier_texts)]
    untried.sort(key=lambda idea: idea.name == "fewer rounds" and not overfits)
    if untried and not earlier:
        untried.insert(0, untried.pop(turn % min(2, len(untried))))
    helpful = [idea for idea in ideas if any(idea.plan in " ".join(plan.split()) for plan in better)]
    plans = chain(
        _add_ideas(helpful[:1], untried, most_times),
        _combine_ideas(ideas, most_times),
        plans_of_numbers(block, most_times),
    )
    made = {block, *(carry_out(block, plan) for plan in earlier)}
    # Where no plan is left, the contract of the planner rejects the repeated plan, and nothing is executed.
    last = earlier[-1] if earlier else _slower_plan()
    return next((plan for plan in plans if carry_out(block, plan) not in made), last)


def _affordable(ideas: Sequence[Idea], most_times: float) -> list[Idea]:
    """Return the ideas with which the script ends within its limit; the quickest one where none does."""
    affordable = [idea for idea in ideas if idea.times <= most_times]
    return affordable or sorted(ideas, key=lambda idea: idea.times)[:1]


def _add_ideas(helpful: Sequence[Idea], ideas: Sequence[Idea], most_times: float) -> Iterator[str]:
    """Yield plans of one idea each, first together with the ideas that helped if there is time."""
    for idea in ideas:
        if math.prod(part.times for part in (*helpful, idea)) <= most_times:
            yield " ".join(part.plan for part in (*helpful, idea))
        yield idea.plan


def _combine_ideas(ideas: Sequence[Idea], most_times: float) -> Iterator[str]:
    """Yield plans of two ideas, then of more."""
    for count in range(2, _MOST_COMBINED + 1):
        for chosen in combinations(ideas, count):
            if math.prod(idea.times for idea in chosen) <= most_times:
                yield " ".join(idea.plan for idea in chosen)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def foreign_block(script: str) -> tuple[str, str]:
    """Return a block of a script that this engineer did not write, and a plan that slows down learning.

    It is the shortest function with an argument such as `n_estimators`, else a unique line with one, else the longest
    function; never a part of the score that was added to a person's own script.
    """
    script = script.partition(SCORE_MARK)[0]
    texts = functions(script)
    models = [text for text in texts.values() if re.search(r"n_estimators|learning_rate|max_iter|iterations", text)]
    lines = [line for line in script.split("\n") if re.search(r"n_estimators=|learning_rate=|max_iter=", line)]
    unique_line = next((line for line in lines if script.count(line) == 1), "")
    if models:
        return min(models, key=len), _slower_plan()
    return unique_line or max(texts.values(), key=len, default=script[:2000]), _slower_plan()


def _slower_plan() -> str:
    return next(idea.plan for idea in all_ideas() if idea.name == "slower")
