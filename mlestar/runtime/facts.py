"""What a run knows when a step begins: what is left of its budget, how scripts failed, what other tracks confirmed."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mlestar.prompts import shorten
from mlestar.runtime.budget import Budget
from mlestar.state import NO_TRACK, ConfirmedIdea, StepFacts, VerdictStatus
from mlestar.store import Ledger, key_of

MAX_ERRORS = 8
"""Kinds of errors in a prompt, the most frequent. Chosen by judgement; not measured."""
MAX_CONFIRMED = 4
"""Plans of other tracks in a prompt, those with the clearest gain: 2,400 characters of plans. Chosen by judgement; not
measured."""
_PLAN_CHARACTERS = 600
_SIGNATURE_CHARACTERS = 160
_EXIT = re.compile(r"error, exit status \S+: ")
_PATH = re.compile(r"(?:/[\w.+-]+)+/([\w.+-]+)")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?")


async def step_facts(ledger: Ledger, budget: Budget, step: str, track: int = NO_TRACK) -> StepFacts:
    """Return what the run knew when a step first began.

    The ledger keeps it: what is left and what failed changes from session to session, and a different prompt would be
    a different call.
    """
    key = key_of("step_facts", step)
    recorded = await asyncio.to_thread(ledger.recall, key)
    if recorded is None:
        failures = await asyncio.to_thread(ledger.notes, "failure")
        trials = [] if track == NO_TRACK else await asyncio.to_thread(ledger.notes, "trial")
        facts = StepFacts(
            left=await budget.left(),
            errors=_count([failure["signature"] for failure in failures]),
            confirmed=find_confirmed(trials, track),
        )
        await asyncio.to_thread(ledger.note, "step_facts", key, facts.model_dump(mode="json"))
        recorded = await asyncio.to_thread(ledger.recall, key)
    return StepFacts.model_validate(recorded)


async def note_failure(ledger: Ledger, script: str, status: VerdictStatus, message: str) -> None:
    """Record how a script failed, once for each script."""
    fact = {"signature": signature(status, message)}
    await asyncio.to_thread(ledger.note, "failure", key_of("failure", script), fact)


def find_confirmed(trials: Iterable[Mapping[str, Any]], track: int) -> tuple[ConfirmedIdea, ...]:
    """Return the plans of other tracks that are better by more than their standard error, the clearest first.

    Args:
        trials: notes of what came of plans.
        track: that asks.
    """
    confirmed = [
        ConfirmedIdea(
            track=trial["track"],
            component=trial["component"],
            plan=shorten(trial["plan"], _PLAN_CHARACTERS),
            gain=trial["gain"]["difference"],
            gain_error=trial["gain"]["standard_error"],
        )
        for trial in trials
        if trial["track"] != track
        and trial["gain"]
        and trial["gain"]["difference"] > trial["gain"]["standard_error"] > 0
    ]
    return tuple(sorted(confirmed, key=lambda idea: -idea.gain / idea.gain_error)[:MAX_CONFIRMED])


def signature(status: VerdictStatus, message: str) -> str:
    """Return what errors of one cause have in common: the message without numbers and folders."""
    reason = _EXIT.sub("", " ".join(message.split()))
    text = _NUMBER.sub("#", _PATH.sub(r"\1", reason))
    return text[:_SIGNATURE_CHARACTERS] if status == "error" and text else f"{status}: {text[:_SIGNATURE_CHARACTERS]}"


def _count(signatures: list[str]) -> tuple[str, ...]:
    common = Counter(signatures).most_common(MAX_ERRORS)
    return tuple(f"{text} (met {number} times)" if number > 1 else text for text, number in common)
