"""Errors in the words of a caller who has settings and no command line, and answers without control characters."""

import re
from collections.abc import Mapping
from typing import Any

from mlestar.errors import MlestarError, clean_text

OPTION = re.compile(r"--(?:set )?([a-z][a-z-]*)")
COMMAND = re.compile(r"`mlestar ([a-z]+)[^`]*`")


def describe_error(error: MlestarError, tools: Mapping[str, str] | None = None) -> str:
    """Return an error's message with every option of the command line as the setting that it sets.

    `--runs-dir` becomes `runs_dir`, and `--set prices=FILE` becomes `prices=FILE`.

    Args:
        error: of this package.
        tools: what the caller uses in place of a command, by its name; other commands stay.
    """
    message = clean_text(str(error))
    message = OPTION.sub(lambda option: option[1].replace("-", "_"), message)
    return COMMAND.sub(lambda command: (tools or {}).get(command[1], command[0]), message)


def clean_values(value: Any) -> Any:
    """Return plain values with every text cleaned, names of fields left as they are."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_values(item) for item in value]
    return {name: clean_values(item) for name, item in value.items()} if isinstance(value, dict) else value
