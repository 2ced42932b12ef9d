"""What a run leaves for its reader: `result.json` and the HTML report."""

from mlestar.report.result import Result, Score, read_result, write_result

__all__ = ["Result", "Score", "read_result", "write_result"]
