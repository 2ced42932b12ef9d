"""Words that stand for missing values among numbers."""

from collections.abc import Sequence

import numpy as np

# fmt: off
_WORDS = frozenset({
    "?", "-", "--", "---", ".", "..", "*", "#", "x", "unknown", "unk", "unkn", "missing", "miss", "none", "nil",
    "na", "n.a.", "n.a", "n/a", "not_available", "nan", "null", "undefined", "undef", "unspecified", "unavailable",
    "unrecorded", "nd", "n.d.", "n.d", "nr", "n/r", "m", "(missing)", "(unknown)", "(none)", "(null)", "(na)",
    "[missing]", "[unknown]", "<missing>", "<unknown>", "<none>", "#n/a", "#na", "#null!", "#value!", "#div/0!",
    "#ref!", "#name?", "#num!", "empty", "blank", "void", "invalid", "error", "fehlt", "unbekannt", "inconnu",
    "desconocido", "not available", "not recorded", "not measured", "not known", "not given", "not reported",
    "\\n", "no data", "no value", "no reading", "no answer", "no response", "not applicable", "not provided",
    "not specified", "k. a.", "k.a."
})
# fmt: on
_ZEROS = frozenset({"none", "nil", "-", "--", "empty", "void"})
"""Words that may mean zero in a column of few small counts."""
# The limits below were chosen by judgement; none was measured.
_MIN_NUMBERS = 3
"""Different numbers from which a word stands among numbers, and not a number among words."""
_MIN_NUMBERS_FOR_ZEROS = 12
"""The same for a word that may mean zero."""


def is_word(value: str) -> bool:
    """Return whether a text usually stands for a missing value."""
    return value.strip().lower() in _WORDS


def find_words(values: Sequence[str], numbers: np.ndarray, counts: np.ndarray) -> np.ndarray | None:
    """Return a mask of the words among numbers; None where the column does not hold numbers otherwise."""
    texts = np.asarray(np.isnan(numbers))
    distinct = len(values) - int(texts.sum())
    if distinct < _MIN_NUMBERS:
        return None
    if not texts.any():
        return texts
    words = {value.strip().lower() for value, is_text in zip(values, texts, strict=True) if is_text}
    if not words <= _WORDS or (words & _ZEROS and distinct < _MIN_NUMBERS_FOR_ZEROS):
        return None
    return texts
