"""Rendering the templates of scripts; names of templates for one kind of data begin with its name and a slash."""

from collections.abc import Iterable
from typing import Any

from jinja2 import ChoiceLoader, FunctionLoader, PackageLoader
from jinja2.exceptions import TemplateNotFound

from mlestar.offline.surgery import without_pass_through, without_unused
from mlestar.script_templates import script_environment

_FOR_IDEAS = frozenset({"THREADS"})
"""Names that models need which are added to a script later."""


def render(name: str, values: dict[str, Any]) -> str:
    """Return a template with its values: `tables/script.py.jinja` is in `tables/templates`."""
    return _TEMPLATES.get_template(name).render(**values).strip("\n") + "\n"


def template(name: str) -> str:
    """Return a template that needs no values."""
    return render(name, {}).strip("\n")


def finish(text: str, *keep: str) -> str:
    """Return a whole script without unused functions, constants and imports, formatted with blank lines.

    Args:
        text: the script.
        keep: names that ideas for this kind of data need, besides those that ideas of all kinds need.
    """
    return space_functions(without_unused(without_pass_through(text), _FOR_IDEAS | set(keep)))


def sort_imports(lines: Iterable[str]) -> list[str]:
    """Return the distinct import lines, `import` before `from`."""
    return sorted(set(lines), key=lambda line: (line.startswith("from"), line))


def space_functions(text: str) -> str:
    """Return a script with two blank lines before every function, and at most two anywhere."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith(("def ", "class ", "if __name__")):
            while lines and not lines[-1].strip():
                lines.pop()
            lines += ["", ""]
        if line.startswith("#") and lines[-2:-1] and lines[-2].startswith(" ") and not lines[-1]:
            lines.append("")
        if line.strip() or lines[-2:] != ["", ""]:
            lines.append(line.rstrip())
    return "\n".join(lines).strip("\n") + "\n"


def _load_of_kind(name: str) -> str | None:
    """Return a template of a kind of data."""
    kind, separator, rest = name.partition("/")
    if not (separator and kind.isidentifier()):
        return None
    loader = PackageLoader(f"mlestar.offline.{kind}", "templates")
    try:
        return loader.get_source(_TEMPLATES, rest)[0]
    except TemplateNotFound:
        raise TemplateNotFound(name) from None


_TEMPLATES = script_environment(
    ChoiceLoader([FunctionLoader(_load_of_kind), PackageLoader("mlestar.offline", "templates")])
)
