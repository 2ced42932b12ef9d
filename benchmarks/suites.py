"""The command of every generator of tasks: which of them to write, and where."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar


class Made(Protocol):
    """A generated task."""

    @property
    def name(self) -> str:
        """Its id."""
        ...


T = TypeVar("T", bound=Made)


def write_suite(description: str | None, tasks: Sequence[T], write: Callable[[Path, T, int], None]) -> None:
    """Write the tasks that the command line names, or list them.

    Args:
        description: of the command.
        tasks: all that there are.
        write: takes the folder of the suite, a task and the seed.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, metavar="SUITE")
    parser.add_argument("--only", nargs="*", default=[], metavar="ID")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the tasks and write none")
    options = parser.parse_args()
    for task in tasks:
        if options.only and task.name not in options.only:
            continue
        if options.list:
            print(task)
        else:
            write(options.suite, task, options.seed)
