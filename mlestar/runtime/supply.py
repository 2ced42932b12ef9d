"""What agents are told about packages and weights that scripts may declare."""

import asyncio
from pathlib import Path

from packaging.utils import canonicalize_name

from mlestar.retrieval import catalogue_libraries
from mlestar.runners import Environment
from mlestar.runners.supply.weights import WeightStore
from mlestar.settings import Settings
from mlestar.state import Supply

NAMED_WEIGHTS = 20
"""Weights of the store that prompts name. Chosen by judgement; not measured."""


async def describe_supply(settings: Settings, environment: Environment) -> Supply:
    """Return what scripts may declare besides what the sandbox has."""
    packages = "image"
    held = await asyncio.to_thread(_list_weights, settings.weights_dir)
    return Supply(
        packages=packages,
        weights=settings.weights,
        held=tuple(held[:NAMED_WEIGHTS]),
        allowed=_list_allowed(packages, environment),
        folders=tuple(folder.name for folder in settings.weights_folder),
    )


def _list_weights(folder: Path) -> list[str]:
    return sorted(entry.shown_address for entry in WeightStore(folder).index().entries.values())


def _list_allowed(packages: str, environment: Environment) -> tuple[str, ...]:
    """Return the libraries of the catalogue that the sandbox lacks, where these may be added."""
    if packages != "auto":
        return ()
    names = {canonicalize_name(name) for name in (*environment.distributions, *environment.packages)}
    return tuple(name for name in catalogue_libraries() if name not in names)
