"""Where the sounds of a task's rows are, and what can read them."""

import re
from dataclasses import dataclass

from mlestar.offline.facts import Facts

_SUFFIX = re.compile(r"\.(wav|aiff?|mp3|flac|ogg|m4a)\b", re.IGNORECASE)
_OWN_SUFFIXES = (".wav", ".aif", ".aiff")
"""Read without a further package."""
_FOLDERS = re.compile(r"files named by its column '([^']*)': of train in ([^,;]*)/, of test in ([^,;]*)/")
_FURTHER = re.compile(r"the files of ([^;]*)/ are labelled too")
_CODE = re.compile(r"\b(\d+)\s*(?:=|:|->|is|for|means|if)\s*(?:an?\s+|the\s+)?[`'\"*]*([^\W\d]\w*)", re.IGNORECASE)
_CODE_BEHIND = re.compile(r"\b([^\W\d]\w*)[`'\"*]*\s*(?:=|:|->|\(|is|as)\s*(\d+)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Sounds:
    """Where the sounds of the rows are."""

    place: str
    """`table`, or the name of a layout in which the folders list the rows."""
    train_column: str = ""
    """The column of train that names a file."""
    test_column: str = ""
    train_folder: str = ""
    """Below which the files of train are; empty for the input folder."""
    test_folder: str = ""
    roots: tuple[str, ...] = ()
    """Folders that hold class folders."""
    test_rows: str = ""
    """The table that lists the rows to predict; `files` where the files of the test folder do."""


def find_sounds(facts: Facts) -> Sounds:
    """Return where the sounds of a task are."""
    spec, note = facts.spec, facts.spec.layout_note
    if spec.layout in ("class folders", "class in the file name"):
        return Sounds(spec.layout, roots=(spec.train, *_FURTHER.findall(note)))
    match = _FOLDERS.search(note)
    column, train, test = match.groups() if match else (_file_column(facts), "", "")
    if spec.layout != "labelled files":
        return Sounds("table", column, column, train, test, test_rows=spec.test)
    listed = spec.sample_submission or ""
    test_column = spec.id or column
    rows = listed or "files"
    return Sounds("table", column, test_column, train, test or ("" if listed else spec.test), test_rows=rows)


def _file_column(facts: Facts) -> str:
    """Return the column that names files: one of paths, the id, or a unique one."""
    train = facts.files.get(facts.spec.train)
    columns = [column for column in (train.columns if train else ()) if column.name not in facts.spec.target]
    with_suffix = [column for column in columns if any(_SUFFIX.search(value) for value in column.examples)]
    paths = [column for column in columns if column.kind == "path"]
    ids = [column for column in columns if column.name == facts.spec.id]
    unique = sorted(columns, key=lambda column: -column.distinct)
    return next(column.name for column in [*with_suffix, *paths, *ids, *unique])


def find_suffixes(facts: Facts) -> tuple[str, ...]:
    """Return the suffixes of sounds that the prompt names; `.wav` where it names none."""
    texts = [facts.text("files"), facts.text("column_statistics"), facts.text("task"), facts.spec.layout_note]
    named = {f".{match.lower()}" for text in texts for match in _SUFFIX.findall(text)}
    return tuple(sorted(named or {".wav"}))


def are_readable(facts: Facts) -> bool:
    """Return whether a script can read the sounds: WAV and AIFF by itself, other forms with soundfile."""
    return "soundfile" in facts.packages or any(suffix in _OWN_SUFFIXES for suffix in find_suffixes(facts))


def find_codes(facts: Facts, sounds: Sounds) -> dict[str, str]:
    """Return the class of each word of the description: "1 = dog"; empty where the classes are no numbers."""
    classes = set(facts.spec.classes)
    if sounds.place == "table" or not classes or not all(name.isdigit() for name in classes):
        return {}
    text = facts.text("task")
    pairs = [(word, code) for code, word in _CODE.findall(text)] + _CODE_BEHIND.findall(text)
    return {word.lower().removesuffix("s"): code for word, code in reversed(pairs) if code in classes}
