"""Disk space and memory of a run by its number of steps.

usage: python benchmarks/storage.py [--steps 50 200 800]

A step is one plan of the inner loop: a script of 8 KB and 1 MB of output, both different each time. One track with ten
plans for each block. Every run has a process of its own, so that only its own memory is measured.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mlestar
from mlestar.runners import Execution, Job
from tests.unit.scenario import Scenario, as_json, count_rows, fence, make_task, success

PLANS = 10
SCRIPT, OUTPUT = 8 * 1024, 2**20
BLOCK = "def load():\n    return 1"
ENDING = "print('Final Validation Performance: 0.5')\nopen('submission.csv')"
HEAD = (
    "| steps | run folder MB | KB per step | blobs MB | ledger MB | checkpoints MB | resident MB | peak MB | seconds |"
)
"""Resident is the median over the last tenth of the run, where memory that grows with the steps would be visible."""


class LongScenario(Scenario):
    """Answers with scripts of 8 KB that print 1 MB."""

    def __init__(self) -> None:
        self.random = random.Random(1)
        super().__init__(
            retriever=fence('{"cards": [{"name": "A"}]}', "json"),
            extractor=lambda prompt: as_json(block=BLOCK, plan=f"Load better, by way {self.random.random()}."),
            initializer=lambda prompt: fence(f"# quality 0.5\n{BLOCK}\n{self.padding()}\n{ENDING}"),
            planner=lambda prompt: f"Plan {self.random.random()} for the block, in a way that was not tried.",
            coder=lambda prompt: fence(f"{BLOCK}  # quality 0.5 {self.random.random()}"),
            ablator=lambda prompt: fence(f"# quality 0.5\n# variants/NAME.csv {self.random.random()}\nprint(1)"),
        )

    def padding(self) -> str:
        return "\n".join(f"# {self.random.getrandbits(480):0120x}" for _ in range(SCRIPT // 123))

    def run(self, job: Job) -> Execution:
        execution = super().run(job)
        for record in (self.prompts, self.scripts, self.inputs):
            record.clear()
        return success(execution.files, self.random.randbytes(OUTPUT // 2).hex())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", nargs="*", type=int, default=[50, 200, 800])
    processes = multiprocessing.get_context("spawn")
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for steps in parser.parse_args().steps:
        with ProcessPoolExecutor(1, mp_context=processes) as worker:
            print(worker.submit(measure, steps).result(), flush=True)


def measure(steps: int) -> str:
    samples: list[float] = []
    threading.Thread(target=watch_memory, args=(samples,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        scenario = LongScenario()
        settings = {
            "retrieval": "none",
            "tracks": 1,
            "retrieved_models": 1,
            "outer_steps": steps // PLANS,
            "inner_plans": PLANS,
            "ensemble_rounds": 0,
            "finalists": 1,
            "fresh_splits": 1,
            "runs_dir": f"{folder}/runs",
        }
        task = count_rows(make_task(Path(folder) / "signs"))
        model, runner = scenario.model(), scenario.runner()
        result = asyncio.run(mlestar.asolve(task, settings=settings, run_id="run", model=model, runner=runner))
        seconds = time.monotonic() - started
        refinements = sum(row.origin == "refinement" for row in result.solutions)
        run = Path(result.folder)
        sizes = [size(run), size(run / "blobs"), *(size(run, f"{name}.sqlite*") for name in ("ledger", "checkpoints"))]
    last = sorted(samples[-max(1, len(samples) // 10) :])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    cells = [f"{refinements}", f"{sizes[0]:.1f}", f"{1000 * sizes[0] / refinements:.0f}"]
    cells += [f"{size_mb:.1f}" for size_mb in sizes[1:]]
    cells += [f"{last[len(last) // 2]:.0f}", f"{peak:.0f}", f"{seconds:.0f}"]
    return f"| {' | '.join(cells)} |"


def size(folder: Path, pattern: str = "**/*") -> float:
    """Return the MB of the files below a folder."""
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / 1e6


def watch_memory(samples: list[float]) -> None:
    """Append the resident MB of this process every second."""
    while True:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        samples.append(pages * resource.getpagesize() / 1e6)
        time.sleep(1)


if __name__ == "__main__":
    main()
