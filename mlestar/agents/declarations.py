"""The block of a script that declares packages and weights (PEP 723), when an agent or code rewrites the script."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mlestar.agents.script import ScriptError, parse_tree
from mlestar.runners.supply.names import may_install
from mlestar.runners.supply.needs import Needs, NeedsError, find_blocks, read_needs

ADDRESS = re.compile(r"^(?:hf:)?(?:https?://[^/]+/)?(?P<path>[^@#?]+)")
"""The part of a weight's address that a script names when it loads the weight."""
ITEMS = r"""\[(?:\#[^\n]*|[^\]"'\#]|"(?:\\.|[^"\\\n])*"|'[^'\n]*')*\][ \t]*(?:\#[^\n]*)?\n?"""
"""A list of texts in TOML, and the rest of its last line."""
DEPENDENCIES = re.compile(rf"^dependencies[ \t]*=[ \t]*{ITEMS}", re.MULTILINE)
WEIGHTS = re.compile(rf"^weights[ \t]*=[ \t]*{ITEMS}", re.MULTILINE)
PYTHON = re.compile(r"^requires-python[ \t]*=", re.MULTILINE)
TABLE = re.compile(r"^\[tool\.mlestar\][ \t]*\n", re.MULTILINE)


def keep_needs(*earlier: str, repairing: bool = False) -> Callable[[str], str]:
    """Return a step of parsing that adds to a script what it still needs of what earlier ones declare.

    Args:
        earlier: scripts that the new one was made from.
        repairing: the new one repairs a script that perhaps failed for what it declares.
    """

    def keep(code: str) -> str:
        return add_needs(code, *earlier, repairing=repairing)

    return keep


def add_needs(code: str, *earlier: str, repairing: bool = False) -> str:
    """Return a script with what it still needs of what earlier ones declare.

    A script without a block gets what it may still need. A script with a block, or one that repairs another, gets only
    what it evidently needs, because its author may have left out the rest on purpose. A block that cannot be read stays
    as it is: executing the script shows the reason.
    """
    try:
        own = read_needs(code)
        sources = [(text, read_needs(text)) for text in earlier]
    except NeedsError:
        return code
    cautious = own == Needs() and not repairing
    dependencies = {_name(text): text for text in own.dependencies}
    weights = dict.fromkeys(own.weights)
    for text, needs in sources:
        used = [one for one in needs.dependencies if _is_used(one, code, text, if_unknown=cautious)]
        dependencies = {_name(one): one for one in used} | dependencies
        weights |= dict.fromkeys(one for one in needs.weights if _is_loaded(one, code, text, if_unknown=cautious))
    kept = Needs(dependencies=tuple(dependencies.values()), weights=tuple(weights))
    same = {*kept.dependencies} == {*own.dependencies} and {*kept.weights} == {*own.weights}
    return code if same else write_needs(code, kept)


def declare(code: str, block: str) -> str:
    """Return a script that also declares what a block declares; the block's version of a package takes precedence.

    Raises:
        ScriptError: one of the two cannot be read.
    """
    try:
        own, new = read_needs(code), read_needs(block)
    except NeedsError as error:
        raise ScriptError(str(error)) from error
    dependencies = {_name(text): text for text in (*own.dependencies, *new.dependencies)}
    weights = dict.fromkeys((*own.weights, *new.weights))
    return write_needs(code, Needs(dependencies=tuple(dependencies.values()), weights=tuple(weights)))


def pin_needs(code: str, *, python: str, versions: Mapping[str, str], modules: Mapping[str, str]) -> str:
    """Return a script that declares everything that it imports, in the versions with which it was executed.

    A block that cannot be read, and a script that imports none of these, stay as they are.

    Args:
        code: the script.
        python: version of the interpreter.
        versions: of the distributions that it had, by their names.
        modules: distributions by the modules that they install.
    """
    try:
        own = read_needs(code)
    except NeedsError:
        return code
    declared = {_name(text): _pin(Requirement(text), versions) for text in own.dependencies}
    imported = {modules[module] for module in _imported_modules(code) if module in modules}
    pinned = {name: _pin(Requirement(name), versions) for name in sorted(imported) if name in versions}
    dependencies = tuple({**pinned, **declared}.values())
    if not dependencies:
        return code
    needs = Needs(dependencies=dependencies, weights=own.weights)
    return write_needs(code, needs, python="==" + ".".join([*python.split(".")[:2], "*"]))


def _pin(requirement: Requirement, versions: Mapping[str, str]) -> str:
    """Return a requirement with the version that was there, without the suffix of a build such as `+cpu`."""
    version = versions.get(canonicalize_name(requirement.name))
    if version is not None:
        with suppress(InvalidVersion):  # an installer of today finds no such version
            requirement.specifier = SpecifierSet(f"=={Version(version).public}")
    return str(requirement)


def write_needs(code: str, needs: Needs, *, python: str = "") -> str:
    """Return a script whose block at its top declares these needs; what else it says is kept, where that can be.

    Args:
        code: the script.
        needs: what it declares.
        python: versions of Python that it runs with, unless its block says so.
    """
    block, body = split_needs(code)
    content = "\n".join(line[2:] for line in block.split("\n")[1:-1]) + "\n"
    if python and not PYTHON.search(content):
        content = f'requires-python = "{python}"\n{content}'
    content = WEIGHTS.sub("", DEPENDENCIES.sub("", content)).strip("\n")
    content = f"{_as_list('dependencies', needs.dependencies)}\n{content}\n"
    if needs.weights:
        if not TABLE.search(content):
            content = f"{content.strip()}\n\n[tool.mlestar]\n"
        weights = f"[tool.mlestar]\n{_as_list('weights', needs.weights)}\n"
        content = TABLE.sub(lambda match: weights, content, count=1)
    written = _as_block(content) + body.lstrip("\n")
    if _declares(written, needs):
        return written
    # The block is TOML of another form, in which a table or a key would be there twice.
    content = f"requires-python = {json.dumps(python)}\n" if python else ""
    tables = f"\n[tool.mlestar]\n{_as_list('weights', needs.weights)}\n" if needs.weights else ""
    return _as_block(f"{_as_list('dependencies', needs.dependencies)}\n{content}{tables}") + body.lstrip("\n")


def _as_block(content: str) -> str:
    lines = ["/// script", *content.strip("\n").split("\n"), "///"]
    return "\n".join(f"# {line}".rstrip() for line in lines) + "\n"


def _declares(code: str, needs: Needs) -> bool:
    try:
        return read_needs(code) == needs
    except NeedsError:
        return False


def split_needs(code: str) -> tuple[str, str]:
    """Return the block of a script, empty without one, and the script without it."""
    text = code.replace("\r\n", "\n")
    block = next(find_blocks(text), None)
    if block is None:
        return "", code
    return text[block.start : block.end], text[: block.start] + text[block.end :].removeprefix("\n")


def lines_of_block(code: str) -> int:
    """Return how many lines of a script its block takes up together with the comments above it, 0 if it is not first.

    Imports are added below it.
    """
    block, _ = split_needs(code)
    if not block:
        return 0
    before, _, _ = code.replace("\r\n", "\n").partition(block)
    lines = before.split("\n")[:-1]
    is_first = all(not line.strip() or line.startswith("#") for line in lines)
    return len(lines) + len(block.split("\n")) if is_first else 0


def _as_list(name: str, items: Iterable[str]) -> str:
    return f"{name} = [{', '.join(json.dumps(item, ensure_ascii=False) for item in items)}]"


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _is_used(requirement: str, code: str, earlier: str, *, if_unknown: bool) -> bool:
    """Return whether a script still imports what a requirement of an earlier one installs.

    Where no import of the earlier one has the requirement's name, `if_unknown` is the answer.
    """
    modules = {module for module in _imported_modules(earlier) if may_install(_name(requirement), module)}
    return bool(modules & _imported_modules(code)) if modules else if_unknown


def _imported_modules(code: str) -> set[str]:
    """Return the top-level names of the modules that code imports."""
    nodes = list(ast.walk(parse_tree(code) or ast.Module([], [])))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    origins = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in (*plain, *origins)}


def _is_loaded(address: str, code: str, earlier: str, *, if_unknown: bool) -> bool:
    """Return whether a script still names a weight that an earlier one declares."""
    match = ADDRESS.match(address)
    path = match["path"].strip("/") if match else address
    before, after = split_needs(earlier)[1], split_needs(code)[1]
    words = [word for word in (path, path.rpartition("/")[2]) if word in before]
    return any(word in after for word in words) if words else if_unknown
