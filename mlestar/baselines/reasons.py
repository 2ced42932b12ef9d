"""Why a task has no baseline of a kind."""


class NoBaselineError(Exception):
    """There is no such baseline for this task; the message says why, for a person."""
