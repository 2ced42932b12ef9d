"""A benchmark in the terminal: a line for each row that ended, and what is running."""

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mlestar.bench.rows import BenchRow
from mlestar.bench.run import Progress
from mlestar.bench.tables import EMPTY, optimism
from mlestar.metrics.precision import format_score

_WIDTHS = {"task": 28, "tool": 18, "seed": 4, "graded": 20, "holdout": 20, "fresh": 20, "optimism": 18, "seconds": 7}


class LiveTable:
    """Prints each row as it ends; below them, on a terminal, what is running and for how long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._began = False

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, progress: Progress, row: BenchRow | None) -> None:
        if not self._began:
            self._began = True
            self._print(Text(_line(dict(zip(_WIDTHS, _WIDTHS, strict=True))), style="dim"))
            for finished in progress.rows:
                self._print(_show(finished))
        elif row is not None:
            self._print(_show(row))
        self._live.update(_status(progress))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)


def _line(values: dict[str, str]) -> str:
    return "  ".join(value.ljust(_WIDTHS[name]) for name, value in values.items()).rstrip()


def _show(row: BenchRow) -> Text:
    graded = row.graded
    values = {
        "task": row.task,
        "tool": row.tool,
        "seed": str(row.seed),
        "graded": EMPTY if graded.score is None else format_score(graded.score, graded.standard_error),
        "holdout": format_score(row.holdout, row.holdout_se),
        "fresh": format_score(row.fresh, row.fresh_se),
        "optimism": optimism(row),
        "seconds": f"{row.seconds:.0f}",
    }
    line = Text(_line(values))
    if graded.score is None:
        line.append(f"  {row.status.replace('_', ' ')}: {row.reason}", style="yellow")
    return line


def _status(progress: Progress) -> Text:
    lines = [f"{len(progress.rows)} of {progress.total} rows"]
    now = time.monotonic()
    for job, since in list(progress.running.items()):
        minutes, seconds = divmod(int(now - since), 60)
        lines.append(f"  {job.task.id}, {job.tool.name}, seed {job.seed}: {minutes}:{seconds:02d}")
    return Text("\n".join(lines), style="dim")
