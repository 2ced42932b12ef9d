"""`mlestar doctor`: what a run needs and whether this machine has it."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlestar.errors import SettingsError
from mlestar.llm import Models, Prices, choose_models
from mlestar.llm.provider import PROVIDERS
from mlestar.retrieval import choose_retrieval
from mlestar.runners import probe_docker
from mlestar.settings import Settings

Row = tuple[str, bool, str]


def examine(settings: Settings) -> None:
    """Print one line per thing a run needs; exit status 1 when scripts cannot run in a sandbox here."""
    engine = asyncio.run(probe_docker())
    table = Table(box=None, show_header=False)
    rows = [
        _keys(),
        *_model(settings),
        ("engine", engine.reachable, f"Docker {engine.version}" if engine.reachable else engine.reason),
        ("image", engine.image_present, engine.image if engine.image_present else "not built: `mlestar sandbox build`"),
        ("disk", *_disk()),
        ("memory", *_memory()),
    ]
    for name, good, finding in rows:
        mark = Text("ok", "green") if good else Text("--", "yellow")
        table.add_row(Text(name, style="cyan"), mark, Text(finding))
    Console().print(table)
    if not engine.reachable:
        raise typer.Exit(1)


def _keys() -> Row:
    """Name the keys that are set, never their values."""
    of_models = [variable for provider in PROVIDERS.values() for variable in provider.keys]
    variables = [*of_models, "TAVILY_API_KEY"]
    keys = [variable for variable in variables if os.environ.get(variable)]
    if not keys:
        return "key", False, f"none is set ({', '.join(variables)})"
    return "key", True, f"{', '.join(keys)} set"


def _model(settings: Settings) -> Iterator[Row]:
    try:
        models, prices = choose_models(settings), Prices(settings.prices)
    except SettingsError as error:
        yield "model", False, str(error)
        return
    yield "model", True, f"{models.title}: {models.default.why}"
    unknown = sorted({model.name for model in models.all() if prices.price(model.name) is None})
    problem = f"unknown for {', '.join(unknown)}: --set prices=FILE" if unknown else ""
    yield "price", not unknown, problem or "known"
    yield _retrieval(settings, models)


def _retrieval(settings: Settings, models: Models) -> Row:
    async def ground(role: str, prompt: str) -> object:
        raise NotImplementedError

    try:
        retrieval = choose_retrieval(settings.retrieval, ground=ground if models.can_ground else None)  # type: ignore[arg-type]  # never asked
    except SettingsError as error:
        return "retrieval", False, str(error)
    return "retrieval", True, retrieval.title


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return free > 5, f"{free:.0f} GB free here"


def _memory() -> tuple[bool, str]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return total > 3.5, f"{total:.0f} GB, {os.cpu_count()} CPUs"
