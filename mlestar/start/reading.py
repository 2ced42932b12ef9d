"""Reading what `start` names: a script, a notebook, or a solution of an earlier run."""

import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

from mlestar.agents.script import syntax_error
from mlestar.errors import SettingsError, clean_text, first_line
from mlestar.files import read_regular
from mlestar.start.masking import mask_keys
from mlestar.start.notebook import read_notebook, without_shell
from mlestar.start.runs import find_script, looks_like_run

MAX_BYTES = 2**18
"""Bytes of a script: about 65,000 tokens in each prompt with the script. Chosen by judgement; not measured."""
MAX_NOTEBOOK_BYTES = 2**25
"""Bytes of a notebook file, which also contains the pictures of its outputs. Chosen by judgement; not measured."""
OTHER_LANGUAGES = {".r": "R", ".rmd": "R", ".jl": "Julia", ".m": "MATLAB", ".sas": "SAS", ".sql": "SQL"}
_PYTHON_2 = re.compile(
    r"Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized|"
    r"leading zeros in decimal integer|invalid decimal literal|inconsistent use of tabs"
)
_PYTHON_2_CODE = re.compile(
    r"^\s*print\s+[\"'\w]|^\s*except\s+\w+\s*,\s*\w+\s*:|\bxrange\(|\braw_input\(", re.MULTILINE
)


@dataclass(frozen=True)
class StartText:
    """A script as a run starts from it."""

    name: str
    code: str
    notes: tuple[str, ...] = ()
    """What was changed when it was read, one line each."""


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
        msg = f"start {start}: {error.strerror or error}"
        raise SettingsError(msg) from error
    notes: list[str] = []
    if path.suffix.lower() == ".ipynb":
        code = read_notebook(content, name, notes)
    else:
        code = without_shell(_decode(content, name), notes)
    if len(code.encode("utf-8", "replace")) > MAX_BYTES:
        msg = f"start {name}: it has more than {MAX_BYTES:,} bytes of code; name a shorter script"
        raise SettingsError(msg)
    code = clean_text(code).strip("\n") + "\n"
    _check(code, name)
    masked = mask_keys(code)
    if masked != code:
        notes.append("keys and passwords in it were masked")
    return StartText(clean_text(name), masked, tuple(notes))


def find_file(start: str, runs_dir: Path) -> Path:
    """Return the file with the script that a setting names.

    Raises:
        SettingsError: there is none, or it is of a kind that cannot be used.
    """
    path = Path(start).expanduser()
    if looks_like_run(start, runs_dir):
        return find_script(start, runs_dir)
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
