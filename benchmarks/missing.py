"""Which codes for missing values are recognised: planted ones of each kind, and none in ordinary tables.

usage: python benchmarks/missing.py [--seeds 20] [--ordinary 300] [--start 0] [--verbose]

Every table is written as a task folder and read by `Task.load`. A planted table counts as found if exactly the planted
codes are recognised, in exactly the planted columns.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.unit.missing_tables import KINDS, Planted, draw_ordinary, found_codes, same_codes, seeds, write_planted


def count_right(draw: Callable[[np.random.Generator], Planted], count: int, start: int, *, verbose: bool) -> int:
    """Return in how many tables exactly the planted codes are recognised."""
    right = 0
    for number, rng in enumerate(seeds(count, start)):
        planted = draw(rng)
        with tempfile.TemporaryDirectory() as folder:
            found = found_codes(write_planted(planted, Path(folder) / "task"))
        if same_codes(found, planted.codes):
            right += 1
        elif verbose:
            print(f"    seed {start + number}: planted {planted.codes}, recognised {found}; {planted.description!r}")
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--ordinary", type=int, default=300)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    for kind, draw in KINDS.items():
        right = count_right(draw, arguments.seeds, arguments.start, verbose=arguments.verbose)
        print(f"{kind:30} {right} of {arguments.seeds}", flush=True)
    right = count_right(draw_ordinary, arguments.ordinary, arguments.start, verbose=arguments.verbose)
    print(f"{'ordinary tables without codes':30} {right} of {arguments.ordinary}")


if __name__ == "__main__":
    main()
