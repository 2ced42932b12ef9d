"""Cleaning texts of a run for other runs: one line of limited length without names and values of data or secrets."""

import ast
import difflib
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence

from mlestar.data.targets import is_number
from mlestar.errors import clean_text, mask_secrets, whole_line
from mlestar.state import Brief
from mlestar.syntax import parse

LINE = 200
"""Characters of a line: an idea, an error or a change. The first sentence of most plans is shorter. Chosen by
judgement; not measured."""
NAME = 80
"""Characters of a name: of a component, a model, a variant or an idea of a recipe. Chosen by judgement."""
MAX_CHANGED = 30
"""Changed lines above which a repair is treated as a rewrite, which has no single change to name. Chosen by judgement;
not measured."""
_LONGEST = 4000
"""Characters of a text that are processed, of which a line keeps `LINE`. Chosen by judgement; not measured."""

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/])(?:[A-Za-z]:\\|~?/|\.{1,2}/)[\w.+~/\\-]+|\b[\w.+-]+/[\w.+-]+/[\w.+/-]*\w")
_FILE = re.compile(r"\b[\w-]+\.(?:csv|tsv|txt|json|jsonl|parquet|npy|npz|h5|zip|gz|xlsx?|db|sqlite|py|png|jpe?g|wav)\b")
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|\u2018[^\u2019\n]*\u2019|\u201c[^\u201d\n]*\u201d")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019](?=(?:s|t|re|ve|ll|d|m)\b)")
_TICKED = re.compile(r"`([^`\n]*)`")
_ARGUMENT = re.compile(r"[A-Za-z_][\w.]*(?:\(\))?(?:\s*=\s*(?:-?\d+(?:\.\d+)?(?:e-?\d+)?|True|False|None))?")
"""Text that may stay in backquotes: a name, a call, or an argument with a number."""
_BRACKETS = re.compile(r"\[[^\[\]]*\]|\{[^{}]*\}")
_OPEN_QUOTE, _OPEN_BRACKET = re.compile(r"['\"\u2018\u201c].*", re.DOTALL), re.compile(r"[\[{].*", re.DOTALL)
"""The rest of a text that was cut between two quotes or brackets."""
_LONG_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d[\d.,:-]{5,}\d|\d{5,})")
_CODE = re.compile(r"(?<![\w-])(?=(?:[A-Za-z-]*\d){4})(?=[\d-]*[A-Za-z])[A-Za-z\d-]{8,}(?![\w-])")
"""Letters with four digits or more, as in the number of an account or of a device."""
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_STATUS = re.compile(r"^(?:error, exit status \S+: )")
_WORD = re.compile(r"[^\W_]+")
"""An underscore or another sign ends a word: `log_age` holds the column `age`, and `shoe-size` is `shoe_size`."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a name in camel case has its next word."""
_MOST_WORDS = 12
"""Words of a name by which it is recognised: an example of a column of texts is longer. Chosen by judgement."""
_COMMENT = re.compile(r"\s+#.*$|^#.*$")


def one_line(text: str, limit: int = LINE) -> str:
    """Return a text as one line without control characters, not longer than a limit."""
    line = whole_line(text[:_LONGEST])
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "\u2026"


class Cleaner:
    """Removes names and values of the data from texts of a run.

    Args:
        names: of columns, files and classes, and examples of values, as far as the run knows them.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        words = {spelling for name in names for spelling in _spellings(name)}
        self._names = frozenset(" ".join(name) for name in words if len("".join(name)) > 1)
        self._longest = max((name.count(" ") + 1 for name in self._names), default=0)

    @classmethod
    def of(cls, brief: Brief) -> "Cleaner":
        """Return a cleaner for the names and values in a brief."""
        spec = brief.spec
        names = [spec.name, spec.id or "", *spec.target, *spec.classes, *spec.prediction_columns, *spec.auxiliary]
        names += [spec.train, spec.test, spec.sample_submission or ""]
        for file in brief.statistics:
            names.append(file.file)
            for column in file.columns:
                names += [column.name, *(value for value in column.examples if not is_number(value))]
        return cls(names)

    def idea(self, text: str) -> str:
        """Return a plan as one line: quoted texts, names of the data, long numbers, addresses and paths are masked."""
        text = _TICKED.sub(self._ticked, _QUOTED.sub("(text)", _APOSTROPHE.sub("", self._without_places(text))))
        return one_line(_without_numbers(self._without_names(text)))

    def error(self, signature: str) -> str:
        """Return the class of an error and the beginning of its first line, without quoted texts, brackets and numbers.

        What follows a second colon is usually a value, and is left out.
        """
        text = _APOSTROPHE.sub("", self._without_places(_STATUS.sub("", signature)).replace("`", "'"))
        text = _OPEN_QUOTE.sub("(text)", _QUOTED.sub("(text)", text))
        # Names come before numbers: a name may hold one.
        text = self._without_names(_OPEN_BRACKET.sub("(values)", _BRACKETS.sub("(values)", text)))
        text = _NUMBER.sub("#", text)
        parts = text.split(": ")
        # A status such as `timeout` comes before the class of an error.
        kept = 3 if parts[0].islower() else 2
        return one_line(": ".join(parts[:kept]))

    def change(self, before: str, after: str) -> str:
        """Return the first change between two scripts in one line.

        Empty where there is none, where many lines changed, or where a script does not parse.
        """
        try:
            versions = _code_lines(before), _code_lines(after)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
        lines = difflib.unified_diff(*versions, lineterm="", n=0)
        changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        if not changed or len(changed) > MAX_CHANGED:
            return ""
        removed = next((self._code(line[1:]) for line in changed if line[0] == "-"), "")
        added = next((self._code(line[1:]) for line in changed if line[0] == "+"), "")
        if removed and added:
            return one_line(f"{removed} became {added}", LINE)
        return one_line(f"added {added}" if added else f"removed {removed}", LINE)

    def name(self, text: str) -> str:
        """Return a name that a script or a card chose, with masked names of the data."""
        return self._without_names(one_line(self._without_places(text), NAME))

    def component(self, name: str) -> str:
        """Return the name of a function, in which names of columns are masked too."""
        return one_line(self._without_names(name, "column"), NAME)

    def _code(self, line: str) -> str:
        text = _QUOTED.sub("(text)", self._without_places(line))
        text = _OPEN_QUOTE.sub("(text)", _COMMENT.sub("", text))
        return one_line(_without_numbers(self._without_names(text)), LINE // 2 - 5)

    def _without_places(self, text: str) -> str:
        text = mask_secrets(clean_text(text[:_LONGEST]))
        return _FILE.sub("(file)", _PATH.sub("(path)", _ADDRESS.sub("(address)", text)))

    def _without_names(self, text: str, mask: str = "(name)") -> str:
        """Return a text with a mask in place of each name; of several that begin at a word, the longest counts."""
        text = unicodedata.normalize("NFKC", text)
        kept, end = list[str](), 0
        words = list(_WORD.finditer(text))
        number = 0
        while number < len(words):
            count = self._words_of_name(words[number : number + self._longest])
            if count:
                kept += [text[end : words[number].start()], mask]
                end = words[number + count - 1].end()
            number += max(1, count)
        return "".join([*kept, text[end:]])

    def _words_of_name(self, words: Sequence[re.Match[str]]) -> int:
        """Return how many of the first words form a name; 0 where they form none."""
        texts = [word[0].lower() for word in words]
        return next((count for count in range(len(texts), 0, -1) if " ".join(texts[:count]) in self._names), 0)

    def _ticked(self, match: re.Match[str]) -> str:
        """Return a text in backquotes if it is a name or an argument with a number, and not a name of the data."""
        text = match[1].strip()
        return f"`{text}`" if _ARGUMENT.fullmatch(text) and self._without_names(text) == text else "(code)"


def _without_numbers(text: str) -> str:
    """Return a text without numbers and codes that may be values of the data; short numbers may be settings."""
    return _LONG_NUMBER.sub("#", _CODE.sub("#", text))


def _spellings(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a name as texts may have them: as it is, in one word, and with the words of camel case."""
    plain = unicodedata.normalize("NFKC", name)
    for spelling in (plain, _HUMP.sub(" ", plain)):
        words = tuple(_WORD.findall(spelling.lower()))[:_MOST_WORDS]
        yield words
        yield ("".join(words),)


def _code_lines(script: str) -> list[str]:
    """Return the lines of a script that are not empty, without those inside multi-line strings.

    Raises:
        SyntaxError: it does not parse; also ValueError, RecursionError, MemoryError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = parse(script)
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr)]
    inside = {line for node in texts for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)}
    lines = enumerate(script.splitlines(), 1)
    return [line.rstrip() for number, line in lines if line.strip() and number not in inside]
