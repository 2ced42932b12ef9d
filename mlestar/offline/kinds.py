"""The kinds of data that the offline engineer has recipes for: the packages beside this module with a `recipe.toml`."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.recipe import Idea, Kind, Model, Variant, read_kind

_NO_RECIPE = "the offline engineer has no recipe for such data: choose a language model for this task with --model"
_FOLDER = Path(__file__).parent


@functools.cache
def all_kinds() -> tuple[Kind, ...]:
    """Return all kinds in the order in which they are asked whether they suit a task."""
    return tuple(sorted(_read_kinds(), key=lambda kind: kind.order))


def _read_kinds() -> Iterator[Kind]:
    for module in pkgutil.iter_modules([str(_FOLDER)]):
        if module.ispkg and (_FOLDER / module.name / "recipe.toml").is_file():
            yield read_kind(module.name, importlib.import_module(f"mlestar.offline.{module.name}"))


def find_kind(facts: Facts) -> Kind | None:
    """Return the kind of data of a task; None when there are no recipes for it."""
    return next((kind for kind in all_kinds() if kind.suits(facts)), None)


def all_ideas() -> tuple[Idea, ...]:
    """Return the ideas of all kinds."""
    return tuple(idea for kind in all_kinds() for idea in kind.ideas)


def name_of(kind: Kind, idea: Idea) -> str:
    """Return the unique id of an idea."""
    return f"{kind.name}/{idea.part}/{idea.name}"


@functools.cache
def _ids() -> dict[str, tuple[str, Idea]]:
    """Return the ideas of all kinds with their ids, by their plans."""
    return {idea.plan: (name_of(kind, idea), idea) for kind in all_kinds() for idea in kind.ideas}


def id_of(idea: Idea) -> str:
    """Return the id of an idea of a recipe."""
    return _ids()[idea.plan][0]


def quoted_ideas(plan: str) -> dict[str, str]:
    """Return the ideas of recipes that a plan quotes, by id: the name and the first sentence of the plan of each."""
    text = " ".join(plan.split())
    quoted = [entry for idea_plan, entry in _ids().items() if idea_plan in text]
    return {name: f"{idea.name}: {idea.plan.partition('. ')[0]}" for name, idea in quoted}


def ideas_of(kind: Kind | None) -> tuple[Idea, ...]:
    """Return the ideas that may fit scripts of a kind, its own before the common ones."""
    if kind is not None and kind.own_ideas_only:
        return kind.ideas
    common = (other.ideas for other in all_kinds() if other.common_ideas and other is not kind)
    return (*(kind.ideas if kind else ()), *chain.from_iterable(common))


def all_variants() -> tuple[Variant, ...]:
    """Return the variants of all kinds; `requires` of each tells in which scripts it can be used."""
    return tuple(variant for kind in all_kinds() for variant in kind.variants)


def all_parts() -> dict[str, tuple[str, str]]:
    """Return the parts of the scripts of all kinds."""
    return {name: functions for kind in all_kinds() for name, functions in kind.parts.items()}


def parts_by_gain(kind: Kind | None) -> tuple[str, ...]:
    """Return the parts of scripts in the order in which work on them usually pays, those of a kind before others."""
    own = tuple(kind.parts) if kind else ()
    return (*own, *(name for name in all_parts() if name not in own))


def usable_models(kind: Kind, facts: Facts) -> list[Model]:
    """Return the models of a kind that are installed and can be used for the task."""
    return [model for model in kind.models if is_installed(model, facts) and kind.is_usable(facts, model)]


def safe_models(kind: Kind, facts: Facts) -> list[Model]:
    """Return the models for a script that cannot be repaired, the least demanding first."""
    return sorted((model for model in usable_models(kind, facts) if model.safe), key=lambda model: model.safe)


def write_first(facts: Facts, card: dict[str, Any], title: str) -> str:
    """Return a script with the model of a card; one that fails with a message where there are no recipes."""
    kind = find_kind(facts)
    return kind.write_script(facts, choose_model(card, kind, facts), title) if kind else refuse(title)


def refuse(title: str) -> str:
    """Return a script that fails with a message: there is no recipe for the data, so a language model is needed."""
    why = "It prints no Final Validation Performance and writes no submission.csv."
    return f'''"""{title.replace('"', "'")}\n\n{why}\n"""\n\nraise SystemExit({_NO_RECIPE!r})\n'''


def choose_model(card: dict[str, Any], kind: Kind, facts: Facts) -> Model:
    """Return the model that a card names in its name, libraries or code, in this order; otherwise the default one."""
    texts = (card.get("name", ""), " ".join(card.get("libraries", ())), card.get("example_code", ""))
    installed = [model for model in kind.models if is_installed(model, facts)]
    for text in texts:
        for model in installed:
            if any(word in str(text).lower() for word in model.words):
                return model
    return next(model for model in installed if model.default)


def is_installed(model: Model, facts: Facts) -> bool:
    """Return whether the sandbox has the libraries of a model; scikit-learn is always installed."""
    return set(model.libraries) - {"scikit-learn"} <= facts.packages
