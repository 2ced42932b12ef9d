"""What a run leaves for its reader: `result.json` and the HTML report."""

from mlestar.report.result import Result, Score, write_result

__all__ = ["Result", "Score", "write_result"]
