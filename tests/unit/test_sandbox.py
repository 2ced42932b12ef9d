"""The sandbox without an engine: image recipes, imports of warm starts, forged records, closed folders."""

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import cast

import pytest
from docker import DockerClient

from mlestar.errors import RunnerError, SettingsError
from mlestar.runners import Limits
from mlestar.runners.docker.container import Container
from mlestar.runners.docker.image import VARIANTS, read_recipe
from mlestar.runners.docker.pool import FREE_MB, WAITING_MB, Pool
from mlestar.runners.docker.spec import ContainerSpec, container_arguments
from mlestar.runners.docker.users import FIRST_UID, UIDS, can_claim_users, claim_user
from mlestar.runners.imports import leading_imports
from mlestar.runners.options import Network
from mlestar.runners.record import read_record
from mlestar.runners.work_folder import measure
from tests.unit.paths import ROOT


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
def test_only_the_imports_at_the_beginning_of_a_script_are_imported_ahead(script: str, modules: str) -> None:
    assert " ".join(leading_imports(script)) == modules


def test_variants_add_to_the_base() -> None:
    lists = {name: read_recipe(name).requirements for name in VARIANTS}
    assert "torch==" not in lists["base"]
    assert all("torch==" in lists[name] and "pandas==" in lists[name] for name in ("torch", "gpu"))
    assert "\nxgboost==" in lists["gpu"]
    assert "xgboost-cpu" not in lists["gpu"]
    assert len({read_recipe(name).tag for name in VARIANTS}) == len(VARIANTS)


def test_the_build_context_holds_two_files_and_the_requirements_asked_for(tmp_path: Path) -> None:
    extra = tmp_path / "more.txt"
    extra.write_text("--find-links /wheels\nshap==1.0  # explains\npandas==3.0.0\nhttps://example.invalid/w.whl\n")
    recipe = read_recipe("torch", extra)
    with tarfile.open(fileobj=recipe.context()) as archive:
        assert archive.getnames() == ["Dockerfile", "requirements.txt"]
        requirements = archive.extractfile("requirements.txt")
        assert requirements is not None
        lines = requirements.read().decode().splitlines()
    assert {"--find-links /wheels", "pandas==3.0.0", "https://example.invalid/w.whl", "torch==2.13.0"} <= set(lines)
    assert sum(line.startswith("pandas==") for line in lines) == 1


def test_requirements_that_cannot_be_read_are_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="missing"):
        read_recipe("base", tmp_path / "missing")


def test_the_wheel_brings_the_image_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {
        f"mlestar/runners/docker/image/{name}"
        for name in ("Dockerfile", "requirements.txt", "torch.txt", "gpu.txt", "seccomp.json")
    } <= names
    assert {"mlestar/runners/inside/supervisor.py", "mlestar/runners/inside/warm_start.py"} <= names


USER = (1_900_000_000, 1_900_000_000)
FORBIDDEN = {
    *("io_uring_setup", "userfaultfd", "keyctl", "add_key", "bpf", "perf_event_open", "ptrace", "process_vm_readv"),
    *("mount", "fsopen", "open_tree", "unshare", "setns", "clone3", "fallocate", "pidfd_getfd", "kexec_load"),
}


def test_a_container_gets_no_rights_by_default(tmp_path: Path) -> None:
    spec = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0)
    arguments = container_arguments(spec, tmp_path, USER)
    assert (arguments["network_mode"], arguments["cap_drop"], arguments["read_only"]) == ("none", ["ALL"], True)
    privileges, calls = arguments["security_opt"]
    assert privileges == "no-new-privileges"
    profile = json.loads(calls.removeprefix("seccomp="))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert not allowed & FORBIDDEN
    assert arguments["mem_limit"] == arguments["memswap_limit"]
    assert arguments["device_requests"] is None
    assert not arguments["user"].startswith("0:")


@pytest.mark.parametrize(("network", "families"), [("none", {1}), ("bridge", {1, 2, 10, 16})])
def test_sockets_reach_the_internet_only_with_a_network(tmp_path: Path, network: Network, families: set[int]) -> None:
    spec = ContainerSpec(
        image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0, network=network
    )
    profile = json.loads(container_arguments(spec, tmp_path, USER)["security_opt"][1].removeprefix("seccomp="))
    rules = [rule for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    assert {rule["args"][0]["value"] for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"} == families


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names of sockets")
def test_no_two_containers_have_one_user_id() -> None:
    users = [claim_user() for _ in range(50)]
    assert len({user.uid for user in users}) == len(users)
    assert all(FIRST_UID <= user.uid < FIRST_UID + UIDS for user in users)
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="in use"):
        other.bind(f"\0mlestar-uid-{users[0].uid}")
    for user in users:
        user.release()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"\0mlestar-uid-{users[0].uid}")


@pytest.mark.parametrize("option", ["name=rootless", "name=userns"])
def test_an_engine_that_maps_user_ids_gives_containers_none_of_their_own(option: str) -> None:
    assert not can_claim_users(["name=seccomp,profile=default", option])


@pytest.mark.parametrize(
    ("gpus", "count", "ids"),
    [(("all",), -1, []), (("GPU-1",), 0, ["GPU-1"]), (("GPU-1", "GPU-2"), 0, ["GPU-1", "GPU-2"])],
)
def test_devices_are_requested_by_id(tmp_path: Path, gpus: tuple[str, ...], count: int, ids: list[str]) -> None:
    spec = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0, gpus=gpus)
    arguments = container_arguments(spec, tmp_path, USER)
    (request,) = arguments["device_requests"]
    assert (request["Count"], request["DeviceIDs"]) == (count, ids)
    assert not {"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"} & {*arguments["environment"]}


def test_a_script_without_a_device_gets_none_that_its_image_asks_for(tmp_path: Path) -> None:
    spec = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0)
    arguments = container_arguments(spec, tmp_path, USER)
    assert arguments["device_requests"] is None
    assert arguments["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert arguments["environment"]["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("free_mb", "count"), [(None, 2), (100_000, 2), (4096 + FREE_MB + WAITING_MB, 1), (4096 + FREE_MB, 0), (100, 0)]
)
def test_containers_wait_only_where_memory_is_free(tmp_path: Path, free_mb: int | None, count: int) -> None:
    requests: list[tuple[str, ...]] = []

    def make(spec: ContainerSpec, modules: tuple[str, ...]) -> Container:
        requests.append(modules)
        msg = "this test needs no container"
        raise RunnerError(msg)

    pool = Pool(2, make, lambda: free_mb)
    pool.refill(
        ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0), ("numpy",)
    )
    for _ in range(100):
        if len(requests) == count:
            break
        time.sleep(0.01)
    pool.close()
    assert len(requests) == count


NO_ENGINE = cast("DockerClient", None)


class IdleContainer(Container):
    """A container that is never created on an engine."""

    def start(self) -> None: ...

    def remove_with_folder(self) -> None: ...


def test_a_pool_fills_up_to_its_size(tmp_path: Path) -> None:
    spec = ContainerSpec(image="i", owner="o", input=tmp_path, inode=1, limits=Limits(), seed=0, cpus=2.0)

    def make(spec: ContainerSpec, modules: tuple[str, ...]) -> Container:
        return IdleContainer(NO_ENGINE, spec, tmp_path, modules=modules)

    pool = Pool(5, make, lambda: None)
    pool.refill(spec, ())
    for _ in range(100):
        if pool.waiting == 5:
            break
        time.sleep(0.01)
    assert pool.waiting == 5
    pool.close()


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
def test_a_record_that_no_supervisor_wrote_is_ignored(line: bytes) -> None:
    assert read_record(line, Limits()) is None


def test_a_record_cannot_claim_more_memory_than_there_was() -> None:
    line = json.dumps({"exit": 0, "oom": 0, "peak": 10**18}).encode()
    end = read_record(line, Limits(memory_mb=100))
    assert end is not None
    assert end.peak_memory == 100 << 20


@pytest.mark.skipif(os.getuid() == 0, reason="root can read every folder")
def test_closed_folders_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "data").write_bytes(b"x" * 1_000_000)
    (tmp_path / "closed").chmod(0)
    assert measure(tmp_path).size >= 1_000_000
