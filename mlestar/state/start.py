"""A person's own script, from which a run starts."""

from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite


class StartScript(BaseModel):
    """The script as it was read when the run began."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Name of the file, or the run and the solution."""
    script: str
    """Blob."""
    notes: tuple[str, ...] = ()
    """What was changed when it was read, one line each."""
    metric: str = ""
    """Of the earlier run that it is from, which may be another than the task's."""


class StartComparison(BaseModel):
    """By how much what was submitted is better than the start, on the same rows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    compared: str
    """Id of what was submitted."""
    gain: Finite = None
    """Positive when it is better, whatever the metric's direction; None where both cannot be compared.

    Where no rows are withheld, it is the difference of what both report about themselves, and has no error.
    """
    gain_se: Finite = None
    rows: str = ""
    """`fresh` or `holdout`: which rows both were compared on; `reported` where none are withheld."""
