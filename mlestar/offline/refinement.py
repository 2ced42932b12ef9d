"""Choosing a block by its measured effect, and planning what to do with it."""

import re
from collections.abc import Mapping, Sequence

from mlestar.metrics.spec import sign
from mlestar.offline.facts import Facts
from mlestar.offline.surgery import functions
from mlestar.offline.tables.ideas import IDEAS, PARTS, Idea, ideas_for

ORDER = ("fit_predict", "build_features", "make_model", "tune", "group_features", "date_features", "to_scale")
"""Parts in the order in which work on them usually pays."""
_CHOICE = 2
"""Ideas that a block should allow, so that there is a second plan when the first does not help."""
_FLAT = 0.001
"""Share of the baseline's score below which an effect counts as none."""


def effects(facts: Facts) -> dict[str, float]:
    """Return by how much each variant of a study is worse than the baseline; failed variants are left out."""
    graded = {item["name"]: item["score"] for item in facts.data("graded", [])}
    baseline = graded.pop("baseline", None)
    if baseline is None:
        return {}
    factor = sign(facts.spec.direction)
    return {name: factor * (baseline - score) for name, score in graded.items() if score is not None}


def summarize(facts: Facts) -> str:
    """Say what a study found, part by part."""
    graded = {item["name"]: item["score"] for item in facts.data("graded", [])}
    found = effects(facts)
    lines = [f"The unchanged script scores {graded.get('baseline')} ({facts.spec.metric}, {facts.spec.direction})."]
    for name, score in graded.items():
        if name in found:
            verdict = (
                "this part helps"
                if found[name] > 0
                else "no harm without it"
                if found[name] == 0
                else "this part hurts"
            )
            lines.append(f"{name}: {score:.6g}, worse by {found[name]:+.3g}; {verdict}.")
        elif name != "baseline":
            lines.append(f"{name}: failed, nothing is known about this part.")
    if found:
        lines.append(f"{max(found, key=lambda name: abs(found[name]))} has the largest effect and deserves work next.")
    return "\n".join(lines)


def choose_block(facts: Facts) -> tuple[str, str]:
    """Return the block to refine, copied exactly, and the first plan for it."""
    script = facts.text("script")
    blocks = blocks_of(script)
    earlier = {name for section in facts.all("earlier_block") for name in functions(section.text)}
    fresh = {name: text for name, text in blocks.items() if name not in earlier} or blocks
    if not fresh:
        return foreign_block(script)
    rich = {name: text for name, text in fresh.items() if len(ideas_for(text)) >= _CHOICE} or fresh
    name = max(rich, key=lambda name: _rank(name, facts))
    overfits = effects(facts).get("fewer_rounds", 0.0) < 0
    return rich[name], next_plan(rich[name], [], 0 if overfits else facts.track, overfits=overfits)


def blocks_of(script: str) -> dict[str, str]:
    """Return the blocks of a script for which there are ideas, by the name of their first function."""
    lines, found = script.split("\n"), functions(script)
    blocks: dict[str, str] = {}
    for name in found:
        part = re.sub(r"_[a-z]$", "", name)
        if part not in PARTS:
            continue
        last = name.replace(part, PARTS[part][1], 1)
        if last in found:
            start, end = lines.index(found[name].split("\n")[0]), lines.index(found[last].split("\n")[0])
            text = "\n".join(lines[start : end + len(found[last].split("\n"))])
            blocks |= {name: text} if ideas_for(text) else {}
    return blocks


def _rank(name: str, facts: Facts) -> tuple[float, float]:
    """Weigh a block by the effect of the variants that concern it, then by what usually pays."""
    found = effects(facts)
    scale = abs(next((i["score"] for i in facts.data("graded", []) if i["name"] == "baseline" and i["score"]), 1.0))
    part = re.sub(r"_[a-z]$", "", name)
    sizes = [abs(effect) for variant, effect in found.items() if part in _concerned(variant, effect)]
    largest = max(sizes, default=0.0)
    usual = -ORDER.index(part) - (0.5 if name.endswith("_b") else 0.0)
    return (largest if largest > _FLAT * scale else 0.0, usual)


def _concerned(variant: str, effect: float) -> tuple[str, ...]:
    """Return the parts that a variant tells about."""
    if variant == "fewer_rounds" and effect < 0:
        return ("make_model",)
    for key, parts in _VARIANTS.items():
        if variant.startswith(key):
            return parts
    return ("build_features", variant.removeprefix("without_"))


_VARIANTS: Mapping[str, tuple[str, ...]] = {
    "fewer_rounds": ("fit_predict", "make_model"),
    "only_model": ("fit_predict",),
    "untuned": ("tune",),
    "plain_scale": ("to_scale",),
}


def next_plan(block: str, tried: Sequence[str], turn: int, better: Sequence[str] = (), *, overfits: bool = True) -> str:
    """Return a plan that differs from those tried; it keeps an idea that helped and adds another."""
    ideas = ideas_for(block)
    told = " ".join(" ".join(plan.split()) for plan in tried)
    fresh = [idea for idea in ideas if idea.plan not in told]
    fresh.sort(key=lambda idea: idea.name == "fewer rounds" and not overfits)
    if not fresh:
        return _again(ideas, told)
    chosen = fresh[turn % min(2, len(fresh))] if not tried else fresh[0]
    kept = [idea for idea in ideas if any(idea.plan in " ".join(plan.split()) for plan in better)]
    return " ".join([*(idea.plan for idea in kept[:1] if idea is not chosen), chosen.plan])


def _again(ideas: Sequence[Idea], told: str) -> str:
    """Return two ideas together when each was tried alone."""
    for left in ideas:
        for right in ideas:
            if left is not right and f"{left.plan} {right.plan}" not in told:
                return f"{left.plan} {right.plan}"
    return (
        "Halve the learning rate and double the number of rounds of every model in the block, keeping everything else."
    )


def plan_next(facts: Facts) -> str:
    """Return the next plan for a block from how the earlier ones did."""
    tried = [(section.text, _score(section.attributes.get("score", ""))) for section in facts.all("attempt_record")]
    factor = sign(facts.spec.direction)
    baseline = _score(facts.text("baseline"))
    known = [(factor * score, plan) for plan, score in tried if score is not None]
    limit = float("inf") if baseline is None else factor * baseline
    better = [plan for score, plan in sorted(known, reverse=True) if score > limit]
    return next_plan(facts.text("block"), [plan for plan, _ in tried], facts.track, better)


def _score(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def foreign_block(script: str) -> tuple[str, str]:
    """Return the function of a script of unknown make that names a model, or else its longest."""
    found = functions(script)
    models = [text for text in found.values() if re.search(r"n_estimators|learning_rate|max_iter|iterations", text)]
    wanted = next(idea for idea in IDEAS if idea.name == "slower")
    lines = [line for line in script.split("\n") if re.search(r"n_estimators=|learning_rate=|max_iter=", line)]
    unique = next((line for line in lines if script.count(line) == 1), "")
    block = min(models, key=len) if models else unique or max(found.values(), key=len, default=script[:2000])
    return block, wanted.plan
