"""Imports run one way: a layer imports only what stands below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mlestar"
LAYERS = [
    {"cli"},
    {"integrations"},
    {"api"},
    {"session"},
    {"graph"},
    {"nodes"},
    {"report"},
    {"runtime"},
    {"llm", "retrieval"},
    {"agents", "events", "store"},
    {"offline", "state"},
    {"evaluation"},
    {"data"},
    {"metrics", "prompts", "runners", "settings"},
    {"errors"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules():
    paths = (path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts)
    return sorted(path for path in paths if path.parent != PACKAGE or not path.name.startswith("__"))


def home(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mlestar"):
            rest = node.module.split(".")[1:]
            names |= {rest[0]} if rest else {alias.name for alias in node.names}
    return names - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path):
    here = home(path)
    above = {name for name in imported(path) if name != here and LEVEL[name] <= LEVEL[here]}
    assert not above


def test_help_does_not_import_the_engine():
    code = "import sys, mlestar.cli; print({'langgraph', 'pandas', 'sklearn', 'docker'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_every_public_name_can_be_imported():
    import mlestar

    assert all(getattr(mlestar, name) is not None for name in mlestar.__all__)
