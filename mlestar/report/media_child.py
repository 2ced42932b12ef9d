"""Making a small picture or a short clip of a file, in a process of its own that has limits and writes no file.

It is executed as a script: `media_child.py PATHS KIND` reads the file from standard input and writes what it made to
standard output. It imports nothing of this package.
"""

import contextlib
import io
import json
import resource
import sys
import wave
from typing import Any

SIDE = 160
"""Pixels of the longer side of a picture."""
MOST_PIXELS = 40_000_000
"""Pixels of a picture that is decoded: those of the largest photographs. Chosen by judgement."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
"""Raster formats alone: others may execute programs or refer to other files."""
SECONDS, RATE = 2.0, 11_025
"""Of a clip."""
MEMORY = 3 * 2**29
CPU_SECONDS = 10


def main() -> None:
    sys.path[:] = json.loads(sys.argv[1])
    with contextlib.suppress(ValueError, OSError):  # not every system knows these limits
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    made = {"image": make_picture, "audio": make_clip}[sys.argv[2]](data)
    sys.stdout.buffer.write(made)


def make_picture(data: bytes) -> bytes:
    """Return a small picture as JPEG, or as PNG where the whole one is small; nothing else of the file is kept."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            msg = f"it has {image.width} x {image.height} pixels"
            raise ValueError(msg)
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        small = max(image.size) <= SIDE
        shown = _as_rgb(image)
    shown.thumbnail((SIDE, SIDE))
    made = io.BytesIO()
    if small:
        shown.save(made, "PNG", optimize=True)
    else:
        shown.save(made, "JPEG", quality=75)
    return made.getvalue()


def _as_rgb(image: Any) -> Any:
    """Return a picture with eight bits for each colour; deeper ones are scaled to what they hold."""
    if image.mode.startswith(("I", "F")):
        deep = image.convert("F")
        low, high = deep.getextrema()
        return deep.point(lambda value: (value - low) * (255 / max(high - low, 1e-9))).convert("L").convert("RGB")
    return image.convert("RGBA").convert("RGB") if image.mode in ("P", "LA", "PA") else image.convert("RGB")


def make_clip(data: bytes) -> bytes:
    """Return the beginning of a WAV file with one channel, 16 bits and few samples a second."""
    import numpy as np
    from scipy.io import wavfile

    rate, samples = wavfile.read(io.BytesIO(data))
    samples = samples[: int(rate * SECONDS)]
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float64) - 128
    values = samples.astype(np.float64)
    values = values.mean(axis=1) if values.ndim == 2 else values
    every = max(1, round(rate / RATE))
    values = values[: len(values) // every * every].reshape(-1, every).mean(axis=1)
    loudest = float(np.abs(np.nan_to_num(values)).max()) if len(values) else 0.0
    written = (np.nan_to_num(values) * (30_000 / max(loudest, 1e-9))).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(max(1, rate // every))
        file.writeframes(written.tobytes())
    return made.getvalue()


if __name__ == "__main__":
    main()
