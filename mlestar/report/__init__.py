"""Results of a run for programs and people: `result.json` and the HTML report."""

from mlestar.report.baselines import BaselineRow
from mlestar.report.gathering import write_result
from mlestar.report.result import Result, Score, read_result, recorded_files
from mlestar.state import FINISHED

__all__ = ["FINISHED", "BaselineRow", "Result", "Score", "read_result", "recorded_files", "write_result"]
