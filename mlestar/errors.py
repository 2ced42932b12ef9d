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
    │   └── WeakModelError the model is too weak for a role, and no other takes over
    ├── StoreError         the run folder cannot be written or is in use
    └── StopRequested      a person asked the run to stop

Both are built-in errors too: LangGraph's server hides the message of any other error from its client.
A script that fails is none of these: it is a value (`Execution`, `Verdict`) that an agent is shown.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
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


class WeakModelError(ModelError):
    """A model was given up as too weak, and no fallback is left; the message names the command that continues."""


class StoreError(OperatorError):
    """The run folder cannot be written or another process holds it."""


class StopRequested(OperatorError):
    """A person asked the run to stop; all that was running is recorded."""

    def __init__(self) -> None:
        super().__init__("stopped on request; what was running is finished")


MIN_SECRET = 8
"""Characters; shorter values are not keys, and masking them would mask ordinary words. Chosen by judgement; not
measured."""
SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|DSN", re.IGNORECASE)
"""Environment variables whose values are secret."""
SECRET_PATTERNS = [
    (re.compile(r"(://)(?:(?!://)[^\s@])+@"), r"\1[masked]@"),
    (re.compile(r"(\bhttps?://(?:(?!https?://)[^\s?'\"<>])+\?)[^\s'\"<>)]{8,}"), r"\1[masked]"),
    (re.compile(r"\b(?:sk|tvly)[-_][\w*-]{12,}"), "[masked]"),
    (re.compile(r"\b(?:pk|key|lsv2|gsk|hf|xai|ghp|github_pat)[-_](?=[\w*-]{0,200}\d)[\w*-]{12,}"), "[masked]"),
    (re.compile(r"\bAIza[\w*-]{12,}|\bAKIA[A-Z0-9]{12,}|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), "[masked]"),
    (re.compile(r"\b(?:xox[abeprs]|glpat|dckr_pat)[-_](?=[\w*-]{0,200}\d)[\w*-]{12,}"), "[masked]"),
    (re.compile(r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)(?:(?!-----).)*", re.DOTALL), r"\1[masked]"),
]
"""Credentials and queries in addresses, keys of common providers and private keys, each with its replacement."""
NAMED_SECRETS = [
    re.compile(r"(\b(?:Bearer|Basic)\s+)([^\s\"',;]{8,})", re.IGNORECASE),
    re.compile(r"((?:\b|_)(?:key|token|password|secret)[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;)}\]]{8,})", re.IGNORECASE),
]
"""A value in an authorization header, and one after the name of a key."""


def mask_secrets(text: str, is_secret: Callable[[str, str], bool] = lambda name, value: True) -> str:
    """Return a text of another library without keys: those of the environment, and whatever looks like one.

    Args:
        text: of another library, a script or a person.
        is_secret: whether what follows such a name is a key, by what is before it and the value.
    """
    secrets = {value for name, value in os.environ.items() if SECRET_VARIABLE.search(name)}
    for secret in sorted(secrets, key=len, reverse=True):  # one may be the beginning of another
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, "[masked]")
    for pattern, replacement in SECRET_PATTERNS:
        text = pattern.sub(replacement, text)
    for pattern in NAMED_SECRETS:
        text = pattern.sub(lambda found: f"{found[1]}[masked]" if is_secret(found[1], found[2]) else found[0], text)
    return text


HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""Control characters but for tab and line feed, and characters that nobody sees: they move the cursor or reverse text
in a terminal, and models read them."""
_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]+[0-~]")
"""Commands to a terminal that contain no text: colours, moves of the cursor, clearing. Text in others stays."""
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_JOINED = re.compile("(?<=[^\x00-\xff])[\u200c\u200d](?=[^\x00-\xff])")
"""Joiners between characters beyond Latin-1, which stay: Persian and Indic scripts and emoji need them."""
_JOINERS = ("\u200c", "\u200d")


def clean_text(text: str) -> str:
    """Return foreign text as people can read it safely: without control and invisible characters, on as many lines.

    Foreign is what a script, a model, a file or a web page chose, names of files and columns included. Whatever the
    package shows passes through here: console, log, report, notebooks and answers to clients.
    """
    if text.isprintable():
        return text
    lines = _LINE_END.sub("\n", _ESCAPE.sub("", text))
    if not _JOINED.search(lines):
        return HIDDEN.sub("", lines)
    parts = re.split(f"({_JOINED.pattern})", lines)
    return "".join(part if part in _JOINERS else HIDDEN.sub("", part) for part in parts)


def escape_hidden(text: str) -> str:
    """Return JSON with control and invisible characters as escapes: the same value, harmless to print."""
    return HIDDEN.sub(lambda mark: json.dumps(mark[0])[1:-1], text)


MAX_MESSAGE = 300
"""Characters of another library's error that a message repeats. Chosen by judgement; not measured."""
MAX_READ = 20_000
"""Characters of it that are looked at: a provider can answer with megabytes. Chosen by judgement; not measured."""


def first_line(text: str) -> str:
    """Return the first line of another library's message: without secrets and control characters, cut to size."""
    lines = clean_text(mask_secrets(text[:MAX_READ])).strip().splitlines() or [""]
    return lines[0].replace("\t", " ").strip()[:MAX_MESSAGE]


def whole_line(text: str) -> str:
    """Return foreign text in one line without control characters."""
    return " ".join(clean_text(text).split())


MAX_LINE = 120
"""Characters of a title, a plan or a message in one line. Chosen by judgement."""


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """Return foreign text in one line without control characters, cut to size."""
    line = whole_line(text)
    return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that a mistyped one is most likely meant for, None when none is near."""
    return next(iter(get_close_matches(name, list(names), n=1)), None)
