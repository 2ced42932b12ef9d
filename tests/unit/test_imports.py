"""Imports run one way: a layer imports only what is below it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit import golden_architecture
from tests.unit.package_imports import PACKAGE, imported_parts, modules, part_of

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
    {"errors", "files"},
]
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


def test_every_public_name_can_be_imported() -> None:
    import mlestar

    assert all(getattr(mlestar, name) is not None for name in mlestar.__all__)
