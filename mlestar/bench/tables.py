"""The tables of a benchmark: `bench.json`, `bench.md` and `bench.html`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlestar.bench.honesty import optimism_error
from mlestar.bench.rows import OWN, Bench, BenchRow, StageRow
from mlestar.errors import clean_text
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import Direction
from mlestar.report.amounts import dollars, tokens

HEAD = (
    *("task", "metric", "tool", "seed", "graded", "medal", "holdout", "fresh", "reported", "optimism", "seconds"),
    *("calls", "tokens", "money", "executions", "failures", "exported = winner"),
)
_ENTITIES, _MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}, "\\|*_`[]#~"
"""What Markdown would take for more than a character."""
STAGE_HEAD = ("task", "seed", "stage", "solution", "holdout", "fresh")
EMPTY = "-"
_ARROWS: Mapping[Direction, str] = {"maximize": "↑", "minimize": "↓"}
"""After the metric, whether a higher or a lower score is better."""
TITLE = "mlestar bench"


def write_tables(bench: Bench) -> dict[str, str]:
    """Return the text of each file by its name."""
    return {
        "bench.json": bench.model_dump_json(indent=2) + "\n",
        "bench.md": write_markdown(bench),
        "bench.html": write_page(bench),
    }


def optimism(row: BenchRow) -> str:
    """Return the optimism of the holdout score with its error: holdout and test rows are different rows."""
    return EMPTY if row.optimism is None else format_score(row.optimism, optimism_error(row))


def cells(row: BenchRow) -> tuple[str, ...]:
    """Return a row as text."""
    graded = row.graded
    score = EMPTY if graded.score is None else format_score(graded.score, graded.standard_error)
    medal = EMPTY if row.standing is None else (row.standing.medal or _above(row.standing.above_median))
    own = row.tool == OWN
    return (
        *(row.task, _metric(row), row.tool, str(row.seed)),
        score if graded.score is not None else row.status.replace("_", " "),
        *(medal, format_score(row.holdout, row.holdout_se), format_score(row.fresh, row.fresh_se)),
        *(format_claim(row.reported), optimism(row), f"{row.seconds:.0f}"),
        *((str(row.model_calls), tokens(row.tokens).removesuffix(" tokens"), dollars(row.usd)) if own else [EMPTY] * 3),
        *((str(row.executions), _failures(row), _yes(row.is_winner_exported)) if own else [EMPTY] * 3),
    )


def _metric(row: BenchRow) -> str:
    return f"{row.metric} {_ARROWS[row.direction]}" if row.metric else EMPTY


def _above(above: bool) -> str:
    return "above median" if above else "none"


def _yes(value: bool | None) -> str:
    return EMPTY if value is None else "yes" if value else "no"


def _failures(row: BenchRow) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(row.failures.items())) or "0"


def table(rows: Sequence[BenchRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the names of columns, and the rows as text; a column that is empty in all rows is left out."""
    full = [cells(row) for row in rows]
    filled = [number for number in range(len(HEAD)) if not full or any(row[number] != EMPTY for row in full)]
    return tuple(HEAD[number] for number in filled), [tuple(row[number] for number in filled) for row in full]


def stage_cells(row: BenchRow, stage: StageRow) -> tuple[str, ...]:
    """Return the row of a stage as text."""
    holdout, fresh = format_score(stage.holdout, stage.holdout_se), format_score(stage.fresh, stage.fresh_se)
    return row.task, str(row.seed), stage.stage, stage.solution, holdout, fresh


def stage_table(bench: Bench) -> list[tuple[str, ...]]:
    """Return the rows of all stages as text."""
    return [stage_cells(row, stage) for row in bench.rows for stage in row.stages]


def condition_line(bench: Bench) -> str:
    """Return the conditions of a benchmark in a line."""
    conditions = bench.conditions
    minutes = conditions.minutes
    parts = [
        f"mlestar {conditions.version}",
        f"profile {conditions.profile}",
        f"model {conditions.model}",
        "the profile's time limit" if minutes is None else f"at most {minutes:g} minutes for each tool on a task",
        f"runner {conditions.runner}",
        *conditions.settings,
        f"seeds {', '.join(map(str, conditions.seeds))}",
        *([f"{conditions.parallel} tools at once"] if conditions.parallel > 1 else []),
        f"{conditions.cpus} CPUs, {conditions.memory_mb / 1024:.0f} GiB, {conditions.machine}",
    ]
    return "; ".join(parts)


def notes(bench: Bench) -> list[str]:
    """Return the lines under the table: why a row has no score, which tasks were not run, flaws, statements."""
    lines = [f"{row.task}, {row.tool}, seed {row.seed}: {row.reason}" for row in bench.rows if row.reason]
    lines += [_other_metric(row) for row in bench.rows if row.run_metric]
    lines += [f"{task.id} was not run: {task.problem}" for task in bench.tasks if task.problem]
    lines += [f"Known flaw of {task.id}: {flaw}" for task in bench.tasks for flaw in task.flaws]
    return list(dict.fromkeys([*lines, *bench.statements]))


def _other_metric(row: BenchRow) -> str:
    return f"{row.task}, {row.tool}, seed {row.seed}: its own scores are {row.run_metric}, the graded one {row.metric}"


def write_markdown(bench: Bench) -> str:
    """Return `bench.md`."""
    parts = [f"# {TITLE}: {_escape(bench.suite)}", condition_line(bench), _table(*table(bench.rows))]
    if lines := notes(bench):
        parts += ["## Notes", "\n".join(f"* {_escape(line)}" for line in lines)]
    if stages := stage_table(bench):
        parts += ["## The best solution when each stage ended", _table(STAGE_HEAD, stages)]
    return clean_text("\n\n".join(parts)) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    """Return foreign text as one that Markdown shows as it is."""
    line = " ".join(clean_text(text).split())
    return "".join(_ENTITIES.get(mark, f"\\{mark}" if mark in _MARKS else mark) for mark in line)


def write_page(bench: Bench) -> str:
    """Return `bench.html`: one file, without anything from elsewhere."""
    head, rows = table(bench.rows)
    return _template().render(
        title=f"{TITLE}: {bench.suite}",
        conditions=condition_line(bench),
        head=head,
        rows=list(zip(bench.rows, rows, strict=True)),
        empty=EMPTY,
        stage_head=STAGE_HEAD,
        stages=stage_table(bench),
        notes=notes(bench),
    )


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("mlestar.bench", "templates"), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    return pages.get_template("bench.html")


def _clean(value: Any) -> Any:
    return clean_text(value) if type(value) is str else value
