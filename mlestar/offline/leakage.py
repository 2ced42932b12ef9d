"""Finding and repairing leakage that is visible in a script's text."""

import re

from mlestar.offline.facts import Facts
from mlestar.offline.surgery import functions

_LAG = re.compile(r"\.(?:shift|diff|rolling|expanding)\(")


def find_leak(facts: Facts) -> tuple[str, str]:
    """Return the block that leaks and the reason; both are empty when no leak is visible."""
    script = facts.text("script") or facts.text("change")
    for pattern, reason in _patterns(facts):
        match = re.search(pattern, script, re.MULTILINE)
        if match:
            return _unique_block(script, match[0]), reason
    return "", ""


def _patterns(facts: Facts) -> list[tuple[str, str]]:
    """Return a pattern for each kind of leak, with the reason."""
    targets = [re.escape(name) for name in facts.spec.target]
    train_only = [re.escape(name) for name in facts.spec.train_only]
    patterns: list[tuple[str, str]] = []
    if targets:
        target = rf"""\[["'](?:{"|".join(targets)})["']\]"""
        lag = rf"^.*{target}\s*{_LAG.pattern}.*$"
        patterns.append((lag, "a lag of the target is not known for the rows to predict"))
        mean = rf"^.*groupby\([^\n]*{target}\.(?:transform|mean|agg)\(.*$"
        patterns.append((mean, "a mean of the target over all rows contains the labels of the rows that are scored"))
    if train_only:
        column = rf"""["'](?:{"|".join(train_only)})["']"""
        use = rf"^(?!.*(?:drop|remove|exclude|not in|del |-=)).*{column}.*$"
        patterns.append((use, "it uses a column that exists only in train"))
    return patterns


def repair_leak(facts: Facts) -> str:
    """Return the block without its leak."""
    block = facts.text("block")
    for name in facts.spec.train_only:
        block = re.sub(rf"""\s*["']{re.escape(name)}["']\s*,?""", "", block)
    return "\n".join(_without_labels(line) if _leaks(line) else line for line in block.split("\n"))


def _leaks(line: str) -> bool:
    return bool(_LAG.search(line)) or ".groupby(" in line


def _without_labels(line: str) -> str:
    """Return an assignment of zero to the name that a line defines; `pass` when it defines none."""
    name, equals, _ = line.partition("=")
    if equals and not name.rstrip().endswith(("(", ",")):
        return f"{name.rstrip()} {equals} 0.0"
    return re.sub(r"\S.*", "pass", line)


def _unique_block(script: str, line: str) -> str:
    """Return the line, or the function around it where the line occurs more than once."""
    if script.count(line) == 1:
        return line
    return next((text for text in functions(script).values() if line in text), line)
