"""The image that generated scripts run in: where its files lie, its tag, and building it."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.errors import ImageNotFound

from mlestar.errors import RunnerError

Progress = Callable[[str], None]
REPOSITORY = "mlestar-sandbox"
FILES = ("Dockerfile", "requirements.txt")
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\t\x20-\uffff]")
BAR = "\u2501"


def image_folder() -> Path:
    """Return the folder with the Dockerfile: beside this module in a wheel, `sandbox/` in a source checkout."""
    here = Path(__file__).resolve()
    for folder in (here.with_name("image"), here.parents[2] / "sandbox"):
        if (folder / "Dockerfile").is_file():
            return folder
    msg = f"the sandbox's Dockerfile is missing beside {here.parent}: reinstall mlestar"
    raise RunnerError(msg)


def image_tag() -> str:
    """Return the tag of the image, which follows from its files, so that a change of theirs builds another."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((image_folder() / name).read_bytes() + b"\0")
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def find_image(client: DockerClient, tag: str) -> str | None:
    """Return the digest of an image that the engine has."""
    try:
        return str(client.images.get(tag).id)
    except ImageNotFound:
        return None


def build_image(client: DockerClient, on_progress: Progress | None = None) -> str:
    """Build the sandbox image and return its digest.

    Raises:
        RunnerError: the build fails; the message ends with the line that says why.
    """
    tag, report = image_tag(), on_progress or (lambda line: None)
    report(f"building the sandbox image {tag} (once; a minute or more, about 1.6 GB)")
    stream = client.api.build(path=str(image_folder()), tag=tag, rm=True, forcerm=True, decode=True)
    for line in _lines(stream):
        report(line)
    digest = find_image(client, tag)
    if digest is None:
        msg = f"the engine built {tag} and does not have it"
        raise RunnerError(msg)
    return digest


def _lines(stream: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Yield the engine's messages as plain lines, progress bars left out."""
    for message in stream:
        if "error" in message:
            msg = f"building the sandbox image failed: {str(message['error']).strip()}"
            raise RunnerError(msg)
        if "progress" in message:
            continue
        for raw in str(message.get("stream") or message.get("status") or "").splitlines():
            line = TERMINAL_CODES.sub("", raw).strip()
            if line and BAR not in line:
                yield line
