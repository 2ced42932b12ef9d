"""Run scripts through whole runs, as if a model had written them: pretrained weights beside a small network.

usage: python benchmarks/pretrained.py TASK SCRIPT [SCRIPT ...] [--packages auto] [--weights local] [--minutes 20]
                                       [--runs-dir DIR] [--image base]

Every script is the only candidate of a run of its own on the same task, with the Docker runner, so that packages and
weights that it declares are supplied, and its scores are those of the grader. Prints one Markdown row for each script.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.report import Result

HEAD = "| script | status | seconds | holdout | fresh | added packages | model calls |"


def main() -> None:
    options = parse_options()
    print(HEAD)
    print("|---" * (HEAD.count("|") - 1) + "|")
    for script in options.scripts:
        print(asyncio.run(run_script(options, script.stem, script.read_text(encoding="utf-8"))), flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("scripts", type=Path, nargs="+")
    parser.add_argument("--packages", default="auto")
    parser.add_argument("--weights", default="local")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--image", default="base")
    return parser.parse_args()


async def run_script(options: argparse.Namespace, name: str, script: str) -> str:
    start = time.monotonic()
    result = await mlestar.asolve(
        options.task,
        settings=make_settings(options),
        model=ScriptedModel(answer=make_answer(script)),
        on_event=lambda event: print(event.message, file=sys.stderr),
    )
    seconds = time.monotonic() - start
    packages = ", ".join(result.packages) or "none"
    calls = sum(sum(model.replies.values()) for model in result.models)
    cells = [name, result.status, f"{seconds:.0f}", *scores(result), packages, calls]
    return "| " + " | ".join(map(str, cells)) + " |"


def make_settings(options: argparse.Namespace) -> dict[str, Any]:
    return {
        **{"profile": "quick", "runner": "docker", "image": options.image, "runs_dir": options.runs_dir},
        **{"packages": options.packages, "weights": options.weights, "script_seconds": 60 * options.minutes},
        **{"retrieval": "none", "retrieved_models": 1, "outer_steps": 0, "tracks": 1, "max_hours": 4},
    }


def make_answer(script: str) -> Any:
    """Return the function of a model that writes this script and finds nothing to change."""
    card = {"name": "The script", "description": "As it is.", "example_code": "pass", "libraries": []}
    replies = {
        "analyst": "```json\n{}\n```",
        "retriever": f"```json\n{json.dumps({'cards': [card]})}\n```",
        "initializer": f"```python\n{script}\n```",
        "leakage_checker": '```json\n{"leak": false}\n```',
        "usage_checker": "ALL USED",
    }
    return lambda role, prompt: replies.get(role, "Nothing.")


def scores(result: Result) -> list[str]:
    score = result.score
    pairs = ((score.holdout, score.holdout_se), (score.fresh, score.fresh_se))
    return ["-" if value is None else f"{value:.4g} ± {error or 0:.2g}" for value, error in pairs]


if __name__ == "__main__":
    main()
