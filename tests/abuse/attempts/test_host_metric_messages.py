"""`metric.py` raises errors whose message has escape codes, lone surrogates or 50 MB, or fails when it is read.

Outcome: succeeded; prevented since. Escape codes and surrogates went from the child into verdicts of the run.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlestar.evaluation.grading_process import GradingError, GradingProcess
from tests.unit.hostile import hidden_marks
from tests.unit.test_grading_process import SECONDS, with_metric

BODIES = {
    "escape": "raise ValueError('\\x1b]52;c;cm0=\\x07 \\u202e')",
    "surrogate": "raise ValueError('\\ud800')",
    "long": "raise ValueError('x' * 50_000_000)",
    "unreadable": "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "type": "raise type('E\\x1b[2J', (Exception,), {})('a')",
    "exit": "raise SystemExit('\\x1b[2J')",
}


@pytest.fixture(scope="module")
def process() -> Iterator[GradingProcess]:
    process = GradingProcess()
    yield process
    process.close()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_message_is_short_and_clean(process: GradingProcess, tmp_path: Path, body: str) -> None:
    case = with_metric(tmp_path, body)
    try:
        message = process.grade(case.grader.answers, case.submit(case.right), SECONDS).problem
    except GradingError as error:
        message = str(error)
    assert message
    assert len(message) < 1000
    assert hidden_marks(message) == []
