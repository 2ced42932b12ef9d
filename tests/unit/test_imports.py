"""Imports run one way: a layer imports only what is below it."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Set
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit import golden_architecture
from tests.unit.package_imports import PACKAGE, imported_parts, modules, part_of

LAYERS = [
    {"cli"},
    {"bench", "integrations", "ui"},
    {"api"},
    {"session", "trackers"},
    {"graph", "export"},
    {"nodes", "predictor"},
    {"report"},
    {"runtime"},
    {"llm", "progress", "retrieval", "start"},
    {"agents", "events", "lessons", "store"},
    {"baselines", "offline", "state"},
    {"evaluation"},
    {"data"},
    {"markup", "metrics", "prompts", "runners", "settings"},
    {"errors", "files", "script_templates", "syntax"},
]
OF_EXTRAS = {
    *(f"integrations/{name}.py" for name in ("mcp", "following", "sampling")),
    *(f"export/alone/{name}.py" for name in ("connections", "service")),
    *(f"trackers/{name}.py" for name in ("mlflow_runs", "spans")),
    *(f"ui/{name}.py" for name in ("forms", "guard", "server", "site")),
}
"""Modules that an extra needs, and that are imported where it is used; an exported folder brings what its service
needs."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    part = part_of(path)
    above = {name for name in imported_parts(path) if name != part and LEVEL[name] <= LEVEL[part]}
    assert not above


def test_there_are_at_most_fifteen_layers() -> None:
    assert len(LAYERS) <= 15


def test_the_diagram_of_the_architecture_page_is_that_of_the_imports() -> None:
    assert golden_architecture.PAGE.read_text(encoding="utf-8") == golden_architecture.render(), "run `make golden`"


def test_help_does_not_import_the_engine() -> None:
    code = "import sys, mlestar.cli; print({'langgraph', 'pandas', 'sklearn', 'docker'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def imported_packages(path: Path) -> set[str]:
    """Return the packages of others that a module imports when it is imported itself."""
    names: set[str] = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            names |= {alias.name.split(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            names.add(statement.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {PACKAGE.name}


def required(lines: Iterable[str], extras: Set[str] = frozenset()) -> Iterator[Requirement]:
    """Yield what requirements mean here, where these extras are wanted."""
    for requirement in map(Requirement, lines):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": name}) for name in {"", *extras}):
            yield requirement


def installed_without_extras() -> set[str]:
    """Return the distributions that come with this package when no extra is asked for."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting, seen = list(required(project["dependencies"])), set[tuple[str, frozenset[str]]]()
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key not in seen:
            seen.add(key)
            waiting += required(requires(key[0]) or [], key[1])
    return {name for name, _ in seen}


def test_what_is_imported_without_an_extra_is_installed_with_the_package() -> None:
    installed, provided = installed_without_extras(), packages_distributions()
    for path in modules():
        if path.relative_to(PACKAGE).as_posix() in OF_EXTRAS:
            continue
        for name in imported_packages(path):
            distributions = {canonicalize_name(distribution) for distribution in provided.get(name, [name])}
            assert distributions & installed, f"{path} imports {name}"


def test_every_public_name_can_be_imported() -> None:
    import mlestar

    assert all(getattr(mlestar, name) is not None for name in mlestar.__all__)
