"""The templates of the scripts."""

from pprint import pformat

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(name: str, **values: object) -> str:
    """Return a script from a template and the values in it."""
    return _TEMPLATES.get_template(name).render(**values)


def _py(value: object) -> str:
    return pformat(value, width=110, compact=True, sort_dicts=False)


_TEMPLATES = Environment(  # a script, not HTML
    loader=PackageLoader("mlestar.baselines", "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["py"] = _py
