"""The device files of a script's GPUs, the only ones that its sandbox on this machine may have."""

from collections.abc import Sequence
from pathlib import Path

from mlestar.runners.base import Gpu

CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
"""Files that CUDA needs besides that of each device."""


def device_nodes(gpus: Sequence[Gpu], root: Path = Path("/")) -> list[str]:
    """Return the files in `/dev` of these devices, as far as they exist; none without devices.

    Args:
        gpus: devices.
        root: of the file system.
    """
    if not gpus:
        return []
    minors = _minors(root)
    names = [*CONTROL_NODES, *(f"nvidia{minors.get(gpu.uuid, gpu.index)}" for gpu in gpus)]
    return [f"/dev/{name}" for name in names if (root / "dev" / name).exists()]


def _minors(root: Path) -> dict[str, int]:
    """Return the numbers of the device files by the devices' UUIDs; `nvidia-smi` may list them in another order."""
    minors: dict[str, int] = {}
    for path in (root / "proc/driver/nvidia/gpus").glob("*/information"):
        try:
            rows = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines()]
            facts = {name.strip(): value.strip() for name, _, value in rows}
            minors[facts["GPU UUID"]] = int(facts["Device Minor"])
        except (OSError, KeyError, ValueError):
            continue
    return minors
