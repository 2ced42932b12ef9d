"""What a run leaves on the disk and in memory, against its length.

usage: python benchmarks/storage.py [--steps 50 200 800]

A step is one plan of the inner loop: a script of 8 KB and 1 MB of output, both different each time. One track with ten
plans for each block. Every run has a process of its own, so that its memory is its own.
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
from tests.unit.scenario import Play, as_json, count_rows, fence, make_task, success

PLANS = 10
SCRIPT, OUTPUT = 8 * 1024, 2**20
BLOCK = "def load():\n    return 1"
ENDING = "print('Final Validation Performance: 0.5')\nopen('submission.csv')"
HEAD = (
    "| steps | run folder MB | KB per step | blobs MB | ledger MB | checkpoints MB | resident MB | peak MB | seconds |"
)
"""Resident is the median of the last tenth of the run, so that what a run gathers would show."""


class Long(Play):
    """Writes scripts of 8 KB that print 1 MB."""

    def __init__(self) -> None:
        super().__init__(
            retriever=fence('{"cards": [{"name": "A"}]}', "json"),
            extractor=lambda prompt: as_json(block=BLOCK, plan=f"Load better, by way {self.random.random()}."),
            initializer=lambda prompt: fence(f"# quality 0.5\n{BLOCK}\n{self.padding()}\n{ENDING}"),
            planner=lambda prompt: f"Plan {self.random.random()} for the block, in a way that was not tried.",
            coder=lambda prompt: fence(f"{BLOCK}  # quality 0.5 {self.random.random()}"),
            ablator=lambda prompt: fence(f"# quality 0.5\n# variants/NAME.csv {self.random.random()}\nprint(1)"),
        )
        self.random = random.Random(1)

    def padding(self) -> str:
        return "\n".join(f"# {self.random.getrandbits(480):0120x}" for _ in range(SCRIPT // 123))

    def run(self, job: Job) -> Execution:
        done = super().run(job)
        for kept in (self.prompts, self.scripts, self.inputs):
            kept.clear()
        return success(done.files, self.random.randbytes(OUTPUT // 2).hex())


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
        play = Long()
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
        model, runner = play.model(), play.runner()
        result = asyncio.run(mlestar.asolve(task, settings=settings, run_id="run", model=model, runner=runner))
        seconds = time.monotonic() - started
        done = sum(row.origin == "refinement" for row in result.solutions)
        run = Path(result.folder)
        sizes = [size(run), size(run / "blobs"), *(size(run, f"{name}.sqlite*") for name in ("ledger", "checkpoints"))]
    last = sorted(samples[-max(1, len(samples) // 10) :])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    cells = [f"{done}", f"{sizes[0]:.1f}", f"{1000 * sizes[0] / done:.0f}", *(f"{part:.1f}" for part in sizes[1:])]
    return "| " + " | ".join([*cells, f"{last[len(last) // 2]:.0f}", f"{peak:.0f}", f"{seconds:.0f}"]) + " |"


def size(folder: Path, pattern: str = "**/*") -> float:
    """Return the MB of the files below a folder."""
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / 1e6


def watch_memory(samples: list[float]) -> None:
    """Note the resident MB of this process every second."""
    while True:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        samples.append(pages * resource.getpagesize() / 1e6)
        time.sleep(1)


if __name__ == "__main__":
    main()
