"""Progress lines and the result in the terminal. Untrusted text is never parsed as markup."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlestar.errors import clean_text
from mlestar.events import Event
from mlestar.metrics.precision import format_claim, format_score
from mlestar.report import BaselineRow, Result
from mlestar.report.amounts import dollars, duration, tokens
from mlestar.report.representation import score_lines, short_path

_TIME_COLUMN, _TEXT_COLUMN = 8, 26
"""Columns at which the stage and the text of a line begin."""
_NARROW = 60
"""Columns of a terminal below which a line that goes on is indented less."""


class Progress:
    """Prints one line per event, with the time since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.started: float | None = None
        """Time of the first event, from which the lines count."""
        self._kept: list[Text] | None = None
        """Lines that wait while another program uses the terminal."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        if self.started is None:
            self.started = event.time
        if not event.is_line:
            return
        line = Text(f"{duration(event.time - self.started):>6}  ", style="dim")
        where = f"t{event.track} " if event.track is not None and event.track >= 0 else ""
        line.append(f"{where}{event.stage}".ljust(18), style="cyan")
        line.append(self._body(event))
        if self._kept is None:
            self._print(line)
        else:
            self._kept.append(line)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep lines back while another program uses the terminal, and print them afterwards."""
        self._kept = []
        try:
            yield
        finally:
            lines, self._kept = self._kept, None
            for line in lines:
                self._print(line)

    def _print(self, line: Text) -> None:
        """Print a line: on a terminal broken between words, below where its text begins; elsewhere in one."""
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True, highlight=False)
            return
        indent = _TEXT_COLUMN if self._console.width >= _NARROW else _TIME_COLUMN
        head, body = line.divide([indent])
        for number, part in enumerate(body.wrap(self._console, max(1, self._console.width - indent))):
            part.rstrip()
            shown = head if number == 0 else Text(" " * indent)
            self._console.print(shown + part, highlight=False, no_wrap=True, crop=False)

    def _body(self, event: Event) -> Text:
        if event.verdict is None:
            return Text(event.message, style="bold red" if event.message.startswith("NO HOLDOUT") else "")
        body = Text(f"{event.solution or '':8} ")
        cost = "" if event.spend is None else f"  [{tokens(event.spend.tokens)}, {dollars(event.spend.usd)}]"
        if event.standing:
            body.append(event.standing, style="bold green")
        elif event.score is None:
            return body.append(f"{event.verdict}  {event.message}", style="yellow").append(cost, style="dim")
        else:
            body.append(format_score(event.score, event.standard_error), style="bold green")
        claim = f"  (reported {format_claim(event.reported)}, {event.seconds or 0:.1f} s)  "
        return body.append(claim, style="dim").append(event.message).append(cost, style="dim")


def show_result(console: Console, result: Result) -> None:
    """Print the scores and the paths of the files."""
    table = Table.grid(padding=(0, 2))
    for name, value, meaning in score_lines(result.score):
        table.add_row(Text(name, style="cyan"), Text(value, style="bold"), Text(meaning, style="dim"))
    for name, value, meaning in result.start.lines if result.start else ():
        table.add_row(Text(name, style="cyan"), Text(clean_text(value)), Text(clean_text(meaning), style="dim"))
    for baseline in result.baselines:
        table.add_row(*_baseline_cells(baseline))
    if result.uncertainty is not None and result.uncertainty.kind != "none":
        name = "sets" if result.uncertainty.kind == "set" else "intervals"
        table.add_row(Text(name, style="cyan"), Text(""), Text(result.uncertainty.summary, style="dim"))
    console.print(Panel(table, title=_title(result), border_style=_color(result), expand=False))
    spent = Text("spent      ", style="cyan").append(Text(str(result.spend), style="default"))
    console.print(spent, soft_wrap=not console.is_terminal, highlight=False)
    start_warning = clean_text(result.start.warning) if result.start else ""
    for line in filter(None, (result.message, result.baseline_warning, start_warning)):
        console.print(Text(line, style="yellow"))
    for weak in result.weak_models:
        console.print(Text(weak, style="yellow"))
    for row in result.caps:
        console.print(Text(f"{row.cap} ({row.limit:g}) stopped: {', '.join(row.stopped)}", style="yellow"))
    if result.fallback:
        console.print(Text(f"No holdout: {result.fallback}. The score is the script's own claim.", style="bold red"))
    for name, path in (("solution", result.solution), ("submission", result.submission), ("report", result.report)):
        if path:
            console.print(
                Text(f"{name:11}", style="cyan"), Text(short_path(path)), sep="", soft_wrap=True, highlight=False
            )


def _baseline_cells(row: BaselineRow) -> tuple[Text, Text, Text]:
    """Return the name of a baseline, its fresh score, or that of the holdout where there is no other, and the rest."""
    name = Text(row.name, style="cyan")
    if row.holdout is None and row.fresh is None:
        return name, Text("-"), Text(row.message, style="dim")
    fresh, holdout = format_score(row.fresh, row.fresh_se), format_score(row.holdout, row.holdout_se)
    rest = "; ".join(filter(None, [f"{holdout} on the holdout", row.how, row.message]))
    return name, Text(fresh), Text(f"fresh; {rest}", style="dim")


def _color(result: Result) -> str:
    """Return the colour of a result: a baseline that was submitted is no success of the run."""
    if result.solution is None:
        return "red"
    return "yellow" if result.status == "baseline" else "green"


def _title(result: Result) -> Text:
    return Text(f"{result.task}: {result.status.replace('_', ' ')}, {result.metric} ({result.direction})")
