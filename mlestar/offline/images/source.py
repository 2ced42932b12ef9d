"""Where the pictures of a task are, read from its spec and the description of its files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.offline.facts import Facts

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2")
_NAMED = re.compile(r"named by its column '(.+?)': of train in (.+?)/, of test in (.+?)/(?:;|$)")
_ARRAY_LIST = re.compile(r"([^,\s][^,()]*?)(?: \(([^)]*)\))?(?:, |$)")
_FURTHER = re.compile(r"the files of ([^;]*)/ are labelled too")
_CODE_LINK = r"\s*(?:=|:|->|is|for|means|if)\s*(?:an?\s+|the\s+)?"


@dataclass(frozen=True)
class Source:
    """How a script finds the pictures of rows, and their labels."""

    form: str
    """The template that loads them: `class_folders`, `class_in_name`, `named_files` or `arrays`."""
    ids_have: str = "name"
    """Which part of a test file's path is its id: the `path`, the `name` below the test folder, or this without suffix
    (`stem`)."""
    codes: dict[str, str] = field(default_factory=dict)
    """Labels by the names of classes, where a submission has numbers for them."""
    further: tuple[str, ...] = ()
    """Further folders that contain class folders."""
    pattern: str = ""
    """What matches the class at the beginning of a file name."""
    column: str = ""
    """The column that names the picture of a row."""
    folders: tuple[str, str] = (".", ".")
    """Where the pictures of train rows and of test rows are."""
    test_rows: str = "table"
    """What lists the rows to predict: the test `table`, the `sample` submission or the files of a `folder`."""
    arrays: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """Files and keys of the arrays: `train`, `labels` and `test`; no keys where a file is one array."""


def find_source(facts: Facts) -> Source | None:
    """Return where the pictures of a task are; None where its layout is not one with pictures."""
    layout = facts.spec.layout
    if layout == "class folders":
        further = tuple(_FURTHER.findall(facts.spec.layout_note))
        return Source("class_folders", ids_have=_ids_have(facts), codes=_codes(facts), further=further)
    if layout == "class in the file name":
        return Source("class_in_name", ids_have=_ids_have(facts), codes=_codes(facts), pattern=_class_pattern(facts))
    if layout == "arrays":
        return _array_source(facts)
    if layout in ("tables", "single table", "separate labels", "labelled files"):
        return _named_source(facts)
    return None


def _ids_have(facts: Facts) -> str:
    note = facts.spec.layout_note
    if "a path below the input folder" in note:
        return "path"
    return "stem" if re.search(r"followed by its .+ and a suffix", note) else "name"


def _codes(facts: Facts) -> dict[str, str]:
    """Return the label of each word that the description gives a number: "1 = dog, 0 = cat"."""
    codes: dict[str, str] = {}
    for label in facts.spec.classes if all(name.isdigit() for name in facts.spec.classes) else ():
        pattern = rf"\b{label}{_CODE_LINK}[`'\"*]*(\w+)|(\w+)[`'\"*]*\s*(?:=|:|->|\(|is|as)\s*{label}\b"
        for before, after in re.findall(pattern, facts.text("task")):
            codes.setdefault((before or after).lower().rstrip("s"), label)
    return codes


def _class_pattern(facts: Facts) -> str:
    """Return the pattern that takes the class from a file name, as the example of the layout shows it."""
    before_number, before_separator = r"(.*?[^\W_].*?)(?:[\s._()-]+|(?<!\d))\d+[\s)]*", r"([^\W_][^._-]*)[._-]+.*\d.*"
    example = re.search(r"begins with its class \((.+) is ([^;]+?)\)(?:;|$)", facts.spec.layout_note)
    if example is None:
        return before_separator
    match = re.fullmatch(before_number, Path(example[1]).stem)
    return before_number if match and match[1] == example[2] else before_separator


def _array_source(facts: Facts) -> Source | None:
    note = facts.spec.layout_note
    found = {
        side: match[1]
        for side, words in (
            ("train", "labelled rows are"),
            ("labels", "their labels are"),
            ("test", "rows to predict are"),
            ("withheld", "there are no test rows:"),
        )
        if (match := re.search(rf"{words} (.+?)(?:;| hold other rows|$)", note))
    }
    if not {"train", "labels"} <= found.keys():
        return None
    arrays = {side: _list_arrays(text) for side, text in found.items()}
    if "withheld" in found:
        # Written with a slash between file and key, one after the other.
        arrays["test"] = _list_keys(found["withheld"])
    return Source("arrays", arrays=arrays)


def _list_arrays(text: str) -> dict[str, tuple[str, ...]]:
    """Return keys by file: `train.npz (id, image), y.npy`."""
    pairs = _ARRAY_LIST.findall(text)
    return {file.strip(): tuple(filter(None, keys.split(", "))) for file, keys in pairs}


def _list_keys(text: str) -> dict[str, tuple[str, ...]]:
    """Return keys by file: `train.npz/test_image, test_x.npy`."""
    arrays: dict[str, tuple[str, ...]] = {}
    for name in text.split(", "):
        match = re.fullmatch(r"(.+\.(?:npz|h5|hdf5))/(.+)", name, re.IGNORECASE)
        file, keys = (match[1], (match[2],)) if match else (name, ())
        arrays[file] = (*arrays.get(file, ()), *keys)
    return arrays


def _named_source(facts: Facts) -> Source:
    spec = facts.spec
    named = _NAMED.search(spec.layout_note)
    column = named[1] if named else _picture_column(facts)
    folders = (named[2], named[3]) if named else (".", ".")
    if spec.layout != "labelled files":
        return Source("named_files", column=column, folders=folders)
    listed = "sample" if spec.sample_submission else "folder"
    form = _cell_form(facts, column)
    return Source("named_files", ids_have=form, column=column, folders=folders, test_rows=listed)


def _picture_column(facts: Facts) -> str:
    """Return the column whose cells are names of picture files; else the id."""
    table = facts.files.get(facts.spec.train)
    columns = [column for column in (table.columns if table else ()) if column.name not in facts.spec.target]
    for column in columns:
        if _are_pictures(column.examples):
            return column.name
    ids = [column.name for column in columns if column.kind in ("id", "path")]
    return facts.spec.id or next(iter(ids), columns[0].name if columns else "id")


def _are_pictures(cells: Sequence[str]) -> bool:
    return bool(cells) and all(cell.strip().lower().endswith(SUFFIXES) for cell in cells)


def _cell_form(facts: Facts, column: str) -> str:
    statistics = facts.column(column)
    examples = statistics.examples if statistics else ()
    if not _are_pictures(examples):
        return "stem"
    return "path" if all("/" in cell for cell in examples) else "name"
