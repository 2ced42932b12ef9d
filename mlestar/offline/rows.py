"""Finding and removing the subsampling of a script."""

import re

_OWN_BLOCK = re.compile(
    r"^    # A sample keeps the search quick\.\n.*?^    # End of the sample\.$", re.DOTALL | re.MULTILINE
)
"""The marked block of this engineer's scripts."""
_CAP = re.compile(r"^[ \t]*[A-Z_]*(?:MAX|SAMPLE|SUBSAMPLE)[A-Z_]*ROWS?[A-Z_]*\s*=\s*[\d_]+.*$", re.MULTILINE)
_LINE = re.compile(r"^.*(?:nrows=\s*[\d_]+|train\w*\.sample\(|train\w*\.head\(\s*[\d_]{3,}).*$", re.MULTILINE)


def find_subsampling(script: str) -> str:
    """Return the code that drops training rows; empty where there is none."""
    for pattern in (_OWN_BLOCK, _CAP, _LINE):
        match = pattern.search(script)
        if match and script.count(match[0]) == 1:
            return match[0]
    return ""


def keep_all_rows(block: str) -> str:
    """Return the block changed so that all rows are kept."""
    if _OWN_BLOCK.search(block) or ("MAX_TRAIN_ROWS" in block and "\n" in block):
        return "MAX_TRAIN_ROWS = len(train)"
    block = re.sub(r"nrows=\s*[\d_]+", "nrows=None", block)
    block = re.sub(r"\.sample\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)", ".sample(frac=1.0, random_state=0)", block)
    block = re.sub(r"\.head\(\s*[\d_]+\s*\)", "", block)
    return re.sub(r"(ROWS?[A-Z_]*\s*=\s*)[\d_]+", r"\g<1>10**12", block)
