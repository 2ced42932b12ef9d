"""Repairing scripts: from the text of an error to the smallest change that removes its cause."""

import re
from collections.abc import Callable, Iterator

from mlestar.offline.facts import Facts
from mlestar.offline.kinds import find_kind, refuse, safe_models
from mlestar.offline.rewriting import fewer_rounds

Fix = Callable[[str, re.Match[str], Facts], str]
"""Takes the script, the match in the description of the bug, and the facts; returns the repaired script."""
_LAST_LINES = 6
"""Lines of output in the description of a bug. Chosen by judgement; not measured."""
_MOST_TRIES = 9
"""Different scripts for data without a recipe: more than the rounds of debugging in any profile. Chosen by judgement;
not measured."""
_FEWER_FOLDS = (4, 3, 2)
"""Numbers of folds for a script in which nothing else can be changed. Chosen by judgement; not measured."""
START = "start"
"""Origin of a person's own script."""
_STUDY_FOLDER = "variants/"
"""A folder that only ablation studies write."""


def describe_bug(facts: Facts) -> str:
    """Return the error, the line that caused it, and the last lines of the output."""
    output = facts.text("traceback")
    lines = [line.strip() for line in output.split("\n") if line.strip()]
    summary = lines[0] if lines else "The run left no output."
    error = next((line for line in reversed(lines) if re.match(r"[\w.]*(?:Error|Exception|Warning)\b", line)), "")
    if error and error not in summary:
        summary += f" The error: {error}."
    summary += _failing_line(output, facts.text("script"))
    return f"{summary}\n" + "\n".join(lines[-_LAST_LINES:])


def _failing_line(output: str, script: str) -> str:
    """Return the last line of the script in a traceback, as a sentence; empty where the traceback has none."""
    numbers = re.findall(r'File "[^"]*main\.py", line (\d+)', output)
    number = int(numbers[-1]) if numbers else 0
    lines = script.split("\n")
    return f" Line {number}: `{lines[number - 1].strip()}`." if 0 < number <= len(lines) else ""


def repair(facts: Facts) -> str:
    """Return the first repaired script that has not failed before; a study is only replaced by a study."""
    script = facts.text("script")
    failed = {section.text.strip() for section in (*facts.all("script"), *facts.all("failed_fix"))}
    is_study = _STUDY_FOLDER in script
    for fix in _fixes(facts):
        if fix.strip() not in failed and (_STUDY_FOLDER in fix or not is_study):
            return fix
    return script


def _fixes(facts: Facts) -> Iterator[str]:
    script, bug = facts.text("script"), facts.text("bug")
    for pattern, fix in FIXES:
        match = re.search(pattern, bug, re.IGNORECASE)
        if match:
            yield fix(script, match, facts)
    if facts.text("origin") == START:
        yield fewer_rounds(script)  # a person's own script is repaired, and not replaced
        return
    kind = find_kind(facts)
    if kind is None:  # the same message in different scripts, as a script that has failed is not accepted again
        yield from (refuse(f"Try {number}: no recipe") for number in range(2, _MOST_TRIES + 1))
    else:
        for model in safe_models(kind, facts):
            yield kind.write_script(facts, model, f"A safer model: {model.name}")
    yield fewer_rounds(script)
    for folds in _FEWER_FOLDS:
        yield re.sub(r"^FOLDS = \d+$", f"FOLDS = {folds}", script, flags=re.MULTILINE)


def _cheaper(script: str, match: re.Match[str], facts: Facts) -> str:
    """Return the script with fewer folds and rounds."""
    script = re.sub(r"^FOLDS = \d+$", "FOLDS = 3", script, flags=re.MULTILINE)
    return fewer_rounds(script, 0.4)


def _smaller(script: str, match: re.Match[str], facts: Facts) -> str:
    """Return the script with fewer folds, rounds, features and components, so that it needs less memory."""
    return re.sub(
        r"(max_features|max_iter|n_components)=(\d{3,})",
        lambda argument: f"{argument[1]}={int(argument[2]) // 4}",
        _cheaper(script, match, facts),
    )


def _other_library(script: str, match: re.Match[str], facts: Facts) -> str:
    """Return a script with a model of another library than the missing one."""
    missing, kind = match[1].split(".")[0], find_kind(facts)
    if facts.text("origin") == START:
        return script
    models = [model for model in safe_models(kind, facts) if missing not in model.libraries] if kind else []
    return kind.write_script(facts, models[0], f"In place of {missing}") if kind and models else script


def _without_squared(script: str, match: re.Match[str], facts: Facts) -> str:
    """Return the script with a square root instead of the argument `squared`."""
    call = r"(mean_squared(?:_log)?_error\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*?),\s*squared=False\)"
    return re.sub(call, r"\1) ** 0.5", script)


def _without_argument(script: str, match: re.Match[str], facts: Facts) -> str:
    value = r"(?:\[[^\]]*\]|\([^)]*\)|[^,()\n]+(?:\([^()]*\))?)"
    return re.sub(rf",?\s*\b{re.escape(match[1])}={value}(?=[,)\n])", "", script)


def _without_column(script: str, match: re.Match[str], facts: Facts) -> str:
    name = re.escape(match[1])
    return re.sub(rf"""["']{name}["']\s*,\s*|,?\s*["']{name}["'](?=\s*\])""", "", script)


def _correct_submission(*lines: str) -> Fix:
    """Return a fix that adds lines to the end of a script, which read and correct its submission."""

    def fix(script: str, match: re.Match[str], facts: Facts) -> str:
        predicted = list(facts.spec.prediction_columns)
        all_columns = [facts.spec.id, *predicted] if facts.spec.id else predicted
        code = [
            "",
            "import pandas as pd",
            f'submission = pd.read_csv("submission.csv", dtype={{{facts.spec.id!r}: str}})',
            f"columns = {predicted!r}",
            *(line.replace("ALL_COLUMNS", repr(all_columns)) for line in lines),
            'submission.to_csv("submission.csv", index=False)',
            "",
        ]
        return f"{script.rstrip()}\n\n" + "\n".join(code)

    return fix


FIXES: tuple[tuple[str, Fix], ...] = (
    (r"No module named ['\"]([\w.]+)['\"]", _other_library),
    (r"\bsquared\b", _without_squared),
    (r"unexpected keyword argument ['\"](\w+)['\"]", _without_argument),
    (r"KeyError:\s*['\"]([^'\"]+)['\"]", _without_column),
    (r"time ?out|time limit|timed out|seconds in all", _cheaper),
    (r"\boom\b|MemoryError|out of memory|memory limit", _smaller),
    (r"is negative", _correct_submission("submission[columns] = submission[columns].clip(lower=0)")),
    (r"is not an integer", _correct_submission("submission[columns] = submission[columns].round().astype(int)")),
    (r"is not a probability", _correct_submission("submission[columns] = submission[columns].clip(0, 1)")),
    (
        r"only 0 and 1, which are labels",
        _correct_submission("submission[columns] = submission[columns].clip(0.001, 0.999)"),
    ),
    (
        r"(?:is empty; predict every row|is not a number|is infinite)",
        _correct_submission("submission[columns] = submission[columns].fillna(submission[columns].mode().iloc[0])"),
    ),
    (
        r"has no column|has the extra column",
        _correct_submission("submission.columns = ALL_COLUMNS[: len(submission.columns)]"),
    ),
)
"""Patterns of errors (Python's, and those of `mlestar.evaluation.submission`) and their fixes, in order."""
