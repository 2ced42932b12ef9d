"""One run whose scripts declare weights, with a scripted model and a real runner: what it prints is read by a test.

python -m tests.integration.weight_run FOLDER RUN_ID RUNNER POLICY
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import mlestar
from mlestar.llm import ScriptedModel
from tests.unit.scenario import DEFAULTS, SMALL, cards, fence, make_task

ADDRESS = "hf:timm/tiny"
SCRIPT = """# /// script
# dependencies = []
#
# [tool.mlestar]
# weights = ["hf:timm/tiny"]
# ///
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

home = Path(os.environ["HF_HOME"], "hub", "models--timm--tiny")
commit = (home / "refs" / "main").read_text()
content = (home / "snapshots" / commit / "model.safetensors").read_bytes()
size = struct.unpack("<Q", content[:8])[0]
start, end = json.loads(content[8 : 8 + size])["head"]["data_offsets"]
weights = np.frombuffer(content[8 + size + start : 8 + size + end], "<f4")
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")


def predict(frame: pd.DataFrame) -> np.ndarray:
    return np.where(frame[["x", "z"]].to_numpy() @ weights > 0, "yes", "no")


accuracy = float((predict(train) == train["label"]).mean())
print(f"Final Validation Performance: {accuracy}")
pd.DataFrame({"id": test["id"], "label": predict(test)}).to_csv("submission.csv", index=False)
"""


def answer(role: str, prompt: str) -> str:
    replies = {**DEFAULTS, "retriever": cards("A"), "initializer": fence(SCRIPT)}
    reply = replies[role]
    assert isinstance(reply, str), role
    return reply


async def main(folder: Path, run_id: str, runner: str, policy: str) -> None:
    task = folder / "signs"
    if not task.exists():
        make_task(task)
    lines: list[str] = []
    settings = {
        **SMALL,
        "outer_steps": 0,
        "retrieved_models": 1,
        "runner": runner,
        "weights": policy,
        "weights_dir": folder / "store",
        "runs_dir": folder / "runs",
    }
    result = await mlestar.asolve(
        task,
        settings=settings,
        run_id=run_id,
        model=ScriptedModel(answer=answer),
        on_event=lambda event: lines.append(event.message),
    )
    shown: dict[str, Any] = {"status": result.status, "message": result.message, "score": result.score.holdout}
    shown |= {"weights": [row.model_dump() for row in result.weights], "lines": lines}
    print(json.dumps(shown))


if __name__ == "__main__":
    _, folder, run_id, runner, policy = sys.argv
    asyncio.run(main(Path(folder), run_id, runner, policy))
