"""The server of the page: on the loopback address alone."""

import asyncio
import socket
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mlestar.errors import OperatorError, SettingsError, UserError
from mlestar.ui.guard import Access, Guard
from mlestar.ui.processes import Processes
from mlestar.ui.site import Site, error_page

HOST = "127.0.0.1"
GRACE_SECONDS = 3
"""Time that open pages have when the server ends."""
FILES = {
    "report.css": ("mlestar.report", "templates/_style.css", "text/css"),
    "icon.svg": ("mlestar.ui", "static/icon.svg", "image/svg+xml"),
    "ui.css": ("mlestar.ui", "static/ui.css", "text/css"),
    "html.js": ("mlestar.ui", "static/html.js", "text/javascript"),
    "live.js": ("mlestar.ui", "static/live.js", "text/javascript"),
    "review.js": ("mlestar.ui", "static/review.js", "text/javascript"),
    "runs.js": ("mlestar.ui", "static/runs.js", "text/javascript"),
}
"""Styles and scripts; the page looks like the report, whose style it has."""


def make_app(site: Site, access: Access) -> ASGIApp:
    """Return the application."""
    routes = [
        Route("/", site.runs),
        Route("/new", site.new),
        Route("/start", site.start, methods=["POST"]),
        Route("/compare", site.compare),
        Route("/difference", site.difference, methods=["POST"]),
        Route("/runs/{run_id}", site.run),
        Route("/runs/{run_id}/events", site.events),
        Route("/runs/{run_id}/report", site.report),
        Route("/runs/{run_id}/diff", site.diff),
        Route("/runs/{run_id}/solutions/{solution}", site.solution),
        Route("/runs/{run_id}/answer", site.answer, methods=["POST"]),
        Route("/runs/{run_id}/resume", site.resume, methods=["POST"]),
        Route("/runs/{run_id}/stop", site.stop, methods=["POST"]),
        Route("/runs/{run_id}/fork", site.fork, methods=["GET", "POST"]),
        Route("/static/{name}", _static),
    ]
    handlers = {HTTPException: _refused, UserError: _unusable, OperatorError: _unusable}
    # Around the application, so that errors of its own have the headers too.
    return Guard(Starlette(routes=routes, exception_handlers=handlers), access)


async def serve(processes: Processes, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C; what works on runs goes on without it.

    Args:
        processes: name the runs folder, and know what works on its runs.
        port: to listen at; 0 chooses a free one.
        on_ready: receives the address.

    Raises:
        UserError: the port is taken.
    """
    listening = _listen(port)
    access = Access(listening.getsockname()[1])
    site = Site(processes)
    config = uvicorn.Config(
        make_app(site, access),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    site.is_closing = lambda: server.should_exit
    on_ready(access.address)
    try:
        await server.serve(sockets=[listening])
    finally:
        listening.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        msg = f"port {port} cannot be used ({error}): choose another one with --port"
        raise SettingsError(msg) from error
    return listening


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        raise HTTPException(404, "there is no such file")
    package, path, kind = FILES[name]
    text = await asyncio.to_thread(Path(str(files(package) / path)).read_text, encoding="utf-8")
    return Response(text, media_type=kind)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_page(status, error.detail if isinstance(error, HTTPException) else str(error))


async def _unusable(request: Request, error: Exception) -> Response:
    return error_page(400, str(error))
