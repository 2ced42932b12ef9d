"""Recipes for one kind of data: models, parts of scripts, ideas and variants, as they are written in `recipe.toml`."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.rewriting import EDITS, Rewrite, add_features, insert, replace_functions, scale_numbers, wrap_fit


@dataclass(frozen=True)
class Model:
    """A kind of model that scripts can be written with."""

    name: str
    imports: tuple[str, ...]
    words: tuple[str, ...]
    """Words for it in the name, libraries or code of a card; the first one is the name of its built-in card."""
    libraries: tuple[str, ...] = ("scikit-learn",)
    default: bool = False
    """Whether it may be used for a card that names no model; the first default model that is installed is used."""
    safe: int = 0
    """Rank among the models for a script that cannot be repaired, 1 for the least demanding; 0 if it is not used."""


@dataclass(frozen=True)
class Idea:
    """One way to improve a part of a script."""

    name: str
    part: str
    """The function it rewrites, without the letter of a merged model."""
    plan: str
    """Three to five sentences, for the coder and the next plans."""
    cues: tuple[str, ...]
    """Words by which a plan with another text is recognized."""
    rewrite: Rewrite
    """Takes and returns the block."""
    requires: str = ""
    """Pattern that the block must contain."""
    times: float = 1.0
    """Factor on the duration of a script, where models are fitted more often or with more rounds."""


@dataclass(frozen=True)
class Variant:
    """One part of a script that an ablation study switches off or simplifies."""

    name: str
    substitutes: Mapping[str, str] = field(default_factory=dict)
    """The replacement of each function, by the name of the function."""
    code: str = ""
    """Code of the replacements that the study does not define itself."""
    requires: str = ""
    """Pattern that the script must contain."""
    parts: tuple[str, ...] = ()
    """Parts of the script whose effect it measures."""


def _prefer_none(facts: Facts) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Kind:
    """A kind of data, and how scripts for it are written and improved."""

    name: str
    order: int
    """Kinds with a lower number are asked first whether they suit a task."""
    suits: Callable[[Facts], bool]
    """Returns whether it has recipes for the data of a task."""
    write_script: Callable[[Facts, Model, str], str]
    """Takes the facts, a model and a title, and returns a whole script."""
    is_usable: Callable[[Facts, Model], bool]
    """Returns whether a model, whose libraries are installed, can be used for the task."""
    find_unused: Callable[[Facts, str], list[str]]
    """Returns the inputs of the task that a script does not use, by name."""
    models: tuple[Model, ...]
    parts: Mapping[str, tuple[str, str]]
    """Blocks of a script, the most promising first: the first and the last function of each."""
    ideas: tuple[Idea, ...]
    common_ideas: bool
    """Its ideas fit scripts of other kinds too, whose functions have the same names and arguments."""
    own_ideas_only: bool
    """Ideas of other kinds do not fit its scripts, although functions have the same names."""
    variants: tuple[Variant, ...]
    own_order: bool = False
    """Its models are proposed in the order of the recipe, not in that of the cards that were retrieved."""
    first_models: Callable[[Facts], Sequence[str]] = _prefer_none
    """Returns the names of the models that are proposed before others, the most promising first."""


def _use_all(facts: Facts, model: Model) -> bool:
    return True


def _miss_none(facts: Facts, script: str) -> list[str]:
    return []


def read_kind(name: str, module: ModuleType) -> Kind:
    """Return the kind of data for which a package has recipes.

    Args:
        name: of the package below `mlestar.offline`; it has a `recipe.toml`.
        module: the package, with `suits` and `write_script`; optional are `is_usable`, `find_unused` and
            `first_models`.
    """
    recipe = tomllib.loads(_folder(name).joinpath("recipe.toml").read_text(encoding="utf-8"))
    return Kind(
        name=recipe["name"],
        order=recipe["order"],
        suits=module.suits,
        write_script=module.write_script,
        is_usable=getattr(module, "is_usable", _use_all),
        find_unused=getattr(module, "find_unused", _miss_none),
        models=tuple(_model(table) for table in recipe.get("models", ())),
        parts={part: (first, last) for part, (first, last) in recipe.get("parts", {}).items()},
        ideas=tuple(_idea(name, table) for table in recipe.get("ideas", ())),
        common_ideas=recipe.get("common_ideas", False),
        own_ideas_only=recipe.get("own_ideas_only", False),
        variants=tuple(_variant(table) for table in recipe.get("variants", ())),
        own_order=recipe.get("own_order", False),
        first_models=getattr(module, "first_models", _prefer_none),
    )


def _folder(name: str) -> Traversable:
    return files(f"mlestar.offline.{name}")


def _model(table: Mapping[str, Any]) -> Model:
    return Model(**{key: _frozen(value) for key, value in table.items()})


def _variant(table: Mapping[str, Any]) -> Variant:
    return Variant(**{key: _frozen(value) for key, value in table.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _idea(kind: str, table: Mapping[str, Any]) -> Idea:
    return Idea(
        name=table["name"],
        part=table["part"],
        plan=" ".join(table["plan"].split()),
        cues=tuple(table["cues"]),
        rewrite=_rewrite(kind, table),
        requires=table.get("requires", ""),
        times=table.get("times", 1.0),
    )


def _rewrite(kind: str, table: Mapping[str, Any]) -> Rewrite:
    """Return the rewrite that implements an idea: the action that its table names.

    Raises:
        ValueError: it names none.
    """
    imports: Sequence[str] = table.get("imports", ())

    def path(name: str) -> str:
        return f"{kind}/ideas/{name}.py.jinja"

    actions: dict[str, Callable[[Any], Rewrite]] = {
        "features": lambda name: add_features(name, path(name), imports),
        "wrap": lambda name: wrap_fit(path(name), imports),
        "insert": lambda name: insert(path(name), table["old"], table["new"], imports),
        "scale": scale_numbers,
        "replace": lambda names: replace_functions({function: path(name) for function, name in names.items()}, imports),
        "edit": lambda name: EDITS[name],
    }
    for action, make in actions.items():
        if action in table:
            return make(table[action])
    msg = f"the idea {table['name']!r} of {kind} has no action: one of {', '.join(actions)}"
    raise ValueError(msg)
