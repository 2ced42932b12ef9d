"""Weights in real sandboxes: read-only, offline, found by the real client of a hub, with nothing else of the store."""

import importlib.util
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlestar.runners import Execution, Job
from mlestar.runners.supply.weights import WeightStore, WeightSupplier, read_address
from tests.integration.runner_kinds import MARKS, RunnerKind, make_runner
from tests.integration.stub_hub import HubRepository, StubHub

KINDS = [pytest.param(kind, marks=MARKS[kind]) for kind in MARKS]
ISOLATED = [pytest.param(kind, marks=MARKS[kind]) for kind in MARKS if kind != "local"]
CLIENT = (
    *("huggingface_hub", "httpx2", "httpcore2", "h11", "anyio", "idna", "truststore", "filelock", "fsspec", "tqdm"),
    *("packaging", "yaml", "typing_extensions", "click", "certifi", "sniffio"),
)
"""Modules of the hub's client, which the image lacks: a folder of the user's own has them, and no compiled code."""
VALUES = np.arange(12, dtype="<f4").reshape(3, 4)

LOAD = """
import json, os, socket, struct, sys
from pathlib import Path
import numpy as np
sys.path[:0] = os.environ["MLESTAR_WEIGHT_FOLDERS"].split(os.pathsep)
from huggingface_hub import hf_hub_download
path = Path(hf_hub_download("timm/tiny", "model.safetensors"))
content = path.read_bytes()
size = struct.unpack("<Q", content[:8])[0]
header = json.loads(content[8 : 8 + size])
start, end = header["head"]["data_offsets"]
values = np.frombuffer(content[8 + size + start : 8 + size + end], "<f4").reshape(header["head"]["shape"])
print("sum", values.sum(), "offline", os.environ["HF_HUB_OFFLINE"])
try:
    hf_hub_download("timm/other", "model.safetensors")
except Exception as error:
    print("other", type(error).__name__)
"""


def safetensors() -> bytes:
    header = json.dumps({"head": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, VALUES.nbytes]}}).encode()
    return len(header).to_bytes(8, "little") + header + VALUES.tobytes()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Folders that the sandbox's user can read."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o055)
    for name in ("input", "collect", "own", "work"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def view(folders: Path) -> Iterator[Path]:
    files = {"model.safetensors": safetensors(), "config.json": b"{}"}
    other = HubRepository({"model.safetensors": b"not declared"})
    with StubHub({"timm/tiny": HubRepository(files), "timm/other": other}) as hub:
        supplier = WeightSupplier(WeightStore(folders / "store"), max_mb=1, endpoint=hub.url)
        supplier.fetch_blocking(read_address("hf:timm/other"))
        address = read_address("hf:timm/tiny")
        yield supplier.store.make_view({address: supplier.fetch_blocking(address)})


async def run(kind: RunnerKind, folders: Path, view: Path, script: str) -> Execution:
    runner = make_runner(kind, f"weights-{os.getpid()}", folders / "work")
    job = Job(
        script=script,
        input=folders / "input",
        collect=folders / "collect",
        weights=view,
        weight_folders=(folders / "own",),
    )
    try:
        return await runner.run(job)
    finally:
        await runner.aclose()


def copy_client(folder: Path) -> None:
    for name in CLIENT:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        source = Path(found.origin)
        site = source.parents[1] if source.name == "__init__.py" else source.parent
        for facts in site.glob(f"{name}-*.dist-info"):
            shutil.copytree(facts, folder / facts.name)
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        if source.name == "__init__.py":
            shutil.copytree(source.parent, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_real_client_loads_declared_weights_and_finds_no_others(
    kind: RunnerKind, folders: Path, view: Path
) -> None:
    copy_client(folders / "own")
    execution = await run(kind, folders, view, LOAD)
    assert execution.status == "ok", execution.stderr
    assert f"sum {VALUES.sum()} offline 1" in execution.stdout
    assert "other LocalEntryNotFoundError" in execution.stdout


@pytest.mark.parametrize("kind", ISOLATED)
@pytest.mark.parametrize(
    "attempt",
    [
        "open(os.environ['HF_HOME'] + '/new', 'w')",
        "open(next(Path(os.environ['HF_HOME']).rglob('model.safetensors')).resolve(), 'r+b')",
        "os.unlink(next(Path(os.environ['HF_HOME']).rglob('config.json')))",
        "os.chmod(os.environ['HF_HOME'], 0o777)",
        "open(os.environ['MLESTAR_WEIGHT_FOLDERS'] + '/new', 'w')",
        "os.link(next(Path(os.environ['HF_HOME']).rglob('model.safetensors')).resolve(), '/sandbox/linked')",
        "os.listdir(os.environ['HF_HOME'] + '/../../store')",
        "os.listdir(os.environ['HF_HOME'] + '/../blobs')",
    ],
)
async def test_a_script_changes_no_weights_and_sees_no_other_part_of_the_store(
    kind: RunnerKind, folders: Path, view: Path, attempt: str
) -> None:
    script = (
        f"import os\nfrom pathlib import Path\ntry:\n    {attempt}\nexcept OSError as error:\n    print('refused')\n"
    )
    execution = await run(kind, folders, view, script)
    assert (execution.status, execution.stdout) == ("ok", "refused\n")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_script_has_the_variables_of_weights_and_no_token(
    kind: RunnerKind, folders: Path, view: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef0123456789abcdef01")
    (folders / "own" / "mine.txt").write_text("mine")
    script = "import os\nfrom pathlib import Path\nprint('HF_TOKEN' in os.environ)\n"
    script += "print(sorted(path.name for path in Path(os.environ['TORCH_HOME']).rglob('*')))\n"
    script += "print(Path(os.environ['MLESTAR_WEIGHTS']).is_dir())\n"
    script += "print(Path(os.environ['MLESTAR_WEIGHT_FOLDERS'], 'mine.txt').read_text())\n"
    execution = await run(kind, folders, view, script)
    assert execution.stdout.splitlines() == ["False", "['checkpoints', 'hub']", "True", "mine"], execution.stderr


async def test_a_plain_process_that_changes_weights_is_an_error_and_the_store_is_repaired(
    folders: Path, view: Path
) -> None:
    script = (
        "import os\nfrom pathlib import Path\npath = next(Path(os.environ['HF_HOME']).rglob('model.safetensors'))\n"
    )
    script += "path = path.resolve()\nos.chmod(path, 0o644)\npath.write_bytes(b'other')\n"
    execution = await run("local", folders, view, script)
    assert (execution.status, execution.detail) == (
        "error",
        "the script wrote into the folder of weights, which is read-only",
    )
    assert WeightStore(folders / "store").find(read_address("hf:timm/tiny")) is None
