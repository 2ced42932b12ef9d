"""Finding and repairing leakage that can be told from a script's text."""

import re

from mlestar.offline.facts import Facts
from mlestar.offline.surgery import functions

_LAG = re.compile(r"\.(?:shift|diff|rolling|expanding)\(")


def find_leak(facts: Facts) -> tuple[str, str]:
    """Return the block that leaks and why; empty when nothing shows."""
    script = facts.text("script")
    targets = [re.escape(name) for name in facts.spec.target]
    hidden = [re.escape(name) for name in facts.spec.train_only]
    patterns: list[tuple[str, str]] = []
    if targets:
        target = rf"""\[["'](?:{"|".join(targets)})["']\]"""
        lag = rf"^.*{target}\s*{_LAG.pattern}.*$"
        patterns.append((lag, "a lag of the target is not known for the rows to predict"))
        mean = rf"^.*groupby\([^\n]*{target}\.(?:transform|mean|agg)\(.*$"
        patterns.append((mean, "a mean of the target over all rows holds the labels of the rows that are scored"))
    if hidden:
        only = rf"""^(?!.*(?:drop|remove|exclude|not in|del |-=)).*["'](?:{"|".join(hidden)})["'].*$"""
        patterns.append((only, "it uses a column that exists only in train"))
    for pattern, reason in patterns:
        found = re.search(pattern, script, re.MULTILINE)
        if found:
            return _unique(script, found[0]), reason
    return "", ""


def repair_leak(facts: Facts) -> str:
    """Return the block without its leak."""
    block = facts.text("block")
    for name in facts.spec.train_only:
        block = re.sub(rf"""\s*["']{re.escape(name)}["']\s*,?""", "", block)
    lines = block.split("\n")
    leaking = [line for line in lines if _LAG.search(line) or ".groupby(" in line]
    return "\n".join(_without_label(line) if line in leaking else line for line in lines)


def _without_label(line: str) -> str:
    """Keep the name that a line defines, without what it knew of the labels."""
    name, sign, _ = line.partition("=")
    return (
        f"{name.rstrip()} {sign} 0.0"
        if sign and not name.rstrip().endswith(("(", ","))
        else re.sub(r"\S.*", "pass", line)
    )


def _unique(script: str, line: str) -> str:
    if script.count(line) == 1:
        return line
    return next((text for text in functions(script).values() if line in text), line)
