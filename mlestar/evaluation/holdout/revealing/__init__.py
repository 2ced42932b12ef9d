"""Which files of the input reveal the labels of withheld rows, and what is staged instead."""

from mlestar.evaluation.holdout.revealing.decisions import Decision, decide, describe_left_out, vouched_lines
from mlestar.evaluation.holdout.revealing.showing import without_files, without_revealing

__all__ = ["Decision", "decide", "describe_left_out", "vouched_lines", "without_files", "without_revealing"]
