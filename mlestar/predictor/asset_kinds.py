"""What kind of file an asset is: its format, and its size, channels or shape, from the first bytes."""

import io
import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.lib import format as npy

from mlestar.errors import TaskError
from mlestar.files import open_regular

Facts = dict[str, str]
"""What was read of a file, in words, by what it is: `format`, `size`, `channels`, `rate`, `shape`."""

_HEAD = 2**16
"""Bytes from which facts are read. Pictures with long notes before their size have none. Chosen by judgement; not
measured."""
_EXAMPLES = 200
"""Files of the task from which a form is taken. Chosen by judgement; not measured."""
_FEW = 8
"""Files below which what they share says nothing of others. Chosen by judgement; not measured."""
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "zip"),
    (b"%PDF", "PDF"),
    (b"PAR1", "Parquet"),
)
_IN_CONTAINER = {b"WAVE": "WAV", b"WEBP": "WebP", b"AIFF": "AIFF", b"AIFC": "AIFF"}
_NO_SIZE = {0xC4, 0xC8, 0xCC}
"""Markers of JPEG among those of frames that do not begin one."""
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


def read_facts(path: Path) -> Facts:
    """Return what the first bytes of a file say; nothing but an empty format for unknown ones.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(_HEAD)
    kind = _format_of(head)
    read = _READERS.get(kind)
    try:
        return {"format": kind, **(read(head) if read else {})}
    except (struct.error, IndexError, ValueError):  # it ends too early, or contradicts itself
        return {"format": kind}


def shared_facts(paths: Sequence[Path]) -> Facts:
    """Return the facts that all files share, of up to some of them; none where they are too few."""
    step = max(1, math.ceil(len(paths) / _EXAMPLES))
    facts = [read_facts(path) for path in paths[::step]]
    if not facts:
        return {}
    shared = {name: value for name, value in facts[0].items() if all(other.get(name) == value for other in facts)}
    return shared if len(facts) >= _FEW else {name: value for name, value in shared.items() if name == "format"}


def find_difference(path: Path, expected: Facts) -> str:
    """Return how a file differs from what others share, such as `size 64 x 64, not 32 x 32`; empty if it does not.

    Raises:
        TaskError: it cannot be read.
    """
    try:
        facts = read_facts(path)
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror or error}"
        raise TaskError(msg) from error
    for name, value in expected.items():
        if (found := facts.get(name, "")) != value:
            return f"{name} {found or 'unknown'}, not {value or 'unknown'}"
    return ""


def _format_of(head: bytes) -> str:
    if head[:4] in (b"RIFF", b"FORM"):
        return _IN_CONTAINER.get(head[8:12], "")
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def _size(width: int, height: int) -> str:
    return f"{width} x {height}"


def _read_png(head: bytes) -> Facts:
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    return {"size": _size(width, height), "channels": f"{_COLOURS.get(colour, colour)} of {depth} bits"}


def _read_gif(head: bytes) -> Facts:
    return {"size": _size(*struct.unpack("<HH", head[6:10]))}


def _read_bmp(head: bytes) -> Facts:
    width, height = struct.unpack("<ii", head[18:26])
    return {"size": _size(width, abs(height))}


def _read_jpeg(head: bytes) -> Facts:
    place = 2
    while head[place] == 0xFF:
        marker, length = head[place + 1], struct.unpack(">H", head[place + 2 : place + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            _, height, width, channels = struct.unpack(">BHHB", head[place + 4 : place + 10])
            return {"size": _size(width, height), "channels": str(channels)}
        place += 2 + length
    return {}


def _read_wav(head: bytes) -> Facts:
    place = 12
    while head[place : place + 4] != b"fmt ":
        place += 8 + struct.unpack("<I", head[place + 4 : place + 8])[0]
    _, channels, rate, _, _, bits = struct.unpack("<HHIIHH", head[place + 8 : place + 24])
    return {"channels": f"{channels} of {bits} bits", "rate": f"{rate} Hz"}


def _read_npy(head: bytes) -> Facts:
    file = io.BytesIO(head)
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    sides = " x ".join(map(str, shape)) or "one value"
    return {"kind": dtype.kind, "dimensions": str(len(shape)), "row": " x ".join(map(str, shape[1:])), "shape": sides}


_READERS: dict[str, Callable[[bytes], Facts]] = {
    "PNG": _read_png,
    "GIF": _read_gif,
    "BMP": _read_bmp,
    "JPEG": _read_jpeg,
    "WAV": _read_wav,
    "npy": _read_npy,
}
