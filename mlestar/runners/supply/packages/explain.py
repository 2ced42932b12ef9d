"""Why an installer failed, for an agent; or for the operator, where no other declaration would help."""

import re

from mlestar.errors import RunnerError, clean_text
from mlestar.runners.supply.packages.lock import PackageError

SOURCE_ONLY = re.compile(r"No sources permitted for ([\w.-]+)")
NOT_FOUND = re.compile(r"No matching distribution found for ([^\n(]+)")
OTHER_PYTHON = re.compile(r"(?:Ignored the following versions that|Link) requires? a different python", re.IGNORECASE)
VERSIONS = re.compile(r"\(from versions: ([^\n]*)\)")
CONFLICT = re.compile(r"The conflict is caused by:\n(.*?)\n\s*\n", re.DOTALL)
FULL_DISK = re.compile(r"No space left on device|Errno 28|Disk quota exceeded")
LOST_NETWORK = re.compile(
    r"Failed to establish a new connection|name resolution|Name or service not known|Read timed out|ConnectTimeoutError"
    r"|Connection (?:reset|refused|aborted)|Network is unreachable|ProxyError|SSLError|certificate verify failed"
    r"|IncompleteRead|50[0234] Server Error"
)
ABSENT = re.compile(r"404 Client Error")
REFUSED = re.compile(r"40[13] Client Error")
WRONG_HASH = re.compile(r"DO NOT MATCH THE HASHES|Hash mismatch", re.IGNORECASE)
NO_PIP = re.compile(r"No module named pip")
ADDRESS = re.compile(r"[a-z+]+://\S+", re.IGNORECASE)
ERROR_LINE = re.compile(r"^(?:ERROR|error): (.+)$", re.MULTILINE)
SHOWN_VERSIONS = 5
"""Versions on the index that a message names. Chosen by judgement; not measured."""
SHOWN_CHARACTERS = 500
"""Characters of an installer's own message that are shown. Chosen by judgement; not measured."""


def explain(log: str, requirements: tuple[str, ...]) -> Exception:
    """Return the error that the output of pip means.

    Args:
        log: its output with `-vv`; addresses in it are not shown.
        requirements: what it was to install.
    """
    if FULL_DISK.search(log):
        return full_disk()
    if NO_PIP.search(log):
        return RunnerError("the sandbox image has no pip, which adds packages: use another image or `--packages image`")
    if WRONG_HASH.search(log):
        return PackageError("a downloaded package is not the one that was resolved (its hash differs): it is refused")
    if missing := NOT_FOUND.findall(log):
        return _explain_missing(missing[-1].strip(), log)
    if conflict := CONFLICT.search(log):
        lines = "; ".join(line.strip() for line in conflict[1].splitlines())
        return PackageError(f"{', '.join(requirements)} does not fit what the sandbox has: {_shown(lines)}")
    if LOST_NETWORK.search(log):
        return lost_network()
    errors = ERROR_LINE.findall(log)
    return PackageError(f"{', '.join(requirements)} cannot be added: {_shown('; '.join(errors) or 'no reason given')}")


def _explain_missing(requirement: str, log: str) -> Exception:
    requirement = _shown(requirement)
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    versions = [text for text in VERSIONS.findall(log) if text != "none"]
    if versions:
        newest = ", ".join(versions[-1].split(", ")[-SHOWN_VERSIONS:])
        python = " that fits the sandbox's Python" if OTHER_PYTHON.search(log) else ""
        return PackageError(
            f"no version of {name}{python} satisfies {requirement}: the newest ones are {_shown(newest)}"
        )
    if name in SOURCE_ONLY.findall(log):
        msg = f"{name} has no wheel for this Python, only source code, which is not built (`source_builds`): "
        return PackageError(msg + "use another package")
    if OTHER_PYTHON.search(log) or "wheel's tags" in log:
        return PackageError(f"{name} has no wheel for the sandbox's Python: use another package or another version")
    if LOST_NETWORK.search(log) and not ABSENT.search(log):
        return lost_network()
    if REFUSED.search(log):
        return RunnerError("the package index refuses access: check the index settings of pip (`pip config list`)")
    return PackageError(f"there is no package {name} on the index: check the name, or use what is installed")


def full_disk() -> RunnerError:
    """Return the error of a full disk."""
    return RunnerError("no space is left on the disk for the packages that a script declares: free some and resume")


def lost_network() -> RunnerError:
    """Return the error of an index that cannot be reached, which is no fault of a declaration."""
    msg = "the package index cannot be reached: check the network and the index settings of pip (`pip config list`), "
    return RunnerError(msg + "then resume; `--packages image` adds no packages")


def _shown(text: str) -> str:
    return clean_text(ADDRESS.sub("ADDRESS", text))[:SHOWN_CHARACTERS]
