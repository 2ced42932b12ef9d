"""Scripts that memorise rows: they contain ids or labels of train rows, or data in an encoded form.

Such a script scores well on rows that it has seen, and knows nothing about others. What counts is checked against the
rows of the task, because a list of class names, of columns or of stop words, or a grid of numbers, looks the same:

* ids that say little by themselves (row numbers, dates) count only with the labels of their rows beside them;
* labels of a small alphabet count only as a sequence that is as long as there are rows, or that is in their order;
* numbers with several digits that equal labels count one by one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from mlestar.agents.literals import Literals, read_literals, value_key

MAX_LITERALS = 200
"""Literals that may equal ids or labels of train rows. The number of the threat model (docs/scores.md); chosen by
judgement."""
MAX_ENCODED = 20_000
"""Characters of encoded data in a script. The number of the threat model (docs/scores.md); chosen by judgement."""
CORRECT = 0.95
"""Share of the ids that must stand beside their own label; two labels at random agree in half of the cases. Chosen by
judgement."""
LENGTH_TOLERANCE = 0.02
"""Share by which the length of a sequence may differ from the number of rows. Chosen by judgement."""
LOW_IDS = 100_000
"""Whole numbers below it are also indexes, sizes and seeds. Chosen by judgement."""
TELLING_DIGITS = 4
"""Significant digits from which a number is rarely in a script by chance. Chosen by judgement."""
TELLING_CHARACTERS = 12
"""Characters from which a text is rarely in a script by chance. Chosen by judgement."""
MOST_LABELS = 50_000
"""Different labels up to which sequences are compared; with more, single labels are compared."""
FIRST_CODE = 0xE000
"""First code point of the characters that stand for labels in a comparison of sequences."""
MANY_LABELS = 20
"""Number of different labels from which their order is more than that of a sorted list. Chosen by judgement."""
SAME_ORDER = 0.98
"""Rank correlation of a sequence of numbers with the labels of as many rows. Chosen by judgement."""
DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class RowValues:
    """The ids and labels of the labelled train rows, in the order of the file; see `value_key`."""

    ids: tuple[str, ...]
    """Empty where train has no id."""
    labels: tuple[tuple[str, ...], ...]
    """Of each target column."""
    orders: tuple[tuple[int, ...], ...]
    """Positions of the rows that a holdout keeps, and of those that it withholds."""
    classes: bool
    """The labels are classes, so that a list of all of them is no secret."""

    @cached_property
    def id_set(self) -> frozenset[str]:
        return frozenset(self.ids)

    @cached_property
    def label_of(self) -> tuple[dict[str, str], ...]:
        """The label of each id, for each target column."""
        return tuple(dict(zip(self.ids, column, strict=True)) for column in self.labels) if self.ids else ()

    @cached_property
    def alphabets(self) -> tuple[frozenset[str], ...]:
        """The labels that occur, for each target column."""
        return tuple(frozenset(column) for column in self.labels)

    @cached_property
    def telling(self) -> tuple[frozenset[str], ...]:
        """The labels that are in no script by chance, for each target column: long numbers and texts, no classes."""
        return tuple(
            frozenset() if self.classes else frozenset(filter(_is_telling, alphabet)) for alphabet in self.alphabets
        )

    @cached_property
    def ids_are_common(self) -> bool:
        """The ids are low whole numbers or dates, which scripts contain for other reasons too."""
        return all((name.isdigit() and int(name) < LOW_IDS) or DATE.match(name) for name in self.ids)

    @cached_property
    def counts(self) -> frozenset[int]:
        """Numbers of rows: all labelled ones, and those of each order."""
        rows = {len(column) for column in self.labels} | {len(order) for order in self.orders}
        return frozenset(count for count in rows if count > MAX_LITERALS)


@dataclass(frozen=True)
class Memorizing:
    """What a script memorises."""

    block: str
    """The lines with most of the literals."""
    reason: str


def find_memorizing(code: str, rows: RowValues | None) -> Memorizing | None:
    """Return what a script memorises; without rows only encoded data is looked for."""
    literals = read_literals(code)
    if literals is None:
        return None
    reason = _encoded(literals) or (_memorised(literals, rows) if rows else "")
    if not reason:
        return None
    advice = "remove them: predictions must come from features"
    return Memorizing(literals.largest_statement, f"the script memorises rows: {reason}; {advice}")


def _encoded(literals: Literals) -> str:
    size = literals.encoded_characters
    return f"it contains {size} characters of encoded data, more than {MAX_ENCODED}" if size > MAX_ENCODED else ""


def _memorised(literals: Literals, rows: RowValues) -> str:
    """Return which literals equal ids or labels, empty when these are few."""
    streams = (literals.stream, literals.named_stream, *literals.sequences)
    if all(len(values) <= MAX_LITERALS for values in streams):
        return ""
    if not rows.ids_are_common:
        count = len(rows.id_set & literals.values)
        if count > MAX_LITERALS:
            return f"{count} literals equal ids of train rows"
    for labels, alphabet in zip(rows.label_of, rows.alphabets, strict=False):
        count = _pairs(literals, labels, alphabet)
        if count > MAX_LITERALS:
            return f"{count} ids of train rows stand beside their labels"
    for column, alphabet, telling in zip(rows.labels, rows.alphabets, rows.telling, strict=True):
        count = len(telling & literals.values)
        if count > MAX_LITERALS:
            return f"{count} literals equal labels of train rows"
        length = _longest_sequence(literals, column, alphabet, rows) or _longest_list(literals, alphabet, rows)
        if length:
            return f"a sequence of {length} literals equals labels of train rows"
        length = _longest_code(literals, column, rows)
        if length:
            return f"a sequence of {length} literals stands for the labels of train rows"
    return ""


def _pairs(literals: Literals, label_of: dict[str, str], alphabet: frozenset[str]) -> int:
    """Return how many ids stand beside their label, 0 where as many stand beside another one; or share one label."""
    for stream in (literals.stream, literals.named_stream, *literals.zipped):
        for pairs in (pairwise(stream), pairwise(stream[::-1])):
            count = _correct(pairs, label_of, alphabet)
            if count > MAX_LITERALS:
                return count
    return max((_of_one_label(sequence, label_of) for sequence in literals.sequences), default=0)


def _correct(pairs: Iterable[tuple[str, str]], label_of: dict[str, str], alphabet: frozenset[str]) -> int:
    """Return how many ids have their own label in pairs of an id and a label, 0 unless nearly all have."""
    stated = {name: label for name, label in pairs if name in label_of and label in alphabet}
    right = [name for name, label in stated.items() if label_of[name] == label]
    several = len({stated[name] for name in right}) > 1
    return len(right) if several and len(right) >= CORRECT * len(stated) else 0


def _of_one_label(sequence: Sequence[str], label_of: dict[str, str]) -> int:
    """Return the length of a sequence of ids whose rows have one label, which only half of all rows have at most."""
    if len(sequence) <= MAX_LITERALS or not all(name in label_of for name in sequence):
        return 0
    labels = {label_of[name] for name in sequence}
    if len(labels) > 1 or len(set(sequence)) <= MAX_LITERALS:
        return 0
    everywhere = list(label_of.values())
    return len(sequence) if everywhere.count(*labels) <= len(everywhere) / 2 else 0


def _is_telling(label: str) -> bool:
    digits = _digits(label)
    return digits >= TELLING_DIGITS or (not digits and len(label) >= TELLING_CHARACTERS)


def _digits(label: str) -> int:
    """Return the significant digits of a number, 0 of a text."""
    number = re.fullmatch(r"-?(\d+)(?:\.(\d+))?(?:e[+-]?\d+)?", label)
    return len((number[1] + (number[2] or "")).strip("0")) if number else 0


def _longest_sequence(literals: Literals, column: Sequence[str], alphabet: frozenset[str], rows: RowValues) -> int:
    """Return the length of the longest sequence of labels that stands for rows, 0 without one."""
    candidates = [sequence for sequence in literals.sequences if _may_be_labels(sequence, alphabet)]
    if not candidates or len(alphabet) > MOST_LABELS:
        return 0
    code_of = {label: chr(FIRST_CODE + number) for number, label in enumerate(alphabet)}
    orders = _orders(column, rows, code_of)
    lengths = [0]
    for sequence in candidates:
        text = "".join(code_of[item] for item in sequence)
        if any(text in order or text[::-1] in order for order in orders):
            lengths.append(len(sequence))
    return max(lengths)


def _longest_code(literals: Literals, column: Sequence[str], rows: RowValues) -> int:
    """Return the length of a sequence with one symbol for each label, or numbers in the order of the labels' values."""
    by_length: dict[int, list[list[str]]] = {}
    for order in (range(len(column)), *rows.orders):
        by_length.setdefault(len(order), []).append([column[position] for position in order])
    candidates = (sequence for sequence in literals.sequences if len(sequence) > MAX_LITERALS)
    return max(
        (len(s) for s in candidates if any(_is_code(s, known) for known in by_length.get(len(s), ()))), default=0
    )


def _is_code(sequence: Sequence[str], labels: Sequence[str]) -> bool:
    """Return whether a sequence distinguishes the labels exactly, or has their order with hardly any exception."""
    different = len(set(labels))
    if 1 < len(set(sequence)) == different == len(set(zip(sequence, labels, strict=True))) < len(labels):
        return True
    numbers = [_as_numbers(values) for values in (sequence, labels)]
    if any(values is None or np.ptp(values) == 0 for values in numbers) or different < MANY_LABELS:
        return False
    ranks = [rankdata(values) for values in numbers]
    return bool(abs(np.corrcoef(*ranks)[0, 1]) >= SAME_ORDER)


def _as_numbers(values: Sequence[str]) -> np.ndarray | None:
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _may_be_labels(sequence: Sequence[str], alphabet: frozenset[str]) -> bool:
    """Return whether a long sequence has only labels, and is neither a constant nor a list of different classes."""
    return len(sequence) > MAX_LITERALS and alphabet.issuperset(sequence) and 1 < len(set(sequence)) < len(sequence)


def _longest_list(literals: Literals, alphabet: frozenset[str], rows: RowValues) -> int:
    """Return the length of the longest list of labels that is as long as there are rows, or repeats words.

    In a dict or in pairs, such labels may belong to other things than rows, such as words with their meaning.
    """
    words = {label for label in alphabet if not _digits(label)}
    lists = [items for items in literals.lists if _may_be_labels(items, alphabet)]
    return max((len(items) for items in lists if _stands_for_rows(items, words, rows)), default=0)


def _stands_for_rows(items: Sequence[str], words: set[str], rows: RowValues) -> bool:
    repeats_words = words.issuperset(items) and len(set(items)) <= len(items) / 2
    return repeats_words or _is_as_long_as_rows(len(items), rows)


def _orders(column: Sequence[str], rows: RowValues, code_of: dict[str, str]) -> list[str]:
    """Return the labels in the orders in which a script may meet them, a character for each."""
    positions = [range(len(column)), *rows.orders]
    return ["".join(code_of[column[position]] for position in order) for order in positions]


def _is_as_long_as_rows(length: int, rows: RowValues) -> bool:
    return any(abs(length - count) <= LENGTH_TOLERANCE * count for count in rows.counts)


def row_keys(values: Iterable[object]) -> tuple[str, ...]:
    """Return cells of a table in the form in which literals are compared."""
    return tuple(_keys(values))


def _keys(values: Iterable[object]) -> Iterator[str]:
    known: dict[object, str] = {}
    for value in values:
        if value not in known:
            known[value] = value_key(value)
        yield known[value]
