"""Files that hold no records: pictures, sounds, films, fonts and the like."""

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


def is_media(name: str) -> bool:
    """Return whether a file is a picture, a sound or the like, by its name."""
    return PurePosixPath(name).suffix.lower() in _SUFFIXES
