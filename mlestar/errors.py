"""Errors by who must react.

MlestarError
├── UserError              bad input or usage: one line with what to do
│   ├── TaskError          the task folder cannot be understood
│   │   └── HoldoutError   no honest holdout can be made; a run falls back to reported scores
│   ├── SettingsError      a setting is unknown or out of range
│   └── PlatformError      this operating system is not supported
└── OperatorError          the run stops with its state saved
    ├── RunnerError        scripts cannot be executed (engine lost, image missing)
    ├── ModelError         the model provider cannot be reached or refuses
    ├── StoreError         the run folder cannot be written or is in use
    └── StopRequested      a person asked the run to stop

Both are built-in errors too: LangGraph's server hides the message of any other error from its client.
A script that fails is none of these: it is a value (`Execution`, `Verdict`) that an agent is shown.
"""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches


class MlestarError(Exception):
    """Base of every error raised by this package."""


class UserError(MlestarError, ValueError):
    """The caller can repair this; the message is one line that explains how."""


class TaskError(UserError):
    """The task folder cannot be understood."""


class HoldoutError(TaskError):
    """No rows of this task can be withheld honestly; a run falls back to reported scores and reports why."""


class SettingsError(UserError):
    """A setting is unknown, out of range or contradicts another."""


class PlatformError(UserError, ImportError):
    """This operating system is not supported."""

    def __init__(self) -> None:
        super().__init__("mlestar needs Linux or macOS; on Windows run it, and Python, inside WSL2")


class OperatorError(MlestarError, RuntimeError):
    """The run cannot continue here; its state is saved and it can be resumed."""

    run: str | None = None
    """Folder of the run that stopped, once there is one."""


class RunnerError(OperatorError):
    """Scripts cannot be executed: the engine is lost or the image is missing."""


class ModelError(OperatorError):
    """The model provider cannot be reached, refuses, or never satisfies a reply's contract."""


class StoreError(OperatorError):
    """The run folder cannot be written or another process holds it."""


class StopRequested(OperatorError):
    """A person asked the run to stop; all that was running is recorded."""

    def __init__(self) -> None:
        super().__init__("stopped on request; what was running is finished and saved")


KEY = re.compile(r"\b(?:sk|AIza|tvly|pk|key)[-_]?[A-Za-z0-9_*-]{12,}")
"""What keys of common providers look like."""
URL_SECRETS = re.compile(r"(\bhttps?://)(?:[^\s/@'\"]+@)?([^\s?'\"<>]*)(\?[^\s'\"<>)]*)?")
SECRET_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)S?$", re.IGNORECASE)
MIN_SECRET = 6
"""Characters; a shorter value of such a variable may be an ordinary word."""


def mask_secrets(text: str) -> str:
    """Return a text of another library without keys, secrets of the environment, and the queries of addresses."""
    for name, value in os.environ.items():
        if SECRET_VARIABLE.search(name) and len(value) >= MIN_SECRET:
            text = text.replace(value, "***")
    text = URL_SECRETS.sub(lambda url: url[1] + url[2] + ("?***" if url[3] else ""), text)
    return KEY.sub("***", text)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that a mistyped one is most likely meant for, None when none is near."""
    return next(iter(get_close_matches(name, list(names), n=1)), None)
