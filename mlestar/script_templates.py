"""The environment in which templates of scripts are rendered."""

from pprint import pformat

from jinja2 import BaseLoader, Environment, StrictUndefined


def script_environment(loader: BaseLoader) -> Environment:
    """Return an environment for templates of Python scripts, with the filter `py` that writes a value as code."""
    environment = Environment(  # scripts, not HTML
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["py"] = _py
    return environment


def _py(value: object) -> str:
    return pformat(value, width=110, compact=True, sort_dicts=False)
