"""One hostile script: what it attempts, on which runners, and how it must end. The TOML files here hold the scripts."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent
from typing import Any, cast, get_args

from mlestar.runners import Limits
from tests.integration.runner_kinds import RunnerKind

THEMES = ("reach", "exhaust", "kernel", "output", "lies")
SHORT = Limits(seconds=20, memory_mb=512, disk_mb=40, output_mb=4, pids=100)
HEAD = """import ctypes, glob, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    if getattr(libc, name)(*args) < 0: raise OSError(ctypes.get_errno(), name)
def syscall(*args):
    call('syscall', *args)
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script and how it must end.

    In the script `@SECRET@` becomes the path of a secret file, `@OTHER@` the folder of another run, `@HOSTS@` the list
    of this host's addresses, `@FIRST@` the first of them and `@PORT@` a port on which this host listens.
    """

    name: str
    script: str
    runners: tuple[RunnerKind, ...] = ("docker", "bubblewrap")
    statuses: tuple[str, ...] = ("ok",)
    """The allowed statuses."""
    prints: str = ""
    """Part of its standard output: proof that the attack was carried out."""
    limits: Limits = SHORT
    outputs: tuple[str, ...] = ("submission.csv",)
    files: tuple[str, ...] | None = ()
    """The outputs that are copied all the same; None where that depends on timing."""
    detail: str = ""
    """Part of the execution's detail."""


def read_cases() -> list[Case]:
    """Return the cases of all themes."""
    folder = Path(__file__).parent
    tables = [tomllib.loads((folder / f"{theme}.toml").read_text(encoding="utf-8")) for theme in THEMES]
    return [_case(**row) for table in tables for row in table["case"]]


def _case(
    *,
    runners: str = "docker bubblewrap",
    statuses: str = "ok",
    limits: dict[str, Any] | None = None,
    outputs: list[str] | None = None,
    files: list[str] | str = "",
    attempts: list[str] | None = None,
    setup: str = "",
    **row: str,
) -> Case:
    all_kinds: tuple[RunnerKind, ...] = get_args(RunnerKind)
    kinds = all_kinds if runners == "everywhere" else tuple(cast(RunnerKind, kind) for kind in runners.split())
    assert {*kinds} <= {*all_kinds}, runners
    if attempts:
        row |= {"script": _make_script(attempts, setup), "prints": f"refused {len(attempts) - 1} "}
    return Case(
        **row,
        runners=kinds,
        statuses=tuple(statuses.split()),
        limits=replace(SHORT, **(limits or {})),
        outputs=tuple(outputs) if outputs else ("submission.csv",),
        files=None if files == "any" else tuple(files),
    )


def _make_script(attempts: list[str], setup: str) -> str:
    """Return a script of several attempts, each of which must raise; one that does not prints BREACH."""
    body = ""
    for number, lines in enumerate(attempts):
        body += f"try:\n{indent(lines.strip(), '    ')}\n    print('BREACH', {number})\n"
        body += f"except BaseException as error:\n    print('refused', {number}, repr(error)[:200])\n"
    return f"{HEAD}{setup}\n{body}"
