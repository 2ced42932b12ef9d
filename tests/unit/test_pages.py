"""The pages name only paths and commands that exist."""

import re
from pathlib import Path

import pytest

from tests.unit.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_on_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:mlestar|graphs|sandbox|tests|docs|benchmarks|examples|notebooks)/[\w./-]*)`", text)
    links = [str((page.parent / link).relative_to(ROOT)) for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    assert [path for path in [*paths, *links] if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_a_page_exist(page: Path) -> None:
    from mlestar.cli import app

    existing = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    commands = set(re.findall(r"(?:^|`)mlestar ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert commands <= existing | {group.name for group in app.registered_groups}
