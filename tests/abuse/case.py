"""One hostile script: what it tries, where it is run, what must come of it."""

from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Literal

from mlestar.runners import Limits

Kind = Literal["docker", "warm", "bubblewrap", "local"]
SEALED: tuple[Kind, ...] = ("docker", "bubblewrap")
EVERYWHERE: tuple[Kind, ...] = ("docker", "warm", "bubblewrap", "local")

SHORT = Limits(seconds=20, memory_mb=512, disk_mb=40, output_mb=4, pids=100)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script and its expected end. `@SECRET@`, `@OTHER@`, `@HOSTS@` and `@PORT@` in it are filled in by the test."""

    name: str
    script: str
    status: tuple[str, ...] = ("ok",)
    says: str = ""
    """Must stand in its standard output: proof that the attack was carried out."""
    kinds: tuple[Kind, ...] = SEALED
    limits: Limits = SHORT
    outputs: tuple[str, ...] = ("submission.csv",)
    files: tuple[str, ...] = ()
    """The outputs that are copied out all the same."""
    detail: str = ""
    """Must stand in the execution's detail."""


def attempts(name: str, *tries: str, setup: str = "", kinds: tuple[Kind, ...] = SEALED) -> Case:
    """Return a script of several attempts, each of which must raise; one that does not prints BREACH."""
    head = "import ctypes, glob, os, socket, subprocess, sys, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    call = (
        "def call(name, *args):\n"
        "    if getattr(libc, name)(*args) < 0: raise OSError(ctypes.get_errno(), name)\n"
        "def syscall(*args):\n"
        "    call('syscall', *args)\n"
    )
    body = ""
    for number, lines in enumerate(tries):
        body += f"try:\n{indent(dedent(lines).strip(), '    ')}\n    print('BREACH', {number})\n"
        body += f"except BaseException as error:\n    print('held', {number}, repr(error)[:200])\n"
    return Case(name=name, script=head + call + dedent(setup) + body, says=f"held {len(tries) - 1}", kinds=kinds)
