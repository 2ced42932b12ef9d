"""Which stages write scripts."""

BASELINE = "baseline"
"""Origin of what the package made itself to compare with; no agent wrote it."""
START = "start"
"""Origin of the person's own script, adapted to the contract; also where it needed no change."""
AS_GIVEN = "as given"
"""Origin of the person's own script as it was given, which is executed only to be compared."""
ORIGINS = (AS_GIVEN, START, "candidate", "merge", "usage", "refinement", "ensemble", "whole data", "by hand", BASELINE)
"""The stages that write scripts, in the order in which a report lists their solutions; others are listed last."""
