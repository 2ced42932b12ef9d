"""Competitions of MLE-bench: medals, grading, the prepared layout and reports, against results worked out by hand."""

import json
import math
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from mlestar.bench.mlebench import (
    CompetitionAnswers,
    OfficialAnswers,
    competition_answers,
    find_competitions,
    medal_lines,
    statements,
    write_reports,
)
from mlestar.bench.mlebench.medals import leaderboard_thresholds, ranks
from mlestar.bench.mlebench.reports import competition_report, thresholds_of
from mlestar.bench.rows import Bench, BenchRow, Conditions, Graded, Medal, RowStatus
from mlestar.bench.suite import SuiteTask
from mlestar.errors import UserError
from tests.unit.prepared_competition import ANSWERS, LEADERBOARD, answers_folder, prepare, write_csv

RANKS = {
    # Less than 100 teams: the first 10, 20 and 40 %.
    1: (1, 1, 1),
    2: (1, 1, 1),
    4: (1, 1, 1),
    5: (1, 1, 2),
    9: (1, 1, 3),
    10: (1, 2, 4),
    19: (1, 3, 7),
    20: (2, 4, 8),
    99: (9, 19, 39),
    # Less than 250: the first 10, then 20 and 40 %.
    100: (10, 20, 40),
    104: (10, 20, 41),
    249: (10, 49, 99),
    # Less than 1000: the first 10 and one for every 500 teams, then 50 and 100.
    250: (10, 50, 100),
    499: (10, 50, 100),
    500: (11, 50, 100),
    999: (11, 50, 100),
    # Then 5 and 10 %.
    1000: (12, 50, 100),
    1019: (12, 50, 101),
    1499: (12, 74, 149),
    1500: (13, 75, 150),
    7999: (25, 399, 799),
}


@pytest.mark.parametrize("teams", RANKS)
def test_the_last_rank_of_each_medal(teams: int) -> None:
    assert tuple(ranks(teams).values()) == RANKS[teams]


def test_a_leaderboard_without_teams_has_no_ranks() -> None:
    with pytest.raises(ValueError, match="at least one team"):
        ranks(0)


@pytest.mark.parametrize("teams", RANKS)
def test_the_score_at_a_rank_has_the_medal_and_the_next_one_has_not(teams: int) -> None:
    # Rank r has the score r, and the lowest is best.
    thresholds = leaderboard_thresholds([float(rank) for rank in range(1, teams + 1)] if teams > 1 else [1.0])
    gold, silver, bronze = RANKS[teams]
    if teams == 1:
        # The first and the last team are one, so that a higher score is taken to be better.
        assert thresholds.standing(1).medal == "gold"
        assert thresholds.standing(0.9).medal is None
        return
    assert thresholds.standing(gold).medal == "gold"
    assert thresholds.standing(bronze + 0.01).medal is None
    assert thresholds.standing(gold + 0.01).medal == (
        "silver" if silver > gold else "bronze" if bronze > gold else None
    )
    assert thresholds.standing(silver + 0.01).medal == ("bronze" if bronze > silver else None)


@pytest.mark.parametrize(
    ("score", "medal", "above"),
    [
        (0.95, "gold", True),
        (0.9, "gold", True),
        (0.899, "silver", True),
        (0.8, "silver", True),
        (0.799, "bronze", True),
        (0.6, "bronze", True),
        (0.599, None, True),
        (0.451, None, True),
        (0.45, None, False),
        (0.0, None, False),
    ],
)
def test_ten_teams_of_which_the_highest_is_best(score: float, medal: Medal | None, above: bool) -> None:
    # Ranks 1, 2 and 4; the median is between the fifth and the sixth.
    thresholds = leaderboard_thresholds([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    standing = thresholds.standing(score)
    assert (standing.medal, standing.above_median) == (medal, above)
    assert standing.thresholds == {"gold": 0.9, "silver": 0.8, "bronze": 0.6, "median": 0.45}
    assert standing.teams == 10


def test_a_score_is_rounded_to_five_decimals_before_it_is_compared() -> None:
    thresholds = leaderboard_thresholds([0.1, *[0.5] * 8, 0.9])
    assert thresholds.standing(0.1000049).medal == "gold"
    assert thresholds.standing(0.1000051).medal == "silver"
    assert not thresholds.standing(0.4999951).above_median
    assert thresholds.standing(0.4999949).above_median


def test_a_prepared_competition_is_graded_as_worked_out_by_hand(tmp_path: Path) -> None:
    prepare(tmp_path / "suite")
    (task,) = find_competitions(tmp_path / "suite").tasks
    assert (task.id, task.folder) == ("houses", tmp_path / "suite" / "houses" / "prepared" / "public")
    # One of four predictions is 2 off: the root of 4 / 4.
    graded = task.answers.grade(write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 6]}))
    assert (graded.score, graded.problem) == (1.0, "")
    standing = task.answers.standing(1.0)
    # Ten teams: gold to 0.5, silver to 1.0, bronze to 1.5, median (1.75 + 2) / 2.
    assert standing is not None
    assert (standing.medal, standing.above_median, standing.teams) == ("silver", True, 10)
    assert standing.thresholds == {"gold": 0.5, "silver": 1.0, "bronze": 1.5, "median": 1.875}
    assert graded.standard_error is not None


def test_rows_are_matched_by_id_in_any_order(tmp_path: Path) -> None:
    answers = _houses(tmp_path)
    graded = answers.grade(
        write_csv(tmp_path / "a.csv", {"price": [6, 3, 2, 1], "id": ["14.0", "13.0", "12.0", "11.0"]})
    )
    assert graded.score == 1.0


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"id": [11, 12, 13], "price": [1, 2, 3]}, "3 rows instead of 4"),
        ({"id": [11, 12, 13, 15], "price": [1, 2, 3, 4]}, "1 unknown, such as '15'"),
        ({"id": [11, 12, 13, 13], "price": [1, 2, 3, 4]}, "twice"),
        ({"id": [11, 12, 13, 14], "cost": [1, 2, 3, 4]}, "no column 'price'"),
        ({"price": [1, 2, 3, 4]}, "no column 'id'"),
        ({"id": [11, 12, 13, 14], "price": [1, 2, "", 4]}, "no finite number"),
        ({"id": [11, 12, 13, 14], "price": [1, 2, "inf", 4]}, "'inf' is no finite number"),
        ({"id": [11, 12, 13, 14], "price": [1, 2, "much", 4]}, "'much' is no finite number"),
        ({"id": [11, 12, 13, 14], "price": [1, 2, "1_000", 4]}, "'1_000' is no finite number"),
    ],
)
def test_an_invalid_submission_has_a_problem_and_no_score(
    tmp_path: Path, columns: dict[str, Sequence[object]], problem: str
) -> None:
    graded = _houses(tmp_path).grade(write_csv(tmp_path / "a.csv", columns))
    assert graded.score is None
    assert problem in graded.problem


def test_a_submission_must_be_an_existing_file_that_ends_in_csv(tmp_path: Path) -> None:
    answers = _houses(tmp_path)
    right = write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": ANSWERS})
    assert answers.grade(tmp_path / "b.csv").problem == "there is no CSV file b.csv"
    assert answers.grade(right.rename(tmp_path / "a.txt")).problem == "there is no CSV file a.txt"
    (tmp_path / "empty.csv").write_text("")
    assert "cannot be read as CSV" in answers.grade(tmp_path / "empty.csv").problem


def test_submissions_of_a_task_are_resampled_alike(tmp_path: Path) -> None:
    answers = _houses(tmp_path)
    one = answers.grade(write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 6]}))
    two = answers.grade(write_csv(tmp_path / "b.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 8]}))
    # Twice the error in the only wrong row is twice the score of every resample.
    assert [2 * (score or 0.0) for score in one.resampled] == pytest.approx(two.resampled)
    assert len(one.resampled) == 200


def test_probabilities_of_classes_against_answers_of_one_column_for_each(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "log_loss", target="kind", classes=["cat", "dog"])
    write_csv(folder / "answers.csv", {"id": ["a", "b"], "cat": [1, 0], "dog": [0, 1]})
    answers = _read(folder)
    graded = answers.grade(write_csv(tmp_path / "a.csv", {"id": ["b", "a"], "cat": [0.75, 0.5], "dog": [0.25, 0.5]}))
    assert graded.score == round(-(math.log(0.5) + math.log(0.25)) / 2, 5)
    # The same answers as labels.
    write_csv(folder / "answers.csv", {"id": ["a", "b"], "kind": ["cat", "dog"]})
    assert _read(folder).grade(tmp_path / "a.csv").score == graded.score


@pytest.mark.parametrize(("cat", "problem"), [(0.6, "sum to 1"), (1.5, "between 0 and 1")])
def test_probabilities_that_are_none_are_rejected(tmp_path: Path, cat: float, problem: str) -> None:
    folder = answers_folder(tmp_path, "log_loss", target="kind", classes=["cat", "dog"])
    write_csv(folder / "answers.csv", {"id": ["a", "b"], "kind": ["cat", "dog"]})
    submission = write_csv(tmp_path / "a.csv", {"id": ["a", "b"], "cat": [cat, 0.5], "dog": [0.5, 0.5]})
    assert problem in _read(folder).grade(submission).problem


def test_area_under_the_curve(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "auroc", target="sold", direction="maximize")
    write_csv(folder / "answers.csv", {"id": [1, 2, 3, 4], "sold": ["False", "True", "False", "True"]})
    # Of four pairs of a sold and an unsold one, three are in order.
    submission = write_csv(tmp_path / "a.csv", {"id": [1, 2, 3, 4], "sold": [0.1, 0.4, 0.5, 0.9]})
    assert _read(folder).grade(submission).score == 0.75


def test_several_targets_are_averaged(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "mean_rmsle", target=["a", "b"])
    write_csv(folder / "answers.csv", {"id": [1], "a": [0], "b": [0]})
    submission = write_csv(tmp_path / "a.csv", {"id": [1], "a": [math.e - 1], "b": [math.e**3 - 1]})
    assert _read(folder).grade(submission).score == 2.0
    negative = write_csv(tmp_path / "b.csv", {"id": [1], "a": [-0.5], "b": [0]})
    assert "at least 0" in _read(folder).grade(negative).problem


def test_a_folder_without_thresholds_is_no_competition(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "rmse", target="price")
    (folder / "medals.json").unlink()
    assert competition_answers(folder) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gold": None}, "gold must be a number"),
        ({"direction": "up"}, "direction must be"),
        ({"direction": "maximize"}, "the leaderboard is to maximize"),
    ],
)
def test_faults_of_thresholds_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = answers_folder(tmp_path, "rmse", target="price")
    content = json.loads((folder / "medals.json").read_text())
    (folder / "medals.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match=message):
        competition_answers(folder)


def test_known_flaws_come_from_files_and_from_the_caller(tmp_path: Path) -> None:
    suite = prepare(tmp_path / "suite")
    medals = {"gold": 0, "silver": 1, "bronze": 2, "median": 3, "direction": "minimize", "flaws": ["too\x1b[31m small"]}
    (suite / "houses" / "medals.json").write_text(json.dumps(medals))
    (suite / "bench.toml").write_text('[flaws]\nhouses = ["ids are in the order of the price"]\n')
    (task,) = find_competitions(suite, flaws={"houses": ["test rows are in train"], "other": ["none"]}).tasks
    assert task.flaws == ("too small", "ids are in the order of the price", "test rows are in train")


def test_a_competition_that_cannot_be_graded_is_named_with_the_reason(tmp_path: Path) -> None:
    suite = prepare(tmp_path / "suite")
    (suite / "houses" / "prepared" / "private" / "test.csv").unlink()
    found = find_competitions(suite)
    assert found.tasks == ()
    (problem,) = found.problems
    assert problem.id == "houses"
    assert "one table must have the columns id, price, but none have them" in problem.problem


def test_metric_and_answers_come_from_a_description_of_the_benchmark(tmp_path: Path) -> None:
    suite = prepare(tmp_path / "suite")
    leaderboard = suite / "houses" / "leaderboard.csv"
    shelf = tmp_path / "competitions" / "houses"
    shelf.mkdir(parents=True)
    leaderboard.rename(shelf / "leaderboard.csv")
    private = suite / "houses" / "prepared" / "private"
    write_csv(private / "more.csv", {"id": [11, 12, 13, 14], "price": [0, 0, 0, 0]})
    config = "id: houses\nname: Houses\ndataset:\n  answers: houses/prepared/private/test.csv\ngrader:\n  name: mae\n"
    (shelf / "config.yaml").write_text(config)
    (task,) = find_competitions(suite, descriptions=tmp_path / "competitions").tasks
    assert task.answers.metric == "mae"
    graded = task.answers.grade(write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 6]}))
    assert graded.score == 0.5
    assert task.answers.standing(0.5) is not None


def test_only_some_competitions(tmp_path: Path) -> None:
    suite = prepare(tmp_path / "suite")
    prepare(suite, "flats")
    (suite / "notes").mkdir()
    assert [task.id for task in find_competitions(suite).tasks] == ["flats", "houses"]
    assert [task.id for task in find_competitions(suite, only=["flats"]).tasks] == ["flats"]


def test_reports_have_the_format_of_the_benchmark(tmp_path: Path) -> None:
    tasks = find_competitions(prepare(tmp_path / "suite")).tasks
    bench = _bench(tasks, tmp_path)
    (folder,) = write_reports(bench, tasks, tmp_path, datetime(2026, 1, 2, 3, 4, 5))
    assert folder == tmp_path / "mlebench" / "mlestar-0"
    submission = str((tmp_path / "work" / "submission.csv").resolve())
    lines = [json.loads(line) for line in (folder / "submission.jsonl").read_text().splitlines()]
    assert lines == [
        {"competition_id": "houses", "submission_path": submission, "logs_path": None, "code_path": None},
    ]
    report = json.loads((folder / "grading_report.json").read_text())
    assert report == {
        "total_runs": 1,
        "total_runs_with_submissions": 1,
        "total_valid_submissions": 1,
        "total_medals": 1,
        "total_gold_medals": 0,
        "total_silver_medals": 1,
        "total_bronze_medals": 0,
        "total_above_median": 1,
        "competition_reports": [
            {
                "competition_id": "houses",
                "score": 1.0,
                "gold_threshold": 0.5,
                "silver_threshold": 1.0,
                "bronze_threshold": 1.5,
                "median_threshold": 1.875,
                "any_medal": True,
                "gold_medal": False,
                "silver_medal": True,
                "bronze_medal": False,
                "above_median": True,
                "submission_exists": True,
                "valid_submission": True,
                "is_lower_better": True,
                "created_at": "2026-01-02T03:04:05",
                "submission_path": submission,
            }
        ],
    }


def test_a_row_without_a_submission_is_in_the_report(tmp_path: Path) -> None:
    tasks = find_competitions(prepare(tmp_path / "suite")).tasks
    row = BenchRow(task="houses", tool="flaml", seed=1, status="timeout", reason="30 s")
    bench = Bench(suite="suite", conditions=Conditions(), rows=(row,))
    (folder,) = write_reports(bench, tasks, tmp_path)
    assert json.loads((folder / "submission.jsonl").read_text())["submission_path"] is None
    (report,) = json.loads((folder / "grading_report.json").read_text())["competition_reports"]
    assert (report["score"], report["valid_submission"], report["submission_exists"]) == (None, False, False)
    assert report["gold_threshold"] == 0.5


def test_statements_belong_to_numbers_of_competitions(tmp_path: Path) -> None:
    tasks = find_competitions(prepare(tmp_path / "suite"), flaws={"houses": ["four rows"]}).tasks
    lines = statements(_bench(tasks, tmp_path), tasks)
    assert lines[0].startswith("Test-derived signals: none.")
    assert "Known flaw of houses: four rows" in lines
    assert any(
        "Model offline" in line and "0.5 hours" in line and "2 cores and 8 GB (laptop)" in line for line in lines
    )
    assert statements(_bench((), tmp_path), ()) == ()


def test_medals_are_counted_for_each_tool(tmp_path: Path) -> None:
    tasks = find_competitions(prepare(tmp_path / "suite")).tasks
    bench = _bench(tasks, tmp_path, seeds=(0, 1, 2))
    none = BenchRow(task="houses", tool="flaml", seed=0, status="failed")
    bench = bench.model_copy(update={"rows": (*bench.rows, none)})
    assert medal_lines(bench, tasks) == (
        "mlestar: a medal in 3 of 3 runs (3 silver), 100.0 ± 0.0 % over 3 seeds; above the median in 3, valid in 3",
        "flaml: a medal in 0 of 1 runs; above the median in 0, valid in 0",
    )


def test_the_own_code_of_the_benchmark_grades_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_package(tmp_path / "packages", monkeypatch)
    (task,) = find_competitions(prepare(tmp_path / "suite")).tasks
    assert isinstance(task.answers, OfficialAnswers)
    right = write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 6]})
    graded = task.answers.grade(right)
    assert (graded.score, graded.standard_error is not None) == (1.0, True)
    # It rejects by rules of its own, which ours need not have.
    assert task.answers.grade(write_csv(tmp_path / "b.csv", {"id": [11], "price": [1]})).score is None
    standing = task.answers.standing(1.0)
    assert standing is not None
    assert (standing.medal, standing.teams) == ("silver", 10)


@pytest.mark.filterwarnings("ignore")  # its code may use what is deprecated here
def test_medals_are_those_of_the_own_code_of_the_benchmark() -> None:
    pandas = pytest.importorskip("pandas")
    helpers = pytest.importorskip("mlebench.grade_helpers", reason="mlebench is not in the package index")
    grader = helpers.Grader(name="any", grade_fn="builtins:len")
    for teams in range(1, 2100):
        scores = [1 + rank / 7 for rank in range(teams)]
        ranked = grader.rank_score(scores[teams // 10], pandas.DataFrame({"score": scores}))
        standing = leaderboard_thresholds(scores).standing(scores[teams // 10])
        assert standing.thresholds == {name: ranked[f"{name}_threshold"] for name in standing.thresholds}
        assert standing.above_median == ranked["above_median"]


@pytest.mark.filterwarnings("ignore")  # its code may use what is deprecated here
@pytest.mark.parametrize("last", [4, 4.5, 6, 6.00002, 6.4, 7, 7.5, 8, 12, "none"])
def test_a_miniature_has_the_report_that_the_own_code_of_the_benchmark_makes(tmp_path: Path, last: object) -> None:
    official = pytest.importorskip("mlebench.grade", reason="mlebench is not in the package index")
    (task,) = find_competitions(prepare(tmp_path / "suite")).tasks
    submission = write_csv(tmp_path / "a.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, last]})
    graded = task.answers.grade(submission)
    status: RowStatus = "invalid" if graded.score is None else "graded"
    row = BenchRow(task="houses", tool="mlestar", seed=0, status=status, graded=graded)
    thresholds = thresholds_of(task)
    assert thresholds is not None
    ours = competition_report(row, thresholds, submission, datetime(2026, 1, 1)).model_dump()
    theirs = official.grade_csv(submission, _described(tmp_path / "suite" / "houses")).to_dict()
    assert {**ours, "created_at": ""} == {**theirs, "created_at": ""}


def _described(folder: Path) -> object:
    """Return MLE-bench's own description of the miniature."""
    registry = pytest.importorskip("mlebench.registry")
    helpers = pytest.importorskip("mlebench.grade_helpers")
    private = folder / "prepared" / "private"
    return registry.Competition(
        id=folder.name,
        name="Houses",
        description="houses",
        grader=helpers.Grader(name="rmse", grade_fn="tests.unit.prepared_competition:rmse"),
        answers=private / "test.csv",
        gold_submission=private / "test.csv",
        sample_submission=folder / "prepared" / "public" / "sample_submission.csv",
        competition_type="simple",
        prepare_fn=prepare,
        raw_dir=folder / "raw",
        private_dir=private,
        public_dir=folder / "prepared" / "public",
        checksums=folder / "checksums.yaml",
        leaderboard=folder / "leaderboard.csv",
    )


def _install_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package with the three functions of `mlebench` that are called, which knows the competition `houses`."""
    package = folder / "mlebench"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "registry.py").write_text(
        "class Registry:\n"
        "    def set_data_dir(self, folder):\n"
        "        self.folder = folder\n"
        "        return self\n"
        "    def get_competition(self, name):\n"
        "        return self.folder / name\n"
        "registry = Registry()\n"
    )
    # As long as the table of all teams is.
    (package / "data.py").write_text(
        "def get_leaderboard(competition):\n    return (competition / 'leaderboard.csv').read_text().splitlines()[1:]\n"
    )
    report = {
        "gold_threshold": 0.5,
        "silver_threshold": 1.0,
        "bronze_threshold": 1.5,
        "median_threshold": 1.875,
        "is_lower_better": True,
    }
    (package / "grade.py").write_text(
        "import csv\n\n"
        "print('graders may print')\n\n"
        "class Report(dict):\n"
        "    def to_dict(self):\n"
        "        return dict(self)\n\n"
        "def prices(path):\n"
        "    return [float(row['price']) for row in csv.DictReader(path.open())]\n\n"
        "def grade_csv(path, competition):\n"
        "    score = None\n"
        "    if path.is_file() and len(prices(path)) == 4:\n"
        "        pairs = zip(prices(path), prices(competition / 'prepared/private/test.csv'))\n"
        "        score = (sum((a - b) ** 2 for a, b in pairs) / 4) ** 0.5\n"
        f"    return Report({report!r}, score=score)\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.delitem(sys.modules, "mlebench", raising=False)


def _houses(folder: Path) -> CompetitionAnswers:
    (task,) = find_competitions(prepare(folder / "suite")).tasks
    assert isinstance(task.answers, CompetitionAnswers)
    return task.answers


def _read(folder: Path) -> CompetitionAnswers:
    answers = competition_answers(folder)
    assert answers is not None
    return answers


def _bench(tasks: Sequence[SuiteTask], folder: Path, seeds: tuple[int, ...] = (0,)) -> Bench:
    """Return a benchmark in which one tool predicts all but one price rightly."""
    (folder / "work").mkdir(exist_ok=True)
    submission = write_csv(folder / "work" / "submission.csv", {"id": [11, 12, 13, 14], "price": [1, 2, 3, 6]})
    rows = []
    for task in tasks:
        graded: Graded = task.answers.grade(submission)
        assert graded.score is not None
        standing = task.answers.standing(graded.score)
        made = BenchRow(task=task.id, tool="mlestar", seed=0, status="graded", graded=graded, standing=standing)
        path = str(submission.relative_to(folder))
        rows += [made.model_copy(update={"seed": seed, "submission": path, "seconds": 1800.0}) for seed in seeds]
    conditions = Conditions(model="offline", profile="quick", cpus=2, memory_mb=8192, machine="laptop", seeds=seeds)
    return Bench(suite="suite", conditions=conditions, rows=tuple(rows))


def test_the_leaderboard_of_the_miniature_has_ten_teams() -> None:
    assert len(LEADERBOARD) == 10
