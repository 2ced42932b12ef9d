"""Results of a run for programs and people: `result.json` and the HTML report."""

from mlestar.report.baselines import BaselineRow
from mlestar.report.gathering import FINISHED, write_result
from mlestar.report.result import Result, Score, read_result, recorded_files

__all__ = ["FINISHED", "BaselineRow", "Result", "Score", "read_result", "recorded_files", "write_result"]
