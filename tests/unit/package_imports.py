"""Which part of the package imports which, read from the source; a part is a package or module directly below it."""

import ast
from pathlib import Path

from tests.unit.paths import ROOT

PACKAGE = ROOT / "mlestar"


def modules() -> list[Path]:
    """Return the modules of the package, without the two files that only pass names on and without templates."""
    paths = (path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts)
    return sorted(path for path in paths if path.parent != PACKAGE or not path.name.startswith("__"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Return the parts that a module imports, its own included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mlestar"):
            rest = node.module.split(".")[1:]
            names |= {rest[0]} if rest else {alias.name for alias in node.names}
    return names - {"__version__"}


def dependencies() -> dict[str, set[str]]:
    """Return for every part the other parts that it imports."""
    graph: dict[str, set[str]] = {}
    for path in modules():
        part = part_of(path)
        graph.setdefault(part, set()).update(imported_parts(path) - {part})
    return graph


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph without the edges that a longer path implies."""

    def reachable(part: str) -> set[str]:
        below = set(graph.get(part, set()))
        for other in graph.get(part, set()):
            below |= reachable(other)
        return below

    edges: dict[str, set[str]] = {}
    for part, others in graph.items():
        implied = {deep for other in others for deep in reachable(other)}
        edges[part] = others - implied
    return edges
