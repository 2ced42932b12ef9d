"""Sending a run to trackers: readers of the run folder, in a process of their own. Nodes know none of them."""
