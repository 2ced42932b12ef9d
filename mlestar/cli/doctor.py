"""`mlestar doctor`: what a run needs and whether this machine has it."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.text import Text

from mlestar.cli.terminal import Console
from mlestar.errors import MlestarError, RunnerError, SettingsError
from mlestar.llm import Models, Prices, choose_models
from mlestar.llm.external import ASK
from mlestar.llm.limits import ModelLimits
from mlestar.llm.probe import Probe, probe_model
from mlestar.llm.provider import PROVIDERS
from mlestar.retrieval import choose_retrieval
from mlestar.runners import ContainerOptions, DockerRunner, EngineStatus, Environment, Gpu, probe_docker
from mlestar.runners.gpus import find_host_gpus, list_gpus
from mlestar.runtime.supply import describe_supply
from mlestar.session.repair import repair_run
from mlestar.settings import Settings
from mlestar.store import RunFolder

Row = tuple[str, bool, str]


SHOWN_NAMES = 10
"""Libraries that may be added and are named."""
SHOWN = 60
"""Characters of an answer that are shown."""


def examine(settings: Settings) -> None:
    """Print one line per thing a run needs; a model that is named is asked one question.

    Exit status 1 when scripts cannot run in a sandbox here, or the model that is named does not answer.
    """
    engine = asyncio.run(probe_docker(settings.image))
    answers = list(_answers(settings)) if settings.model else []
    rows = [
        _keys(),
        *_model(settings),
        *answers,
        ("engine", engine.reachable, f"Docker {engine.version}" if engine.reachable else engine.reason),
        ("image", engine.image_present, engine.image if engine.image_present else "not built: `mlestar sandbox build`"),
        ("gpu", *_gpus(engine)),
        *_supplies(settings, image_present=engine.image_present),
        ("disk", *_disk()),
        ("memory", *_memory()),
    ]
    console = Console()
    for name, good, finding in rows:
        mark = Text("ok ", "green") if good else Text("-- ", "yellow")
        console.print(Text(f" {name:13}", "cyan") + mark + Text(finding), soft_wrap=True)
    if not engine.reachable or any(name == "answer" and not good for name, good, _ in answers):
        raise typer.Exit(1)


def examine_run(runs_dir: Path, run_id: str) -> None:
    """Print one line per damage of a run, with what was done about it; exit status 1 when some of it remains."""
    folder = RunFolder(runs_dir, run_id)
    findings = repair_run(folder)
    console = Console()
    for finding in findings:
        mark = Text("repaired ", "green") if finding.repair else Text("damaged  ", "red")
        outcome = finding.repair or finding.advice
        console.print(mark + Text(f"{finding.file} {finding.damage}: {outcome}"), soft_wrap=True, highlight=False)
    if not findings:
        console.print(Text(f"run {run_id}: no damage found"))
    elif any(finding.repair for finding in findings):
        kept = f"what was replaced is kept in {folder.path}/damaged-*; " if any(folder.path.glob("damaged-*")) else ""
        line = f"{kept}continue with: mlestar resume {folder.arguments}"
        console.print(Text(line), soft_wrap=True, highlight=False)
    if not all(finding.repair for finding in findings):
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


def _answers(settings: Settings) -> Iterator[Row]:
    """Ask the model one question and yield what that showed."""
    try:
        models, prices = choose_models(settings), Prices(settings.prices)
    except SettingsError:  # `_model` reports it
        return
    if models.default.trusted:
        yield "answer", True, "not asked: the offline engineer answers in this process"
        return
    if models.default.name == ASK:
        yield "answer", True, "not asked: it is answered from outside while a run works"
        return
    probe = asyncio.run(probe_model(models, settings, prices))
    if probe.error:
        yield "answer", False, probe.error
        return
    cost = f", ${probe.usd:.4f}" if probe.usd is not None else ""
    yield "answer", True, f"in {probe.seconds:.1f} s{cost}: {_shorten(probe.text)}"
    yield _output_limit(probe)
    yield _window(probe.limits)
    yield "json", probe.gives_json, "as asked" if probe.gives_json else f"not as asked: {_shorten(probe.text)}"
    yield _thinking(probe)


def _output_limit(probe: Probe) -> Row:
    known, requested = probe.limits.output, probe.requested
    asked = f"; a reply may have {requested:,} here" if requested else "; no limit is sent"
    if known is None:
        return "output limit", False, f"unknown{asked}"
    return "output limit", True, f"{known:,} tokens ({probe.limits.source}){asked}"


def _window(limits: ModelLimits) -> Row:
    if limits.window is None:
        return "window", False, "unknown: set it with --set prices=FILE if prompts are refused or cut"
    return "window", True, f"{limits.window:,} tokens ({limits.source})"


def _thinking(probe: Probe) -> Row:
    counted = f"{probe.reasoning_tokens:,} of {probe.output_tokens:,} tokens of the reply"
    return "thinking", True, counted if probe.reasoning_tokens else "none was counted"


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."


def _retrieval(settings: Settings, models: Models) -> Row:
    async def ground(role: str, prompt: str) -> object:
        raise NotImplementedError

    try:
        retrieval = choose_retrieval(settings.retrieval, ground=ground if models.can_ground else None)  # type: ignore[arg-type]  # never asked
    except SettingsError as error:
        return "retrieval", False, str(error)
    return "retrieval", True, retrieval.title


def _gpus(engine: EngineStatus) -> tuple[bool, str]:
    """List the devices that scripts can get: those of the engine, else those of this machine."""
    host, problem = _host_gpus()
    if not engine.image_present:
        there = f"this machine has {list_gpus(host)}: " if host else "unknown for the engine: "
        return not host, f"{there}whether containers get one is known once the image is built"
    try:
        gpus = asyncio.run(_engine_gpus())
    except RunnerError as error:
        if not host:
            return True, f"none: scripts use CPUs ({problem})"
        return False, f"this machine has {list_gpus(host)}, but {error}"
    return True, f"{list_gpus(gpus)}; use with --set image=gpu --set gpus=auto"


def _host_gpus() -> tuple[tuple[Gpu, ...], str]:
    try:
        return find_host_gpus(), ""
    except RunnerError as error:
        return (), str(error).partition(";")[0]


async def _engine_gpus() -> tuple[Gpu, ...]:
    runner = DockerRunner()
    try:
        return await runner.gpus()
    finally:
        await runner.aclose()


def _supplies(settings: Settings, *, image_present: bool) -> Iterator[Row]:
    """Yield what scripts have in the sandbox, and what they may declare."""
    environment: Environment | None = None
    if image_present:
        try:
            environment = asyncio.run(_describe_sandbox(settings))
            yield _libraries(environment)
        except RunnerError as error:
            yield "libraries", False, str(error)
    try:
        supply = asyncio.run(describe_supply(settings, environment))
    except MlestarError as error:
        yield "supply", False, str(error)
        return
    added = {
        "image": "image: none is added; --packages auto would add libraries of the catalogue",
        "ask": "ask: a person is asked about each that is added",
    }
    names = ", ".join(supply.allowed[:SHOWN_NAMES]) + (", ..." if len(supply.allowed) > SHOWN_NAMES else "")
    may_add = f"{supply.packages}: may be added: {names or 'none that is missing'}"
    if environment is None:
        may_add = f"{supply.packages}: which are missing is known once the image is built"
    yield "packages", True, added.get(supply.packages, may_add)
    folders = f", {len(supply.folders)} of your own folders" if supply.folders else ""
    yield "weights", True, f"{supply.weights}: {len(supply.stored_weights)} in the store{folders}"


def _libraries(environment: Environment) -> Row:
    """Count what is installed; name what cannot be imported, with the reason."""
    counts = f"{len(environment.packages)} for data, {len(environment.distributions)} distributions in all"
    broken = "; ".join(f"{name} ({reason})" for name, reason in environment.broken.items())
    return "libraries", not broken, f"{counts}; cannot be imported: {broken}" if broken else counts


async def _describe_sandbox(settings: Settings) -> Environment:
    runner = DockerRunner(ContainerOptions(image="base" if settings.image == "auto" else settings.image))
    try:
        return await runner.environment()
    finally:
        await runner.aclose()


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return free > 5, f"{free:.0f} GB free here"


def _memory() -> tuple[bool, str]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return total > 3.5, f"{total:.0f} GB, {os.cpu_count()} CPUs"
