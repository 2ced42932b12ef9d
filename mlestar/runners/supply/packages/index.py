"""The index settings of this machine's pip, as variables and mounts of the container that resolves packages.

Addresses may contain passwords: nothing here is written to a file, a log or an image.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlestar.errors import RunnerError
from mlestar.files import read_regular
from mlestar.syntax import read_literal

ADDRESSES = ("index-url", "extra-index-url", "find-links")
VALUES = ("no-index", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
CERTIFICATES = ("cert", "client-cert")
CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that pip honours when it has no setting `cert`."""
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SECTIONS = ("global", "install", "download", ":env:")
"""Of pip's configuration; later ones take precedence."""
MOUNTED = "/opt/mlestar-index"
"""Folder of the container in which files of this machine are."""
SYSTEM = (
    *("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/run", "/sbin", "/supply", "/tmp", "/usr", "/var"),
    *(f"/usr/{name}" for name in ("bin", "lib", "lib64", "local", "local/bin", "local/lib", "sbin", "share")),
)
KERNEL = ("/proc", "/sys")
"""Folders that no folder of packages may replace in the container."""
LINK = re.compile(r'href="((?:\.\./)+[^"#?]*)/[^"/]*"')
"""A link of a page of a local index to a file elsewhere."""
CONFIG_SECONDS = 60
"""Time limit of `pip config list`. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class IndexSettings:
    """Where packages come from."""

    variables: dict[str, str] = field(repr=False)
    """Environment variables of pip."""
    mounts: dict[str, Path]
    """Files and folders of this machine by their path in the container."""
    constraints: tuple[str, ...] = ()
    """Paths of constraint files in the container."""


def read_index_settings() -> IndexSettings:
    """Return what this machine's pip is set to.

    Raises:
        RunnerError: a folder that it names cannot be used in a container.
    """
    values = read_pip_values()
    variables = {"PIP_CONFIG_FILE": "/dev/null", **_proxies(os.environ)}
    mounts: dict[str, Path] = {}
    for name in (*ADDRESSES, *VALUES):
        if value := values.get(name):
            variables[_variable(name)] = value
    for name in ADDRESSES:
        for folder in _local_folders(values.get(name, "")):
            mounts |= {str(path): path for path in (folder, *_linked_folders(folder))}
    for name in CERTIFICATES:
        if value := values.get(name):
            mounts[f"{MOUNTED}/{name}.pem"] = Path(value)
            variables[_variable(name)] = f"{MOUNTED}/{name}.pem"
    files = [Path(word) for word in values.get("constraint", "").split() if "://" not in word]
    constraints = {f"{MOUNTED}/constraints-{number}.txt": path for number, path in enumerate(files) if path.is_file()}
    present = {target: path for target, path in mounts.items() if path.exists()}
    return IndexSettings(variables, present | constraints, tuple(constraints))


def read_pip_values() -> dict[str, str]:
    """Return the settings of this machine's pip by their names; they may contain passwords."""
    return _merge(_config_lines(), os.environ)


def _config_lines() -> str:
    """Return what pip lists as its configuration; nothing where there is no pip; its variables are read in any case."""
    for command in ([sys.executable, "-m", "pip"], ["pip"]):
        try:
            listed = subprocess.run(
                [*command, "config", "list"], capture_output=True, text=True, timeout=CONFIG_SECONDS, check=False
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if listed.returncode == 0:
            return listed.stdout
    return ""


def _merge(listed: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by pip's names."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        if section in found:
            found[section][name] = _unquote(value)
    names = (*ADDRESSES, *VALUES, *CERTIFICATES, "constraint")
    set_here = {name: environment[_variable(name)] for name in names if environment.get(_variable(name))}
    merged = {name: value for section in SECTIONS for name, value in found[section].items() if name in names}
    merged |= set_here
    if "cert" not in merged:
        bundle = next((environment[name] for name in CERTIFICATE_VARIABLES if environment.get(name)), "")
        merged |= {"cert": bundle} if bundle else {}
    return merged


def _unquote(value: str) -> str:
    """Return a value, which pip lists as Python would; several are separated by spaces."""
    try:
        return " ".join(str(read_literal(value)).split())
    except (ValueError, SyntaxError):
        return value.strip()


def _variable(name: str) -> str:
    return "PIP_" + name.upper().replace("-", "_")


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    names = [name for upper in PROXY_VARIABLES for name in (upper, upper.lower())]
    return {name: environment[name] for name in names if environment.get(name)}


def _local_folders(value: str) -> Iterator[Path]:
    """Yield the folders of this machine among addresses.

    Raises:
        RunnerError: one of them would replace a folder of the system in the container.
    """
    for word in value.split():
        path = Path(unquote(urlsplit(word).path)) if word.startswith("file:") else Path(word)
        if "://" in word and not word.startswith("file:"):
            continue
        replaces = os.path.normpath(path) in SYSTEM or any(path.is_relative_to(folder) for folder in KERNEL)
        if not path.is_absolute() or replaces:
            msg = f"pip is set to packages in {path}, which cannot be used in a container: move them to a folder "
            msg += "outside the system's, with an absolute path"
            raise RunnerError(msg)
        yield path


def _linked_folders(index: Path) -> set[Path]:
    """Return the folders outside a local index that its pages refer to."""
    folders: set[Path] = set()
    for page in index.glob("*/index.html"):
        try:
            links = LINK.findall(read_regular(page).decode(errors="replace"))
        except OSError:
            continue
        folders |= {Path(os.path.normpath(page.parent / unquote(link))) for link in set(links)}
    return {folder for folder in folders if len(folder.parts) > 2 and not folder.is_relative_to(index)}
