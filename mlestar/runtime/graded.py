"""How many submissions a holdout has graded, and what may be shown of a score once these are many.

The scores of enough submissions reveal the labels behind them. So after a number of submissions agents learn only
whether a submission is better than the best before it. That is the ladder of Blum and Hardt (2015, "The
Ladder: A Reliable Leaderboard for Machine Learning Competitions") in its form without parameters: an improvement counts
when it is larger than its own standard error. The run itself goes on comparing scores in full precision.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mlestar.metrics.precision import Standing
from mlestar.metrics.spec import Direction, sign
from mlestar.store import Ledger, key_of

BETTER: Standing = "better than the best"
NOT_BETTER: Standing = "not better than the best"


class GradedSubmissions:
    """The submissions that the holdouts of a run have graded; the ledger keeps them for resumed and forked runs."""

    def __init__(self, ledger: Ledger, most: int) -> None:
        """Describe them; `most` is how many submissions of a holdout have scores that may be shown."""
        self._ledger = ledger
        self._most = most
        self._recording = asyncio.Lock()

    async def record(
        self,
        holdout: str,
        submission: str,
        score: float,
        direction: Direction,
        improves_on: Callable[[str], Awaitable[bool]],
    ) -> Standing | None:
        """Record that a submission was graded; return its standing, None where its score may be shown.

        Args:
            holdout: that graded it.
            submission: its blob; the same one counts once.
            score: of the submission.
            direction: of the metric.
            improves_on: returns whether the submission is better than another one (a blob) by more than its error.
        """
        async with self._recording:
            facts = [fact for fact in await self._facts() if fact["holdout"] == holdout]
            for fact in facts:
                if fact["submission"] == submission:
                    recorded: Standing | None = fact["standing"]
                    return recorded
            standing = None if len(facts) < self._most else await _standing(facts, score, direction, improves_on)
            fact = {"holdout": holdout, "submission": submission, "score": score, "standing": standing}
            key = key_of("graded", holdout, submission)
            await asyncio.to_thread(self._ledger.note, "graded", key, fact)
            return standing

    async def _facts(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._ledger.notes, "graded")


async def _standing(
    facts: list[dict[str, Any]], score: float, direction: Direction, improves_on: Callable[[str], Awaitable[bool]]
) -> Standing:
    """Compare a submission with the best one of which agents have learnt the score or the standing."""
    told = [fact for fact in facts if fact["standing"] != NOT_BETTER]
    best = max(told, key=lambda fact: sign(direction) * fact["score"])
    if sign(direction) * (score - best["score"]) <= 0:
        return NOT_BETTER
    return BETTER if await improves_on(best["submission"]) else NOT_BETTER
