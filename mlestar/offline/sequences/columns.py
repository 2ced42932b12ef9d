"""What each column of a table of text pairs is: the text before the change, its sequence, its kind."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar.data.statistics import ColumnStatistics
from mlestar.offline.facts import Facts

_BEFORE = re.compile(r"before|source|src|input|original|raw|word|token|text|lemma|sentence|noisy", re.IGNORECASE)
_SEQUENCE = re.compile(r"sentence|sequence|line|verse|utterance|document|doc|paragraph|page|group", re.IGNORECASE)
_POSITION = re.compile(r"token|position|place|index|order|number|offset|word", re.IGNORECASE)
_WORD_LISTS = ("", ".txt", ".lst", ".dic", ".csv", ".tsv")
_SENTENCE_WORDS = 3.0
"""Mean number of words from which a text is divided into tokens. Chosen by judgement; not measured."""
_MOST_KINDS = 400
"""Different values up to which a column may describe the kind of a text. Chosen by judgement; not measured."""
_MOST_SEQUENCES = 0.7
"""Different values per row up to which a column may identify sequences. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class PairColumns:
    """The columns of text pairs."""

    before: str
    sequence: str
    """Identifies the sequence that a row belongs to; empty where rows are independent."""
    position: str
    """A number that orders the rows of a sequence; empty where they are in order."""
    kinds: list[str]
    """Columns of few values that describe a text, such as its class or the form to be produced."""
    sentences: bool
    """The texts have several words each."""
    word_lists: list[str]


def find_pair_columns(facts: Facts) -> PairColumns | None:
    """Return the columns of text pairs; None when no column can be the text before the change."""
    columns = facts.test_columns
    sequence = _find_sequence(facts, columns)
    position = _find_position(columns, sequence)
    target = facts.column(facts.spec.target[0])
    texts = [column for column in columns if column.name not in (sequence, position) and column.kind != "empty"]
    if not texts or target is None:
        return None
    before = max(texts, key=lambda column: _score_as_source(column, target))
    kinds = [
        column.name
        for column in texts
        if column is not before and column.kind in ("category", "bool", "text") and 1 < column.distinct <= _MOST_KINDS
    ]
    return PairColumns(
        before=before.name,
        sequence=sequence,
        position=position,
        kinds=kinds,
        sentences=before.words >= _SENTENCE_WORDS,
        word_lists=[name for name in facts.spec.auxiliary if Path(name).suffix.lower() in _WORD_LISTS],
    )


def _find_sequence(facts: Facts, columns: Iterable[ColumnStatistics]) -> str:
    """Return the column that identifies sequences: that of the split, else one with such a name whose values repeat."""
    limit = _MOST_SEQUENCES * facts.spec.train_rows
    repeating = [column.name for column in columns if 1 < column.distinct <= limit]
    by_name = [name for name in repeating if _SEQUENCE.search(name) and not _POSITION.search(name)]
    split = facts.split
    if split.kind == "group" and split.column in by_name and not split.group_rule:
        return str(split.column)
    return next(iter(by_name), "")


def _find_position(columns: Iterable[ColumnStatistics], sequence: str) -> str:
    if not sequence:
        return ""
    numbers = (column.name for column in columns if column.kind in ("int", "id") and column.minimum is not None)
    return next((name for name in numbers if name != sequence and _POSITION.search(name)), "")


def _score_as_source(column: ColumnStatistics, target: ColumnStatistics) -> tuple[float, bool, int]:
    """Return a score for how likely a column is the text before the change; larger is more likely."""
    shared = _shared_pairs(column.examples, target.examples)
    return shared + 0.2 * bool(_BEFORE.search(column.name)), column.kind in ("text", "category", "id"), column.distinct


def _shared_pairs(left: Sequence[str], right: Sequence[str]) -> float:
    """Return the share of the character bigrams in the left examples that occur in the right ones too."""
    pairs = [{text[start : start + 2] for text in texts for start in range(len(text))} for texts in (left, right)]
    return len(pairs[0] & pairs[1]) / max(len(pairs[0]), 1)
