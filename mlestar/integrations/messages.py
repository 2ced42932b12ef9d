"""Errors in the words of a caller who has settings and no command line."""

import re
from collections.abc import Mapping

from mlestar.errors import MlestarError

OPTION = re.compile(r"--(?:set )?([a-z][a-z-]*)")
COMMAND = re.compile(r"`mlestar ([a-z]+)[^`]*`")


def describe_error(error: MlestarError, tools: Mapping[str, str] | None = None) -> str:
    """Return an error's message with every option of the command line as the setting that it sets.

    `--runs-dir` becomes `runs_dir`, and `--set prices=FILE` becomes `prices=FILE`.

    Args:
        error: of this package.
        tools: what the caller uses in place of a command, by its name; other commands stay.
    """
    message = OPTION.sub(lambda option: option[1].replace("-", "_"), str(error))
    return COMMAND.sub(lambda command: (tools or {}).get(command[1], command[0]), message)
