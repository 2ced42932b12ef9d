"""The lessons of a finished run, made from its ledger and its state without a model call."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlestar.lessons.cleaning import Cleaner
from mlestar.lessons.records import MAX_FAILURES, MAX_TRIALS, Failure, Trial
from mlestar.offline.kinds import quoted_ideas
from mlestar.state import Gain, Variant

MAX_IDS = 8


@dataclass(frozen=True)
class Repair:
    """Versions of one script: those that failed, oldest first, and the last one."""

    failed: tuple[str, ...]
    """Texts."""
    errors: tuple[str, ...]
    """The failure of each, in the same order; empty where it is not known."""
    last: str
    works: bool


@dataclass(frozen=True)
class ModelTrial:
    """A first solution."""

    title: str
    """Name of the card."""
    status: str
    gain: Gain | None
    """Gain over the best other first solution of its track; None where there is no other one."""
    seconds: float


@dataclass(frozen=True)
class Material:
    """The input from which lessons are made."""

    plans: Sequence[Mapping[str, Any]] = ()
    """Notes of plans for blocks: the kind `trial` of the ledger."""
    studies: Sequence[Mapping[str, Any]] = ()
    """Notes of ablation studies: the kind `study` of the ledger."""
    models: Sequence[ModelTrial] = ()
    failures: Sequence[str] = ()
    """Distinct failures of scripts."""
    repairs: Sequence[Repair] = ()


def component_of(block: str) -> str:
    """Return the name of the first function of a block, without the letter of a merged model; empty without one."""
    first = re.search(r"^[ \t]*(?:async )?def (\w+)", block, re.MULTILINE)
    return re.sub(r"_[a-z]$", "", first[1]) if first else ""


def make_trials(material: Material, clean: Cleaner) -> tuple[Trial, ...]:
    """Return the trials of a run, as many as a file may hold: models, then plans, then parts."""
    trials = [_model(clean, model) for model in material.models]
    trials += [_plan(clean, note) for note in material.plans if note["plan"]]
    trials += [trial for note in material.studies for trial in _parts(clean, note)]
    return tuple(trials[:MAX_TRIALS])


def _model(clean: Cleaner, model: ModelTrial) -> Trial:
    name = clean.name(model.title) or "model"
    return Trial(kind="model", idea=name, status=model.status, seconds=model.seconds, **_effect(model.gain))


def _plan(clean: Cleaner, note: Mapping[str, Any]) -> Trial:
    gain = Gain.model_validate(note["gain"]) if note["gain"] else None
    ideas = quoted_ideas(note["plan"])
    # The text of a recipe comes from this package and contains nothing about the data.
    idea = "; ".join(ideas.values()) if ideas else clean.idea(note["plan"])
    component = note["component"] if ideas else clean.component(note["component"])
    return Trial(
        kind="idea",
        component=component,
        idea=idea or "plan",
        ids=tuple(ideas)[:MAX_IDS],
        status=note["status"],
        seconds=note["seconds"],
        base_seconds=note["base_seconds"],
        **_effect(gain),
    )


def _parts(clean: Cleaner, note: Mapping[str, Any]) -> Iterable[Trial]:
    """Yield the variants of a study in which a part was switched off or simplified."""
    for variant in (Variant.model_validate(value) for value in note["variants"]):
        if variant.name == "baseline":
            continue
        status = "error" if variant.score is None else "ok"
        yield Trial(
            kind="part",
            idea=clean.component(variant.name) or "part",
            status=status,
            seconds=_two_digits(variant.seconds or 0.0),
            **_effect(variant.gain),
        )


def _effect(gain: Gain | None) -> dict[str, float | None]:
    """Return a gain as it is stored: rounded to two digits of its standard error, as for agents."""
    return {"effect": gain.difference, "error": gain.standard_error} if gain else {"effect": None, "error": None}


def _two_digits(number: float) -> float:
    return float(f"{number:.2g}")


def make_failures(material: Material, clean: Cleaner) -> tuple[Failure, ...]:
    """Return the failures of scripts, the most frequent first, each with its repair."""
    fixes: dict[str, str] = {}
    for repair in material.repairs:
        for error, change in _changes(clean, repair):
            fixes.setdefault(error, change)
    met = Counter(clean.error(failure) for failure in material.failures)
    return tuple(
        Failure(error=error, met=count, fixed_by=fixes.get(error, ""))
        for error, count in met.most_common(MAX_FAILURES)
        if error
    )


def _changes(clean: Cleaner, repair: Repair) -> Iterable[tuple[str, str]]:
    """Yield each failure of a script that its next version did not have, with the change between them."""
    versions = (*repair.failed, repair.last)
    errors = [clean.error(error) if error else "" for error in repair.errors]
    for number, error in enumerate(errors):
        is_last = number + 1 == len(repair.failed)
        gone = repair.works if is_last else errors[number + 1] != error
        change = clean.change(versions[number], versions[number + 1]) if error and gone else ""
        if change:
            yield error, change
