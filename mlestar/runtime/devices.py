"""Which script gets which GPU: no two scripts get the same one, also when several runs use this machine."""

import asyncio
import contextlib
import hashlib
import math
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from mlestar.errors import SettingsError
from mlestar.runners import Environment, Gpu
from mlestar.runners.gpus import describe_gpus, list_gpus
from mlestar.settings import MAX_GPU_SHARE, Settings

BUILT_IN = ("docker", "local")
"""Runners that list their devices when GPUs are requested."""
PARTS = math.lcm(*range(1, MAX_GPU_SHARE + 1))
"""Parts of a device that scripts claim: any allowed number of scripts divides them evenly."""
RETRY_SECONDS = 1.0
"""Time between two attempts to get a device that another run uses. Chosen by judgement; not measured."""


class Devices:
    """The GPUs of a run, of which each script leases its own."""

    def __init__(
        self,
        gpus: Sequence[Gpu] = (),
        count: int = 0,
        share: int = 1,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Describe the devices.

        Args:
            gpus: all of them.
            count: how many a script gets.
            share: scripts that may use one device at once.
            on_progress: receives a line when a script waits for another run.
        """
        self._gpus = tuple(gpus)
        self._count = count
        self._share = share
        self._on_progress = on_progress
        self._scripts: Counter[str] = Counter()
        """Scripts of this run by the device that they use."""
        self._changed = asyncio.Event()

    @property
    def description(self) -> str:
        """What agents are told, empty when scripts get no device. It does not depend on which device a script gets."""
        return describe_gpus(self._gpus, self._count, self._share)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[tuple[Gpu, ...]]:
        """Wait until enough devices are free, and keep them for one script."""
        claims = await self._claim_all()
        try:
            yield tuple(gpu for gpu, _ in claims)
        finally:
            for gpu, sockets in claims:
                self._scripts[gpu.uuid] -= 1
                _close(sockets)
            self._changed.set()

    async def _claim_all(self) -> list[tuple[Gpu, list[socket.socket]]]:
        reported = False
        while True:
            self._changed.clear()
            free = [gpu for gpu in self._gpus if self._scripts[gpu.uuid] < self._share]
            claims = self._claim(sorted(free, key=lambda gpu: self._scripts[gpu.uuid]))
            if len(claims) == self._count:
                return claims
            for gpu, sockets in claims:
                self._scripts[gpu.uuid] -= 1
                _close(sockets)
            if len(free) >= self._count and not reported and self._on_progress is not None:
                self._on_progress("a script waits for a GPU that another run on this machine uses")
                reported = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RETRY_SECONDS)

    def _claim(self, gpus: Sequence[Gpu]) -> list[tuple[Gpu, list[socket.socket]]]:
        """Return claims on as many of these devices as a script gets, on fewer where others use them."""
        claims: list[tuple[Gpu, list[socket.socket]]] = []
        for gpu in gpus:
            if len(claims) == self._count:
                break
            sockets = _claim_device(gpu.uuid, self._share)
            if sockets is not None:
                self._scripts[gpu.uuid] += 1
                claims.append((gpu, sockets))
        return claims


def find_devices(settings: Settings, machine: Environment, on_progress: Callable[[str], None] | None = None) -> Devices:
    """Return the devices of a run.

    Raises:
        SettingsError: the settings ask for more than there are.
    """
    count = gpus_per_script(settings, machine)
    return Devices(machine.gpus if count else (), count, settings.gpu_share, on_progress)


def gpus_per_script(settings: Settings, machine: Environment) -> int:
    """Return how many devices a script gets; 0 where the runner lists none.

    Raises:
        SettingsError: the settings ask for more than there are.
    """
    available = len(machine.gpus)
    if settings.gpus == "auto":
        return min(1, available)
    if not available and machine.runner not in BUILT_IN:
        return 0
    count = available if settings.gpus == -1 else settings.gpus
    if count > available or (settings.gpus and not available):
        there = list_gpus(machine.gpus) or "none"
        msg = f"gpus={settings.gpus}, but a script can get {available} at most ({there}): "
        msg += f"set gpus to {available} or less, or to auto"
        raise SettingsError(msg)
    return count


def scripts_by_gpus(settings: Settings, machine: Environment) -> int | None:
    """Return how many scripts the GPUs allow to execute at once, None where GPUs set no limit."""
    count = gpus_per_script(settings, machine)
    if count:
        return max(1, len(machine.gpus) * settings.gpu_share // count)
    # Another runner that has GPUs but does not list them: nothing shows which one a script uses.
    unlisted = bool(machine.gpu) if settings.gpus == "auto" else bool(settings.gpus)
    return 1 if unlisted else None


def _claim_device(uuid: str, share: int) -> list[socket.socket] | None:
    """Return this process's claim on a part of a device, None where other processes have too much of it.

    A script takes all parts of a device that it does not share, and half of them when it shares it with one other.
    Only Linux has socket names that the kernel frees when the process ends.
    """
    name = hashlib.sha256(uuid.encode()).hexdigest()[:32]
    sockets: list[socket.socket] = []
    needed = PARTS // share if sys.platform == "linux" else 0
    for part in range(PARTS):
        # Two processes that each take what the other leaves would both fail, again and again.
        if not len(sockets) < needed <= len(sockets) + PARTS - part:
            break
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0mlestar-gpu-{name}-{part}")
        except OSError:
            claim.close()
        else:
            sockets.append(claim)
    if len(sockets) == needed:
        return sockets
    _close(sockets)
    return None


def _close(sockets: Sequence[socket.socket]) -> None:
    for claim in sockets:
        claim.close()
