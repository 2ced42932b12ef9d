"""A shell in the very container that scripts get."""

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
from mlestar.runners.docker.engine import connect, engine_errors, reap, remove_container
from mlestar.runners.docker.spec import ContainerSpec, arguments, sandbox_user
from mlestar.runners.work_folder import change_owner, delete_folder, make_folders, make_home_folder, new_folder_path

CHUNK = 65536
LIFE = Limits(seconds=24 * 3600)


def open_shell(image: str, source: Path, limits: Limits = LIFE) -> int:
    """Connect the terminal to a shell in a sandbox and return its exit status.

    Args:
        image: tag or digest that the engine has.
        source: folder that becomes `./input`.
        limits: of the container.

    Raises:
        RunnerError: the engine does not answer or refuses.
    """
    client, place = connect(), new_folder_path(None)
    name = place.name
    try:
        reap(client)
        make_folders(place, "work", "work/input")
        make_home_folder(place)
        change_owner(place / "work", sandbox_user())
        folder = source.resolve()
        with engine_errors():
            cpus = float(client.info()["NCPU"])
            spec = ContainerSpec(
                image=image, owner="shell", input=folder, inode=folder.stat().st_ino, limits=limits, seed=0, cpus=cpus
            )
            interactive = sys.stdin.isatty()
            given = arguments(spec, place) | {"entrypoint": ["/bin/sh"], "command": None, "tty": interactive}
            client.containers.create(name=name, **given)
            return _converse(client, name, interactive)
    finally:
        with engine_errors():
            remove_container(client, name)
        client.close()
        delete_folder(place)


def _converse(client: DockerClient, name: str, interactive: bool) -> int:
    stream = client.api.attach_socket(name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    line: socket.socket = getattr(stream, "_sock", stream)
    try:
        client.api.start(name)
        with _raw_terminal(client, name) if interactive else contextlib.nullcontext():
            _pass_on(line, framed=not interactive)
        return int(client.api.wait(name, timeout=30)["StatusCode"])
    finally:
        stream.close()
        line.close()


def _pass_on(line: socket.socket, *, framed: bool) -> None:
    """Copy our input to the shell and its output to ours, until it ends."""
    sources: list[Any] = [line, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sys.stdin.fileno() in ready:
            if typed := os.read(sys.stdin.fileno(), CHUNK):
                line.sendall(typed)
            else:
                line.shutdown(socket.SHUT_WR)
                sources.remove(sys.stdin.fileno())
        if line in ready:
            data = _frame(line) if framed else line.recv(CHUNK)
            if not data:
                return
            os.write(sys.stdout.fileno(), data)


def _frame(line: socket.socket) -> bytes:
    """Return the next piece of output; without a terminal the engine puts a head of eight bytes before each."""
    head = line.recv(8, socket.MSG_WAITALL)
    return line.recv(int.from_bytes(head[4:], "big"), socket.MSG_WAITALL) if len(head) == 8 else b""


@contextlib.contextmanager
def _raw_terminal(client: DockerClient, name: str) -> Iterator[None]:
    """Hand every key to the shell, and tell it the size of the window."""

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
