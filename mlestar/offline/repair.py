"""Repairing scripts: from the words of an error to the smallest change that removes its cause."""

import re
from collections.abc import Callable, Iterator

from mlestar.offline.facts import Facts
from mlestar.offline.rewriting import fewer_rounds
from mlestar.offline.tables.recipes import MODELS, installed, write_script

Fix = Callable[[str, re.Match[str], Facts], str]
_LINES = 6
_VARIANTS = "variants/"
"""What a study writes, and no other script does."""
_SAFE = ("histogram", "linear", "extratrees", "lightgbm", "xgboost", "catboost")
"""Models for a script that cannot be repaired, the least demanding first."""


def summarize_bug(facts: Facts) -> str:
    """Name the error, where it happened, and the last lines of the output."""
    output = facts.text("traceback")
    lines = [line.strip() for line in output.split("\n") if line.strip()]
    script = facts.text("script").split("\n")
    found = re.findall(r'File "[^"]*main\.py", line (\d+)', output)
    place = int(found[-1]) if found else 0
    code = f" Line {place}: `{script[place - 1].strip()}`." if 0 < place <= len(script) else ""
    error = next((line for line in reversed(lines) if re.match(r"[\w.]*(?:Error|Exception|Warning)\b", line)), "")
    said = lines[0] if lines else "The run left no output."
    return f"{said}{f' The error: {error}.' if error and error not in said else ''}{code}\n" + "\n".join(
        lines[-_LINES:]
    )


def repair(facts: Facts) -> str:
    """Return the first repaired script that has not failed before."""
    failed = {section.text.strip() for section in (*facts.all("script"), *facts.all("failed_fix"))}
    studies = _VARIANTS in facts.text("script")
    usable = (fix for fix in _fixes(facts) if fix.strip() not in failed and (_VARIANTS in fix or not studies))
    return next(usable, facts.text("script"))


def _fixes(facts: Facts) -> Iterator[str]:
    script, bug = facts.text("script"), facts.text("bug")
    for pattern, fix in FIXES:
        found = re.search(pattern, bug, re.IGNORECASE)
        if found:
            yield fix(script, found, facts)
    for name in _SAFE:
        model = next(model for model in MODELS if model.name == name)
        if installed(model, facts):
            yield write_script(facts, model, f"A safer model: {name}")
    yield fewer_rounds(script)


def _cheaper(script: str, found: re.Match[str], facts: Facts) -> str:
    script = re.sub(r"^FOLDS = \d+$", "FOLDS = 3", script, flags=re.MULTILINE)
    return fewer_rounds(script, 0.4)


def _lighter(script: str, found: re.Match[str], facts: Facts) -> str:
    return re.sub(
        r"(max_features|max_iter|n_components)=(\d{3,})",
        lambda m: f"{m[1]}={int(m[2]) // 4}",
        _cheaper(script, found, facts),
    )


def _other_library(script: str, found: re.Match[str], facts: Facts) -> str:
    missing = found[1].split(".")[0]
    usable = [model for model in MODELS if installed(model, facts) and missing not in model.libraries]
    named = f"In place of {missing}"
    return write_script(facts, next(model for model in usable if model.name in (*_SAFE,)), named)


def _without_squared(script: str, found: re.Match[str], facts: Facts) -> str:
    return re.sub(
        r"(mean_squared(?:_log)?_error\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*?),\s*squared=False\)", r"\1) ** 0.5", script
    )


def _without_argument(script: str, found: re.Match[str], facts: Facts) -> str:
    return re.sub(
        rf",?\s*\b{re.escape(found[1])}=(?:\[[^\]]*\]|\([^)]*\)|[^,()\n]+(?:\([^()]*\))?)(?=[,)\n])", "", script
    )


def _without_column(script: str, found: re.Match[str], facts: Facts) -> str:
    name = re.escape(found[1])
    return re.sub(rf"""["']{name}["']\s*,\s*|,?\s*["']{name}["'](?=\s*\])""", "", script)


def _tail(*lines: str) -> Fix:
    """Repair the submission behind a script whose parts are not known."""

    def fix(script: str, found: re.Match[str], facts: Facts) -> str:
        columns = list(facts.spec.prediction_columns)
        named = [facts.spec.id, *columns] if facts.spec.id else columns
        head = ["", "import pandas as pd", 'submission = pd.read_csv("submission.csv", dtype={ID: str})']
        code = "\n".join(
            [*head, f"columns = {columns!r}", *lines, 'submission.to_csv("submission.csv", index=False)', ""]
        )
        code = code.replace("dtype={ID: str}", f"dtype={{{facts.spec.id!r}: str}}").replace("NAMED", repr(named))
        return f"{script.rstrip()}\n\n{code}"

    return fix


FIXES: tuple[tuple[str, Fix], ...] = (
    (r"No module named ['\"]([\w.]+)['\"]", _other_library),
    (r"\bsquared\b", _without_squared),
    (r"unexpected keyword argument ['\"](\w+)['\"]", _without_argument),
    (r"KeyError:\s*['\"]([^'\"]+)['\"]", _without_column),
    (r"time ?out|time limit|timed out|seconds in all", _cheaper),
    (r"\boom\b|MemoryError|out of memory|memory limit", _lighter),
    (r"is negative", _tail("submission[columns] = submission[columns].clip(lower=0)")),
    (r"is not an integer", _tail("submission[columns] = submission[columns].round().astype(int)")),
    (r"is not a probability", _tail("submission[columns] = submission[columns].clip(0, 1)")),
    (r"only 0 and 1, which are labels", _tail("submission[columns] = submission[columns].clip(0.001, 0.999)")),
    (
        r"(?:is empty; predict every row|is not a number|is infinite)",
        _tail("submission[columns] = submission[columns].fillna(submission[columns].mode().iloc[0])"),
    ),
    (r"has no column|has the extra column", _tail("submission.columns = NAMED[: len(submission.columns)]")),
)
"""What an error says, and what repairs it, in the order in which they are tried."""
