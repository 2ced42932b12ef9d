"""The position of a script when Python was aborted or crashed, read from the dump of its fault handler."""

import re

_HEAD = "Fatal Python error: "
_MODULES = re.compile(r"^Extension modules: .*\n?", re.MULTILINE)
_CURRENT = re.compile(r"^Current thread .*\n((?:  File .*\n?)+)", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d{1,6}) in (\S+)', re.MULTILINE)
_MAX_CALLERS = 3
_MAX_NAME = 120
"""What a message shows at most. Chosen by judgement; not measured."""
_LIBRARY = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")


def cut_dump(stderr: str) -> tuple[str, str]:
    """Return what came before the dump, and the dump without its list of extension modules; empty without one."""
    start = f"\n{stderr}".rfind(f"\n{_HEAD}")
    return (stderr, "") if start < 0 else (stderr[:start], _MODULES.sub("", stderr[start:]))


def describe_position(dump: str, script: str) -> str:
    """Return in one line where in the script its main thread was, empty when the dump does not contain that."""
    current = _CURRENT.search(dump)
    matches = _FRAME.findall(current[1]) if current else []
    frames = [(_plain(file), int(line), _plain(name)) for file, line, name in matches]
    script_frames = [(line, name) for file, line, name in frames if file.endswith("/main.py")]
    lines = script.split("\n")
    if not script_frames or not 0 < script_frames[0][0] <= len(lines):
        return ""
    line, name = script_frames[0]
    callers = "".join(f", called from line {caller}" for caller, _ in script_frames[1 : 1 + _MAX_CALLERS])
    position = f"it was at line {line} of main.py in {name}: `{lines[line - 1].strip()[:200]}`{callers}"
    file, number, function = frames[0]
    if file.endswith("/main.py"):
        return position
    return f"{position}, inside {_LIBRARY.sub('', file)} line {number} in {function}"


def _plain(name: str) -> str:
    """Return the printable end of a name, which the script may have chosen, for a message."""
    return "".join(letter for letter in name if letter.isprintable())[-_MAX_NAME:]
