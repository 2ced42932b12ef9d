"""What a script declares that it needs: inline script metadata as in PEP 723.

# /// script
# dependencies = ["timm", "pytabkit>=1.7"]
#
# [tool.mlestar]
# weights = ["hf:timm/efficientnet_b0.ra_in1k@REVISION"]
# ///
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

OPENING = re.compile(r"# /// ([a-zA-Z0-9-]+)")
CLOSING = "# ///"
SCRIPT = "script"
"""Type of the block that declares needs."""
MAX_ENTRIES = 50
"""Packages, and weights, that one script may declare. Chosen by judgement; not measured."""
MAX_REQUIREMENT = 300
"""Characters of a requirement: longer ones can exceed Python's limits on nesting and digits. Chosen by judgement."""


@dataclass(frozen=True)
class Block:
    """A block of metadata of type `script` in code whose lines end with a line feed."""

    start: int
    """Position of its first character."""
    end: int
    """Position after its last character."""
    content: str
    """What is between its first and its last line."""


class NeedsError(ValueError):
    """A declaration cannot be used; the message explains to an agent why."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a script declares, in the order of the file."""

    dependencies: tuple[str, ...] = ()
    """Requirements in pip's form."""
    weights: tuple[str, ...] = ()
    """Addresses of weights, as `hf:OWNER/NAME@REVISION` or `https://...#sha256=HASH`."""


def find_blocks(code: str) -> Iterator[Block]:
    """Yield what the reference pattern of PEP 723 finds, whose time grows with the square of the number of lines."""
    lines = code.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    first = 0
    while first < len(lines):
        stop = first
        while stop < len(lines) and (lines[stop] == "#" or lines[stop].startswith("# ")):
            stop += 1
        yield from _find_in_comment(lines, starts, first, stop)
        first = stop + 1


def _find_in_comment(lines: list[str], starts: list[int], first: int, stop: int) -> Iterator[Block]:
    """Yield the block in a comment, which ends at the last line that can close it."""
    last = next((at for at in range(stop - 1, first, -1) if lines[at] == CLOSING), first)
    for at in range(first, last - 1):
        if opening := OPENING.fullmatch(lines[at]):
            if opening[1] == SCRIPT:
                content = "".join(f"{line}\n" for line in lines[at + 1 : last])
                yield Block(starts[at], starts[last] + len(CLOSING), content)
            return


def read_needs(code: str) -> Needs:
    """Return what a script declares; nothing when it has no such block.

    Raises:
        NeedsError: there are two blocks, or a block is no TOML, or an entry is no requirement or no text.
    """
    blocks = list(find_blocks(code.replace("\r\n", "\n")))
    if not blocks:
        return Needs()
    if len(blocks) > 1:
        msg = "the script has more than one block `# /// script`: keep one"
        raise NeedsError(msg)
    content = _read_block(blocks[0].content)
    tool = content.get("tool", {})
    own = tool.get("mlestar", {}) if isinstance(tool, dict) else {}
    dependencies = _read_list(content, "dependencies")
    for text in dependencies:
        _check_requirement(text)
    return Needs(dependencies=dependencies, weights=_read_list(own, "weights"))


def _read_block(content: str) -> dict[str, Any]:
    lines = content.splitlines(keepends=True)
    text = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of too many digits
        msg = f"the block `# /// script` is not valid TOML: {error}"
        raise NeedsError(msg) from error


def _read_list(table: object, name: str) -> tuple[str, ...]:
    entries = table.get(name, []) if isinstance(table, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        msg = f"`{name}` in the block `# /// script` must be a list of texts"
        raise NeedsError(msg)
    if len(entries) > MAX_ENTRIES:
        msg = f"`{name}` in the block `# /// script` has {len(entries)} entries: at most {MAX_ENTRIES} are possible"
        raise NeedsError(msg)
    return tuple(entries)


def _check_requirement(text: str) -> None:
    if len(text) > MAX_REQUIREMENT:
        msg = f"dependency {text[:50]!r}... has {len(text)} characters: at most {MAX_REQUIREMENT} are possible"
        raise NeedsError(msg)
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        msg = f"dependency {text!r} is not a requirement such as 'name>=1.2': {str(error).splitlines()[0]}"
        raise NeedsError(msg) from error
    if any(specifier.operator == "===" for specifier in requirement.specifier):
        # It allows any text as a version, and pip puts variables such as the address of an index, with its password,
        # in place of their names.
        msg = f"dependency {text!r} compares with `===`: write `==` and a version"
        raise NeedsError(msg)
    if requirement.url:
        msg = f"dependency {text!r} names an address: name a package and its version"
        raise NeedsError(msg)
