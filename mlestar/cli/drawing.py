"""How a terminal shows where a run stands: lines that fit its width and height, broken between words."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from mlestar.errors import whole_line
from mlestar.events import RunFacts, Spending
from mlestar.metrics.precision import format_score
from mlestar.progress import Running, RunView, TrackView
from mlestar.report.amounts import dollars, duration, tokens

INDENT = 7
"""Columns of the names at the left."""
SEPARATOR = "  "
BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 24
"""Scores in the sparkline, the last ones. Chosen by judgement."""
MOST_IMPROVEMENTS = 4
BESIDE = ("export", "rescore")
"""Stages that belong to no step of a track's loops."""
METER = 12
"""Columns of a script's time against its limit."""


def draw(view: RunView, now: float, width: int, height: int, *, unicode: bool = True) -> Text:
    """Return where a run stands at a time, in lines that are no wider than a terminal and leave room for one above.

    Args:
        view: of the run.
        now: seconds since 1970.
        width: columns of the terminal.
        height: its rows.
        unicode: whether it shows more than ASCII.
    """
    tracks = [line for name, track in view.shown_tracks() for line in _track(view, name, track, now, width, unicode)]
    rest = [*_best(view, width, unicode), *_row("spent", _spent(view.spend, view.run), width), *_failed(view, width)]
    head = _row("run", _head(view, now), width)
    room = max(1, height - 1 - len(head) - len(rest))
    if len(tracks) > room:
        tracks = [*tracks[: room - 1], Text(f"{'':{INDENT}}{len(tracks) - room + 1} more lines", style="dim")]
    return Text("\n").join([*head, *tracks, *rest][: max(1, height - 1)])


def cut_words(text: str, width: int) -> str:
    """Return the words of a text that fit a width, with an ellipsis where some are left out."""
    if cell_len(text) <= width:
        return text
    kept = ""
    for word in text.split(" "):
        longer = f"{kept} {word}".strip()
        if cell_len(longer) > width - 2:
            break
        kept = longer
    # A first word that does not fit is all that there is.
    return f"{kept} …" if kept else set_cell_size(text, max(0, width - 1)) + "…"


def flow(parts: Iterable[Text], width: int) -> list[Text]:
    """Return lines with as many parts each as fit beside each other; a part that is too long is cut after a word."""
    lines: list[Text] = []
    for part in parts:
        if part.cell_len > width:
            part = Text(cut_words(part.plain, width), style=part.style)
        if lines and lines[-1].cell_len + len(SEPARATOR) + part.cell_len <= width:
            lines[-1].append(SEPARATOR).append_text(part)
        else:
            lines.append(Text().append_text(part))
    return lines


def sparkline(scores: Sequence[float], direction: str) -> str:
    """Return a bar for each score, the taller the better."""
    last = scores[-MOST_BARS:]
    low, high = min(last), max(last)
    if high == low:
        return BARS[0] * len(last)
    shares = [(score - low) / (high - low) for score in last]
    heights = [1 - share if direction == "minimize" else share for share in shares]
    return "".join(BARS[round(height * (len(BARS) - 1))] for height in heights)


def _row(name: str, parts: Sequence[Text], width: int) -> list[Text]:
    """Return lines with a name at the left of the first."""
    lines = flow(parts, max(10, width - INDENT))
    return [
        Text().append(f"{name if number == 0 else '':{INDENT}}", style="cyan").append_text(line)
        for number, line in enumerate(lines)
    ]


def _head(view: RunView, now: float) -> list[Text]:
    run, seconds = view.run, view.active_seconds(now)
    if run is None:
        return [Text("reading the task"), Text(duration(seconds))]
    limit = run.max_hours * 3600
    time = f"{duration(seconds)} of {duration(limit)}, {duration(limit - seconds)} left"
    ending = [Text(view.status.replace("_", " "), style="bold")] if view.status else []
    return [
        Text(whole_line(run.run_id), style="bold"),
        Text(time),
        Text(f"{run.profile}, {whole_line(run.model)}"),
        *ending,
    ]


def _track(view: RunView, name: int | None, track: TrackView, now: float, width: int, unicode: bool) -> list[Text]:
    works = [running for running in view.running.values() if running.track == name]
    label = "" if name is None else f"t{name}"
    counters = [Text(text)] if (text := track.describe_loops(view.run)) else []
    if not works:
        ending = view.last if view.status else now
        idle = Text(f"{whole_line(track.stage).replace('_', ' ')} {duration(ending - track.since)}", style="dim")
        return _row(label, [*counters, idle], width)
    lines: list[Text] = []
    for work in works:
        parts = _work(work, now, unicode)
        beside = work.stage in BESIDE
        lines += _row(label if not lines else "", parts if beside else [*counters, *parts], width)
        counters = counters if beside else []
    return lines


def _work(work: Running, now: float, unicode: bool) -> list[Text]:
    """Return what runs, for how long, and what for."""
    seconds = now - work.since
    if work.work != "execution":
        return [Text(f"{whole_line(work.message)} {duration(seconds)}")]
    name = Text(whole_line(work.solution or work.message), style="bold")
    stage = whole_line(work.stage).replace("_", " ")
    name.append("" if stage in ("", "execute") else f" {stage}", style="not bold")
    time = Text(f"script {duration(seconds)}")
    if work.limit:
        time.append(f" of {duration(work.limit)}")
        if unicode:
            time.append(" ").append_text(_meter(seconds / work.limit))
    about = whole_line(work.plan or work.title)
    return [name, time, *([Text(about, style="dim")] if about else [])]


def _meter(share: float) -> Text:
    full = round(min(1.0, max(0.0, share)) * METER)
    color = "yellow" if share > 0.8 else "green"
    return Text("━" * full, style=color).append("━" * (METER - full), style="bright_black")


def _best(view: RunView, width: int, unicode: bool) -> list[Text]:
    """Return the best score so far, the scores in their order, and the last improvements."""
    best = view.best
    if best is None:
        return _row("best", [Text(whole_line(view.standing) or "no score yet", style="dim")], width)
    score = Text(format_score(best.score, best.error), style="bold green")
    parts = [score, Text(whole_line(best.solution)), Text(whole_line(best.title), style="dim")]
    if view.standing:
        parts = [Text(whole_line(view.standing), style="bold green"), *parts]
    if unicode and len(view.scores) > 1:
        parts.insert(1, Text(sparkline(view.scores, view.direction), style="green"))
    lines = _row("best", parts, width)
    if len(view.improvements) > 1:
        lines += _row("", [Text(_history(view, width - INDENT, " → " if unicode else " > "), style="dim")], width)
    return lines


def _history(view: RunView, width: int, arrow: str) -> str:
    """Return the last improvements that fit beside each other."""
    steps = [
        f"{whole_line(step.solution)} {format_score(step.score)}" for step in view.improvements[-MOST_IMPROVEMENTS:]
    ]
    while len(steps) > 1 and cell_len(arrow.join(steps)) > width:
        steps.pop(0)
    return arrow.join(steps)


def _spent(spend: Spending, run: RunFacts | None) -> list[Text]:
    """Return what the run has cost, against its caps."""
    used = tokens(spend.tokens)
    executions = f"{spend.executions} executions"
    money = dollars(spend.usd)
    if run is not None:
        used += "" if run.max_tokens is None else f" of {tokens(run.max_tokens).removesuffix(' tokens')}"
        executions += "" if run.max_executions is None else f" of {run.max_executions}"
        money += "" if run.max_usd is None else f" of {dollars(run.max_usd)}"
    return [Text(part) for part in (f"{spend.model_calls} calls", used, money, executions)]


def _failed(view: RunView, width: int) -> list[Text]:
    """Return one line with the number of failures and the last reason, nothing where none failed."""
    if not view.problems:
        return []
    last, room = view.problems[-1], width - INDENT
    number = f"{view.failures}, last " if view.failures else ""
    where = f"{number}{whole_line(last.solution)}: " if last.solution or number else ""
    text = cut_words(where + whole_line(last.reason), room)
    return [Text().append(f"{'failed':{INDENT}}", style="cyan").append(text, style="yellow")]
