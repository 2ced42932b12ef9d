"""Caps, reserve, and the question "may I start this?"."""

import asyncio
import time

from mlestar.settings import Settings
from mlestar.store import Ledger, Spend


class Budget:
    """Asked before every start of a script; keeps back what the finals and two exports need.

    A start holds one execution until it is settled, so that parallel branches cannot pass that cap together. Time is
    judged by the slowest script so far. Model calls are counted; when their cap is reached no further step starts.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._earlier = ledger.spend().seconds
        self._opened = time.monotonic()
        self._held = 0

    def active_seconds(self) -> float:
        """Return the active time of the run over all its sessions."""
        return self._earlier + time.monotonic() - self._opened

    async def spend(self) -> Spend:
        await asyncio.to_thread(self._ledger.clock, time.monotonic() - self._opened)
        return await asyncio.to_thread(self._ledger.spend)

    async def spent(self) -> bool:
        """Tell whether no further step of the search may start."""
        return not await self._fits(final=False)

    async def start_execution(self, *, final: bool = False) -> bool:
        """Hold one execution and answer whether it may start; `final` ones may use the reserve."""
        if not await self._fits(final=final):
            return False
        self._held += 1
        return True

    def settle_execution(self) -> None:
        self._held -= 1

    async def _fits(self, *, final: bool) -> bool:
        spend = await self.spend()
        slowest = await asyncio.to_thread(self._ledger.slowest_execution)
        settings = self._settings
        finals = settings.finalists * settings.fresh_splits
        reserve_seconds = 0.0 if final else slowest * (finals + 6)
        reserve_executions = 0 if final else finals + 2
        worst = 0.0 if final else min(settings.script_seconds, max(2 * slowest, 30.0))
        left = settings.max_hours * 3600 - self.active_seconds() - reserve_seconds
        if left <= worst:
            return False
        if settings.max_tokens is not None and spend.tokens >= settings.max_tokens and not final:
            return False
        if settings.max_executions is None:
            return True
        return spend.executions + self._held + reserve_executions < settings.max_executions
