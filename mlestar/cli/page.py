"""`mlestar ui`: the local page."""

import asyncio
import contextlib
import tempfile
import webbrowser
from pathlib import Path

from mlestar.cli.terminal import echo
from mlestar.errors import SettingsError


def serve_page(runs_dir: Path, port: int, *, browser: bool) -> None:
    """Serve the page of a runs folder until Ctrl-C.

    Raises:
        SettingsError: what it needs is not installed, or the port is taken.
    """
    try:
        from mlestar.ui.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        msg = "`mlestar ui` needs packages: pip install 'mlestar[ui]'"
        raise SettingsError(msg) from error
    from mlestar.ui.processes import Processes

    processes = Processes(runs_dir.absolute())
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):

        def show(address: str) -> None:
            echo(f"runs in {runs_dir.absolute()}: open\n\n    {address}\n\nCtrl-C ends the page; runs go on")
            if browser:
                _open(address, Path(folder))

        asyncio.run(serve(processes, port, show))
    if working := processes.working():
        echo(f"still working: {', '.join(working)}; follow one with: mlestar watch RUN")


def _open(address: str, folder: Path) -> None:
    """Open an address by a file that leads to it: every user of the machine can read the arguments of a browser."""
    file = folder / "open.html"
    file.touch(mode=0o600)
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    webbrowser.open(file.as_uri())
