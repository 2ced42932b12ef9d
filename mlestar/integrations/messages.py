"""Errors in the words of a caller who has settings and no command line."""

import re

from mlestar.errors import MlestarError

OPTION = re.compile(r"--(?:set )?([a-z][a-z-]*)")


def describe_error(error: MlestarError) -> str:
    """Return an error's message with every option of the command line as the setting that it sets.

    `--runs-dir` becomes `runs_dir`, and `--set prices=FILE` becomes `prices=FILE`.
    """
    return OPTION.sub(lambda option: option[1].replace("-", "_"), str(error))
