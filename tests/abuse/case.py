"""One hostile script: what it tries, where it is run, what must come of it. The scripts are in the TOML files here."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent
from typing import Any, Literal, get_args

from mlestar.runners import Limits

Kind = Literal["docker", "warm", "bubblewrap", "local"]
THEMES = ("reach", "exhaust", "output", "lies")
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
    """A script and its expected end. `@SECRET@`, `@OTHER@`, `@HOSTS@`, `@FIRST@` and `@PORT@` are filled in."""

    name: str
    script: str
    on: tuple[Kind, ...] = ("docker", "bubblewrap")
    ends: tuple[str, ...] = ("ok",)
    says: str = ""
    """Must stand in its standard output: proof that the attack was carried out."""
    limits: Limits = SHORT
    outputs: tuple[str, ...] = ("submission.csv",)
    files: tuple[str, ...] | None = ()
    """The outputs that are copied out all the same; None where that is a matter of luck."""
    detail: str = ""
    """Must stand in the execution's detail."""


def read_cases() -> list[Case]:
    """Return the cases of all themes."""
    folder = Path(__file__).parent
    tables = [tomllib.loads((folder / f"{theme}.toml").read_text(encoding="utf-8")) for theme in THEMES]
    return [_case(**row) for table in tables for row in table["case"]]


def _case(
    *,
    on: str = "docker bubblewrap",
    ends: str = "ok",
    limits: dict[str, Any] | None = None,
    outputs: list[str] | None = None,
    files: list[str] | str = "",
    tries: list[str] | None = None,
    setup: str = "",
    **row: str,
) -> Case:
    kinds = get_args(Kind) if on == "everywhere" else on.split()
    assert {*kinds} <= {*get_args(Kind)}, on
    if tries:
        row |= {"script": _attempts(tries, setup), "says": f"held {len(tries) - 1} "}
    return Case(
        **row,
        on=tuple(kinds),
        ends=tuple(ends.split()),
        limits=replace(SHORT, **(limits or {})),
        outputs=tuple(outputs) if outputs else ("submission.csv",),
        files=None if files == "any" else tuple(files),
    )


def _attempts(tries: list[str], setup: str) -> str:
    """Return a script of several attempts, each of which must raise; one that does not prints BREACH."""
    body = ""
    for number, lines in enumerate(tries):
        body += f"try:\n{indent(lines.strip(), '    ')}\n    print('BREACH', {number})\n"
        body += f"except BaseException as error:\n    print('held', {number}, repr(error)[:200])\n"
    return f"{HEAD}{setup}\n{body}"
