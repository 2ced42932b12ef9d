"""Ids that are composed of two columns, and tables of tokens."""

from dataclasses import replace
from itertools import permutations

import pandas as pd

from mlestar.data.composed_id import ComposedId
from mlestar.data.layouts.roles import file_words
from mlestar.data.layouts.sources import TaskFile

_SEPARATORS = ("_", "-", "", ":", ".", "/", "|", " ")
_SENTENCES = {"sentence", "sent", "sentences", "document", "doc", "paragraph", "utterance"}
_TOKENS = {"token", "tok", "word", "position", "pos", "index", "idx"}
# The limits below were chosen by judgement; none was measured.
_MAX_COLUMNS = 12
"""Columns of test of which pairs are tried."""
_SAMPLE_ROWS = 200
"""Rows on which a pair is tried first."""


def with_composed_id(composed: ComposedId, file: TaskFile) -> TaskFile:
    """Return a file with the id as a further field."""
    if file.frame is None or composed.name in file.columns:
        return file
    frame = composed.add_to(file.frame)
    return replace(file, columns=tuple(frame.columns), frame=frame)


def find_composed_id(train: TaskFile, test: TaskFile, sample: TaskFile | None) -> ComposedId | None:
    """Return how the sample's first column is made of two columns of train and test; None where it is not."""
    if sample is None or sample.frame is None or train.frame is None or test.frame is None:
        return None
    name = sample.columns[0]
    if name in test.columns or len(sample.frame) != len(test.frame) or not len(test.frame):
        return None
    shared = [column for column in test.columns if column in train.columns][:_MAX_COLUMNS]
    ids = sample.frame[name].str.strip()
    known = set(ids)
    head = test.frame.iloc[:_SAMPLE_ROWS]
    for first, second in permutations(shared, 2):
        for separator in _SEPARATORS:
            composed = ComposedId(name, (first, second), separator)
            if set(composed.cells(head)) <= known and set(composed.cells(test.frame)) == known:
                return composed
    return None


def find_sentence(train: TaskFile, test: TaskFile) -> str | None:
    """Return the column of the sentence where rows are tokens in order, and both files number sentences alike.

    Such numbers show no difference between train and test, although whole sentences are on one side. Where sentences
    have names of their own, comparing the files shows it.
    """
    if train.frame is None or test.frame is None:
        return None
    shared = [column for column in test.columns if column in train.columns]
    sentences = [column for column in shared if _SENTENCES & set(file_words(column))]
    tokens = [column for column in shared if _TOKENS & set(file_words(column)) and column not in sentences]
    for sentence in sentences:
        again = set(train.frame[sentence]) & set(test.frame[sentence])
        both = (train.frame, test.frame)
        if again and any(all(_counts_within(file[sentence], file[token]) for file in both) for token in tokens):
            return sentence
    return None


def _counts_within(sentences: pd.Series, tokens: pd.Series) -> bool:
    """Return whether tokens are numbered within each sentence, from 0 or from 1."""
    numbers = pd.to_numeric(tokens, errors="coerce")
    if numbers.isna().any() or sentences.is_unique:
        return False
    counted = numbers.groupby(sentences, sort=False).cumcount()
    return bool((numbers - counted).nunique() == 1)
