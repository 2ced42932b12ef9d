"""Numbers that a submission has for classes that folders or file names spell as words."""

import re
from collections.abc import Sequence

import pandas as pd


def find_codes(labels: Sequence[str], sample: pd.Series, description: str) -> dict[str, str]:
    """Return the number of each class as the description gives it: "1 = dog, 0 = cat"; empty where it does not.

    Args:
        labels: the class of each labelled row.
        sample: the predictions of the sample submission.
        description: the goal and the description.
    """
    classes = sorted(set(labels))
    if any(re.fullmatch(r"\d+", name) for name in classes) or set(sample.str.strip()) & set(classes):
        return {}
    codes = {name: code for name in classes if (code := _code_of(name, description)) is not None}
    return codes if len(codes) == len(set(codes.values())) == len(classes) else {}


def _code_of(name: str, description: str) -> str | None:
    # `cats` and `cat` are one class.
    word = rf"[`'\"*]*\b{re.escape(name.rstrip('s'))}s?\b[`'\"*]*"
    link = r"\s*(?:=|:|->|is|for|means|if)\s*(?:an?\s+|the\s+)?"
    match = re.search(rf"\b(\d+){link}{word}|{word}\s*(?:=|:|->|\(|is|as)\s*(\d+)\b", description, re.IGNORECASE)
    return None if match is None else match[1] or match[2]
