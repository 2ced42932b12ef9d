"""Readers of a run's result for assertions."""

from pathlib import Path

import pandas as pd

from mlestar.report import Result
from mlestar.report.result import SolutionRow


def by_id(result: Result) -> dict[str, SolutionRow]:
    return {row.id: row for row in result.solutions}


def read_solution(result: Result) -> str:
    """Return the script that was submitted."""
    assert result.solution is not None
    return Path(result.solution).read_text(encoding="utf-8")


def read_submission(result: Result) -> pd.DataFrame:
    assert result.submission is not None
    return pd.read_csv(result.submission)


def read_script(result: Result, identity: str | None) -> str:
    """Return the script of one solution."""
    path = by_id(result)[identity or ""].script
    assert path is not None
    return (Path(result.folder) / path).read_text(encoding="utf-8")
