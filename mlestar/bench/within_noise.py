"""Whether scores on tasks in which nothing can be learnt are within what noise gives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlestar.bench.honesty import combined_error
from mlestar.bench.reliability import noise_range
from mlestar.bench.rows import Bench, BenchRow, Reliability
from mlestar.errors import clean_text
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import sign

_ABOUT = "Tasks without information"


@dataclass(frozen=True)
class _Claim:
    """One score of a tool on a task without information."""

    row: BenchRow
    kind: str
    """`graded`, `holdout` or `fresh`."""
    score: float
    error: float | None
    range: tuple[float, float]
    """What noise gives."""

    @property
    def is_within(self) -> bool:
        low, high = self.range
        return low <= self.score <= high

    def __str__(self) -> str:
        low, high = self.range
        comparison = "better" if sign(self.row.direction) * (self.score - low) > 0 else "worse"
        score = format_score(self.score, self.error)
        return f"{self.row.task} (seed {self.row.seed}) {self.kind} {score}, {comparison} than {low:.4g} to {high:.4g}"


def no_information_lines(bench: Bench) -> tuple[str, ...]:
    """Return for each tool how many of its scores are within what noise gives on the tasks without information."""
    measured = {entry.task: entry for entry in bench.reliability if entry.task in bench.no_information}
    if not measured:
        return ()
    rows = [row for row in bench.rows if row.task in measured and row.status != "unavailable"]
    tools = dict.fromkeys(row.tool for row in rows)
    return (
        f"{_ABOUT}: noise gives {'; '.join(map(_describe_range, measured.values()))}.",
        *(_describe_tool(tool, [row for row in rows if row.tool == tool], measured) for tool in tools),
    )


def _describe_range(entry: Reliability) -> str:
    limits = noise_range(entry)
    if limits is None:
        return f"an unknown range on {entry.task} ({entry.reason or 'too few shuffles were graded'})"
    low, high = limits
    return f"{low:.4g} to {high:.4g} on {entry.task}"


def _describe_tool(tool: str, rows: Sequence[BenchRow], measured: Mapping[str, Reliability]) -> str:
    claims = [claim for row in rows for claim in _claims(row, measured[row.task])]
    counts: list[str] = []
    for kind in ("graded", "holdout", "fresh"):
        within = [claim.is_within for claim in claims if claim.kind == kind]
        if within:
            counts.append(f"{kind} in {sum(within)} of {len(within)} rows")
    line = f"{_ABOUT}: {clean_text(tool)} is within what noise gives: {', '.join(counts) or 'not known'}."
    outside = [str(claim) for claim in claims if not claim.is_within]
    return f"{line} Outside: {'; '.join(outside)}." if outside else line


def _claims(row: BenchRow, entry: Reliability) -> Iterator[_Claim]:
    """Yield the scores of a row whose range is known: a wider one for scores on other rows than the graded score's."""
    graded, limits = row.graded, noise_range(entry)
    if graded.score is None or limits is None:
        return
    yield _Claim(row, "graded", graded.score, graded.standard_error, limits)
    for kind, score, error in (("holdout", row.holdout, row.holdout_se), ("fresh", row.fresh, row.fresh_se)):
        difference = combined_error(error, graded.standard_error)
        wider = None if difference is None else noise_range(entry, difference)
        if score is not None and wider is not None:
            yield _Claim(row, kind, score, error, wider)
