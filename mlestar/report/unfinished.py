"""The report of a run that is not finished, from its folder alone: nothing in it is changed."""

from datetime import UTC, datetime
from pathlib import Path

from mlestar.errors import UserError
from mlestar.report.history import read_history
from mlestar.report.result import Result, Score, SpendRow, read_result
from mlestar.report.rows import cap_rows, model_rows, position, score_of, solution_row
from mlestar.settings import Settings
from mlestar.state import AS_GIVEN, FINISHED, Brief, RunStatus, Solution, best_first
from mlestar.store import Blobs, LedgerQueries, RunFolder, reading

SLACK_SECONDS = 1.0
"""Seconds by which the time of a file and one in the ledger may differ although nothing happened between them."""


def read_state(folder: RunFolder) -> tuple[Result, Brief, bool]:
    """Return what a run has reached, its brief, and whether a process works on it now.

    Raises:
        UserError: it has not read its task yet, or another version of this package made it.
        StoreError: its ledger cannot be read.
    """
    recorded = folder.read_settings()
    is_running = folder.is_in_use()
    result = read_result(folder, check=False) if folder.result.exists() or folder.result.is_symlink() else None
    if result is not None and (result.status in FINISHED or (not is_running and not _went_on(folder))):
        return result, read_brief(folder, result.brief), is_running and result.status not in FINISHED
    settings = Settings.resolve(recorded.settings)
    with reading(folder.ledger) as ledger:
        briefs = ledger.notes("brief")
        brief = read_brief(folder, briefs[-1]["blob"] if briefs else "")
        return _gather(folder, ledger, brief, settings, is_running=is_running), brief, is_running


def read_brief(folder: RunFolder, blob: str) -> Brief:
    """Return the brief of a run.

    Raises:
        UserError: there is none.
    """
    if not blob:
        msg = f"run {folder.run_id} has not read its task yet, or ended before that, or was made by a version that did "
        msg += "not keep what it read"
        raise UserError(msg)
    return Brief.model_validate_json(Blobs(folder.blobs).verified(blob).read_bytes())


def _went_on(folder: RunFolder) -> bool:
    """Return whether something was done after the result was written, as by a session that was killed."""
    if not folder.ledger.is_file():  # it was pruned
        return False
    with reading(folder.ledger) as ledger:
        _, last = ledger.span()
    written = datetime.fromtimestamp(folder.result.stat().st_mtime, UTC)
    return last is not None and (datetime.fromisoformat(last) - written).total_seconds() > SLACK_SECONDS


def _gather(folder: RunFolder, ledger: LedgerQueries, brief: Brief, settings: Settings, *, is_running: bool) -> Result:
    """Return what the ledger has, with scores as they may be shown while scripts can follow."""
    solutions = [Solution.model_validate(fact) for fact in ledger.notes("solution")]
    best = next(iter(best_first(brief.spec.direction, [row for row in solutions if row.origin != AS_GIVEN])), None)
    submitted = ledger.notes("submitted")
    spend, spec = ledger.spend(), brief.spec
    return Result(
        run_id=folder.run_id,
        task=spec.name,
        status=_status(folder),
        message="" if is_running or folder.questions.is_file() else _describe_end(folder),
        metric=spec.metric,
        direction=spec.direction,
        score=score_of(best, {}, ended=False) if best else Score(),
        winner=best.id if best else None,
        model=folder.read_settings().model or settings.model or "",
        models=model_rows(ledger),
        weak_models=tuple(fact["line"] for fact in ledger.notes("weak_model")),
        network=brief.network,
        split=brief.split,
        fallback=brief.fallback,
        warnings=brief.warnings,
        folder=str(folder.path),
        solution=_existing(folder.solution) if submitted else None,
        submission=_existing(folder.submission) if submitted and spec.has_test else None,
        seconds=round(spend.seconds, 3),
        history=read_history(ledger),
        spend=SpendRow.model_validate(spend),
        caps=cap_rows(ledger, settings),
        solutions=tuple(solution_row(folder, row, {}, None, ended=False) for row in sorted(solutions, key=position)),
        spec=spec,
    )


def _status(folder: RunFolder) -> RunStatus:
    return "paused" if folder.questions.is_file() else "stopped"


def _describe_end(folder: RunFolder) -> str:
    return f"its process ended without a result; `mlestar resume {folder.arguments}` continues it"


def _existing(path: Path) -> str | None:
    return str(path) if path.is_file() else None
