"""Caps, reserve, and "may I start this?"."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Literal, NoReturn, TypeVar

from mlestar.errors import SettingsError, StopRequested
from mlestar.llm.limits import CallSize, usual_output
from mlestar.runtime.call_queue import CallQueue
from mlestar.runtime.stopping import unless_stopped
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.store import Amount, Cap, Caps, Ledger, Reservation, Shortage, Spend, finish, key_of

logger = logging.getLogger("mlestar.runtime")

T = TypeVar("T")
Stage = Literal["search", "rescoring", "baseline", "export", "importance"]
"""What work is for: each stage keeps back what the later ones need, so rescorings are skipped before exports. Baselines
follow the rescorings and take what these left. The importance of columns comes last, and nothing is kept for it."""
EXPORTS = 2
"""Exports that every cap leaves room for: the winner's, and one more if that fails. Chosen by judgement."""
SLACK = 1.5
"""By what factor work may take longer than such work has taken before. Chosen by judgement; not measured."""
LAST_CALLS = 3
"""Model calls after the search: subsampling is found, removed, and the script checked."""
LAST_SHARE = 0.1
"""Share of the caps on money and tokens that is reserved for them at most. Chosen by judgement."""
SHORTEST = 0.02
"""Share of the cap on time below which no script starts. Chosen by judgement."""


class Refusal(Exception):
    """A cap does not allow this work."""

    def __init__(self, cap: Cap, reason: str = "") -> None:
        """Describe the refusal.

        Args:
            cap: the cap that does not allow it.
            reason: what the work could have taken, and what was left.
        """
        super().__init__(f"the budget allows no more: {cap} is reached" + (f"; {reason}" if reason else ""))
        self.cap = cap


class Budget:
    """Asked before every model call and every execution.

    A start reserves its worst case in the ledger and gives it back when its true cost is recorded; a refusal is
    recorded too, for the report. A call whose worst case does not fit beside the running ones waits for them, in the
    order of arrival. Time needs no reservation: every start is given no more of it than is left.
    """

    def __init__(self, settings: Settings, ledger: Ledger, calls: Sequence[CallSize] = (), *, at_once: int = 1) -> None:
        """Describe the caps.

        Args:
            settings: the caps and what the reserve is made of.
            ledger: keeps what is spent, reserved and refused.
            calls: the longest reply of every model that may be asked, without a prompt. The most expensive applies.
            at_once: scripts that execute at once.

        Raises:
            SettingsError: a cap on money without a price, or a cap that does not allow a single call.
        """
        self._settings = settings
        self._ledger = ledger
        self._calls = calls
        self.at_once = at_once
        self._earlier = ledger.spend().seconds
        self._opened = time.monotonic()
        self._caps = Caps(usd=settings.max_usd, tokens=settings.max_tokens, executions=settings.max_executions)
        self._asked_to_stop = asyncio.Event()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._queue = CallQueue()
        self._check_caps()
        ledger.keep_time(self._session_seconds)

    def active_seconds(self) -> float:
        """Return the active time of the run over all its sessions."""
        return self._earlier + self._session_seconds()

    def _session_seconds(self) -> float:
        return time.monotonic() - self._opened

    async def spend(self) -> Spend:
        await asyncio.to_thread(self._ledger.clock, self._session_seconds())
        return await asyncio.to_thread(self._ledger.spend)

    async def spent(self, step: str) -> bool:
        """Return whether no further step of the search may start; a named step is then recorded as refused."""
        cap = await self._reached("search", self._settings.script_seconds)
        reason = ""
        for worst in (await self._usual_call(), Amount(executions=1)):
            shortage = await asyncio.to_thread(self._ledger.shortage, worst, self._caps_of("search"))
            if shortage and shortage.final and not cap:
                cap, reason = shortage.cap, self._explain(shortage, worst)
        if cap and step:
            await self._refuse(cap, step, reason)
        return cap is not None

    async def left(self) -> dict[str, str]:
        """Return roughly, in words, what is left of each cap for the search."""
        spend, caps, hours = await self.spend(), self._caps_of("search"), self._settings.max_hours
        executions, tokens = caps.executions, caps.tokens
        seconds = max(0.0, await self._seconds_left("search"))
        left = {"time": _describe_left(seconds, self.max_seconds, f"{hours:g} hours")}
        if executions is not None:
            left["executions"] = _describe_left(executions - spend.executions, executions, str(executions))
        if tokens is not None:
            left["tokens"] = _describe_left(tokens - spend.tokens, tokens, str(tokens))
        if caps.usd is not None and spend.usd is not None:
            left["money"] = _describe_left(caps.usd - spend.usd, caps.usd, f"${caps.usd:.2f}")
        return left

    @asynccontextmanager
    async def execution(self, label: str, stage: Stage, limit: float) -> AsyncIterator[Reservation]:
        """Reserve one execution that may take `limit` seconds, or fewer when the run has not so many left.

        Raises:
            Refusal: a cap does not allow it.
            StopRequested: nothing starts after a stop.
        """
        await asyncio.to_thread(self._ledger.clock, self._session_seconds())
        if self._asked_to_stop.is_set():
            await self.refuse_to_start()
        self._enter()
        try:
            if cap := await self._reached(stage, limit):
                raise await self._refuse(cap, label)
            worst = Amount(executions=1)
            reserved = await self._reserve(label, worst, self._caps_of(stage))
            if isinstance(reserved, Shortage):
                raise await self._refuse(reserved.cap, label, self._explain(reserved, worst))
            async with self._releasing(reserved):
                yield Reservation(reserved, min(limit, await self._seconds_allowed(stage)))
        finally:
            self._leave()

    @asynccontextmanager
    async def call(
        self, label: str, measure: Callable[[], CallSize], stage: Stage = "search"
    ) -> AsyncIterator[Reservation]:
        """Reserve one model call, waiting for those that run; it is cut off when the time for its stage is over.

        Args:
            label: names the call in a refusal.
            measure: returns what the call may take; asked in a thread whenever the call is considered.
            stage: what the call is for.

        Raises:
            Refusal: a cap does not allow it even alone, or it was cut off.
            StopRequested: nothing starts after a stop.
        """
        reservation = await self._admit(label, measure, stage)
        try:
            async with self._releasing(reservation.id):
                with self._queue.running():
                    async with asyncio.timeout(reservation.seconds) as clock:
                        yield reservation
        except TimeoutError:
            if not clock.expired():
                raise
            raise await self._refuse("max_hours", label) from None
        finally:
            self._leave()

    async def record_timeout(self, label: str) -> Refusal:
        """Record that a script was stopped by the cap on time, not by its own limit, and return the refusal."""
        return await self._refuse("max_hours", label)

    async def finalist_seconds(self, finalists: Sequence[float]) -> float:
        """Return what one more finalist may take in the search, so that its rescorings and its export fit too.

        It takes the place of one of the finalists, perhaps the quickest. The time for the rescorings of the others, for
        the baselines and for the export of any of them in its place is kept back. Until an export has succeeded, the
        longest that is allowed is expected, and two of them.

        Args:
            finalists: what the scripts of the finalists without it took in the search, in seconds.
        """
        shortage = await asyncio.to_thread(self._ledger.shortage, Amount(executions=1), self._caps_of("rescoring"))
        if shortage or await self._reached("rescoring", self._settings.script_seconds):
            return 0.0
        fresh, factor = self._settings.fresh_inputs, await self._export_factor()
        slowest = max(finalists, default=0.0)
        usual = median(finalists) if finalists else 0.0
        others = sorted(finalists, reverse=True)[: self._settings.most_finalists - 1]
        left = self.max_seconds - self.active_seconds() - self._late_seconds(others, usual)
        left -= (await self._exports() - factor) * slowest
        together = left / (fresh + factor)
        if not fresh:
            return max(0.0, together)
        return max(0.0, min(together, (left - factor * slowest) / fresh))

    async def exports_in_time(self, seconds: float) -> bool:
        """Return whether the export of a script that took so long in the search leaves time for another export."""
        return seconds * await self._export_factor() <= await self._seconds_left("rescoring")

    async def lacks(self, stage: Stage, seconds: float) -> str:
        """Return why one more execution that may take so long does not fit into a stage; empty when it does.

        Nothing is recorded: whoever asks does without the execution.
        """
        left, worst = await self._seconds_left(stage), Amount(executions=1)
        if left < max(seconds, SHORTEST * self.max_seconds):
            return f"it may take {seconds:.0f} s, and {max(0.0, left):.0f} s of max_hours are left"
        shortage = await asyncio.to_thread(self._ledger.shortage, worst, self._caps_of(stage))
        return self._explain(shortage, worst) if shortage else ""

    def stop(self) -> None:
        """Start nothing more: the next caller waits until all that runs is recorded, then gets `StopRequested`."""
        self._asked_to_stop.set()
        self._queue.notify()
        if not self._in_flight:
            self._idle.set()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that is worth nothing when it is not finished; a stop leaves it.

        Raises:
            StopRequested: the stop came first.
        """
        return await unless_stopped(self._asked_to_stop, work)

    def _enter(self) -> None:
        """Count work as in flight, which a stop lets finish."""
        self._in_flight += 1

    def _leave(self) -> None:
        self._in_flight -= 1
        if self._asked_to_stop.is_set() and not self._in_flight:
            self._idle.set()

    async def refuse_to_start(self) -> NoReturn:
        """Raise `StopRequested` once all that runs is recorded: it ends the run.

        Work within a call raises it at once: the call waits for it.
        """
        if not self._queue.is_within:
            await self._idle.wait()
        raise StopRequested

    async def _admit(self, label: str, measure: Callable[[], CallSize], stage: Stage) -> Reservation:
        """Return the reservation of a call when its turn has come; it is in flight from then on."""
        async with self._queue.turn() as may_wait:
            while not self._asked_to_stop.is_set():
                if may_wait:
                    self._queue.expect_change()
                considered = await self._consider(label, measure, stage)
                if isinstance(considered, Reservation):
                    return considered
                if not may_wait:
                    raise await self._refuse(considered.cap, label, "a call within a call does not wait")
                logger.debug("%s waits for the calls that run: %s", label, considered)
                await self._queue.wait()
        await self.refuse_to_start()

    async def _consider(self, label: str, measure: Callable[[], CallSize], stage: Stage) -> Reservation | Shortage:
        """Reserve a call, or return why it must wait.

        Raises:
            Refusal: a cap does not allow it even alone.
        """
        self._enter()
        reservation = None
        try:
            if cap := await self._reached(stage, 0.0):
                raise await self._refuse(cap, label)
            size = await asyncio.to_thread(measure)
            seconds = await self._seconds_left(stage)
            # Nothing is awaited between this and the caller's release: a cancellation there would keep the amount.
            reserved, output = await self._reserve_call(label, size, self._caps_of(stage))
            if isinstance(reserved, Shortage):
                if not reserved.final:
                    return reserved
                raise await self._refuse(reserved.cap, label, self._explain(reserved, size.worst(output)))
            limit = output if self._limits_replies else None
            reservation = Reservation(reserved, seconds, limit)
            return reservation
        finally:
            if reservation is None:
                self._leave()

    async def _reserve_call(self, label: str, size: CallSize, caps: Caps) -> tuple[int | Shortage, int]:
        """Reserve a call with the longest reply that it asks for and the caps allow; return that length too."""
        longest = size.output
        while True:
            reserved = await self._reserve(label, size.worst(longest), caps)
            if isinstance(reserved, int) or not reserved.final:
                return reserved, longest
            spend = await asyncio.to_thread(self._ledger.spend)
            usd = None if caps.usd is None else caps.usd - (spend.usd or 0.0)
            tokens = None if caps.tokens is None else caps.tokens - spend.tokens
            # What this allows may no longer fit either: another call may have been recorded since.
            longest = min(size.affordable(usd, tokens), longest - 1)
            if longest < size.least:
                return reserved, size.least

    async def _reserve(self, label: str, worst: Amount, caps: Caps) -> int | Shortage:
        reserving = self._ledger.start(self._ledger.reserve, label, worst, caps)
        try:
            return await finish(reserving)
        except asyncio.CancelledError:
            reserved = None if reserving.exception() else reserving.result()
            if isinstance(reserved, int):
                await self._release(reserved)
            raise

    @asynccontextmanager
    async def _releasing(self, reserved: int) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._release(reserved)

    async def _release(self, reserved: int) -> None:
        try:
            await finish(self._ledger.start(self._ledger.release, reserved))
        finally:
            self._queue.notify()

    async def _reached(self, stage: Stage, limit: float) -> Cap | None:
        """Return the cap on time when too little is left for work of this limit; 0 for a model call."""
        # Nothing comes after an export that could use the time better; a baseline is no slow script of the run's.
        is_late = stage in ("baseline", "export", "importance")
        slowest = 0.0 if is_late else await asyncio.to_thread(self._ledger.slowest_execution)
        least = min(limit, max(SLACK * slowest, self.max_seconds * SHORTEST))
        return "max_hours" if await self._seconds_left(stage) <= least else None

    async def _seconds_left(self, stage: Stage) -> float:
        """Return the active time that is left for a stage.

        Reserved for later stages: exports, rescorings and baselines.
        """
        # Each finalist is another script. As long as fewer have ended, those missing may take as long as the slowest.
        count = self._settings.most_finalists + 1
        times = await asyncio.to_thread(self._ledger.slowest_executions, count)
        slowest = max(times, default=0.0)
        *finalists, usual = [*times, *[slowest] * (count - len(times))]
        exports = await self._exports() * slowest
        others = self._late_seconds(finalists, usual)
        reserve = {"search": exports + others, "rescoring": exports, "baseline": exports}.get(stage, 0.0)
        return self.max_seconds - self.active_seconds() - reserve

    def _late_seconds(self, finalists: Sequence[float], usual: float) -> float:
        """Return how long rescorings and baselines take at most, as many at once as may execute.

        A finalist is rescored on one fresh holdout after the other. Such chains, which start as soon as there is room,
        end before the longest and an equal share of the others (Graham, 1966, "Bounds for Certain Multiprocessing
        Anomalies"). The baselines start when all rescorings have ended.

        Args:
            finalists: the seconds of the finalists' scripts.
            usual: the seconds that are expected of a baseline's script.
        """
        longest = max(finalists, default=0.0)
        rescorings = self._settings.fresh_inputs * (longest + (sum(finalists) - longest) / self.at_once)
        rounds = -(-self._settings.baseline_executions // self.at_once)
        return rescorings + rounds * usual

    async def _exports(self) -> float:
        """Return the time for the exports to come, in multiples of the slowest execution.

        Two of the longest that are allowed, until one has succeeded; then the winner's, with what that one took.
        """
        factor = await asyncio.to_thread(self._ledger.export_factor)
        return EXPORTS * EXPORT_STRETCH if factor is None else await self._export_factor()

    async def _export_factor(self) -> float:
        """Return what an export may take, in multiples of the time of its script in the search."""
        factor = await asyncio.to_thread(self._ledger.export_factor)
        return EXPORT_STRETCH if factor is None else min(EXPORT_STRETCH, SLACK * factor)

    async def _seconds_allowed(self, stage: Stage) -> float:
        """Return the time that a script of a stage is given at most: half of what is left before any has ended.

        The first that has a score is exported, which takes about as long again.
        """
        left = await self._seconds_left(stage)
        nothing_ended = not await asyncio.to_thread(self._ledger.slowest_execution)
        return left / 2 if stage == "search" and nothing_ended else left

    @property
    def max_seconds(self) -> float:
        return self._settings.max_hours * 3600

    @property
    def _rescorings(self) -> int:
        return self._settings.most_finalists * self._settings.fresh_inputs

    def _caps_of(self, stage: Stage) -> Caps:
        """Return the caps less what later stages need; under a low cap the exports come before the rescorings."""
        caps = self._caps
        if stage in ("export", "importance"):
            return caps
        call = self._most([call.worst(call.output) for call in self._calls])
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
        return exports + min(self._rescorings + self._settings.baseline_executions, (cap - exports) // 2)

    def _most(self, amounts: Sequence[Amount]) -> Amount:
        """Return the most that one of these amounts takes of each cap."""
        usd = max((amount.usd for amount in amounts), default=0.0)
        return Amount(usd=usd, tokens=max((amount.tokens for amount in amounts), default=0))

    async def _usual_call(self) -> Amount:
        """Return what a call of the usual length may take; before there is any, the shortest worth making."""
        usual = usual_output(await asyncio.to_thread(self._ledger.output_tokens))
        return self._most([call.worst(min(call.output, usual or call.least)) for call in self._calls])

    @property
    def _limits_replies(self) -> bool:
        return self._caps.usd is not None or self._caps.tokens is not None

    def _explain(self, shortage: Shortage, worst: Amount) -> str:
        """Return what work could have taken and what was left of the cap for it."""
        cap, left = shortage.cap, max(0, shortage.left)
        limit = getattr(self._settings, cap)
        if cap == "max_usd":
            return f"it could cost ${worst.usd:.4f}, and ${left:.4f} of ${limit:.2f} is left for it"
        if cap == "max_tokens":
            return f"it could take {worst.tokens:,} tokens, and {left:,} of {limit:,} are left for it"
        return f"{left} of {limit} executions are left for it"

    async def _refuse(self, cap: Cap, label: str, reason: str = "") -> Refusal:
        fact = {"cap": cap, "label": label, "reason": reason}
        await asyncio.to_thread(self._ledger.note, "refusal", key_of("refusal", cap, label), fact)
        logger.info("%s refused by %s: %s", label, cap, reason)
        return Refusal(cap, reason)

    def _check_caps(self) -> None:
        usd, tokens = self._caps.usd, self._caps.tokens
        unknown = any(call.price is None for call in self._calls)
        if usd is not None and (unknown or self._ledger.spend().usd is None):
            ways = "choose a model with a price, give one by --set prices=FILE, or cap max_tokens"
            msg = f"max_usd needs the price of the model, which is unknown: {ways}"
            raise SettingsError(msg)
        worst = self._most([call.worst(call.least) for call in self._calls])
        least = 1 - LAST_SHARE
        if usd is not None and worst.usd > least * usd:
            msg = f"max_usd {usd} allows no call: one may cost {worst.usd:.3g}; raise it or lower max_output_tokens"
            raise SettingsError(msg)
        if tokens is not None and worst.tokens > least * tokens:
            msg = (
                f"max_tokens {tokens} allows no call: one may take {worst.tokens}; raise it or lower max_output_tokens"
            )
            raise SettingsError(msg)


def _describe_left(left: float, cap: float, whole: str) -> str:
    """Return what is left of a cap, rounded down to a quarter: a plan needs no more detail."""
    quarters = int(4 * left / cap) if cap else 0
    shares = ["less than a quarter", "a quarter", "a half", "three quarters", "all"]
    return f"{shares[max(0, min(quarters, 4))]} of {whole}"
