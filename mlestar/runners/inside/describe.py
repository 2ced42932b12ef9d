"""Describes the interpreter that runs it: distributions, which of them cannot be imported, modules, GPUs.

It runs in the sandbox by itself, with whatever Python is there, so that it imports only the standard library.
"""

import functools
import importlib.metadata
import json
import os
import platform
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SCIENTIFIC = (
    "Topic :: Scientific/Engineering",
    "Topic :: Multimedia",
    "Topic :: Text Processing :: Linguistic",
    "Intended Audience :: Science/Research",
)
"""Classifiers of libraries for data, and of libraries for pictures, sound and language."""
NUMERIC = ("numpy", "torch", "tensorflow", "jax")
"""A distribution that needs one of them counts as a library for data, too."""
NAMED = ("pillow", "pyarrow", "python-speech-features", "rapidfuzz")
"""Libraries for data that scripts import and whose metadata does not show it."""
DRIVERS = ("nvidia-", "cuda-")
"""Prefixes of the names of distributions that come with the CUDA builds of libraries."""
COMPILED = re.compile(r'^"?([^",\n]+\.(?:so|dylib)(?:\.[\d.]+)?)"?,', re.MULTILINE)
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*([^;)]*)\)?\s*(?:;(.*))?$")
IMPORT_SECONDS = 60
"""Importing TensorFlow from a cold disk took 20 s. Chosen by judgement above that."""
CHECK_SECONDS = 120
"""For importing all that is suspicious: the runner stops this script, and so the run, after 300 s. What is left then
counts as whole. Chosen by judgement; not measured."""


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


class Distribution:
    """What the metadata of a distribution says."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.name = canonical(source.metadata["Name"] or "")
        self.version = source.version or ""
        self.requested = source.read_text("REQUESTED") is not None
        self.classifiers = source.metadata.get_all("Classifier") or []
        self.needs: dict[str, str] = {}
        """Unconditional requirements, with the versions that they allow."""
        self.may_need: set[str] = set()
        """All but those of extras."""
        for text in source.requires or []:
            match = REQUIREMENT.match(text)
            if match is None or "extra" in (match[3] or ""):
                continue
            self.may_need.add(canonical(match[1]))
            if not match[3]:
                self.needs[canonical(match[1])] = match[2].strip()
        self.compiled = [str(source.locate_file(path)) for path in COMPILED.findall(source.read_text("RECORD") or "")]

    @property
    def scientific(self) -> bool:
        classified = any(one.startswith(SCIENTIFIC) for one in self.classifiers)
        return self.numeric or (classified and not self.name.startswith(DRIVERS))

    @property
    def numeric(self) -> bool:
        return self.name in (*NUMERIC, *NAMED) or any(one in self.may_need for one in NUMERIC)


def find_distributions() -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    for source in importlib.metadata.distributions():
        if source.metadata and source.metadata["Name"]:
            one = Distribution(source)
            found.setdefault(one.name, one)
    return found


def rank(found: dict[str, Distribution]) -> dict[str, int]:
    """Return the group of each distribution, in order: 0 libraries for data, 1 others installed by name, 2 the rest.

    A library for data that does not work on arrays and that one other library needs is a part of that one. Within a
    group, those that were installed by name come first, then those that most others need.
    """
    needed_by = {name: sum(name in one.may_need for one in found.values()) for name in found}
    direct = {name for name, one in found.items() if one.requested or not needed_by[name]}
    groups = {}
    for name, one in found.items():
        for_data = one.numeric or (one.scientific and needed_by[name] != 1)
        groups[name] = 0 if for_data else 1 if name in direct else 2
    order = sorted(found, key=lambda name: (groups[name], name not in direct, -needed_by[name], name))
    return {name: groups[name] for name in order}


def find_modules(found: dict[str, Distribution]) -> dict[str, str]:
    """Return distributions by the top-level modules that they install."""
    modules = {}
    for module, names in getattr(importlib.metadata, "packages_distributions", dict)().items():
        owners = [canonical(name) for name in names if canonical(name) in found]
        if owners and module.isidentifier():
            modules[module] = owners[0]
    return modules


def find_broken(found: dict[str, Distribution], groups: dict[str, int], modules: dict[str, str]) -> dict[str, str]:
    """Return the libraries for data that cannot be imported, with the reason.

    Importing all of them takes seconds in every run. So a library is imported only if something is suspicious: a shared
    library that it needs is not found, it was built for one version of another distribution, or something that it needs
    is missing or cannot be imported.
    """
    libraries = known_libraries(found)
    broken: dict[str, str] = {}
    checked: set[str] = set()
    deadline = time.monotonic() + CHECK_SECONDS
    while time.monotonic() < deadline:
        suspects = [
            name
            for name in reversed(list(groups))
            if groups[name] == 0 and name not in checked and is_suspicious(found[name], found, libraries, broken)
        ]
        if not suspects:
            break
        checked.add(suspects[0])
        reason = import_problem([module for module, owner in modules.items() if owner == suspects[0]])
        if reason:
            broken[suspects[0]] = reason
        else:  # it has imported what it needs
            checked.update(found[suspects[0]].needs)
    return broken


def is_suspicious(
    one: Distribution, found: dict[str, Distribution], libraries: set[str], broken: dict[str, str]
) -> bool:
    if any(name not in found or name in broken for name in one.needs):
        return True
    if one.compiled and any(allowed.startswith("==") for allowed in one.needs.values()):
        return True
    if sys.platform == "darwin":
        return any(path.endswith(".dylib") and ".dylibs" not in path for path in one.compiled)
    return any(name not in libraries for path in one.compiled for name in needed_libraries(path))


def known_libraries(found: dict[str, Distribution]) -> set[str]:
    """Return the names of the shared libraries of the system and of all distributions."""
    roots = [Path("/"), Path("/usr"), Path("/usr/local"), *Path("/opt").glob("*"), *Path("/usr/local").glob("*")]
    folders = [folder for root in roots for folder in root.glob("lib*")]
    folders += [Path(sys.prefix, "lib"), *map(Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")))]
    paths = [path for folder in folders for pattern in ("*.so*", "*/*.so*") for path in folder.glob(pattern)]
    paths += [Path(path) for one in found.values() for path in one.compiled]
    return {path.name for path in paths}


@functools.cache
def needed_libraries(path: str) -> list[str]:
    """Return the names of the shared libraries that a 64-bit ELF file needs; none of another file."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(64)
            if head[:6] != b"\x7fELF\x02\x01":
                return []
            offset, size, count = struct.unpack_from("<Q", head, 32) + struct.unpack_from("<HH", head, 54)
            file.seek(offset)
            table = file.read(size * count)
            segments = [struct.unpack_from("<IIQQQQ", table, size * i) for i in range(count)]
            dynamic = next((one for one in segments if one[0] == 2), None)
            if dynamic is None:
                return []
            file.seek(dynamic[2])
            entries = list(struct.iter_unpack("<QQ", file.read(dynamic[5] // 16 * 16)))
            address = next(value for tag, value in entries if tag == 5)
            length = next(value for tag, value in entries if tag == 10)
            loaded = next(one for one in segments if one[0] == 1 and one[3] <= address < one[3] + one[5])
            file.seek(loaded[2] + address - loaded[3])
            names = file.read(length)
            return [names[value : names.index(b"\0", value)].decode() for tag, value in entries if tag == 1]
    except (OSError, struct.error, ValueError, StopIteration):
        return []


def import_problem(modules: list[str]) -> str:
    """Return why modules cannot be imported, empty when they can; private ones are not tried."""
    names = [name for name in modules if not name.startswith("_")]
    if not names:
        return ""
    command = [sys.executable, "-c", "import " + ", ".join(names)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=IMPORT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"importing it takes more than {IMPORT_SECONDS} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"exit status {done.returncode}"


def describe() -> dict[str, object]:
    found = find_distributions()
    groups, modules = rank(found), find_modules(found)
    broken = find_broken(found, groups, modules)
    usable = {name: group for name, group in groups.items() if name not in broken}
    return {
        "python": platform.python_version(),
        "distributions": [[name, found[name].version, group] for name, group in usable.items()],
        "modules": {module: name for module, name in modules.items() if name in usable},
        "broken": broken,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe()))
