"""The packages and weights that a script declares, supplied before it executes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mlestar.retrieval import Exclusion
from mlestar.runners import Environment, Runner
from mlestar.runners.supply.needs import Needs
from mlestar.runners.supply.packages.lock import PackageError
from mlestar.runners.supply.weights import WeightsError
from mlestar.runtime.packages import RunPackages
from mlestar.runtime.weights import RunWeights
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger


class UnavailableError(Exception):
    """A declared package or weight cannot be supplied; the message tells an agent what it can do."""


@dataclass(frozen=True, kw_only=True)
class Supplied:
    """What a script gets for its declarations."""

    base: str = ""
    """Image, or interpreter of a local runner, that has its packages; empty: the runner's own."""
    lock: str = ""
    """Blob of the lock of its packages: names, versions, hashes; empty without packages."""
    weights: tuple[str, ...] = ()
    """One line for each weight: address, revision, hash, licence. Part of the execution's key."""
    weights_folder: Path | None = None
    """Host folder of its weights, mounted read-only; None without weights."""


class Supplies:
    """Supplies packages and weights within the policy of the settings."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        blobs: Blobs,
        runner: Callable[[], Awaitable[Runner]],
        exclusion: Exclusion,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Describe what may be supplied.

        Args:
            settings: of the run.
            ledger: keeps what was resolved, so that a run resolves a declaration once.
            blobs: keep the locks.
            runner: returns the runner of the run.
            exclusion: what may not be used, whatever the policy.
            on_progress: receives lines about slow preparations.
        """
        self._packages = RunPackages(settings, ledger=ledger, blobs=blobs, runner=runner, exclusion=exclusion)
        self._weights = RunWeights(settings, ledger, exclusion, on_progress)

    async def recall(self, needs: Needs, environment: Environment) -> Supplied | None:
        """Return what this run gave a script that declared the same, without supplying it; None where it gave nothing.

        A recorded execution needs neither: what it had may be gone, and its result must not change.

        Args:
            needs: what the script declares.
            environment: of the runner.

        Raises:
            UnavailableError: a package may not be added.
        """
        if not (needs.dependencies or needs.weights):
            return None
        try:
            lock = await self._packages.recall(needs.dependencies, environment)
        except PackageError as error:
            raise UnavailableError(str(error)) from error
        weights = await self._weights.recall(needs.weights)
        return None if lock is None or weights is None else Supplied(lock=lock, weights=weights)

    async def prepare(self, needs: Needs, environment: Environment, label: str) -> Supplied:
        """Return what a script gets for its declarations.

        Args:
            needs: what it declares.
            environment: of the runner.
            label: of the execution.

        Raises:
            UnavailableError: something cannot be supplied.
            RunnerError: nothing can be supplied here now, e.g. because the disk is full.
        """
        try:
            base, lock = await self._packages.supply(needs.dependencies, environment)
            weights, folder = await self._weights.supply(needs.weights)
        except (PackageError, WeightsError) as error:
            raise UnavailableError(str(error)) from error
        return Supplied(base=base, lock=lock, weights=weights, weights_folder=folder)

    @property
    def weight_folders(self) -> tuple[Path, ...]:
        """Folders with the user's own weights."""
        return self._weights.folders

    def close(self) -> None:
        """Let others remove weights from the store."""
        self._weights.close()
