"""The templates of the scripts."""

from jinja2 import PackageLoader

from mlestar.script_templates import script_environment


def render(name: str, **values: object) -> str:
    """Return a script from a template and the values in it."""
    return _TEMPLATES.get_template(name).render(**values)


_TEMPLATES = script_environment(PackageLoader("mlestar.baselines", "templates"))
