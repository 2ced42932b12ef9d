"""The tools that `--peers` and `--peer` name."""

from collections.abc import Sequence

from mlestar.bench.peers.command import CommandPeer
from mlestar.bench.peers.constant import CONSTANT, ConstantPeer
from mlestar.bench.peers.library import LIBRARIES, LibraryPeer
from mlestar.bench.rows import OWN
from mlestar.bench.tools import Tool
from mlestar.errors import SettingsError, nearest

GROUPS = {"autogluon": ("autogluon-medium", "autogluon-best")}
"""Names that stand for several peers."""
PEERS = (CONSTANT, *(library.name for library in LIBRARIES))


def find_peers(names: Sequence[str], commands: Sequence[str], *, seconds: float, cpus: int) -> list[Tool]:
    """Return peers in the order in which they are named.

    Args:
        names: of `PEERS` or `GROUPS`.
        commands: `NAME=command` each.
        seconds: time limit of every task.
        cpus: how many CPUs a peer may use.

    Raises:
        SettingsError: a name is unknown or occurs twice, or a command cannot be read.
    """
    expanded = [peer for name in names for peer in GROUPS.get(name, (name,))]
    tools = [_find_peer(name, seconds=seconds, cpus=cpus) for name in dict.fromkeys(expanded)]
    tools += [CommandPeer.parse(command, seconds=seconds, cpus=cpus) for command in commands]
    taken = {OWN}
    for tool in tools:
        if tool.name in taken:
            msg = f"two tools are called {tool.name}: give --peer another name"
            raise SettingsError(msg)
        taken.add(tool.name)
    return tools


def _find_peer(name: str, *, seconds: float, cpus: int) -> Tool:
    if name == CONSTANT:
        return ConstantPeer()
    for library in LIBRARIES:
        if library.name == name:
            return LibraryPeer(library, seconds, cpus)
    known = (*PEERS, *GROUPS)
    guess = nearest(name, known)
    hint = f"did you mean {guess}?" if guess else f"choose one of {', '.join(known)}"
    msg = f"--peers: {name!r} is unknown: {hint}"
    raise SettingsError(msg)
