"""Where a script stood when Python was aborted or crashed, read from the dump that its fault handler left."""

import re

_HEAD = "Fatal Python error: "
_MODULES = re.compile(r"^Extension modules: .*\n?", re.MULTILINE)
_CURRENT = re.compile(r"^Current thread .*\n((?:  File .*\n?)+)", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d{1,6}) in (\S+)', re.MULTILINE)
_CALLERS = 3
_LONGEST = 120
_LIBRARY = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")


def cut_dump(stderr: str) -> tuple[str, str]:
    """Return what came before the dump, and the dump without its list of extension modules; empty without one."""
    start = f"\n{stderr}".rfind(f"\n{_HEAD}")
    return (stderr, "") if start < 0 else (stderr[:start], _MODULES.sub("", stderr[start:]))


def describe_stand(dump: str, script: str) -> str:
    """Return in one line where in the script its main thread stood, empty when the dump does not tell."""
    current = _CURRENT.search(dump)
    found = _FRAME.findall(current[1]) if current else []
    frames = [(_plain(file), int(line), _plain(name)) for file, line, name in found]
    own = [(line, name) for file, line, name in frames if file.endswith("/main.py")]
    lines = script.split("\n")
    if not own or not 0 < own[0][0] <= len(lines):
        return ""
    line, name = own[0]
    callers = "".join(f", called from line {caller}" for caller, _ in own[1 : 1 + _CALLERS])
    place = f"it stood at line {line} of main.py in {name}: `{lines[line - 1].strip()[:200]}`{callers}"
    file, number, function = frames[0]
    inside = "" if file.endswith("/main.py") else f", inside {_LIBRARY.sub('', file)} line {number} in {function}"
    return place + inside


def _plain(name: str) -> str:
    """Return what a name of the script's making may bring into a message."""
    return "".join(letter for letter in name if letter.isprintable())[-_LONGEST:]
