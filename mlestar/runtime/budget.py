"""Caps, reserve, and "may I start this?"."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from mlestar.errors import SettingsError, StopRequested
from mlestar.llm.prices import FREE, Price
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.store import Amount, Cap, Caps, Ledger, Reservation, Spend, key_of

Stage = Literal["search", "rescoring", "export"]
"""What work is for: each stage keeps back what the later ones need, so rescorings are skipped before exports."""
EXPORTS = 2
"""Exports that every cap leaves room for: the winner's, and one more if that fails. Chosen by judgement."""
LAST_CALLS = 3
"""Model calls after the search: subsampling is found, removed, and the script checked."""
LAST_SHARE = 0.1
"""Share of the caps on money and tokens that is reserved for them at most. Chosen by judgement."""
SHORTEST = 0.02
"""Share of the cap on time below which no script starts. Chosen by judgement."""


class Refusal(Exception):
    """A cap does not allow this work."""

    def __init__(self, cap: Cap) -> None:
        super().__init__(f"the budget allows no more: {cap} is reached")
        self.cap = cap


class Budget:
    """Asked before every model call and every execution.

    A start reserves its worst case in the ledger and gives it back when its true cost is recorded; a refusal is
    recorded too, for the report. Time needs no reservation: every start is given no more of it than is left.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, prices: Sequence[Price | None] = (FREE,), *, at_once: int = 1
    ) -> None:
        """Describe the caps.

        Args:
            settings: the caps and what the reserve is made of.
            ledger: keeps what is spent, reserved and refused.
            prices: of the models that may be asked; None for one that is unknown. The most expensive applies.
            at_once: scripts that execute at once.

        Raises:
            SettingsError: a cap on money without a price, or a cap that does not allow a single call.
        """
        self._settings = settings
        self._ledger = ledger
        self._prices = prices
        self.at_once = at_once
        self._earlier = ledger.spend().seconds
        self._opened = time.monotonic()
        self._caps = Caps(usd=settings.max_usd, tokens=settings.max_tokens, executions=settings.max_executions)
        self._asked_to_stop = asyncio.Event()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._check_caps()

    def active_seconds(self) -> float:
        """Return the active time of the run over all its sessions."""
        return self._earlier + time.monotonic() - self._opened

    async def spend(self) -> Spend:
        await asyncio.to_thread(self._ledger.clock, time.monotonic() - self._opened)
        return await asyncio.to_thread(self._ledger.spend)

    async def spent(self, step: str) -> bool:
        """Return whether no further step of the search may start; a named step is then recorded as refused."""
        cap = await self._reached("search", self._settings.script_seconds)
        for worst in (self._worst_call(0), Amount(executions=1)):
            cap = cap or await asyncio.to_thread(self._ledger.passed, worst, self._caps_of("search"))
        if cap and step:
            await self._refuse(cap, step)
        return cap is not None

    @asynccontextmanager
    async def execution(self, label: str, stage: Stage, limit: float) -> AsyncIterator[Reservation]:
        """Reserve one execution that may take `limit` seconds, or fewer when the run has not so many left.

        Raises:
            Refusal: a cap does not allow it.
            StopRequested: nothing starts any more.
        """
        await asyncio.to_thread(self._ledger.clock, time.monotonic() - self._opened)
        async with self._reserve(label, stage, Amount(executions=1), limit) as reservation:
            yield reservation

    @asynccontextmanager
    async def call(self, label: str, prompt: str, stage: Stage = "search") -> AsyncIterator[Reservation]:
        """Reserve one model call; it is cut off when the time for its stage is over.

        Raises:
            Refusal: a cap does not allow it, or it was cut off.
            StopRequested: nothing starts any more.
        """
        # No tokenizer makes more tokens than there are bytes.
        worst = self._worst_call(len(prompt.encode("utf-8", errors="replace")))
        async with self._reserve(label, stage, worst, 0.0) as reservation:
            try:
                async with asyncio.timeout(reservation.seconds) as clock:
                    yield reservation
            except TimeoutError:
                if not clock.expired():
                    raise
                raise await self._refuse("max_hours", label) from None

    async def record_timeout(self, label: str) -> Refusal:
        """Record that a script was stopped by the cap on time, not by its own limit, and return the refusal."""
        return await self._refuse("max_hours", label)

    def stop(self) -> None:
        """Start nothing any more: the next caller waits until all that runs is recorded, then gets `StopRequested`."""
        self._asked_to_stop.set()
        if not self._in_flight:
            self._idle.set()

    @asynccontextmanager
    async def _reserve(self, label: str, stage: Stage, worst: Amount, limit: float) -> AsyncIterator[Reservation]:
        if self._asked_to_stop.is_set():
            await self._idle.wait()
            raise StopRequested
        self._in_flight += 1
        try:
            if cap := await self._reached(stage, limit):
                raise await self._refuse(cap, label)
            reserved = await asyncio.to_thread(self._ledger.reserve, label, worst, self._caps_of(stage))
            if not isinstance(reserved, int):
                raise await self._refuse(reserved, label)
            try:
                left = await self._seconds_left(stage)
                yield Reservation(reserved, min(limit, left) if limit else left)
            finally:
                await asyncio.shield(asyncio.to_thread(self._ledger.release, reserved))
        finally:
            self._in_flight -= 1
            if self._asked_to_stop.is_set() and not self._in_flight:
                self._idle.set()

    async def _reached(self, stage: Stage, limit: float) -> Cap | None:
        """Return the cap on time when too little is left for work of this limit; 0 for a model call."""
        slowest = await asyncio.to_thread(self._ledger.slowest_execution)
        least = min(limit, max(2 * slowest, self.max_seconds * SHORTEST))
        return "max_hours" if await self._seconds_left(stage) <= least else None

    async def _seconds_left(self, stage: Stage) -> float:
        """Return the active time that is left for a stage.

        Reserved for later stages: exports at three times the slowest execution, and rescorings, as many at once as may
        execute.
        """
        slowest = await asyncio.to_thread(self._ledger.slowest_execution)
        exports = EXPORTS * EXPORT_STRETCH * slowest
        rescorings = -(-self._rescorings // self.at_once) * slowest
        reserve = {"search": exports + rescorings, "rescoring": exports, "export": 0.0}[stage]
        return self.max_seconds - self.active_seconds() - reserve

    @property
    def max_seconds(self) -> float:
        return self._settings.max_hours * 3600

    @property
    def _rescorings(self) -> int:
        return self._settings.finalists * self._settings.fresh_splits

    def _caps_of(self, stage: Stage) -> Caps:
        """Return the caps less what later stages need; under a low cap the exports come before the rescorings."""
        caps = self._caps
        if stage == "export":
            return caps
        call = self._worst_call(0)
        usd, tokens, executions = caps.usd, caps.tokens, caps.executions
        if usd is not None:
            usd -= min(LAST_CALLS * call.usd, LAST_SHARE * usd)
        if tokens is not None:
            tokens -= int(min(LAST_CALLS * call.tokens, LAST_SHARE * tokens))
        if executions is not None:
            executions -= self._late_executions(executions, stage)
        return Caps(usd=usd, tokens=tokens, executions=executions)

    def _late_executions(self, cap: int, stage: Stage) -> int:
        """Return how many executions later stages need, which under a low cap is less than they could use."""
        exports = min(EXPORTS, max(1, cap - 1))
        if stage != "search":
            return exports
        return exports + min(self._rescorings, (cap - exports) // 2)

    def _worst_call(self, read: int) -> Amount:
        written = self._settings.max_output_tokens
        usd = max((price.worst(read, written) for price in self._prices if price), default=0.0)
        return Amount(usd=usd, tokens=read + written)

    async def _refuse(self, cap: Cap, label: str) -> Refusal:
        fact = {"cap": cap, "label": label}
        await asyncio.to_thread(self._ledger.note, "refusal", key_of("refusal", cap, label), fact)
        return Refusal(cap)

    def _check_caps(self) -> None:
        worst = self._worst_call(0)
        usd, tokens = self._caps.usd, self._caps.tokens
        if usd is not None and (None in self._prices or self._ledger.spend().usd is None):
            ways = "choose a model with a price, give one by --set prices=FILE, or cap max_tokens"
            msg = f"max_usd needs the price of the model, which is unknown: {ways}"
            raise SettingsError(msg)
        least = 1 - LAST_SHARE
        if usd is not None and worst.usd > least * usd:
            msg = f"max_usd {usd} allows no call: one may cost {worst.usd:.3g}; raise it or lower max_output_tokens"
            raise SettingsError(msg)
        if tokens is not None and worst.tokens > least * tokens:
            msg = (
                f"max_tokens {tokens} allows no call: one may take {worst.tokens}; raise it or lower max_output_tokens"
            )
            raise SettingsError(msg)
