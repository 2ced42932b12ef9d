"""Whole runs on generated tables and panels against other tools with as many minutes: `mlestar bench`, then a summary.

    python -m benchmarks.made_bench WORK [--tasks ID ... | --number 30] [--minutes 3] [--peers flaml] [--seeds 1]
                                    [--profile quick] [--runner local] [--set key=value ...] [--panels] [--only-summary]

Writes the tables of `made_tables` into `WORK/suite` (with `--panels` those of `made_series` instead), runs
`mlestar bench` on the chosen ones into `WORK/bench-PROFILE-MINUTES`, and prints wins, ties and losses of mlestar
against each peer by the paired standard error. `--number` takes one table of each family first, then second ones.
The same command continues after an interruption, and other tasks can be added; the summary is of all rows that are
stored.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from benchmarks.made_series import PANELS, write_panel
from benchmarks.made_tables import TABLES, MadeTable, write_table
from benchmarks.standings import describe, standings
from mlestar.bench.rows import OWN, BenchRow
from mlestar.bench.run import BenchFolder


def spread(tables: Sequence[MadeTable]) -> list[str]:
    """Return the names of tables: one of each family, then a second one of each, and so on."""
    families: dict[str, count[int]] = {}
    turns = [next(families.setdefault(made.make.__qualname__, count())) for made in tables]
    return [tables[place].name for place in sorted(range(len(tables)), key=lambda place: turns[place])]


def choose(options: argparse.Namespace) -> list[str]:
    """Return the names of the tasks to run.

    Raises:
        SystemExit: one that was named does not exist.
    """
    names = [made.name for made in PANELS] if options.panels else spread(TABLES)
    if unknown := [name for name in options.tasks if name not in names]:
        raise SystemExit(f"no such task: {', '.join(unknown)}; there are {', '.join(names)}")
    return options.tasks or names[: options.number]


def write_suite(suite: Path, names: Sequence[str], seed: int) -> None:
    """Write tasks and answers; files that have not changed stay as they are."""
    for made in TABLES:
        if made.name in names:
            write_table(suite, made, seed)
    for panel in PANELS:
        if panel.name in names:
            write_panel(suite, panel, seed)


def run_bench(suite: Path, out: Path, names: Sequence[str], options: argparse.Namespace) -> int:
    """Run `mlestar bench` and return its exit status."""
    command = [sys.executable, "-m", "mlestar", "bench", suite, "--out", out, "--only", ",".join(names)]
    command += ["--profile", options.profile, "--model", "offline", "--minutes", options.minutes]
    command += ["--runner", options.runner, "--seeds", options.seeds, "--peers", ",".join(options.peers)]
    command += [part for setting in options.set for part in ("--set", setting)]
    return subprocess.run(list(map(str, command)), check=False).returncode


def stored_rows(out: Path) -> list[BenchRow]:
    """Return all rows of the folder of a benchmark, those of earlier commands too."""
    return list(BenchFolder(out).other_rows([]))


def print_summary(rows: Sequence[BenchRow]) -> None:
    """Print how mlestar stands against each other tool."""
    own = [row for row in rows if row.tool == OWN]
    for tool in dict.fromkeys(row.tool for row in rows if row.tool != OWN):
        found = standings([row for row in rows if row.tool == tool], own)
        print(f"\n{OWN} against {tool}: " + "\n".join(describe(found)))


def main() -> None:
    options = parse_options()
    suite, out = options.work / "suite", options.work / f"bench-{options.profile}-{options.minutes:g}"
    status = 0
    if not options.only_summary:
        names = choose(options)
        write_suite(suite, names, options.data_seed)
        status = run_bench(suite, out, names, options)
    print_summary(stored_rows(out))
    sys.exit(status)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--tasks", nargs="*", default=[], metavar="ID")
    parser.add_argument("--number", type=int, default=30)
    parser.add_argument("--panels", action="store_true")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--peers", nargs="*", default=["flaml"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data-seed", type=int, default=0, help="of the tables")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--runner", default="local")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--only-summary", action="store_true", help="of the rows that are stored; run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
