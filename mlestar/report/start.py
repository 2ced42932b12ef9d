"""A run's start in its result: the score before and after, and what is said where it could not be used."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite
from mlestar.metrics.precision import format_claim, format_score
from mlestar.state import (
    AS_GIVEN,
    START,
    Brief,
    Export,
    PipelineState,
    Rescoring,
    Solution,
    StartComparison,
    VerdictStatus,
)


class StartRow(BaseModel):
    """The person's own script that a run started from."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    """Name of the file, or the run and the solution."""
    notes: tuple[str, ...] = ()
    """What was changed when it was read."""
    given_status: VerdictStatus | None = None
    """How its execution as given ended; None where it was not executed."""
    given_message: str = ""
    given_holdout: Finite = None
    """The host's score of what it submitted as given."""
    given_holdout_se: Finite = None
    solution: str | None = None
    """Id of the start as the run used it; None where it could not be made to run."""
    adapted: bool = False
    """It was changed to satisfy the contract."""
    holdout: Finite = None
    holdout_se: Finite = None
    fresh: Finite = None
    fresh_se: Finite = None
    reported: Finite = None
    compared: str | None = None
    """Id of what was submitted, which is compared with it."""
    gain: Finite = None
    """By how much that is better on the same rows, whatever the metric's direction."""
    gain_se: Finite = None
    rows: str = ""
    """`fresh` or `holdout`: the rows of the comparison; `reported` where it is of what both report about themselves."""
    after: Finite = None
    """The score of what was submitted on these rows."""
    after_se: Finite = None
    warning: str = ""
    """Where it could not be used, or what was submitted is worse."""

    @property
    def before(self) -> tuple[float | None, float | None, str]:
        """Return the score of the start with its error, and what it is, on the rows of the comparison if there are."""
        how = "adapted" if self.adapted else "as given"
        if self.rows == "fresh" or (self.fresh is not None and not self.rows):
            return self.fresh, self.fresh_se, f"{how}, on fresh rows"
        if self.holdout is not None:
            return self.holdout, self.holdout_se, f"{how}, on the holdout"
        return self.reported, None, f"{how}, its own claim"

    @property
    def lines(self) -> tuple[tuple[str, str, str], ...]:
        """Return what a person reads: a name, a score and what it is, for each score before and after."""
        given = format_score(self.given_holdout, self.given_holdout_se)
        what = "the start as given, on the holdout"
        if self.given_holdout is None and self.given_status == "ok":
            what = "the start as given ran; no rows are withheld to score it on"
        elif self.given_holdout is None:
            what = f"the start as given: {self.given_message or self.given_status or 'not executed'}"
        rows = [("as given", given, what)]
        score, error, how = self.before
        if self.solution:
            shown = format_claim(score) if error is None else format_score(score, error)
            rows.append(("before", shown, f"the start {how}"))
        if self.compared == self.solution and self.solution:
            rows.append(("after", format_score(self.after, self.after_se), "the start itself is submitted"))
        elif self.compared and self.gain is not None:
            by = f"{'worse' if self.gain < 0 else 'better'} by {format_score(abs(self.gain), self.gain_se)}"
            where = "by what both report about themselves" if self.rows == "reported" else "on the same rows"
            change = f"{self.compared}, {by} {where}"
            rows.append(("after", format_score(self.after, self.after_se), change))
        return tuple(rows)


def gather_start(brief: Brief | None, solutions: Mapping[str, Solution], state: PipelineState) -> StartRow | None:
    """Return the start of a run, None where it had none.

    Args:
        brief: of the run.
        solutions: of the run, those that only the ledger has included.
        state: that the run has reached.
    """
    if brief is None or brief.start is None:
        return None
    rescorings, comparison = state.get("rescorings", {}), state.get("start")
    given = next((one for one in solutions.values() if one.origin == AS_GIVEN), None)
    start = next((one for one in solutions.values() if one.origin == START), None)
    values: dict[str, object] = {"name": brief.start.name, "notes": brief.start.notes}
    if given is not None:
        verdict = given.verdict
        values |= {"given_status": verdict.status, "given_message": verdict.message}
        values |= {"given_holdout": verdict.holdout, "given_holdout_se": verdict.holdout_se}
    if start is not None and start.score is not None:
        final, verdict = rescorings.get(start.id), start.verdict
        values |= {"solution": start.id, "adapted": start.script != brief.start.script, "reported": verdict.reported}
        values |= {"holdout": verdict.holdout, "holdout_se": verdict.holdout_se}
        values |= {"fresh": final.fresh, "fresh_se": final.fresh_se} if final else {}
    if comparison is not None:
        values |= comparison.model_dump()
        values |= _after(comparison, solutions, rescorings)
    warning = _describe_failure(given, start) or _describe_worse(
        comparison, start, rescorings, state.get("exports", [])
    )
    return StartRow.model_validate({**values, "warning": warning})


def _after(
    comparison: StartComparison, solutions: Mapping[str, Solution], rescorings: Mapping[str, Rescoring]
) -> dict[str, object]:
    final, solution = rescorings.get(comparison.compared), solutions.get(comparison.compared)
    if comparison.rows != "holdout" and final is not None and final.fresh is not None:
        return {"after": final.fresh, "after_se": final.fresh_se}
    if solution is None:
        return {}
    verdict = solution.verdict
    if comparison.rows == "reported":
        return {"after": verdict.reported}
    return {"after": verdict.holdout, "after_se": verdict.holdout_se}


def _describe_failure(given: Solution | None, start: Solution | None) -> str:
    """Return a sentence where a start ended without a score; nothing as long as it may still get one."""
    if start is None or start.score is not None:
        return ""
    reasons = [f"adapted, {start.verdict.message or start.verdict.status}"]
    if given is not None:
        reasons.insert(0, f"as given, {given.verdict.message or 'it gave no score'}")
    return f"The start could not be used, and the run went on without it ({'; '.join(reasons)})."


def _describe_worse(
    comparison: StartComparison | None,
    start: Solution | None,
    rescorings: Mapping[str, Rescoring],
    exports: Sequence[Export],
) -> str:
    """Return a sentence where what was submitted is worse than the start beyond the error, and why."""
    if comparison is None or start is None or comparison.gain is None:
        return ""
    if comparison.gain >= -(comparison.gain_se or 0.0):
        return ""
    failed = next((export.message for export in exports if export.solution == start.id and not export.submission), "")
    final = rescorings.get(start.id)
    if not failed and final is not None and final.failed:
        failed = f"it failed on the fresh rows: {final.message}"
    why = f"the start could not be submitted ({failed})" if failed else "a person chose it"
    shown = format_score(-comparison.gain, comparison.gain_se)
    return f"What is submitted is worse than the start by {shown}, because {why}."
