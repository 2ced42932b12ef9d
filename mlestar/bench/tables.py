"""The tables of a benchmark: `bench.json`, `bench.md` and `bench.html`."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlestar.bench.honesty import optimism_error
from mlestar.bench.rows import OWN, Bench, BenchRow, StageRow
from mlestar.errors import clean_text
from mlestar.metrics.precision import format_claim, format_score
from mlestar.report.amounts import dollars, tokens

HEAD = (
    *("task", "tool", "seed", "graded", "medal", "holdout", "fresh", "reported", "optimism", "seconds", "calls"),
    *("tokens", "money", "executions", "failures", "exported = winner"),
)
_ENTITIES, _MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}, "\\|*_`[]#~"
"""What Markdown would take for more than a character."""
STAGE_HEAD = ("task", "seed", "stage", "solution", "holdout", "fresh")
EMPTY = "-"


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
        *(row.task, row.tool, str(row.seed), score if graded.score is not None else row.status.replace("_", " ")),
        *(medal, format_score(row.holdout, row.holdout_se), format_score(row.fresh, row.fresh_se)),
        *(format_claim(row.reported), optimism(row), f"{row.seconds:.0f}"),
        *((str(row.model_calls), tokens(row.tokens).removesuffix(" tokens"), dollars(row.usd)) if own else [EMPTY] * 3),
        *((str(row.executions), _failures(row), _yes(row.is_winner_exported)) if own else [EMPTY] * 3),
    )


def _above(above: bool) -> str:
    return "above median" if above else "none"


def _yes(value: bool | None) -> str:
    return EMPTY if value is None else "yes" if value else "no"


def _failures(row: BenchRow) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(row.failures.items())) or "0"


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
        "the profile's limit of time" if minutes is None else f"at most {minutes:g} minutes for each tool",
        f"runner {conditions.runner}",
        f"seeds {', '.join(map(str, conditions.seeds))}",
        *([f"{conditions.parallel} tools at once"] if conditions.parallel > 1 else []),
        f"{conditions.cpus} CPUs, {conditions.memory_mb / 1024:.0f} GiB, {conditions.machine}",
    ]
    return "; ".join(parts)


def notes(bench: Bench) -> list[str]:
    """Return the lines under the table: what has no score and why, what was not run, flaws, checks."""
    lines = [f"{row.task}, {row.tool}, seed {row.seed}: {row.reason}" for row in bench.rows if row.reason]
    lines += [_other_metric(row) for row in bench.rows if row.run_metric]
    lines += [f"{task.id} was not run: {task.problem}" for task in bench.tasks if task.problem]
    lines += [f"{task.id}: {flaw}" for task in bench.tasks for flaw in task.flaws]
    return [*lines, *bench.statements]


def _other_metric(row: BenchRow) -> str:
    return f"{row.task}, {row.tool}, seed {row.seed}: its own scores are {row.run_metric}, the graded one {row.metric}"


def write_markdown(bench: Bench) -> str:
    """Return `bench.md`."""
    parts = [f"# {_escape(bench.suite)}", condition_line(bench), _table(HEAD, map(cells, bench.rows))]
    if stages := stage_table(bench):
        parts += ["## The best solution when each stage ended", _table(STAGE_HEAD, stages)]
    if lines := notes(bench):
        parts += ["## Notes", "\n".join(f"* {_escape(line)}" for line in lines)]
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
    return _template().render(
        bench=bench,
        conditions=condition_line(bench),
        head=HEAD,
        rows=[(row, cells(row)) for row in bench.rows],
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
