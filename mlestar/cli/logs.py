"""What `-v`, `-vv` and `MLESTAR_LOG` show: the package's log on standard error."""

import logging
import os
import sys
from typing import TextIO

from mlestar.errors import SettingsError

VARIABLE = "MLESTAR_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


def configure_logging(verbose: int) -> None:
    """Send the package's log to standard error; quiet without an option and without the variable.

    Args:
        verbose: 1 shows what the run does, 2 and more also why. It takes precedence over the variable.

    Raises:
        SettingsError: the variable holds no level.
    """
    level = _level(verbose, os.environ.get(VARIABLE, "").lower())
    if level is None:
        return
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("mlestar")
    log.addHandler(handler)
    log.setLevel(level)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the time: a live view puts lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _level(verbose: int, name: str) -> int | None:
    if verbose:
        return logging.INFO if verbose == 1 else logging.DEBUG
    if not name:
        return None
    if name not in LEVELS:
        msg = f"{VARIABLE}={name}: choose one of {', '.join(LEVELS)}"
        raise SettingsError(msg)
    return LEVELS[name]
