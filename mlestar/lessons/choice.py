"""The summary of earlier runs in the prompts of a run: the most similar tasks first, and of limited length."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from mlestar.lessons.facts import similarity
from mlestar.lessons.records import Failure, RunLessons, TaskFacts, Trial
from mlestar.state import KnownFailure, PromptLessons, TriedIdea, TriedModel

MIN_SIMILARITY = 0.5
"""Similarity from which ideas, parts and models of a task are shown; its kind of data must be the same, since ideas for
tables cannot be used for pictures. Failures of any task are shown. Chosen by judgement; not measured."""
MAX_EFFECT = 3.0
"""Upper limit of one effect, in standard errors, so that a single run does not determine the result. Chosen by
judgement; not measured."""
FAILED_EFFECT = -1.0
"""Effect of a trial whose script failed: that of a trial that is worse by one standard error. Chosen by judgement; not
measured."""
LIMITS = {"ideas": 4000, "parts": 1000, "models": 1000, "failures": 2500}
"""Characters of JSON of each list in a prompt. A prompt has at most 5,000 of them, about 1,250 tokens: a third of what
a task's description may have. Chosen by judgement; not measured."""
WITHOUT_RESULT = ("refused", "unwritten")
"""Statuses of trials that are not evidence about the idea."""

Shown = TypeVar("Shown", bound=BaseModel)


@dataclass(frozen=True)
class _Seen:
    """A trial with its run and the similarity of its task."""

    trial: Trial
    run: RunLessons
    similarity: float


def choose_lessons(runs: Sequence[RunLessons], facts: TaskFacts) -> PromptLessons:
    """Return what the prompts of a run on a task with these facts contain.

    A trial with the same result in several runs of one task, such as in a run and its fork, counts once.
    """
    ranked = sorted(((similarity(run.facts, facts), run) for run in runs), key=lambda pair: (-pair[0], pair[1].run))
    near = [(share, run) for share, run in ranked if share >= MIN_SIMILARITY and run.facts.kind == facts.kind]
    seen = list(_different(near))
    chosen = PromptLessons(
        runs=len(runs),
        ideas=_fit("ideas", _bring_together(one for one in seen if one.trial.kind == "idea")),
        parts=_fit("parts", _bring_together(one for one in seen if one.trial.kind == "part")),
        models=_fit("models", _count_models(one for one in seen if one.trial.kind == "model")),
        failures=_fit(
            "failures", _count_failures((share, failure) for share, run in ranked for failure in run.failures)
        ),
    )
    is_empty = not (chosen.ideas or chosen.parts or chosen.models or chosen.failures)
    return PromptLessons() if is_empty else chosen


def _different(runs: Iterable[tuple[float, RunLessons]]) -> Iterable[_Seen]:
    seen: set[str] = set()
    for share, run in runs:
        for trial in run.trials:
            key = f"{run.task or run.run} {trial.model_dump_json(exclude={'seconds', 'base_seconds'})}"
            if key not in seen and trial.status not in WITHOUT_RESULT:
                seen.add(key)
                yield _Seen(trial, run, share)


def effect_of(trial: Trial) -> float | None:
    """Return a trial's gain in units of its standard error, within limits; None where nothing was compared."""
    if trial.status != "ok":
        return FAILED_EFFECT
    if trial.effect is None or not trial.error:
        return None
    return max(-MAX_EFFECT, min(MAX_EFFECT, trial.effect / trial.error))


def _bring_together(trials: Iterable[_Seen]) -> list[TriedIdea]:
    """Return each idea once, those of the most similar tasks first, then those with the clearest effect."""
    groups = defaultdict[tuple[object, ...], list[_Seen]](list)
    for one in trials:
        groups[one.trial.ids or (one.trial.component, one.trial.idea.lower())].append(one)
    ideas = [idea for group in groups.values() if (idea := _summarize(group))]
    return sorted(ideas, key=lambda idea: (-idea.similarity, -abs(idea.effect) * idea.weight, idea.idea))


def _summarize(group: Sequence[_Seen]) -> TriedIdea | None:
    """Return the summary of the trials of one idea; None where no trial is evidence about it."""
    known = _known(group)
    mean, weight = _mean(known)
    if not weight:
        return None
    ran = [(effect, one) for effect, one in known if one.trial.status == "ok"]
    times = [one.trial.seconds / one.trial.base_seconds for _, one in ran if one.trial.base_seconds]
    first = known[0][1].trial
    return TriedIdea(
        idea=first.idea,
        component=first.component,
        ids=first.ids,
        runs=len({one.run.run for _, one in known}),
        helped=sum(effect > 1 for effect, _ in ran),
        hurt=sum(effect < -1 for effect, _ in ran),
        failed=len(known) - len(ran),
        effect=round(mean, 2),
        weight=round(weight, 2),
        similarity=round(max(one.similarity for _, one in known), 2),
        times=round(sum(times) / len(times), 1) if times else None,
    )


def _known(group: Sequence[_Seen]) -> list[tuple[float, _Seen]]:
    return [(effect, one) for one in group if (effect := effect_of(one.trial)) is not None]


def _mean(known: Sequence[tuple[float, _Seen]]) -> tuple[float, float]:
    """Return the mean effect and its total weight: the weight of each run is the similarity of its task.

    The trials of one run share its weight, so that no file counts more than one run.
    """
    trials = Counter(one.run.run for _, one in known)
    weights = [one.similarity / trials[one.run.run] for _, one in known]
    weight = sum(weights)
    total = sum(effect * own for (effect, _), own in zip(known, weights, strict=True))
    return (total / weight, weight) if weight else (0.0, 0.0)


def _count_models(trials: Iterable[_Seen]) -> list[TriedModel]:
    groups = defaultdict[str, list[_Seen]](list)
    for one in trials:
        groups[one.trial.idea.lower()].append(one)
    models = [_summarize_model(group) for group in groups.values()]
    return sorted(models, key=lambda model: (-model.similarity, -model.effect, model.model))


def _summarize_model(group: Sequence[_Seen]) -> TriedModel:
    return TriedModel(
        model=group[0].trial.idea,
        runs=len({one.run.run for one in group}),
        best=sum(one.trial.status == "ok" and (one.trial.effect or 0.0) > 0 for one in group),
        failed=sum(one.trial.status != "ok" for one in group),
        effect=round(_mean(_known(group))[0], 2),
        similarity=round(max(one.similarity for one in group), 2),
    )


def _count_failures(failures: Iterable[tuple[float, Failure]]) -> list[KnownFailure]:
    """Return the distinct failures with the repair of the most similar task; repaired ones come first."""
    groups = defaultdict[str, list[tuple[float, Failure]]](list)
    for share, failure in failures:
        groups[failure.error].append((share, failure))
    known = [
        KnownFailure(
            error=error,
            met=sum(failure.met for _, failure in group),
            fixed_by=next((failure.fixed_by for _, failure in group if failure.fixed_by), ""),
            similarity=round(max(share for share, _ in group), 2),
        )
        for error, group in groups.items()
    ]
    return sorted(known, key=lambda failure: (not failure.fixed_by, -failure.similarity, -failure.met, failure.error))


def _fit(name: str, items: Sequence[Shown]) -> tuple[Shown, ...]:
    """Return as many of the first items as fit into the limit of their list."""
    kept, left = list[Shown](), LIMITS[name]
    for item in items:
        left -= len(json.dumps(item.model_dump(mode="json"), ensure_ascii=True)) + 2
        if left < 0:
            break
        kept.append(item)
    return tuple(kept)
