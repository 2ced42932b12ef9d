"""Whether the sandbox has the libraries of a card, whatever names and versions the card uses."""

import re
import sys
from collections.abc import Iterator, Sequence

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mlestar.errors import mask_secrets
from mlestar.retrieval.catalogue import catalogue_libraries
from mlestar.runners.supply.names import DISTRIBUTION_OF, VARIANTS
from mlestar.runners.supply.weights import HubAddress, WeightsError, read_address
from mlestar.state import Brief, ModelCard

NO_LIBRARY = re.compile(r"(?:(?:none|no|nothing|n/a|na)(?![\w.-]).*)?", re.IGNORECASE | re.DOTALL)
"""What a model writes when a card needs nothing, as `None (only numpy)` or `No external libraries`."""
BUILT_IN = re.compile(
    r"\b(?:(?:python'?s? )?standard library|stdlib|built-?ins?)\b(?: modules?| only)*:?", re.IGNORECASE | re.ASCII
)
"""Words before or after the names of modules that need no installation."""
OPTIONAL = re.compile(r"[\w.-]+\s?\(\s?optional\b[^)]*\)", re.IGNORECASE)
"""A library that a card can do without."""
REMARK = re.compile(r"\([^()]*\)")
"""Names in parentheses are those of classes and functions."""
SEPARATE_WORDS = (
    *("scikit-learn", "scikit-image", "scikit-optimize", "scikit-survival", "imbalanced-learn", "umap-learn"),
    *("sentence-transformers", "pytorch-tabnet", "pytorch-lightning"),
)
"""Names whose hyphen is often left out."""
STANDARD_LIBRARY = frozenset(name.casefold() for name in sys.stdlib_module_names)
"""Of the interpreter that runs this; those of supported versions differ by a few old modules."""
QUOTED = re.compile(r"^([`'\"])(.*)\1$")
INSTALLATION = re.compile(
    r"^[!%]?\s?(?:(?:python3? -m )?pip3?|conda|mamba|uv pip) install\s(?:-c \S+ |-\S+ )*", re.IGNORECASE
)
STATEMENT = re.compile(r"^(?:import |from )", re.IGNORECASE)
ALTERNATIVES = re.compile(r"/|\bor\b")
SEPARATORS = re.compile(r"[,;&|]|\band\b")
NAME = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
WEIGHTS_OPTION = "not in the store; --weights auto would fetch it"
PINS = ("==", "~=")
"""Operators that name one version. A newer one is accepted: the code of a card is rewritten for the sandbox."""
UPPER_BOUNDS = ("<", "<=")
"""Operators that refuse newer versions, which are accepted for the same reason."""


def find_missing(card: ModelCard, brief: Brief) -> list[str]:
    """Return what a card needs and scripts cannot have, with the version that is installed, or what would allow it."""
    problems: list[str] = []
    for text in card.libraries:
        alternatives = [_find_problems(requirements, brief) for requirements in read_alternatives(text)]
        if alternatives and all(alternatives):
            problems += alternatives[0]
    addresses = [text for text in map(str.strip, card.weights) if not NO_LIBRARY.fullmatch(text)]
    return [*problems, *(f"{address} ({WEIGHTS_OPTION})" for address in addresses if not _has(address, brief))]


def _has(address: str, brief: Brief) -> bool:
    """Return whether a script may load weights; a repository without a commit means any."""
    if brief.supply.fetches_weights:
        return True
    try:
        wanted = read_address(address)
    except WeightsError:
        return False
    if isinstance(wanted, HubAddress) and not wanted.is_pinned:
        return any(one.partition("@")[0] == f"hf:{wanted.repository}" for one in brief.supply.stored_weights)
    return mask_secrets(str(wanted)) in brief.supply.stored_weights


def read_alternatives(text: str) -> list[list[Requirement]]:
    """Return what a model wrote as a library, as alternatives of one or more requirements.

    It may be a requirement, the name of a module, an import, an installation command, or several of them.
    """
    text = STATEMENT.sub("", _read_installation(QUOTED.sub(r"\2", text.strip())))
    if NO_LIBRARY.fullmatch(text):
        return []
    try:
        return [[Requirement(text)]]
    except InvalidRequirement:
        text = _drop_remarks(text)
        return [
            [requirement for part in SEPARATORS.split(alternative) if (requirement := _read_loosely(part))]
            for alternative in ALTERNATIVES.split(text)
        ]


def _read_installation(text: str) -> str:
    """Return the packages of an installation command, separated by commas; another text unchanged."""
    command = INSTALLATION.match(text)
    if command is None:
        return text
    return ", ".join(QUOTED.sub(r"\2", word) for word in text[command.end() :].split())


def _drop_remarks(text: str) -> str:
    """Return a text without what is optional, built in or in parentheses, with hyphens in known names."""
    text = REMARK.sub("", BUILT_IN.sub("", OPTIONAL.sub("", text)))
    for name in SEPARATE_WORDS:
        text = re.sub(name.replace("-", " "), name, text, flags=re.IGNORECASE)
    return text


def _read_loosely(text: str) -> Requirement | None:
    """Return the requirement in a text, by its first name when the whole is none."""
    try:
        return Requirement(text.strip())
    except InvalidRequirement:
        name = NAME.search(text)
        return Requirement(name.group().rstrip(".-_")) if name else None


def _find_problems(requirements: Sequence[Requirement], brief: Brief) -> list[str]:
    return [problem for requirement in requirements if (problem := _find_problem(requirement, brief))]


def _find_problem(requirement: Requirement, brief: Brief) -> str:
    """Return why a requirement cannot be met, empty when it can; extras are not checked."""
    if not _applies(requirement, brief):
        return ""
    version = _find_version(requirement.name, brief)
    if version is None:
        option = _find_option(canonicalize_name(requirement.name), brief)
        return f"{requirement.name} (not in the sandbox; {option})" if option else ""
    if version and not _allows(requirement.specifier, version):
        return f"{requirement.name}{requirement.specifier} (the sandbox has {version})"
    return ""


def _find_option(name: str, brief: Brief) -> str:
    """Return which setting would allow a library to be added, empty when those of the run do."""
    supply = brief.supply
    allowed = {canonicalize_name(Requirement(text).name) for text in supply.allowed}
    if supply.packages == "ask" or name in allowed:
        return ""
    if name in catalogue_libraries() and not supply.adds_packages:
        return "--packages auto would add it"
    return "--packages ask would ask about it"


def _find_version(name: str, brief: Brief) -> str | None:
    """Return the version of what a name means in the sandbox.

    It is empty for the standard library, and None for what is not there.
    """
    if canonicalize_name(name) == "python":
        return brief.python
    everything = {**brief.distributions, **brief.packages}
    installed: dict[str, str] = {canonicalize_name(one): version for one, version in everything.items()}
    module = name.partition(".")[0].casefold()
    modules = {one.casefold(): distribution for one, distribution in brief.modules.items()}
    for candidate in _candidates(name, module, modules):
        if candidate in installed:
            return installed[candidate]
    return "" if module in STANDARD_LIBRARY else None


def _candidates(name: str, module: str, modules: dict[str, str]) -> Iterator[str]:
    """Yield the distributions that a name may mean: itself, the one whose module it is, the one of a known name."""
    for one in dict.fromkeys((canonicalize_name(name), canonicalize_name(module))):
        known = DISTRIBUTION_OF.get(one, one)
        yield from (one, known, *VARIANTS.get(known, ()))
    if module in modules:
        yield canonicalize_name(modules[module])


def _allows(specifiers: SpecifierSet, version: str) -> bool:
    """Return whether an installed version is acceptable; one that follows no standard is accepted."""
    try:
        installed = Version(version)
    except InvalidVersion:
        return True
    return all(_allows_one(specifier, installed) for specifier in specifiers)


def _allows_one(specifier: Specifier, installed: Version) -> bool:
    if specifier.operator in UPPER_BOUNDS:
        return True
    if specifier.operator in PINS:
        return installed >= Version(Version(specifier.version.removesuffix(".*")).public)
    return specifier.contains(installed, prereleases=True)


def _applies(requirement: Requirement, brief: Brief) -> bool:
    """Return whether a requirement concerns the sandbox's Python; one whose marker cannot be read does."""
    if requirement.marker is None:
        return True
    major_minor = ".".join(brief.python.split(".")[:2])
    try:
        return requirement.marker.evaluate({"python_version": major_minor, "python_full_version": brief.python})
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True
