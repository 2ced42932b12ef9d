"""Finding out an interpreter's version, its distributions, and which of them can be used."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlestar.errors import RunnerError, clean_text
from mlestar.runners.base import Execution, Job, Limits
from mlestar.runners.threads import call_in_thread
from mlestar.runners.work_folder import delete_folder, make_work_folder, new_folder_path

SCRIPT = Path(__file__).with_name("inside") / "describe.py"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
VERSION = re.compile(r"[\w.+!-]{1,40}")
MODULE = re.compile(r"\w{1,100}")
"""What the metadata of a distribution may say: prompts and reports repeat it."""
MAX_PACKAGES = 60
"""Libraries for data that prompts list with their versions: the image `torch` has 27. Chosen by judgement; not
measured."""
MAX_DISTRIBUTIONS = 5000
"""The largest installation of Anaconda has 600. Chosen by judgement; not measured."""
FOR_DATA = 0
"""The first group of `describe.rank`."""
VARIANTS = {"xgboost-cpu": "xgboost", "tensorflow-cpu": "tensorflow"}
"""Distributions that prompts list under a better-known name."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter as it describes itself."""

    python: str
    packages: dict[str, str]
    """Libraries for data that can be imported, as far as prompts list them with their versions."""
    distributions: dict[str, str]
    """Everything that is installed and not known to be broken: libraries for data first, then what was installed by
    name, then what only those need."""
    modules: dict[str, str]
    """Distributions by the modules that they install."""
    broken: dict[str, str] = field(default_factory=dict)
    """Libraries that are installed and cannot be imported, with the reason."""


async def probe_interpreter(run: Callable[[Job], Awaitable[Execution]], work_dir: Path | None) -> Interpreter:
    """Return what a script finds out about its interpreter.

    Raises:
        RunnerError: even this script fails.
    """
    folder = new_folder_path(work_dir)
    script = await call_in_thread(SCRIPT.read_text, "utf-8")
    try:
        work = await call_in_thread(make_work_folder, folder, script)
        job = Job(script=script, input=work, collect=folder, outputs=(), limits=Limits(seconds=300), name="probe")
        execution = await run(job)
    finally:
        await call_in_thread(delete_folder, folder)
    if execution.status != "ok":
        msg = f"the interpreter that scripts run in does not work: {execution.status} {execution.stderr.strip()[-300:]}"
        raise RunnerError(msg)
    try:
        return read_description(json.loads(execution.stdout))
    except (ValueError, TypeError, KeyError) as error:
        msg = f"the interpreter that scripts run in describes itself in a way that cannot be read: {error}"
        raise RunnerError(msg) from error


def read_description(told: Mapping[str, Any]) -> Interpreter:
    """Return what an interpreter says about itself, without malformed names and versions."""
    rows = [(str(name), str(version), int(group)) for name, version, group in told["distributions"]]
    rows = [row for row in rows if NAME.fullmatch(row[0]) and VERSION.fullmatch(row[1])][:MAX_DISTRIBUTIONS]
    for_data = [(VARIANTS.get(name, name), version) for name, version, group in rows if group == FOR_DATA]
    modules = {str(module): str(name) for module, name in told["modules"].items()}
    return Interpreter(
        python=_clean(told["python"], 40),
        packages=dict(sorted(for_data[:MAX_PACKAGES])),
        distributions={name: version for name, version, _ in rows},
        modules={module: name for module, name in modules.items() if MODULE.fullmatch(module) and NAME.fullmatch(name)},
        broken={str(name): _clean(reason, 200) for name, reason in told["broken"].items() if NAME.fullmatch(str(name))},
    )


def _clean(text: object, max_length: int) -> str:
    return " ".join(clean_text(str(text)).split())[:max_length]
