"""Reading what `start` names: a script, a notebook, or a solution of an earlier run."""

import io
import re
import tokenize
from dataclasses import dataclass
from errno import EFBIG
from pathlib import Path

from mlestar.agents.script import syntax_error
from mlestar.errors import SettingsError, clean_text, first_line
from mlestar.files import read_regular
from mlestar.start.masking import mask_keys
from mlestar.start.notebook import read_notebook, without_shell
from mlestar.start.runs import find_script, looks_like_run
from mlestar.syntax import read_literal

MAX_BYTES = 2**18
"""Bytes of a script: about 65,000 tokens in each prompt with the script. Chosen by judgement; not measured."""
MAX_NOTEBOOK_BYTES = 2**25
"""Bytes of a notebook, which holds the pictures that it shows too."""
SHOWN = 80
"""Characters of a name that is too long that a message repeats. Chosen by judgement."""
OTHER_LANGUAGES = {".r": "R", ".rmd": "R", ".jl": "Julia", ".m": "MATLAB", ".sas": "SAS", ".sql": "SQL"}
_PYTHON_2 = re.compile(
    r"Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized|"
    r"leading zeros in decimal integer|invalid decimal literal|inconsistent use of tabs"
)
_PYTHON_2_CODE = re.compile(
    r"^\s*print\s+[\"'\w]|^\s*except\s+\w+\s*,\s*\w+\s*:|\bxrange\(|\braw_input\(", re.MULTILINE
)


_ENCODING = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+")
_HIDDEN = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters in texts of a script that are written as escapes."""


@dataclass(frozen=True)
class StartText:
    """A script as a run starts from it."""

    name: str
    code: str
    notes: tuple[str, ...] = ()
    """What was changed when it was read, one line each."""
    metric: str = ""
    """Of the earlier run that it is from."""


def read_start(start: str, runs_dir: Path) -> StartText:
    """Return the script that a setting names.

    Args:
        start: path of a script or notebook, or RUN or RUN:SOLUTION.
        runs_dir: folder that holds the run folders.

    Raises:
        SettingsError: it cannot be found, read or used.
    """
    path = find_file(start, runs_dir)
    name = path.name if Path(start).expanduser() == path else start
    limit = MAX_NOTEBOOK_BYTES if path.suffix.lower() == ".ipynb" else MAX_BYTES
    try:
        content = read_regular(path, limit)
    except OSError as error:
        advice = "; clear its outputs and save it again" if limit == MAX_NOTEBOOK_BYTES and error.errno == EFBIG else ""
        msg = f"start {start}: {error.strerror or error}{advice}"
        raise SettingsError(msg) from error
    notes: list[str] = []
    if path.suffix.lower() == ".ipynb":
        code = read_notebook(content, name, notes, MAX_BYTES)
    else:
        code = without_shell(_decode(content, name), notes)
    if len(code.encode("utf-8", "replace")) > MAX_BYTES:
        msg = f"start {name}: it has more than {MAX_BYTES:,} bytes of code; name a shorter script"
        raise SettingsError(msg)
    code = _as_utf8(clean_text(_escape_hidden(code)).strip("\n") + "\n")
    _check(code, name)
    masked = mask_keys(code)
    if masked != code:
        notes.append("keys and passwords in it were masked")
    metric = find_script(start, runs_dir).metric if looks_like_run(start, runs_dir) else ""
    return StartText(clean_text(name), masked, tuple(notes), clean_text(metric))


def find_file(start: str, runs_dir: Path) -> Path:
    """Return the file with the script that a setting names.

    Raises:
        SettingsError: there is none, or it is of a kind that cannot be used.
    """
    if "\n" in start:
        msg = "start: this is the text of a script; save it as a file and give its path"
        raise SettingsError(msg)
    try:
        return _find_file(start, runs_dir)
    except (OSError, RuntimeError) as error:  # a name that is too long, a folder that may not be read, no such user
        msg = f"start {start[:SHOWN]}: {getattr(error, 'strerror', None) or error}"
        raise SettingsError(msg) from error


def _find_file(start: str, runs_dir: Path) -> Path:
    path = Path(start).expanduser()
    if looks_like_run(start, runs_dir):
        return find_script(start, runs_dir).path
    language = OTHER_LANGUAGES.get(path.suffix.lower())
    if language:
        msg = f"start {start}: a script in {language} cannot be used; give one in Python 3 (.py or .ipynb)"
        raise SettingsError(msg)
    if path.is_dir():
        msg = f"start {start} is a folder; give a script (.py), a notebook (.ipynb), or RUN or RUN:SOLUTION"
        raise SettingsError(msg)
    if not path.exists():
        msg = f"start {start}: there is no such file, and no such run in {runs_dir}"
        raise SettingsError(msg)
    if path.suffix.lower() not in (".py", ".ipynb"):
        msg = f"start {start}: give a script (.py), a notebook (.ipynb), or RUN or RUN:SOLUTION of an earlier run"
        raise SettingsError(msg)
    return path


def _decode(content: bytes, name: str) -> str:
    """Return the text of a script, in the encoding that it declares."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        msg = f"start {name}: it is no text in UTF-8, or in the encoding that it declares; save it as UTF-8"
        raise SettingsError(msg) from error


def _escape_hidden(code: str) -> str:
    """Return a script with escapes in place of characters in its texts that nobody sees, so that it does the same."""
    lines = code.split("\n")
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code, newline="\n").readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return code
    for token in reversed(tokens):
        if token.type != tokenize.STRING or not _HIDDEN.search(token.string):
            continue
        text = _HIDDEN.sub(lambda mark: f"\\u{ord(mark[0]):04x}", token.string)
        if _same_value(token.string, text):
            before, after = lines[token.start[0] - 1][: token.start[1]], lines[token.end[0] - 1][token.end[1] :]
            lines[token.start[0] - 1 : token.end[0]] = f"{before}{text}{after}".split("\n")
    return "\n".join(lines)


def _same_value(left: str, right: str) -> bool:
    try:
        return bool(read_literal(left) == read_literal(right))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def _as_utf8(code: str) -> str:
    """Return a script that declares no other encoding than that in which it is stored."""
    lines = code.split("\n")
    return "\n".join([*(_ENCODING.sub(r"\1utf-8", line) for line in lines[:2]), *lines[2:]])


def _check(code: str, name: str) -> None:
    """Refuse a script that is empty or not Python 3, with an error of one line.

    Raises:
        SettingsError: it is empty or does not compile.
    """
    if not code.strip():
        msg = f"start {name}: it is empty"
        raise SettingsError(msg)
    problem = syntax_error(code)
    if not problem:
        return
    if _PYTHON_2.search(problem) and _PYTHON_2_CODE.search(code):
        msg = f"start {name}: it is written for Python 2; convert it to Python 3 first ({first_line(problem)})"
    else:
        msg = f"start {name}: {first_line(problem)}"
    raise SettingsError(msg)
