"""Whole runs with weights from a local hub: fetched once, named in the result, found again without a network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.stub_hub import HubRepository, StubHub
from tests.unit.paths import ROOT

SECONDS = 250
WEIGHTS = np.array([1, 0], dtype="<f4")
"""Of the columns `x` and `z`: the target of the task is the sign of `x`."""


@pytest.fixture
def hub() -> Iterator[StubHub]:
    header = json.dumps({"head": {"dtype": "F32", "shape": [2], "data_offsets": [0, WEIGHTS.nbytes]}}).encode()
    content = len(header).to_bytes(8, "little") + header + WEIGHTS.tobytes()
    with StubHub({"timm/tiny": HubRepository({"model.safetensors": content, "config.json": b"{}"})}) as hub:
        yield hub


def solve(folder: Path, hub: StubHub, run_id: str, runner: str, policy: str = "auto") -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.integration.weight_run", str(folder), run_id, runner, policy]
    variables = {**os.environ, "HF_ENDPOINT": hub.url}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return shown


@pytest.mark.parametrize("runner", [pytest.param("docker", marks=pytest.mark.docker), "local"])
def test_a_run_fetches_declared_weights_once_and_a_later_one_needs_no_hub(
    tmp_path: Path, hub: StubHub, runner: str
) -> None:
    first = solve(tmp_path, hub, "first", runner)
    assert (first["status"], first["score"]) == ("solved", 1.0)
    (row,) = first["weights"]
    commit = hub.repositories["timm/tiny"].commit
    assert (row["address"], row["revision"], row["licence"]) == (f"hf:timm/tiny@{commit}", commit, "apache-2.0")
    assert any("in 2 files, licence apache-2.0" in line for line in first["lines"])
    requests = len(hub.requests)
    second = solve(tmp_path, hub, "second", runner, policy="local")
    assert (second["status"], second["score"], second["weights"]) == ("solved", 1.0, first["weights"])
    assert len(hub.requests) == requests


def test_without_the_policy_nothing_is_asked_of_the_hub(tmp_path: Path, hub: StubHub) -> None:
    shown = solve(tmp_path, hub, "run", "local", policy="local")
    assert shown["weights"] == []
    assert not hub.requests
