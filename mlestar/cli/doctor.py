"""`mlestar doctor`."""

import asyncio
import os
import shutil
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlestar.errors import SettingsError
from mlestar.models import choose_model
from mlestar.runners import probe_docker


def examine() -> None:
    """Print one line per thing a run needs; exit status 1 when scripts cannot run in a sandbox here."""
    engine = asyncio.run(probe_docker())
    table = Table(box=None, show_header=False)
    rows = [
        _model(),
        ("engine", engine.reachable, f"Docker {engine.version}" if engine.reachable else engine.reason),
        ("image", engine.image_present, engine.image if engine.image_present else "not built: `mlestar sandbox build`"),
        (
            "search",
            True,
            "Tavily" if os.environ.get("TAVILY_API_KEY") else "built-in catalogue (TAVILY_API_KEY is not set)",
        ),
        ("disk", *_disk()),
        ("memory", *_memory()),
    ]
    for name, good, said in rows:
        table.add_row(Text(name, style="cyan"), Text("ok" if good else "--", "green" if good else "yellow"), Text(said))
    Console().print(table)
    if not engine.reachable:
        raise typer.Exit(1)


def _model() -> tuple[str, bool, str]:
    try:
        chosen = choose_model(None)
    except SettingsError as error:
        return "model", False, str(error)
    return "model", True, f"{chosen.name}: {chosen.why}"


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return free > 5, f"{free:.0f} GB free here"


def _memory() -> tuple[bool, str]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return total > 3.5, f"{total:.0f} GB, {os.cpu_count()} CPUs"
