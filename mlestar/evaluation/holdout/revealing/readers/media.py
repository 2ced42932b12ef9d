"""Files that hold no records: pictures, sounds, films, fonts and the like."""

import codecs
from pathlib import PurePosixPath

_SUFFIXES = {
    *(
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".svg",
        ".ico",
        ".heic",
        ".dcm",
        ".ppm",
        ".pgm",
    ),
    *(".wav", ".mp3", ".ogg", ".flac", ".m4a", ".aac", ".aif", ".aiff", ".mid"),
    *(".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg"),
    *(".ttf", ".otf", ".woff", ".woff2", ".pdf"),
}


HEAD_BYTES = 8192
"""Bytes that show whether a file is text. Chosen by judgement; not measured."""


def is_media(name: str, head: bytes) -> bool:
    """Return whether a file is a picture, a sound or the like: by its name, unless its first bytes are text."""
    return PurePosixPath(name).suffix.lower() in _SUFFIXES and not _is_text(head)


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        # The last character may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
