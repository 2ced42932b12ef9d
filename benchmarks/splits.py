"""Whether the split of a task is inferred: planted structures that are found, and null tables where there is none.

usage: python benchmarks/splits.py [--seeds 20] [--null 300] [--scores 20] [--only KIND ...]

Each kind of structure is planted in tables of varied rows, columns, noise and names. Then one fixed script per task is
graded on the fresh holdouts and on the true labels of the test: how often the two agree within two combined standard
errors.
"""

import argparse
import tempfile
from pathlib import Path

from tests.unit.planted_scores import SCORED, agrees
from tests.unit.planted_splits import NULLS, PLANTS, plan_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--null", type=int, default=300)
    parser.add_argument("--scores", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    kinds = options.only or [*PLANTS, "null", *(f"score: {name}" for name in SCORED)]
    print("| structure | tables | right |\n|---|---|---|")
    for kind in kinds:
        if kind == "null":
            print(f"| null | {options.null} | {count_nulls(options.null)} |", flush=True)
        elif kind.startswith("score: "):
            print(f"| {kind} | {options.scores} | {count_agreeing(kind, options.scores)} |", flush=True)
        else:
            print(f"| {kind} | {options.seeds} | {count_plants(kind, options.seeds)} |", flush=True)


def count_plants(kind: str, seeds: int) -> int:
    """Count the planted tables whose structure is inferred."""
    right = 0
    for seed in range(seeds):
        plant = PLANTS[kind](seed)
        plan = plan_of(plant.frame, plant.in_test)
        if plant.is_right(plan):
            right += 1
        else:
            print(f"  missed: {kind} seed {seed}: {plan.kind} by {plan.by} {plan.group_rule or ''}", flush=True)
    return right


def count_nulls(tables: int) -> int:
    """Count the null tables whose split is random."""
    right = 0
    for seed in range(tables):
        null = NULLS[seed % len(NULLS)](seed)
        plan = plan_of(null.frame, null.in_test)
        if null.is_right(plan):
            right += 1
        else:
            print(f"  false: seed {seed}: {plan.kind} by {plan.by} {plan.evidence[:1]}", flush=True)
    return right


def count_agreeing(kind: str, seeds: int) -> int:
    """Count the tasks whose fresh score agrees with the score on the true labels."""
    right = 0
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            agreement = agrees(SCORED[kind.removeprefix("score: ")], seed, Path(folder))
        right += agreement.within
        if not agreement.within:
            print(f"  {kind} seed {seed}: {agreement}", flush=True)
    return right


if __name__ == "__main__":
    main()
