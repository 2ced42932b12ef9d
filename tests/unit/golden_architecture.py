"""Draws the imports of the package into docs/architecture.md: python -m tests.unit.golden_architecture."""

import re

from tests.unit.package_imports import dependencies, reduced
from tests.unit.paths import ROOT

PAGE = ROOT / "docs/architecture.md"
DIAGRAM = re.compile(r"(?<=<!-- imports -->\n)```mermaid\n.*?\n```", re.DOTALL)


def draw() -> str:
    """Return the imports as a Mermaid flow chart; an edge that a longer path implies is left out."""
    lines = ["flowchart TD"]
    for part, others in sorted(reduced(dependencies()).items()):
        lines += [f"    {part} --> {other}" for other in sorted(others)]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def render() -> str:
    """Return the page with the diagram of today's imports."""
    return DIAGRAM.sub(draw(), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
