"""The sandbox without an engine: image recipes, what may be imported ahead, records that lie, folders that hide."""

import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from mlestar.errors import RunnerError, SettingsError
from mlestar.runners import Limits
from mlestar.runners.docker.image import VARIANTS, read_recipe
from mlestar.runners.docker.pool import LEAST_MB, NEED_MB, Pool
from mlestar.runners.docker.spec import ContainerSpec, arguments
from mlestar.runners.imports import leading_imports
from mlestar.runners.record import read_record
from mlestar.runners.work_folder import measure

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("script", "modules"),
    [
        (
            '"""Doc."""\nimport os\nimport pandas as pd\nfrom sklearn.svm import SVC\nx = 1\nimport numpy',
            "pandas sklearn.svm",
        ),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport numpy", ""),
        ("import numpy, secret_plugin\nimport pandas", ""),
        ("from . import numpy", ""),
        ("import numpy\nif True:\n    import pandas", "numpy"),
        ("import numpy\nthis is no Python", ""),
        ("(" * 500 + ")" * 500, ""),
        ("import numpy\0", ""),
    ],
)
def test_only_what_a_script_begins_with_is_imported_ahead(script, modules):
    assert " ".join(leading_imports(script)) == modules


def test_variants_add_to_the_base():
    lists = {name: read_recipe(name).requirements for name in VARIANTS}
    assert "torch==" not in lists["base"]
    assert all("torch==" in lists[name] and "pandas==" in lists[name] for name in ("torch", "gpu"))
    assert "\nxgboost==" in lists["gpu"]
    assert "xgboost-cpu" not in lists["gpu"]
    assert len({read_recipe(name).tag for name in VARIANTS}) == len(VARIANTS)


def test_the_build_context_holds_two_files_and_the_requirements_asked_for(tmp_path):
    extra = tmp_path / "more.txt"
    extra.write_text("--find-links /wheels\nshap==1.0  # explains\npandas==3.0.0\nhttps://example.invalid/w.whl\n")
    recipe = read_recipe("torch", extra)
    with tarfile.open(fileobj=recipe.context()) as archive:
        assert archive.getnames() == ["Dockerfile", "requirements.txt"]
        lines = archive.extractfile("requirements.txt").read().decode().splitlines()
    assert {"--find-links /wheels", "pandas==3.0.0", "https://example.invalid/w.whl", "torch==2.13.0"} <= set(lines)
    assert sum(line.startswith("pandas==") for line in lines) == 1


def test_requirements_that_cannot_be_read_are_a_users_error(tmp_path):
    with pytest.raises(SettingsError, match="missing"):
        read_recipe("base", tmp_path / "missing")


def test_the_wheel_brings_the_image_files(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {
        f"mlestar/runners/docker/image/{name}"
        for name in ("Dockerfile", "requirements.txt", "torch.txt", "gpu.txt", "seccomp.json")
    } <= names
    assert {"mlestar/runners/inside/supervisor.py", "mlestar/runners/inside/warm_start.py"} <= names


FORBIDDEN = {
    *("io_uring_setup", "userfaultfd", "keyctl", "add_key", "bpf", "perf_event_open", "ptrace", "process_vm_readv"),
    *("mount", "fsopen", "open_tree", "unshare", "setns", "clone3", "fallocate", "pidfd_getfd", "kexec_load"),
}


def test_a_container_is_given_nothing_by_default(tmp_path):
    box = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0)
    given = arguments(box, tmp_path)
    assert (given["network_mode"], given["cap_drop"], given["read_only"]) == ("none", ["ALL"], True)
    privileges, calls = given["security_opt"]
    assert privileges == "no-new-privileges"
    profile = json.loads(calls.removeprefix("seccomp="))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert not allowed & FORBIDDEN
    assert given["mem_limit"] == given["memswap_limit"]
    assert given["device_requests"] is None
    assert not given["user"].startswith("0:")


def test_devices_are_requested_by_count(tmp_path):
    box = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0, gpus=-1)
    assert [dict(request)["Count"] for request in arguments(box, tmp_path)["device_requests"]] == [-1]


@pytest.mark.parametrize(
    ("free_mb", "made"), [(None, 2), (100_000, 2), (4096 + LEAST_MB + NEED_MB, 1), (4096 + LEAST_MB, 0), (100, 0)]
)
def test_containers_wait_only_where_memory_is_free(tmp_path, free_mb, made):
    orders = []

    def make(box, modules):
        orders.append(modules)
        msg = "enough is known"
        raise RunnerError(msg)

    pool = Pool(2, make, lambda: free_mb)
    pool.refill(
        ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0), ("numpy",)
    )
    for _ in range(100):
        if len(orders) == made:
            break
        time.sleep(0.01)
    pool.close()
    assert len(orders) == made


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 200_000,
        b'{"exit": 1e999, "oom": 0, "peak": 0}',
        b'{"exit": 99999999999, "oom": 0, "peak": 0}',
        b'{"exit": 0, "oom": -1, "peak": 0}',
        b'{"exit": NaN, "oom": 0, "peak": 0}',
        b'{"exit": "' + b"9" * 10_000 + b'", "oom": 0, "peak": 0}',
        b"\xff",
    ],
)
def test_a_record_that_no_supervisor_wrote_is_not_believed(line):
    assert read_record(line, Limits()) is None


def test_a_record_cannot_claim_more_memory_than_there_was():
    line = json.dumps({"exit": 0, "oom": 0, "peak": 10**18}).encode()
    end = read_record(line, Limits(memory_mb=100))
    assert end is not None
    assert end.peak_memory == 100 << 20


@pytest.mark.skipif(os.getuid() == 0, reason="no folder is closed to root")
def test_closed_folders_hide_nothing(tmp_path):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "data").write_bytes(b"x" * 1_000_000)
    (tmp_path / "closed").chmod(0)
    assert measure(tmp_path).size >= 1_000_000
