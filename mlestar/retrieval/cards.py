"""Model cards written by a person."""

import re
from pathlib import Path

from mlestar.agents.script import fenced
from mlestar.errors import SettingsError
from mlestar.files import read_regular
from mlestar.state import ModelCard

TITLE = re.compile(r"^#+\s*(.+?)\s*$", re.MULTILINE)
LIBRARIES_LINE = re.compile(r"^\s*libraries\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)


def read_card(path: Path) -> ModelCard:
    """Return the card in a Markdown file: heading, text, a Python fence, and perhaps a line `libraries: a, b`.

    Raises:
        SettingsError: the file cannot be read or is empty.
    """
    try:
        text = read_regular(path).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"card {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        raise SettingsError(msg) from error
    if not text:
        msg = f"card {path}: the file is empty"
        raise SettingsError(msg)
    return parse_card(text, path.stem, path.name)


def parse_card(text: str, name: str, source: str = "") -> ModelCard:
    """Return the card in a Markdown text.

    Args:
        text: of the card.
        name: of a card without a heading.
        source: where it is from.
    """
    title, libraries = TITLE.search(CODE.sub("", text)), LIBRARIES_LINE.search(text)
    without_title = TITLE.sub("", text, count=1)
    return ModelCard(
        name=title.group(1) if title else name,
        description=LIBRARIES_LINE.sub("", CODE.sub("", without_title)).strip(),
        example_code="\n".join(fenced(text, {"python", "py", ""})),
        source=source,
        libraries=tuple(name.strip() for name in libraries.group(1).split(",")) if libraries else (),
        by_person=True,
    )


def format_card(card: ModelCard) -> str:
    """Return a card as the Markdown text that `parse_card` reads."""
    libraries = f"libraries: {', '.join(card.libraries)}" if card.libraries else ""
    example = f"```python\n{card.example_code.strip()}\n```" if card.example_code.strip() else ""
    return "\n\n".join(part for part in (f"# {card.name}", card.description.strip(), libraries, example) if part)
