"""Which stages write scripts."""

BASELINE = "baseline"
"""Origin of what the package made itself to compare with; no agent wrote it."""
ORIGINS = ("candidate", "merge", "usage", "refinement", "ensemble", "whole data", "by hand", BASELINE)
"""The stages that write scripts, in the order in which a report lists their solutions; others are listed last."""
