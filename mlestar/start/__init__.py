"""A person's own script, read so that a run can start from it: a file, a notebook, or a solution of an earlier run."""

from mlestar.start.reading import StartText, find_file, read_start

__all__ = ["StartText", "find_file", "read_start"]
