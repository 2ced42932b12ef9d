"""A proxy to the engine that can be cut."""

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path


class SocketProxy:
    """A socket that passes bytes on to another one until it is cut."""

    def __init__(self, target: str) -> None:
        self._target = target
        # A socket's path may have a hundred characters, fewer than the folders of pytest.
        self._folder = Path(tempfile.mkdtemp(prefix="proxy"))
        self.address = f"unix://{self._folder / 'socket'}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._ends: list[socket.socket] = []

    def __enter__(self) -> "SocketProxy":
        self._listener.bind(self.address.removeprefix("unix://"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        shutil.rmtree(self._folder)

    def cut(self) -> None:
        """End all connections and refuse further ones."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
