"""Other tools in the same table: a constant, libraries of automated machine learning, and any command line."""

from mlestar.bench.peers.choose import GROUPS, PEERS, find_peers

__all__ = ["GROUPS", "PEERS", "find_peers"]
