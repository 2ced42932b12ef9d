"""`mlestar bench compare`: two benchmarks, or two tools of one, pair by pair."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mlestar.bench.made_with import ANSWERS, SHARED, TASK
from mlestar.bench.pairs import Pairs, pair_rows
from mlestar.bench.rows import Bench, BenchRow, Conditions, Frozen, find_differences
from mlestar.bench.run import read_bench
from mlestar.bench.verdicts import Finding, judge_all, judge_task
from mlestar.errors import UserError, clean_text
from mlestar.metrics.precision import round_score

_NORMAL_QUANTILE = 1.96
_SAME = ("profile", "model", "minutes", "runner", "cpus", "parallel", "memory_mb", "machine")
"""Conditions that change scores; seeds are paired, and versions are what is compared."""


_HEAD = ("task", "pairs", "difference", "95 % interval", "verdict")


class Comparison(Frozen):
    """The second of two sets of rows in comparison with the first."""

    first: str
    second: str
    overall: Finding
    tasks: dict[str, Finding]
    left_out: dict[str, int]
    """Rows that are in no pair, by the reason."""
    differences: tuple[str, ...] = ()
    """Conditions that differ, so that a verdict may be about these."""


def compare_folders(first: Path, second: Path | None = None, tools: tuple[str, ...] = ()) -> tuple[Comparison, ...]:
    """Compare two benchmarks, or two tools.

    Args:
        first: a folder of `mlestar bench`, or its `bench.json`.
        second: another; every tool that both have is compared with itself. None: two tools of the first are compared.
        tools: of two benchmarks, the tools to compare, all by default; of one benchmark, the first and the second.

    Raises:
        UserError: a file cannot be read, or there is nothing to compare.
    """
    bench = read_bench(first)
    if second is None or second.resolve() == first.resolve():
        if len(tools) != 2 or tools[0] == tools[1]:
            msg = f"name two of its tools with --tools: {', '.join(tools_of(bench))}"
            raise UserError(msg)
        return (compare_tools(bench, *tools),)
    other = read_bench(second)
    shared = _shared_tools(bench, other, tools)
    names = _names(first, second)
    return tuple(_compare_benches(bench, other, names, tool) for tool in shared)


def _shared_tools(bench: Bench, other: Bench, tools: Sequence[str]) -> list[str]:
    """Return the tools of two benchmarks that are compared.

    Raises:
        UserError: no tool is in both, or one that was named is not.
    """
    shared = [tool for tool in tools_of(bench) if tool in tools_of(other)]
    if not shared:
        msg = f"no tool is in both: {', '.join(tools_of(bench))} and {', '.join(tools_of(other))}"
        raise UserError(msg)
    for tool in tools:
        if tool not in shared:
            msg = f"no rows of {clean_text(tool)!r} in both; tools in both: {', '.join(shared)}"
            raise UserError(msg)
    return [tool for tool in shared if tool in tools or not tools]


def tools_of(bench: Bench) -> tuple[str, ...]:
    """Return the tools of a benchmark in the order of its rows."""
    return tuple(dict.fromkeys(row.tool for row in bench.rows))


def compare_tools(bench: Bench, first: str, second: str) -> Comparison:
    """Compare two tools of one benchmark.

    Raises:
        UserError: it has no rows of one of them.
    """
    for tool in (first, second):
        if tool not in tools_of(bench):
            msg = f"no rows of {clean_text(tool)!r}; tools: {', '.join(tools_of(bench))}"
            raise UserError(msg)
    pairs = pair_rows(_rows(bench, first), _rows(bench, second), bench.no_information)
    return compare_pairs(pairs, first, second)


def compare_pairs(pairs: Pairs, first: str, second: str, differences: Iterable[str] = ()) -> Comparison:
    """Return what pairs say about all tasks and about each."""
    return Comparison(
        first=first,
        second=second,
        overall=judge_all(pairs),
        tasks={task: judge_task(of_task) for task, of_task in pairs.by_task.items()},
        left_out=pairs.left_out,
        differences=tuple(differences),
    )


def _compare_benches(first: Bench, second: Bench, names: tuple[str, str], tool: str) -> Comparison:
    rows, others = _rows(first, tool), _rows(second, tool)
    before, after = (f"{tool} in {name}" for name in names)
    differences = [*_differences(first.conditions, second.conditions), *_setting_differences(rows, others)]
    pairs = pair_rows(rows, others, first.no_information | second.no_information)
    return compare_pairs(pairs, before, after, differences)


def _rows(bench: Bench, tool: str) -> list[BenchRow]:
    return [row for row in bench.rows if row.tool == tool]


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return names of two benchmarks that differ: those of their folders, else their paths."""
    names = [path.resolve().parent.name if path.is_file() else path.resolve().name for path in (first, second)]
    return (names[0], names[1]) if names[0] != names[1] else (str(first), str(second))


def _differences(first: Conditions, second: Conditions) -> list[str]:
    return [f"{name}: {before} and {after}" for name, before, after in find_differences(first, second, _SAME)]


def _setting_differences(first: Sequence[BenchRow], second: Sequence[BenchRow]) -> list[str]:
    """Return in which settings of a tool two benchmarks differ; all rows of a benchmark have the same ones."""
    before, after = (rows[0].made_with if rows else {} for rows in (first, second))
    names = [name for name in dict.fromkeys((*before, *after)) if name not in (*SHARED, TASK, ANSWERS)]
    values = [(name, before.get(name, "unset"), after.get(name, "unset")) for name in names if before and after]
    return [f"{name}: {old} and {new}" for name, old, new in values if old != new]


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison as a person reads it: a sentence, a table of tasks, and what was left out."""
    lines = [headline(comparison), ""]
    if comparison.tasks:
        lines += [*_task_table(comparison), ""]
        lines += [f"Difference: {_cell(comparison.second)} minus {_cell(comparison.first)}; positive is better."]
        lines += _task_notes(comparison)
    lines += [f"Left out: {count} rows, {reason}." for reason, count in comparison.left_out.items()]
    lines += [f"The conditions differ in {_cell(difference)}." for difference in comparison.differences]
    return "\n".join(lines) + "\n"


def headline(comparison: Comparison) -> str:
    """Return the verdict about all tasks in one sentence."""
    overall = comparison.overall
    first, second = _cell(comparison.first), _cell(comparison.second)
    said = {
        "better": f"{second} is better than {first}",
        "worse": f"{second} is worse than {first}",
        "cannot tell": f"Cannot tell whether {second} is better than {first}",
    }[overall.verdict]
    if not overall.pairs:
        return f"{said}: they have no rows to compare."
    interval = f"95 % interval {_percent(overall.low)} to {_percent(overall.high)}"
    pairs, tasks = _count(overall.pairs, "pair"), _count(len(comparison.tasks), "task")
    numbers = f"wins minus losses {_percent(overall.difference)} of {pairs} on {tasks}"
    note = f"; {overall.note}" if overall.note else ""
    return f"{said}: {numbers} ({interval}; randomization test p = {overall.chance:.2g}{note})."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _task_table(comparison: Comparison) -> list[str]:
    """Return the table of tasks, in columns of equal width, since a terminal shows it as it is."""
    rows = [_HEAD, *(_task_cells(task, finding) for task, finding in comparison.tasks.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return [f"| {' | '.join(row)} |" for row in padded]


def _task_notes(comparison: Comparison) -> list[str]:
    """Return each note on tasks once, with the tasks that it is about."""
    tasks: dict[str, list[str]] = {}
    for task, finding in comparison.tasks.items():
        for note in filter(None, finding.note.split("; ")):
            tasks.setdefault(note, []).append(_cell(task))
    total = len(comparison.tasks)
    return [f"{'All tasks' if len(names) == total else ', '.join(names)}: {note}." for note, names in tasks.items()]


def _task_cells(task: str, finding: Finding) -> tuple[str, ...]:
    low, high = finding.low, finding.high
    error = (high - low) / 2 / _NORMAL_QUANTILE if low is not None and high is not None else None
    numbers = [_number(value, error) for value in (finding.difference, low, high)]
    interval = "-" if low is None else f"{numbers[1]} to {numbers[2]}"
    return _cell(task), str(finding.pairs), numbers[0], interval, finding.verdict


def _number(value: float | None, error: float | None) -> str:
    rounded = round_score(value, error)
    return "-" if rounded is None else f"{rounded:+.6g}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:+.0%}".replace("%", " %")


def _cell(text: str) -> str:
    """Return a name of a file or of another program so that it cannot change the table."""
    return clean_text(text).replace("\n", " ").replace("|", "\\|")
