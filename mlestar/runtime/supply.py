"""What agents are told about packages and weights that scripts may declare."""

import asyncio
from pathlib import Path

from packaging.utils import canonicalize_name

from mlestar.retrieval import catalogue_libraries
from mlestar.runners import Environment
from mlestar.runners.supply.names import VARIANTS
from mlestar.runners.supply.packages.policy import PackagePolicy, make_policy
from mlestar.runners.supply.weights import WeightStore
from mlestar.settings import Settings
from mlestar.state import Supply
from mlestar.store import Ledger, key_of

NAMED_WEIGHTS = 20
"""Weights of the store that prompts name. Chosen by judgement; not measured."""


async def describe_supply(
    settings: Settings, environment: Environment | None, ledger: Ledger | None = None, *, installs: bool = True
) -> Supply:
    """Return what scripts may declare besides what the sandbox has, as far as that is known.

    Args:
        settings: of the run.
        environment: of the runner; None where it is not known.
        ledger: of the run. It keeps which weights were in the store when the run began: the run itself adds some, and
            a different prompt would be a different call in a fork.
        installs: whether the runner can add packages.
    """
    policy = await asyncio.to_thread(make_policy, settings.packages, catalogue_libraries())
    stored = await asyncio.to_thread(_list_weights, settings.weights_dir)
    if ledger is not None:
        key = key_of("stored_weights", settings.weights)
        await asyncio.to_thread(ledger.note, "step_facts", key, {"stored": stored[:NAMED_WEIGHTS]})
        stored = (await asyncio.to_thread(ledger.recall, key) or {})["stored"]
    return Supply(
        packages=policy.kind if installs else "image",
        weights=settings.weights,
        stored_weights=tuple(stored[:NAMED_WEIGHTS]),
        allowed=_list_allowed(policy, environment) if installs else (),
        folders=tuple(folder.name for folder in settings.weights_folder),
    )


def _list_weights(folder: Path) -> list[str]:
    return sorted(entry.shown_address for entry in WeightStore(folder).index().entries.values())


def _list_allowed(policy: PackagePolicy, environment: Environment | None) -> tuple[str, ...]:
    """Return the libraries that may be added and that the sandbox lacks; none where a person is asked."""
    if policy.kind not in ("auto", "file"):
        return ()
    names = () if environment is None else (*environment.distributions, *environment.packages)
    installed = {canonicalize_name(name) for name in names}
    installed |= {canonicalize_name(name) for name, variants in VARIANTS.items() if installed & {*variants}}
    return tuple(f"{name}{versions}" for name, versions in sorted(policy.allowed.items()) if name not in installed)
