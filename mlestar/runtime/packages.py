"""Packages that the scripts of a run declare: allowed by the policy, resolved once, added to what the runner has."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cached_property

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlestar.retrieval import Exclusion, catalogue_libraries
from mlestar.runners import Environment, Installer, Runner
from mlestar.runners.supply.names import VARIANTS
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError, PackageRequest, read_lock
from mlestar.runners.supply.packages.policy import PackagePolicy, make_policy
from mlestar.runtime.answers import ask_permission
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger, key_of

logger = logging.getLogger("mlestar.runtime")


class RunPackages:
    """Supplies the packages of one run within the policy of its settings."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        blobs: Blobs,
        runner: Callable[[], Awaitable[Runner]],
        exclusion: Exclusion,
    ) -> None:
        """Describe what may be supplied.

        Args:
            settings: of the run.
            ledger: keeps what was resolved, so that a run uses one version throughout, and what was refused.
            blobs: keep the locks.
            runner: returns the runner of the run.
            exclusion: what may not be used, whatever the policy.
        """
        self._settings = settings
        self._ledger = ledger
        self._blobs = blobs
        self._runner = runner
        self._exclusion = exclusion
        self._one_at_a_time = asyncio.Lock()

    async def supply(self, dependencies: tuple[str, ...], environment: Environment) -> tuple[str, str]:
        """Return the base that has the packages and the blob of their lock; both empty when nothing is missing.

        Raises:
            PackageError: a package may not be added, or cannot be.
            RunnerError: no package can be added now.
        """
        missing = await self._missing(dependencies, environment)
        if not missing:
            return "", ""
        await self._ask(missing)
        runner = await self._runner()
        if not isinstance(runner, Installer):
            msg = f"{', '.join(missing)}: the runner {runner.name} cannot add packages; use what is installed"
            raise PackageError(msg)
        async with self._one_at_a_time:
            blob, lock = await self._lock(runner, missing, environment)
            base = await runner.install(lock, self._limits) if lock.packages else ""
        return base, blob

    async def recall(self, dependencies: tuple[str, ...], environment: Environment) -> str | None:
        """Return the blob of the lock that this run has for a declaration, empty when nothing is missing; None without.

        Raises:
            PackageError: a package may not be added.
        """
        missing = await self._missing(dependencies, environment)
        fact = (
            await asyncio.to_thread(self._ledger.recall, self._key(missing, environment)) if missing else {"lock": ""}
        )
        return None if fact is None else str(fact["lock"])

    async def _missing(self, dependencies: tuple[str, ...], environment: Environment) -> tuple[str, ...]:
        """Return what must be added, as requirements within the allowed versions.

        Raises:
            PackageError: a package may not be added.
        """
        if not dependencies:
            return ()
        installed = _installed(environment)
        for name in (Requirement(text).name for text in dependencies):
            if reason := environment.broken.get(canonicalize_name(name)):
                msg = f"{name} is installed in the sandbox and cannot be imported ({reason}): use another package"
                raise PackageError(msg)
            if canonicalize_name(name) not in installed:
                await self._check_exclusion(name)
        return self._policy.missing(dependencies, installed, _markers(environment))

    def _key(self, missing: tuple[str, ...], environment: Environment) -> str:
        return key_of("packages", sorted(missing), environment.image, environment.python, self._settings.source_builds)

    @cached_property
    def _policy(self) -> PackagePolicy:
        return make_policy(self._settings.packages, catalogue_libraries())

    @property
    def _limits(self) -> InstallLimits:
        settings = self._settings
        return InstallLimits(
            mb=settings.package_mb,
            seconds=settings.package_seconds,
            count=settings.package_count,
            source_builds=settings.source_builds,
        )

    async def _lock(self, runner: Installer, missing: tuple[str, ...], environment: Environment) -> tuple[str, Lock]:
        """Return the lock of this run for a declaration, and its blob; no blob where nothing must be added."""
        key = self._key(missing, environment)
        fact = await asyncio.to_thread(self._ledger.recall, key)
        if fact is not None:
            text = await asyncio.to_thread(self._blobs.text, fact["lock"]) if fact["lock"] else ""
            return fact["lock"], read_lock(text)
        request = PackageRequest(requirements=missing, provided=_provided(environment), limits=self._limits)
        lock = await runner.resolve(request)
        for package in lock.packages:
            await self._check_exclusion(package.name)
        # All that an extra of an installed package asks for may be installed as well.
        blob = await asyncio.to_thread(self._blobs.put, lock.text) if lock.packages else ""
        await asyncio.to_thread(self._ledger.note, "packages", key, {"declared": list(missing), "lock": blob})
        return blob, lock

    async def _ask(self, missing: tuple[str, ...]) -> None:
        """Ask a person where the policy says so.

        Raises:
            PackageError: the person refuses, or nobody can be asked.
        """
        if self._policy.kind != "ask":
            return
        names = tuple(sorted(missing))
        allowed = await ask_permission(self._ledger, "packages", names, {"packages": list(names)})
        if allowed is None:
            msg = f"{', '.join(names)} may not be added: nobody can be asked here (`--packages auto` or a file of "
            raise PackageError(msg + "allowed packages needs no answer); use what is installed")
        if not allowed:
            msg = f"{', '.join(names)} may not be added: a person has refused; use what is installed"
            raise PackageError(msg)

    async def _check_exclusion(self, name: str) -> None:
        if reason := self._exclusion.reason_for_supply(name):
            fact = {"address": name, "dropped": reason, "kind": "package"}
            await asyncio.to_thread(self._ledger.note, "refused_supply", key_of("refused_supply", name), fact)
            logger.info("refused package %s: %s", name, reason)
            msg = f"package {name} may not be used: {reason}"
            raise PackageError(msg)


def _markers(environment: Environment) -> dict[str, str]:
    """Return what requirements may be conditional on, of the interpreter of scripts: containers have Linux."""
    version = environment.python
    python = {"python_full_version": version, "python_version": ".".join(version.split(".")[:2])} if version else {}
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    return python | (linux if environment.runner == "docker" else {})


def _installed(environment: Environment) -> dict[str, str]:
    """Return versions by canonical names, including those of distributions that have the same modules.

    Nothing where the runner does not know what is installed.
    """
    return {**environment.distributions, **_provided(environment)} if environment.distributions else {}


def _provided(environment: Environment) -> dict[str, str]:
    """Return the names that are not installed themselves, but whose modules another distribution has."""
    installed, provided = environment.distributions, dict[str, str]()
    for name, variants in VARIANTS.items():
        version = next((installed[variant] for variant in variants if variant in installed), None)
        if version is not None and name not in installed:
            provided[name] = version
    return provided
