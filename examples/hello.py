"""The whole library used once: a folder in, a graded solution out. Run: python examples/hello.py"""

from pathlib import Path

import mlestar
from mlestar.cli.demo import make_demo

folder = make_demo(Path("runs/demo-task"))
result = mlestar.solve(
    folder,
    settings={"model": "offline", "profile": "quick", "outer_steps": 0},
    on_event=lambda event: print(f"{event.stage:12} {event.message}"),
)

print(f"{result.status}: {result.metric} {result.score.fresh:.4g} on fresh rows")
print(f"script {result.solution}, submission {result.submission}, report {result.report}")
