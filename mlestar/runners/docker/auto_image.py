"""Which variant of the sandbox image `image=auto` picks, and how large it is."""

from collections.abc import Mapping
from typing import Any

from mlestar.runners.docker.image import ImageVariant

NETWORK_DATA = ("image", "audio")
"""Kinds of data on which neural networks do best; on tables and short texts the models of `base` do."""
SIZES_GB: dict[ImageVariant, float] = {"base": 1.6, "torch": 6.7, "gpu": 7.4}
"""Measured with `docker images` on x86_64: `base` and `torch` whole; `gpu` is `torch` and what XGBoost with CUDA adds
to an environment, by `du`. With a build of torch without CUDA, `torch` takes 2.7 GB."""
NVIDIA_DEVICES = "nvidia.com/gpu"
"""Prefix of the names by which newer engines list NVIDIA GPUs (Container Device Interface)."""


def pick_variant(data: str, *, gpu: bool) -> ImageVariant:
    """Return the variant for a kind of data; with a GPU for scripts, the one that can use it."""
    if gpu:
        return "gpu"
    return "torch" if data in NETWORK_DATA else "base"


def has_gpus(info: Mapping[str, Any]) -> bool:
    """Return whether an engine says that it can give containers NVIDIA GPUs."""
    devices = info.get("DiscoveredDevices") or ()
    return "nvidia" in (info.get("Runtimes") or {}) or any(
        str(device.get("ID", "")).startswith(NVIDIA_DEVICES) for device in devices
    )


def describe_choice(variant: ImageVariant, data: str, *, gpu: bool, size: float | None) -> str:
    """Return what was picked and why, in one line.

    Args:
        variant: that was picked.
        data: kind of the task's data.
        gpu: whether scripts get a GPU.
        size: bytes of the image where the engine has it; None where it is built first.
    """
    gigabytes = SIZES_GB[variant] if size is None else size / 1e9
    effort = "built now, once, which takes minutes" if size is None else "already built"
    reason = f"{data or 'unknown'} data, {'a GPU' if gpu else 'no GPU'}"
    return f"image auto: {variant} ({reason}), {gigabytes:.1f} GB, {effort}"
