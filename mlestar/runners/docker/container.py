"""One container: created, sent its script, watched to its end, removed."""

import contextlib
import logging
import secrets
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.utils.socket import STDERR, frames_iter

from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.docker.disk import DISK, Disk
from mlestar.runners.docker.engine import CLIENT_ERRORS, engine_errors, remove_container
from mlestar.runners.docker.spec import GRACE_SECONDS, ContainerSpec, container_arguments
from mlestar.runners.docker.users import SandboxUser, claim_user, common_user
from mlestar.runners.limits import MIB, End, check_disk, out_of_memory
from mlestar.runners.record import ABORT, cut_record, make_command, make_mark, take_record
from mlestar.runners.work_folder import change_owner, delete_folder, make_folders, make_home_folder, write_main

_log = logging.getLogger("mlestar.runners")


@dataclass(eq=False)
class Container:
    """A container that runs one script; a `ScriptProcess`. Its methods block."""

    client: DockerClient
    spec: ContainerSpec
    folder: Path
    """Host folder for it alone; it need not exist."""
    label: str = "script"
    modules: tuple[str, ...] = ()
    """Imported while it waits for its script."""
    created: float = field(default_factory=time.monotonic)
    ended: "Future[None]" = field(default_factory=Future)
    """Done when its output has ended."""
    mark: str = field(default_factory=make_mark)
    script: bytes = b""
    """Set before `send_script`."""
    work: Path = field(init=False)
    """The folder in which the script works."""
    _user: SandboxUser = field(default_factory=common_user)
    _disk: Disk | None = None
    _name: str = ""
    _stream: Any = None
    _reader: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.output = Output(self.spec.limits.output_mb * MIB)
        self.work = self.folder / "work"

    @property
    def limits(self) -> Limits:
        return self.spec.limits

    @property
    def measured_folder(self) -> Path:
        return self.work

    def start(self) -> None:
        """Create the container, attach to its streams and start it, unless that is done already.

        Raises:
            RunnerError: the engine refuses or is lost.
        """
        if self._name:
            return
        if self.spec.own_user:
            self._user = claim_user()
        self._prepare_folders()
        label = "".join(letter for letter in self.label if letter.isascii() and letter.isalnum())[:30]
        self._name = f"mlestar-{label or 'script'}-{secrets.token_hex(6)}"
        with engine_errors():
            arguments = container_arguments(self.spec, self.folder, self._user.ids, self.modules)
            self.client.containers.create(name=self._name, **arguments)
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._stream = self.client.api.attach_socket(self._name, streams)
            self._reader = threading.Thread(target=self._read_output, name=self._name, daemon=True)
            self._reader.start()
            self._finish_work_folder()
            self.client.api.start(self._name)
        if self._disk is not None:
            self._disk.detach()
        _log.debug("container %s started", self._name)

    def send_script(self) -> None:
        """Write the script into the work folder and send the supervisor the command to run it."""
        write_main(self.work, self.script)
        change_owner(self.work, self._user.ids)
        with engine_errors():
            seconds = self.limits.seconds + GRACE_SECONDS / 2
            self._socket.sendall(make_command(self.mark, seconds, self.spec.gpus))

    def check_limits(self) -> End | None:
        """Return the end of a script that has filled its disk, or nearly the host's."""
        return check_disk(self.work, self.limits.disk_mb if self.spec.disk else None)

    def abort(self) -> None:
        """Make the script write its stack and end."""
        with contextlib.suppress(OSError):  # it ended by itself
            self._socket.sendall(ABORT)

    def wait(self) -> End:
        """Return how a script ended whose output has ended."""
        with engine_errors():
            code = int(self.client.api.wait(self._name, timeout=30)["StatusCode"])
            if end := take_record(self.output, self.mark, code, self.limits):
                return end
            oom = self.client.api.inspect_container(self._name)["State"].get("OOMKilled")
        if oom:
            return out_of_memory(self.limits, None)
        return End("killed", code, f"the script's supervisor ended with exit status {code} before the script did")

    def remove(self) -> None:
        """Kill and remove the container, whatever state it is in."""
        if not self._name:
            return
        try:
            with engine_errors():
                remove_container(self.client, self._name)
            _log.debug("container %s removed, %.1f s after it was made", self._name, time.monotonic() - self.created)
        finally:
            self._close_streams()
            cut_record(self.output, self.mark)

    def remove_with_folder(self) -> None:
        """Remove a container that got no script, and its folder."""
        try:
            self.remove()
        finally:
            self.delete_folder()

    def delete_folder(self) -> None:
        """Delete the folder of a container that is removed."""
        if self._disk is not None:
            self._disk.close()
        delete_folder(self.folder)
        self._user.release()

    @property
    def _socket(self) -> Any:
        """The client wraps a socket, whose own methods must be called."""
        return getattr(self._stream, "_sock", self._stream)

    def _prepare_folders(self) -> None:
        folders: tuple[str, ...] = ("work", "work/input")
        if self.spec.disk:
            # The engine refuses mounts of paths that do not exist, and the disk is not mounted yet.
            folders = (DISK, *(f"{DISK}/{name}" for name in folders))
        make_folders(self.folder, *folders)
        make_home_folder(self.folder)
        if self.spec.disk:
            self._disk = Disk(self.folder, self.limits.disk_mb)
            self._disk.start_mount()

    def _finish_work_folder(self) -> None:
        if self._disk is not None:
            self.work = self._disk.finish_mount()
        change_owner(self.work, self._user.ids)

    def _close_streams(self) -> None:
        if self._stream is None:
            return
        raw = self._socket
        with contextlib.suppress(OSError):  # the engine has closed it
            raw.shutdown(socket.SHUT_RDWR)
        if self._reader is not None:
            self._reader.join(10)
        self._stream.close()
        raw.close()

    def _read_output(self) -> None:
        """Read until the end: while a client does not read, the engine can neither kill nor remove the container."""
        try:
            for stream, data in frames_iter(self._stream, tty=False):  # type: ignore[no-untyped-call]  # stubs lack it
                (self.output.stderr if stream == STDERR else self.output.stdout).feed(data)
        except (*CLIENT_ERRORS, ValueError):  # closed concurrently
            pass
        finally:
            self.ended.set_result(None)
