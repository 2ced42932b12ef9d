"""The rows of a result, from what the ledger of a run has."""

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

from mlestar.metrics.precision import round_score
from mlestar.report.gains import SolutionGain
from mlestar.report.result import CapRow, MemberRow, ModelRow, Score, SolutionRow
from mlestar.settings import Settings
from mlestar.state import ORIGINS, Rescoring, Solution
from mlestar.store import Cap, LedgerQueries, RunFolder


def position(solution: Solution) -> tuple[bool, int, int, list[int]]:
    """Return the sort key of a solution: by track, then by stage, whichever branch finished first."""
    numbers = [int(number) for number in re.findall(r"\d+", solution.id)]
    stage = ORIGINS.index(solution.origin) if solution.origin in ORIGINS else len(ORIGINS)
    return solution.track < 0, solution.track, stage, numbers


def model_rows(ledger: LedgerQueries) -> tuple[ModelRow, ...]:
    """Return every model that answered, with its replies and those that were refused by role."""
    replies: dict[str, dict[str, int]] = {}
    for model, role, count in ledger.answered():
        replies.setdefault(model, {})[role] = count
    refused = Counter((fact["model"], fact["role"]) for fact in ledger.notes("reply") if fact["refusal"])
    rows = []
    for model, roles in replies.items():
        counts = {role: refused[model, role] for role in roles if refused[model, role]}
        rows.append(ModelRow(model=model, replies=roles, refused=counts))
    return tuple(rows)


def cap_rows(ledger: LedgerQueries, settings: Settings) -> tuple[CapRow, ...]:
    """Return what caps stopped."""
    stopped: dict[Cap, list[str]] = {}
    for fact in ledger.notes("refusal"):
        reason = f" ({fact['reason']})" if fact.get("reason") else ""
        stopped.setdefault(fact["cap"], []).append(fact["label"] + reason)
    limits: dict[str, Any] = {cap: getattr(settings, cap) for cap in stopped}
    return tuple(
        CapRow(cap=cap, limit=limits[cap], stopped=tuple(labels)) for cap, labels in stopped.items() if limits[cap]
    )


def score_of(solution: Solution, rescorings: dict[str, Rescoring], ended: bool) -> Score:
    """Return the scores of a solution: in full precision when the run has ended, else as they may be shown."""
    verdict, final = solution.verdict, rescorings.get(solution.id)
    holdout, fresh = (
        (verdict.holdout, verdict.holdout_se),
        (None, None) if final is None else (final.fresh, final.fresh_se),
    )
    if not ended:
        holdout = (None, None) if verdict.standing else shown_score(*holdout)
        fresh = shown_score(*fresh)
    return Score(
        holdout=holdout[0],
        holdout_se=holdout[1],
        fresh=fresh[0],
        fresh_se=fresh[1],
        blind=bool(final and final.blind and final.fresh is not None),
        reported=verdict.reported,
    )


def shown_score(score: float | None, error: float | None) -> tuple[float | None, float | None]:
    return round_score(score, error), round_score(error, error)


def script_path(folder: RunFolder, script: str | None) -> str | None:
    """Return the path of a script relative to the run folder."""
    return f"{folder.blobs.name}/{script[:2]}/{script[2:]}" if script else None


def solution_row(
    folder: RunFolder, solution: Solution, rescorings: dict[str, Rescoring], gain: SolutionGain | None, ended: bool
) -> SolutionRow:
    return SolutionRow(
        id=solution.id,
        origin=solution.origin,
        track=solution.track,
        title=solution.title,
        parent=solution.parent,
        plan=solution.plan,
        status=solution.verdict.status,
        message=solution.verdict.message,
        score=score_of(solution, rescorings, ended),
        standing=None if ended else solution.verdict.standing,
        seconds=solution.verdict.seconds,
        script=script_path(folder, solution.script),
        members=tuple(MemberRow(solution=member.solution, weight=member.weight) for member in solution.members),
        combines=solution.combines,
        **(asdict(gain) if gain else {}),
    )
