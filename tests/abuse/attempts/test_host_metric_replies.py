"""`metric.py` writes replies of its own into the pipe of the grading process: infinite scores, other types, deep JSON.

Outcome: succeeded; prevented since. A reply with the right number and content that is not a grade ended the run.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlestar.evaluation.grading_process import GradingError, GradingProcess
from tests.unit.test_grading_process import SECONDS, with_metric

REPLIES = {
    "infinite": '{"number": @, "result": {"score": Infinity, "standard_error": NaN}}',
    "text": '{"number": @, "result": "good"}',
    "no fields": '{"number": @, "result": {}}',
    "deep": '{"number": @, "result": ' + "[" * 50_000 + "]" * 50_000 + "}",
    "surrogate": '{"number": @, "failure": "\\\\ud800\\\\u001b[2J"}',
}


@pytest.fixture
def process() -> Iterator[GradingProcess]:
    process = GradingProcess()
    yield process
    process.close()


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_that_is_no_grade_is_a_failure(process: GradingProcess, tmp_path: Path, reply: str) -> None:
    head = f"import os, stat\nREPLY = {reply!r}\n"
    head += "def forge():\n"
    head += "    for number in range(3, 30):\n"
    head += "        try:\n"
    head += "            if stat.S_ISFIFO(os.fstat(number).st_mode):\n"
    head += "                os.write(number, (REPLY.replace('@', '2') + '\\n').encode())\n"
    head += "        except OSError: pass\n"
    case = with_metric(tmp_path, "forge(); return 1.0", head)
    with pytest.raises(GradingError) as raised:
        process.grade(case.grader.answers, case.submit(case.right), SECONDS)
    assert str(raised.value).isprintable()
