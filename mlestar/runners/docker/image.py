"""The image that generated scripts run in: its variants, their tags, and building them."""

import hashlib
import io
import logging
import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from docker.client import DockerClient
from docker.errors import ImageNotFound

from mlestar.errors import RunnerError, SettingsError
from mlestar.runners.options import ProgressCallback

_log = logging.getLogger("mlestar.runners")

ImageVariant = Literal["base", "torch", "gpu"]
VARIANTS: tuple[ImageVariant, ...] = get_args(ImageVariant)

REPOSITORY = "mlestar-sandbox"
BASE_REQUIREMENTS = "requirements.txt"
EXTRA_REQUIREMENTS: dict[ImageVariant, tuple[str, ...]] = {
    "base": (),
    "torch": ("torch.txt",),
    "gpu": ("torch.txt", "gpu.txt"),
}
"""What each variant adds to the base."""
REPLACES: dict[str, str] = {"xgboost": "xgboost-cpu"}
"""Distributions that replace another one with the same modules."""
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\t\x20-\uffff]")
PROGRESS_BAR = "\u2501"


@dataclass(frozen=True)
class Recipe:
    """All that an image is built from."""

    dockerfile: str
    requirements: str

    @property
    def tag(self) -> str:
        """The image's name: a hash of what it is built from, so that a change builds another image."""
        digest = hashlib.sha256()
        for text in (self.dockerfile, self.requirements):
            digest.update(text.encode() + b"\0")
        return f"{REPOSITORY}:{digest.hexdigest()[:12]}"

    def context(self) -> io.BytesIO:
        """Return the archive that the engine builds from: these two files and nothing else of this machine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, text in (("Dockerfile", self.dockerfile), (BASE_REQUIREMENTS, self.requirements)):
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        buffer.seek(0)
        return buffer


def read_recipe(variant: ImageVariant = "base", extra: Path | None = None) -> Recipe:
    """Return the recipe of a variant.

    Args:
        variant: `base`, `torch` or `gpu`.
        extra: a file of further requirements in pip's format, which may name indexes and wheels of its own.

    Raises:
        SettingsError: the file cannot be read.
    """
    folder = image_folder()
    names = (BASE_REQUIREMENTS, *EXTRA_REQUIREMENTS[variant])
    texts = [(folder / name).read_text(encoding="utf-8") for name in names]
    if extra is not None:
        try:
            texts.append(extra.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read the requirements {extra}: {error}"
            raise SettingsError(msg) from error
    return Recipe((folder / "Dockerfile").read_text(encoding="utf-8"), _merge(texts))


def image_folder() -> Path:
    """Return the folder with the Dockerfile: beside this module in a wheel, `sandbox/` in a source checkout."""
    here = Path(__file__).resolve()
    for folder in (here.with_name("image"), here.parents[3] / "sandbox"):
        if (folder / "Dockerfile").is_file():
            return folder
    msg = f"the sandbox's Dockerfile is missing beside {here.parent}: reinstall mlestar"
    raise RunnerError(msg)


def image_tag(variant: ImageVariant = "base") -> str:
    """Return the tag of a variant."""
    return read_recipe(variant).tag


def find_image(client: DockerClient, tag: str) -> str | None:
    """Return the digest of an image that the engine has."""
    try:
        return str(client.images.get(tag).id)
    except ImageNotFound:
        return None


def build_image(client: DockerClient, recipe: Recipe, on_progress: ProgressCallback | None = None) -> str:
    """Build an image and return its digest.

    Raises:
        RunnerError: the build fails; the message ends with the line that says why.
    """
    started = time.monotonic()
    report = on_progress or (lambda line: None)
    report(f"building the sandbox image {recipe.tag} (once; minutes, and 2 to 10 GB of disk)")
    stream = client.api.build(
        fileobj=recipe.context(), custom_context=True, tag=recipe.tag, rm=True, forcerm=True, decode=True
    )
    for line in _read_messages(stream):
        report(line)
    digest = find_image(client, recipe.tag)
    if digest is None:
        msg = f"the engine has built {recipe.tag} and does not have it"
        raise RunnerError(msg)
    done = f"built the sandbox image {recipe.tag} in {time.monotonic() - started:.0f} s"
    _log.info(done)
    report(done)
    return digest


def _merge(texts: list[str]) -> str:
    """Return one list of requirements; a later line for a distribution replaces an earlier one."""
    if len(texts) == 1:
        return texts[0]
    lines: dict[str, str] = {}
    for raw in "\n".join(texts).splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-")
        lines.pop(REPLACES.get(name, ""), None)
        # Options and addresses name no distribution and are all kept.
        is_distribution = re.match(r"\w", line) and "://" not in line
        lines[name if is_distribution else line] = line
    return "\n".join(lines.values()) + "\n"


def _read_messages(stream: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Yield the engine's messages as plain lines, progress bars left out."""
    for message in stream:
        if "error" in message:
            msg = f"building the sandbox image failed: {str(message['error']).strip()}"
            raise RunnerError(msg)
        if "progress" in message:
            continue
        for raw in str(message.get("stream") or message.get("status") or "").splitlines():
            line = TERMINAL_CODES.sub("", raw).strip()
            if line and PROGRESS_BAR not in line:
                yield line
