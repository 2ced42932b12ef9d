"""Two benchmarks are compared pair by pair, and a difference is named only where noise does not explain it."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mlestar.bench.compare import Comparison, compare_folders, compare_pairs, comparison_markdown, headline
from mlestar.bench.pairs import Pairs, pair_rows
from mlestar.bench.rows import Bench, BenchRow, Conditions, Graded
from mlestar.bench.verdicts import exchange_chance, judge_all, judge_task
from mlestar.errors import UserError
from tests.unit.compared_rows import graded_row, scored_row

TASKS, SHUFFLES = 9, range(20)


def tool_rows(tool: str, accuracy: float, *, tasks: int = TASKS, seeds: int = 1) -> list[BenchRow]:
    return [graded_row(task, tool, accuracy, seed=seed) for task, seed in product(range(tasks), range(seeds))]


def shuffled(first: list[BenchRow], second: list[BenchRow], seed: int) -> Pairs:
    """Pair two lists of rows after a coin flip for each pair, which decides which list has which row."""
    coins = np.random.default_rng(seed).random(len(first)) < 0.5
    pairs = [(b, a) if coin else (a, b) for a, b, coin in zip(first, second, coins, strict=True)]
    return pair_rows([a for a, _ in pairs], [b for _, b in pairs])


def compared(first: list[BenchRow], second: list[BenchRow]) -> Comparison:
    return compare_pairs(pair_rows(first, second), "first", "second")


@pytest.mark.parametrize(("other", "seeds"), [(0.8, 1), (0.9, 1), (0.8, 3), (0.9, 3)])
def test_shuffled_copies_of_the_same_runs_cannot_be_told_apart(other: float, seeds: int) -> None:
    first, second = tool_rows("one", 0.8, seeds=seeds), tool_rows("two", other, seeds=seeds)
    verdicts = [judge_all(shuffled(first, second, seed)).verdict for seed in SHUFFLES]
    assert verdicts.count("cannot tell") >= 18


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.9, "better"), (0.7, "worse"), (0.8, "cannot tell")])
def test_a_planted_difference_is_found(accuracy: float, verdict: str) -> None:
    assert compared(tool_rows("one", 0.8), tool_rows("two", accuracy)).overall.verdict == verdict


def test_a_lower_score_is_better_where_the_metric_is_an_error() -> None:
    first = [scored_row(f"t{task}", 1.0, direction="minimize") for task in range(8)]
    second = [scored_row(f"t{task}", 0.9, direction="minimize") for task in range(8)]
    assert compared(first, second).overall.verdict == "better"


def test_a_tool_that_is_better_on_half_of_the_tasks_is_not_better_on_the_whole() -> None:
    first = [scored_row(f"t{task}", 0.5, seed=seed) for task, seed in product(range(6), range(4))]
    second = [scored_row(f"t{task}", 0.5 + (-1) ** task * 0.1, seed=seed) for task, seed in product(range(6), range(4))]
    assert compared(first, second).overall.verdict == "cannot tell"


def test_fewer_than_six_tasks_say_nothing_and_the_note_says_why() -> None:
    first, second = ([scored_row(f"t{task}", score) for task in range(5)] for score in (0.1, 0.9))
    overall = compared(first, second).overall
    assert (overall.verdict, overall.note) == ("cannot tell", "6 tasks are needed")


def test_no_pairs_say_nothing() -> None:
    comparison = compared([scored_row("a", 0.5)], [scored_row("b", 0.5)])
    assert (comparison.overall.verdict, comparison.left_out) == ("cannot tell", {"in one of the two only": 2})


def test_few_tasks_have_verdicts_of_their_own_and_none_on_all() -> None:
    first, second = tool_rows("one", 0.7, tasks=3, seeds=6), tool_rows("two", 0.9, tasks=3, seeds=6)
    comparison = compared(first, second)
    assert [finding.verdict for finding in comparison.tasks.values()] == ["better"] * 3
    assert (comparison.overall.verdict, comparison.overall.pairs) == ("cannot tell", 18)


def test_the_interval_of_a_task_covers_seeds_and_rows() -> None:
    pairs = pair_rows(tool_rows("one", 0.8, tasks=1, seeds=6), tool_rows("two", 0.9, tasks=1, seeds=6)).found
    finding = judge_task(pairs)
    differences = np.array([pair.difference for pair in pairs], dtype=float)
    rows = np.mean([pair.resampled for pair in pairs], axis=0).std(ddof=1)
    error = np.hypot(rows, differences.std(ddof=1) / np.sqrt(6))
    assert finding.low is not None
    assert 1.96 * error < differences.mean() - finding.low < 2.571 * error  # normal, and five degrees of freedom


def test_one_seed_gives_an_interval_over_rows_and_no_verdict() -> None:
    finding = judge_task(pair_rows([graded_row(0, "one", 0.6)], [graded_row(0, "two", 0.9)]).found)
    assert finding.low is not None
    assert finding.low > 0
    assert finding.verdict == "cannot tell"
    assert finding.note == "6 seeds are needed; on these rows the two submissions differ, another seed may not"


def test_a_row_without_a_score_is_worse_than_one_with_a_score() -> None:
    first = [scored_row("a", None, seed=seed) for seed in range(6)]
    second = [scored_row("a", 0.1, seed=seed) for seed in range(6)]
    finding = compared(first, second).tasks["a"]
    assert (finding.verdict, finding.difference, finding.note) == ("better", None, "6 without a score")
    assert compared(second, first).tasks["a"].verdict == "worse"
    assert compared(first, first).tasks["a"].advantage == 0


def test_a_tool_that_is_unavailable_is_left_out() -> None:
    pairs = pair_rows([scored_row("a", None, status="unavailable")], [scored_row("a", 0.5)])
    assert (pairs.found, pairs.left_out) == ((), {"a tool was unavailable": 1})


def test_scores_of_different_metrics_are_left_out() -> None:
    pairs = pair_rows([scored_row("a", 0.5)], [scored_row("a", 0.5, metric="f1")])
    assert (pairs.found, pairs.left_out) == ((), {"different metrics": 1})


def test_standard_errors_stand_in_for_resamples_that_cannot_be_matched() -> None:
    first = scored_row("a", 0.5, error=0.03, resampled=(0.5, 0.4))
    second = scored_row("a", 0.55, error=0.04, resampled=(0.5, 0.6, 0.5))
    (pair,) = pair_rows([first], [second]).found
    assert pair.row_error == pytest.approx(0.05)
    assert pair.advantage == pytest.approx(0.68, abs=0.01)  # one standard error


def test_without_any_error_the_scores_decide() -> None:
    (pair,) = pair_rows([scored_row("a", 0.5)], [scored_row("a", 0.6)]).found
    assert pair.advantage == 1


def test_the_same_scores_of_all_seeds_without_an_error_are_one_result() -> None:
    rows = [
        [BenchRow(task="t", tool=tool, seed=seed, status="graded", graded=Graded(score=score)) for seed in range(8)]
        for tool, score in (("a", 0.7), ("b", 0.9))
    ]
    finding = compared(*rows).tasks["t"]
    assert finding.verdict == "cannot tell"
    assert "all seeds gave the same scores, whose error is unknown" in finding.note


def test_resamples_without_a_score_are_left_out_in_pairs() -> None:
    first = Graded(score=0.5, resampled=(0.4, float("nan"), 0.6, 0.5))
    second = Graded(score=0.6, resampled=(float("nan"), 0.9, 0.7, 0.6))
    rows = [[BenchRow(task="t", tool="a", seed=0, status="graded", graded=graded)] for graded in (first, second)]
    [pair] = pair_rows(*rows).found
    assert pair.row_error == pytest.approx(0.0)
    assert pair.outcomes.tolist() == [1, 1]
    assert BenchRow.model_validate_json(rows[0][0].model_dump_json()) == rows[0][0]


@pytest.mark.parametrize(("name", "reason"), [("answers", "other answers"), ("task data", "other task data")])
def test_rows_of_other_data_are_left_out(name: str, reason: str) -> None:
    row = BenchRow(task="t", tool="a", seed=0, status="graded", graded=Graded(score=0.5), made_with={name: "1"})
    other = row.model_copy(update={"made_with": {name: "2"}})
    assert pair_rows([row], [other]).left_out == {reason: 1}
    assert pair_rows([row], [row]).left_out == {}


def test_equal_scores_are_no_advantage() -> None:
    row = graded_row(0, "one", 0.8)
    (pair,) = pair_rows([row], [row]).found
    assert pair.advantage == 0


def test_the_chance_counts_all_exchanges() -> None:
    assert exchange_chance(np.ones(6)) == 2 / 64
    assert exchange_chance(np.array([1.0, -1.0])) == 1
    # Of the eight sums of 3, 2 and 1 with either sign, -6, -4, 4 and 6 are as large as 4.
    assert exchange_chance(np.array([3.0, 2.0, -1.0])) == 4 / 8


def test_the_chance_of_many_pairs_is_estimated() -> None:
    alternating = np.array([1.0] * 12 + [-1.0] * 4)
    exact = 2 * sum((1, 16, 120, 560, 1820)) / 2**16
    assert exchange_chance(alternating) == pytest.approx(exact, abs=0.02)


def write_bench(folder: Path, rows: list[BenchRow], **conditions: object) -> Path:
    folder.mkdir(parents=True)
    bench = Bench(suite="suite", conditions=Conditions.model_validate(conditions), rows=tuple(rows))
    (folder / "bench.json").write_text(bench.model_dump_json(), encoding="utf-8")
    return folder


def test_folders_are_compared_tool_by_tool(tmp_path: Path) -> None:
    before = write_bench(tmp_path / "before", tool_rows("one", 0.7) + tool_rows("two", 0.8), minutes=5)
    after = write_bench(tmp_path / "after", tool_rows("one", 0.9) + tool_rows("three", 0.8), minutes=9)
    (comparison,) = compare_folders(before, after / "bench.json")
    assert headline(comparison).startswith("one in after is better than one in before: wins minus losses +")
    assert comparison.differences == ("minutes: 5.0 and 9.0",)


def test_settings_of_a_tool_that_differ_are_named(tmp_path: Path) -> None:
    folders: list[Path] = []
    for tracks in ("1", "3"):
        made_with = {"tracks": tracks, "version": tracks}
        rows = [row.model_copy(update={"made_with": made_with}) for row in tool_rows("a", 0.7)]
        folders.append(write_bench(tmp_path / tracks, rows))
    (comparison,) = compare_folders(folders[0], folders[1])
    assert comparison.differences == ("tracks: 1 and 3",)


def test_two_tools_of_one_benchmark_are_compared(tmp_path: Path) -> None:
    folder = write_bench(tmp_path / "bench", tool_rows("one", 0.7) + tool_rows("two", 0.9))
    (comparison,) = compare_folders(folder, tools=("one", "two"))
    assert headline(comparison).startswith("two is better than one")


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    one = write_bench(tmp_path / "one", tool_rows("one", 0.7, tasks=1))
    two = write_bench(tmp_path / "two", tool_rows("two", 0.7, tasks=1))
    with pytest.raises(UserError, match="no tool is in both: one and two"):
        compare_folders(one, two)
    with pytest.raises(UserError, match="name two of its tools with --tools: one"):
        compare_folders(one)
    with pytest.raises(UserError, match="no rows of 'three'; tools: one"):
        compare_folders(one, tools=("one", "three"))
    with pytest.raises(UserError, match=r"bench\.json cannot be read: No such file or directory; name a folder"):
        compare_folders(tmp_path, one)
    (two / "bench.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="no benchmark of this version"):
        compare_folders(one, two)


def test_the_table_has_a_line_for_each_task_and_names_cannot_change_it() -> None:
    row = scored_row("a|b\x1b[2J", 0.5, error=0.02)
    better = row.model_copy(update={"graded": row.graded.model_copy(update={"score": 0.6234})})
    (line,) = [line for line in comparison_markdown(compared([row], [better])).splitlines() if line.startswith("| a")]
    assert line.startswith("| a\\|b")
    assert "\x1b" not in line
    assert "| 1 | +0.123 | +0.068 to +0.179 | cannot tell |" in line
