"""A shell in a container like those of scripts."""

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.client import DockerClient

from mlestar.runners.base import Limits
from mlestar.runners.docker.engine import connect, engine_errors, remove_container, remove_stale_containers
from mlestar.runners.docker.spec import ContainerSpec, container_arguments
from mlestar.runners.docker.users import common_user
from mlestar.runners.work_folder import change_owner, delete_folder, make_folders, make_home_folder, new_folder_path

_CHUNK = 65536
SHELL_LIMITS = Limits(seconds=24 * 3600)
"""Those of a script, but with a day of time. Chosen by judgement; not measured."""


def open_shell(image: str, source: Path, limits: Limits = SHELL_LIMITS) -> int:
    """Connect the terminal to a shell in a sandbox and return its exit status.

    Args:
        image: tag or digest that the engine has.
        source: folder that becomes `./input`.
        limits: of the container.

    Raises:
        RunnerError: the engine does not answer or refuses.
    """
    client, folder = connect(), new_folder_path(None)
    name = folder.name
    try:
        remove_stale_containers(client)
        make_folders(folder, "work", "work/input")
        make_home_folder(folder)
        user = common_user().ids
        change_owner(folder / "work", user)
        source = source.resolve()
        with engine_errors():
            cpus = float(client.info()["NCPU"])
            spec = ContainerSpec(
                image=image, owner="shell", input=source, inode=source.stat().st_ino, limits=limits, seed=0, cpus=cpus
            )
            interactive = sys.stdin.isatty()
            arguments = container_arguments(spec, folder, user)
            arguments |= {"entrypoint": ["/bin/sh"], "command": None, "tty": interactive, "init": True}
            # Scripts have no terminals.
            arguments["tmpfs"].pop("/dev/pts")
            client.containers.create(name=name, **arguments)
            return _attach(client, name, interactive)
    finally:
        with engine_errors():
            remove_container(client, name)
        client.close()
        delete_folder(folder)


def _attach(client: DockerClient, name: str, interactive: bool) -> int:
    stream = client.api.attach_socket(name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    connection: socket.socket = getattr(stream, "_sock", stream)
    try:
        client.api.start(name)
        with _raw_terminal(client, name) if interactive else contextlib.nullcontext():
            _copy_streams(connection, framed=not interactive)
        return int(client.api.wait(name, timeout=30)["StatusCode"])
    finally:
        stream.close()
        connection.close()


def _copy_streams(connection: socket.socket, *, framed: bool) -> None:
    """Copy this process's input to the shell, and the shell's output to this process's, until it ends."""
    sources: list[Any] = [connection, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sys.stdin.fileno() in ready:
            if data := os.read(sys.stdin.fileno(), _CHUNK):
                connection.sendall(data)
            else:
                connection.shutdown(socket.SHUT_WR)
                sources.remove(sys.stdin.fileno())
        if connection in ready:
            data = _read_frame(connection) if framed else connection.recv(_CHUNK)
            if not data:
                return
            os.write(sys.stdout.fileno(), data)


def _read_frame(connection: socket.socket) -> bytes:
    """Return the next piece of output; without a terminal the engine sends a header of eight bytes before each."""
    header = connection.recv(8, socket.MSG_WAITALL)
    if len(header) != 8:
        return b""
    return connection.recv(int.from_bytes(header[4:], "big"), socket.MSG_WAITALL)


@contextlib.contextmanager
def _raw_terminal(client: DockerClient, name: str) -> Iterator[None]:
    """Pass every key to the shell, and the size of the window."""

    def resize(*_: object) -> None:
        size = shutil.get_terminal_size()
        client.api.resize(name, size.lines, size.columns)

    before = termios.tcgetattr(sys.stdin)
    handler = signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(sys.stdin)
        resize()
        yield
    finally:
        signal.signal(signal.SIGWINCH, handler)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
