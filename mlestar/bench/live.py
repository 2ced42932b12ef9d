"""A benchmark in the terminal: a line for each row that ended, and what is running."""

import time
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mlestar.bench.rows import BenchRow
from mlestar.bench.run import Progress
from mlestar.bench.tables import optimism
from mlestar.metrics.precision import format_score
from mlestar.report.amounts import duration

_SCORE = 17
"""Characters of a score with its error."""
_WIDTHS = {"seed": 4, "graded": _SCORE, "holdout": _SCORE, "fresh": _SCORE, "optimism": _SCORE, "seconds": 7}
_LEFT_OUT = ("optimism", "holdout", "fresh")
"""Columns that a narrow terminal does not show, the first of them first. The tables in files have all."""
_GAP = "  "


class LiveTable:
    """Prints each row as it ends; below them, on a terminal, what is running and for how long."""

    def __init__(self, console: Console, tasks: Iterable[str], tools: Iterable[str]) -> None:
        """Take the console, and the names that the rows will have."""
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._began = False
        self._widths = {"task": _longest("task", tasks), "tool": _longest("tool", tools), **_WIDTHS}
        if console.is_terminal:
            self._fit(console.width)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, progress: Progress, row: BenchRow | None) -> None:
        if not self._began:
            self._began = True
            self._print(Text(self._line({name: name for name in self._widths}), style="dim"))
            for finished in progress.rows:
                self._print(self._show(finished))
        elif row is not None:
            self._print(self._show(row))
        self._live.update(_status(progress))

    def _fit(self, width: int) -> None:
        for name in _LEFT_OUT:
            if sum(self._widths.values()) + len(_GAP) * (len(self._widths) - 1) > width:
                del self._widths[name]

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)

    def _line(self, values: dict[str, str]) -> str:
        return _GAP.join(values[name].ljust(width) for name, width in self._widths.items() if name in values).rstrip()

    def _show(self, row: BenchRow) -> Text:
        names = {"task": row.task, "tool": row.tool, "seed": str(row.seed)}
        if row.graded.score is None:
            ending = f"{row.status.replace('_', ' ')}: {row.reason}"
            line = Text(self._line({**names, "graded": ending}))
            line.stylize("yellow", len(line) - len(ending))
            return line
        scores = {
            "graded": format_score(row.graded.score, row.graded.standard_error),
            "holdout": format_score(row.holdout, row.holdout_se),
            "fresh": format_score(row.fresh, row.fresh_se),
            "optimism": optimism(row),
        }
        return Text(self._line({**names, **scores, "seconds": f"{row.seconds:.0f}"}))


def _longest(head: str, names: Iterable[str]) -> int:
    return max(map(len, (head, *names)))


def _status(progress: Progress) -> Text:
    lines = [f"{len(progress.rows)} of {progress.total} rows"]
    now = time.monotonic()
    for job, since in list(progress.running.items()):
        lines.append(f"  {job.task.id}, {job.tool.name}, seed {job.seed}: {duration(now - since)}")
    if progress.step:
        lines.append(f"  {progress.step}")
    return Text("\n".join(lines), style="dim")
