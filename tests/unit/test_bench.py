"""Benchmarks: tasks are found, submissions graded, rows kept, and tables written."""

import errno
import re
import sys
import textwrap
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.bench.answers import TableAnswers
from mlestar.bench.find import find_suite, find_tools
from mlestar.bench.grading_program import ProgramAnswers
from mlestar.bench.honesty import fresh_distance, optimism_error, optimism_lines
from mlestar.bench.live import LiveTable
from mlestar.bench.made_with import other_settings
from mlestar.bench.own import OwnTool, describe_caps, is_winner_exported, stage_rows
from mlestar.bench.rows import Bench, BenchRow, Graded, TaskRow
from mlestar.bench.run import BenchFolder, Progress, read_bench
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tables import HEAD, cells, write_markdown, write_page
from mlestar.bench.tools import Outcome
from mlestar.bench.watched import run_watched
from mlestar.cli.terminal import Console
from mlestar.errors import StoreError, UserError
from mlestar.report import Result
from mlestar.report.result import CapRow, MemberRow, Score, SolutionRow
from mlestar.settings import Settings
from mlestar.state import Export
from tests.unit.bench_tools import CONDITIONS, RuleTool, run
from tests.unit.command_line import call
from tests.unit.processes_of_tests import kill_caller
from tests.unit.suites import write_suite


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "suite", ["a", "b"])


def submission_of(suite: Path, wrong: int = 0) -> Path:
    frame = pd.read_csv(suite / "answers/a/answers.csv", dtype=str)
    frame.loc[: wrong - 1, "label"] = frame["label"].map({"yes": "no", "no": "yes"})
    frame.iloc[::-1].to_csv(suite / "submission.csv", index=False)
    return suite / "submission.csv"


def test_a_table_of_answers_grades_rows_in_any_order(suite: Path) -> None:
    answers = TableAnswers(suite / "answers/a", suite / "tasks/a")
    graded = answers.grade(submission_of(suite, wrong=10))
    assert graded.score == pytest.approx(0.9)
    # Of 100 rows the standard error of a share of 0.9 is 0.03.
    assert graded.standard_error == pytest.approx(0.03, rel=0.25)
    assert np.array(graded.resampled, dtype=float).std(ddof=1) == pytest.approx(graded.standard_error)


def test_all_submissions_have_the_same_resamples(suite: Path) -> None:
    answers = TableAnswers(suite / "answers/a", suite / "tasks/a")
    few, many = (np.array(answers.grade(submission_of(suite, wrong=wrong)).resampled, float) for wrong in (10, 20))
    # The first ten rows are wrong in both, so that on each resample the second cannot be better.
    assert (few >= many).all()


def test_a_submission_that_equals_the_sample_is_graded(suite: Path) -> None:
    bench = run(suite, suite / "out", RuleTool(copies_sample=True))
    assert [row.status for row in bench.rows] == ["graded", "graded"]


def test_answers_may_name_another_metric(suite: Path) -> None:
    (suite / "answers/a/grade.json").write_text('{"metric": "f1", "pos_label": "yes"}', encoding="utf-8")
    answers = TableAnswers(suite / "answers/a", suite / "tasks/a")
    assert answers.metric == "f1"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: "\n".join(text.splitlines()[:-1]), "not those of the 100 rows"),
        (lambda text: text.replace("label", "other", 1), "no column 'label'"),
    ],
)
def test_answers_that_do_not_fit_are_named_in_the_table(suite: Path, damage: object, reason: str) -> None:
    path = suite / "answers/a/answers.csv"
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")  # type: ignore[operator]
    bench = run(suite, suite / "out", RuleTool())
    assert [row.task for row in bench.rows] == ["b"]
    assert reason in bench.tasks[0].problem
    assert "a was not run: " in write_markdown(bench)


def program(folder: Path, code: str) -> str:
    (folder / "grade.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return str(folder / "grade.py")


@pytest.mark.parametrize(
    ("code", "graded"),
    [
        ("print('loading'); print('{\"score\": 0.5}')", Graded(score=0.5)),
        ('print(\'{"error": "no rows"}\')', Graded(problem="no rows")),
        ("raise SystemExit('broken')", Graded(problem="broken")),
        ("print('{\"score\": Infinity}')", Graded(problem="it printed no finite score")),
        ("", Graded(problem="it printed no score")),
    ],
)
def test_a_program_grades(suite: Path, code: str, graded: Graded) -> None:
    answers = ProgramAnswers(program(suite, code), suite / "answers/a", suite / "tasks/a")
    assert answers.metric == "accuracy"
    assert answers.grade(submission_of(suite)) == graded


def test_a_program_that_is_not_there_is_a_problem(suite: Path) -> None:
    answers = ProgramAnswers(str(suite / "none"), suite / "answers/a", suite / "tasks/a")
    assert answers.grade(submission_of(suite)).problem.endswith("cannot be started: No such file or directory")


@pytest.mark.parametrize("folder", ["tasks", "."])
def test_answers_may_be_elsewhere(suite: Path, folder: str) -> None:
    (suite / "answers").rename(suite / "labels")
    assert [task.id for task in find_suite(suite / folder, suite / "labels").tasks] == ["a", "b"]


@pytest.mark.parametrize(
    ("folder", "only", "message"),
    [
        ("none", (), "no such folder"),
        ("tasks", (), "with --answers"),
        (".", ("c",), "has no task 'c'"),
    ],
)
def test_a_suite_that_cannot_be_used_is_one_line(suite: Path, folder: str, only: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_suite(suite / folder, only=only)


def test_an_unknown_tool_is_refused() -> None:
    own = OwnTool([], None)
    assert find_tools(own, seconds=60, cpus=1)[0] is own
    with pytest.raises(UserError, match="nonesuch"):
        find_tools(own, ["nonesuch"], seconds=60, cpus=1)


def test_what_has_a_row_is_not_repeated(suite: Path) -> None:
    tool, conditions = RuleTool(), CONDITIONS.model_copy(update={"seeds": (0, 1)})
    run(suite, suite / "out", tool)
    bench = run(suite, suite / "out", tool, conditions=conditions)
    assert tool.runs == ["a-0", "b-0", "a-1", "b-1"]
    assert [(row.task, row.seed) for row in bench.rows] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert read_bench(suite / "out") == bench


def test_rows_of_other_conditions_are_not_mixed(suite: Path) -> None:
    run(suite, suite / "out", RuleTool())
    with pytest.raises(UserError, match="profile was quick, now paper"):
        run(suite, suite / "out", RuleTool(), conditions=CONDITIONS.model_copy(update={"profile": "paper"}))


def test_two_benchmarks_do_not_share_a_folder(suite: Path) -> None:
    with BenchFolder(suite / "out").locked(), pytest.raises(UserError, match="another benchmark is running"):
        run(suite, suite / "out", RuleTool())


def test_tools_that_fail_or_submit_nonsense_are_rows(suite: Path) -> None:
    @dataclass
    class Nonsense(RuleTool):
        name: str = "nonsense"

        def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
            (folder / "submission.csv").write_text("a,b\n1,2\n", encoding="utf-8")
            return Outcome("graded", 1.0, submission=folder / "submission.csv")

    bench = run(suite, suite / "out", RuleTool("broken", fails=True), Nonsense())
    assert [(row.tool, row.status) for row in bench.rows[:2]] == [("broken", "failed"), ("nonsense", "invalid")]
    assert bench.rows[0].reason == "it broke"
    assert "no column 'id'" in bench.rows[1].reason


@dataclass
class Defect(RuleTool):
    """Fails on one task."""

    error: Exception = field(default_factory=Exception)

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        if task.id == "a":
            raise self.error
        return super().run(task, seed, folder)


def test_an_error_of_a_tool_is_a_row_and_the_rest_is_run(suite: Path) -> None:
    bench = run(suite, suite / "out", Defect(error=RuntimeError("a defect")))
    assert [(row.task, row.status) for row in bench.rows] == [("a", "failed"), ("b", "graded")]
    assert bench.rows[0].reason == "RuntimeError: a defect"
    assert "in run" in (suite / "out/work/a/rule-0/log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), StoreError("no space")])
def test_a_full_disk_ends_the_benchmark_and_is_no_row(suite: Path, error: Exception) -> None:
    with pytest.raises((UserError, StoreError), match=r"(?i)no space"):
        run(suite, suite / "out", Defect(error=error))
    assert read_bench(suite / "out").rows == ()


def solution(name: str, origin: str, holdout: float, status: str = "ok") -> SolutionRow:
    return SolutionRow.model_validate(
        {
            **{"id": name, "origin": origin, "track": 0, "title": name, "parent": None, "plan": "", "status": status},
            **{"message": "", "score": Score(holdout=holdout), "seconds": 1.0, "script": None},
        }
    )


def test_stages_have_the_best_solution_so_far() -> None:
    solutions = (
        solution("c1", "candidate", 0.7),
        solution("c2", "candidate", 0.8),
        solution("m", "merge", 0.6),
        solution("r1", "refinement", 0.9),
        solution("r2", "refinement", 0.95, status="leak"),
        solution("blend", "ensemble", 0.92).model_copy(update={"members": (MemberRow(solution="r1", weight=1),)}),
    )
    result = Result(run_id="r", task="t", status="solved", folder="r", winner="c2", solutions=solutions)
    assert [(row.stage, row.solution) for row in stage_rows(result)] == [
        ("initial", "c2"),
        ("merged", "c2"),
        ("refined", "r1"),
        ("blend", "blend"),
        ("final", "c2"),
    ]


@pytest.mark.parametrize(
    ("exports", "winner", "expected"),
    [
        ([("c1", "blob")], "c1", True),
        ([("c1.whole", None), ("c1", "blob")], "c1", True),
        ([("c1", None), ("c2", "blob")], "c2", False),
        ([], "c1", False),
    ],
)
def test_whether_the_winner_was_exported(exports: list[tuple[str, str | None]], winner: str, expected: bool) -> None:
    attempts = tuple(Export(solution=name, submission=blob) for name, blob in exports)
    result = Result(
        run_id="r", task="t", status="solved", folder="r", winner=winner, exports=attempts, submission="s.csv"
    )
    assert is_winner_exported(result) is expected
    assert is_winner_exported(result.model_copy(update={"submission": None})) is None


def test_scores_of_another_metric_are_no_optimism() -> None:
    row = ROW.model_copy(update={"run_metric": "rmse", "metric": "mae", "fresh": 1.0, "fresh_se": 0.1})
    bench = Bench(suite="s", conditions=CONDITIONS, rows=(row,))
    assert dict(zip(HEAD, cells(row), strict=True))["optimism"] == "-"
    assert (optimism_error(row), fresh_distance(row), optimism_lines([row])) == (None, None, ())
    assert "its own scores are rmse, the graded one mae" in write_markdown(bench)


ROW = BenchRow(
    **{"task": "a|b", "tool": "mlestar", "seed": 0, "status": "graded", "direction": "minimize", "holdout": 1.0},
    **{"holdout_se": 0.3, "graded": Graded(score=1.5, standard_error=0.4), "failures": {"error": 2}, "usd": None},
)


def test_optimism_is_how_much_better_the_holdout_looked() -> None:
    shown = dict(zip(HEAD, cells(ROW), strict=True))
    assert shown["optimism"] == "0.50 ± 0.50"
    assert shown["failures"] == "2 error"
    assert shown["money"] == "cost unknown"


def test_foreign_text_is_escaped_in_every_table() -> None:
    row = ROW.model_copy(update={"tool": "<b>\x1b[31m", "reason": "<script>alert(1)</script>"})
    bench = Bench(suite="s", conditions=CONDITIONS, rows=(row,))
    markdown, page = write_markdown(bench), write_page(bench)
    assert "| a\\|b |" in markdown
    assert "<script>" not in markdown + page.replace("<style>", "")
    assert "\x1b" not in markdown + page


def test_what_markdown_would_act_on_is_escaped() -> None:
    row = ROW.model_copy(update={"task": "# a", "reason": "![x](y) ~~no~~ &lt;b&gt; > quoted"})
    markdown = write_markdown(Bench(suite="s", conditions=CONDITIONS, rows=(row,)))
    assert "* \\# a, mlestar, seed 0: !\\[x\\](y) \\~\\~no\\~\\~ &amp;lt;b&amp;gt; &gt; quoted" in markdown


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = write_page(Bench(suite="s", conditions=CONDITIONS, rows=(ROW,)))
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_a_table_names_the_metric_and_leaves_out_empty_columns() -> None:
    row = ROW.model_copy(update={"metric": "rmse"})
    markdown = write_markdown(Bench(suite="s", conditions=CONDITIONS, rows=(row,)))
    assert "| rmse ↓ |" in markdown
    assert "| medal |" not in markdown
    assert "| medal |" in write_markdown(Bench(suite="s", conditions=CONDITIONS))


def test_a_known_flaw_is_stated_once() -> None:
    flaw = "Known flaw of a: test rows are also in train"
    task = TaskRow(id="a", flaws=("test rows are also in train",))
    bench = Bench(suite="s", conditions=CONDITIONS, tasks=(task,), statements=(flaw,))
    assert write_markdown(bench).count("test rows are also in train") == 1
    assert flaw in write_markdown(bench.model_copy(update={"statements": ()}))


def shown_line(width: int, row: BenchRow = ROW) -> str:
    """Return the line of a row on a terminal."""
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    with LiveTable(console, ["a|b", "another"], ["mlestar"]) as table:
        table(Progress(1, [row], {}), None)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    (line,) = [line for line in text.splitlines() if line.startswith("a|b")]
    return line


def test_a_narrow_terminal_shows_what_fits() -> None:
    wide, narrow = shown_line(200), shown_line(80)
    assert len(narrow) <= 80
    assert "1.00 ± 0.30" in wide
    assert "0.50 ± 0.50" in wide
    assert "0.50 ± 0.50" not in narrow
    assert narrow.startswith("a|b      mlestar  0     1.50 ± 0.40")


def test_a_row_without_a_score_shows_the_reason() -> None:
    failed = ROW.model_copy(update={"status": "no_solution", "reason": "no script", "graded": Graded()})
    assert shown_line(80, failed) == "a|b      mlestar  0     no solution: no script"


def test_a_run_names_what_its_caps_stopped() -> None:
    caps = (CapRow(cap="max_hours", limit=0.05, stopped=("a", "b", "c", "d")),)
    result = Result(run_id="r", task="t", status="solved", folder="r", caps=caps)
    assert describe_caps(result) == "max_hours (0.05) stopped a, b, c and 1 more"


def test_conditions_have_every_setting_that_changes_results() -> None:
    changed = {"profile": "quick", "outer_steps": 0, "max_hours": 0.1, "model_attempts": 2, "seed": 3}
    assert other_settings(Settings.resolve(changed)) == ("outer_steps=0",)


SLEEPER = "import os, sys, time, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"


def test_a_command_ends_with_the_process_that_watches_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mlestar.bench.watched import run_watched\n"
        "run_watched(sys.argv[1:], output=Path('out'), log=Path('log'), seconds=None)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-c", SLEEPER, str(tmp_path / "pid")]
    kill_caller(command, tmp_path)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    ended = run_watched(
        [sys.executable, "-c", SLEEPER, tmp_path / "pid"],
        output=tmp_path / "out",
        log=tmp_path / "log",
        seconds=1.0,
        grace=5.0,
    )
    assert ended.timed_out
    assert ended.status == -15


def test_output_and_exit_status_of_a_command_are_kept(tmp_path: Path) -> None:
    code = "import sys; print('yes'); print('no', file=sys.stderr); sys.exit(3)"
    ended = run_watched([sys.executable, "-c", code], output=tmp_path / "out", log=tmp_path / "log", seconds=None)
    assert (ended.status, ended.timed_out) == (3, False)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "yes\n"
    assert (tmp_path / "log").read_text(encoding="utf-8") == "no\n"


def test_a_run_that_cannot_begin_is_a_row_with_its_message(tmp_path: Path) -> None:
    task = SuiteTask("none", tmp_path / "none", answers=None)  # type: ignore[arg-type]  # a tool never reads them
    folder = tmp_path / "work"
    folder.mkdir()
    outcome = OwnTool(["--model", "offline"], 0.1).run(task, 0, folder)
    assert outcome.status == "failed"
    assert "none" in outcome.reason
    assert "exit status 2" in outcome.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "ask"), "cannot answer the questions"),
        (("--only", "c"), "has no task 'c'"),
        (("--peers", "nonesuch"), "nonesuch"),
        (("--profile", "fast"), "profile"),
        (("--minutes", "0"), "--minutes 0: give a number above 0"),
        (("--grade", ""), "--grade needs a program"),
    ],
)
def test_a_bad_option_is_one_line_and_writes_nothing(suite: Path, options: tuple[str, str], message: str) -> None:
    done = call("bench", suite, "--out", suite / "out", "--model", "offline", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (suite / "out").exists()
