"""Model cards written by a person."""

import re
from pathlib import Path

from mlestar.agents.script import fenced
from mlestar.errors import SettingsError
from mlestar.state import ModelCard

HEADING = re.compile(r"^#+\s*(.+?)\s*$", re.MULTILINE)
LIBRARIES = re.compile(r"^\s*libraries\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
FENCED = re.compile(r"```.*?```", re.DOTALL)


def read_card(path: Path) -> ModelCard:
    """Return the card in a Markdown file: heading, text, a Python fence, and perhaps a line `libraries: a, b`.

    Raises:
        SettingsError: the file cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"card {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        raise SettingsError(msg) from error
    if not text:
        msg = f"card {path}: the file is empty"
        raise SettingsError(msg)
    heading, libraries = HEADING.search(FENCED.sub("", text)), LIBRARIES.search(text)
    return ModelCard(
        name=heading.group(1) if heading else path.stem,
        description=LIBRARIES.sub("", FENCED.sub("", HEADING.sub("", text, count=1))).strip(),
        example_code="\n".join(fenced(text, {"python", "py", ""})),
        source=path.name,
        libraries=tuple(name.strip() for name in libraries.group(1).split(",")) if libraries else (),
        by_person=True,
    )
