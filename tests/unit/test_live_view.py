"""The live view of a run: what is drawn from given events, how lines are broken, and what is held back."""

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.text import Text

from mlestar.cli.console import Progress
from mlestar.cli.drawing import cut_words, draw, flow, sparkline
from mlestar.cli.live import LiveProgress, shows_live
from mlestar.cli.terminal import Console, echo_error
from mlestar.events import Event, RunFacts, Spending, Work
from mlestar.progress import EventLog, RunView
from mlestar.report.amounts import duration

START = 1_000_000.0
PLAN = "Fit extremely randomized trees beside the model and average the two, about two thirds to one third."
FACTS = RunFacts(
    run_id="churn-20260131-142501",
    folder="/runs/churn",
    profile="standard",
    model="google_genai:gemini-2.5-pro",
    tracks=2,
    outer_steps=2,
    inner_plans=3,
    max_hours=4,
    max_usd=5,
    max_tokens=2_000_000,
    max_executions=60,
    seconds=600,
)


def begin(work: Work, work_id: str, at: float, **facts: object) -> Event:
    values = {"stage": "execute", "message": work_id, "work": work, "work_id": work_id, "phase": "begin", **facts}
    return Event.model_validate({**values, "time": START + at})


def graded(solution: str, score: float | None, at: float, **facts: object) -> Event:
    values = {"stage": "candidate", "message": "LightGBM", "title": "LightGBM", "track": 0, "verdict": "ok"}
    values |= {"solution": solution, "score": score, "direction": "maximize", "standard_error": 0.01}
    return Event.model_validate({**values, "time": START + at, **facts})


def a_run() -> RunView:
    """Return a run of two tracks, ten minutes of which were in an earlier session."""
    view = RunView()
    spend = Spending(model_calls=14, tokens=230_000, usd=0.12, executions=6)
    error = "error: ValueError: could not convert string to float: 'a'"
    view.add_all(
        [
            Event(stage="run", message="begins", work="run", phase="begin", run=FACTS, time=START),
            begin("execution", "t0.c1", 5, track=0, limit=600.0, solution="t0.c1"),
            Event(stage="execute", message="ok", work="execution", work_id="t0.c1", phase="end", time=START + 20),
            graded("t0.c1", 0.71, 21),
            graded("t0.c2", 0.69, 22),
            graded("t1.c1", 0.74, 23, track=1),
            graded("t1.c2", None, 24, track=1, verdict="error", problem=error),
            begin("step", "", 30, track=0, stage="write_block", outer=1, inner=2, plan=PLAN),
            begin("execution", "a", 40, track=0, limit=600.0, solution="t0.r1.2", title="LightGBM", plan=PLAN),
            begin("call", "b", 90, track=1, role="planner", message="the planner is asked", stage="plan"),
            graded("t1.m1", 0.81, 95, track=1, spend=spend),
        ]
    )
    return view


def shown(view: RunView, width: int, height: int = 24, at: float = 100) -> list[str]:
    """Return the lines that a terminal of this size shows at a time after the start."""
    console = Console(width=width, record=True, file=io.StringIO(), color_system=None)
    console.print(draw(view, START + at, width, height), no_wrap=True)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(cell_len, shown(a_run(), width))) <= width


def test_at_80_columns_the_plan_has_a_line_of_its_own() -> None:
    assert shown(a_run(), 80) == [
        "run    churn-20260131-142501  11:40 of 4:00:00, 3:48:20 left",
        "       standard, google_genai:gemini-2.5-pro",
        "t0     block 1 of 2, plan 2 of 3  t0.r1.2  script 1:00 of 10:00 ━━━━━━━━━━━━",
        "       Fit extremely randomized trees beside the model and average the two, …",
        "t1     the planner is asked 0:10",
        "best   0.810 ± 0.010  ▂▁▄█  t1.m1  LightGBM",
        "       t0.c1 0.71 → t1.c1 0.74 → t1.m1 0.81",
        "spent  14 calls  230k tokens of 2M  $0.12 of $5.00  6 executions of 60",
        "failed 1, last t1.c2: error: ValueError: could not convert string to float: 'a'",
    ]


def test_at_200_columns_the_plan_is_beside_its_script() -> None:
    lines = shown(a_run(), 200)
    assert lines[1].endswith(f"t0.r1.2  script 1:00 of 10:00 ━━━━━━━━━━━━  {PLAN}")
    assert len(lines) == 7


@pytest.mark.parametrize("height", [3, 6, 8, 24])
def test_the_view_leaves_a_row_for_lines_above_it(height: int) -> None:
    view = a_run()
    for number in range(30):
        view.add(begin("execution", f"x{number}", 99, track=0, limit=600.0, solution=f"t0.c{number}"))
    lines = shown(view, 80, height)
    assert len(lines) <= height - 1
    assert any("more lines" in line for line in lines) == (height > 4)


def test_what_has_ended_is_no_longer_shown() -> None:
    view = a_run()
    view.add(Event(stage="execute", message="ok", track=0, work="execution", work_id="a", phase="end", time=START + 99))
    assert shown(view, 80)[2] == "t0     block 1 of 2, plan 2 of 3  execute 1:00"


def test_a_new_session_continues_the_time_and_runs_nothing_yet() -> None:
    view = a_run()
    view.add(Event(stage="run", message="stopped", work="run", phase="end", status="stopped", time=START + 100))
    assert "11:40 of" in shown(view, 80, at=5000)[0]
    later = FACTS.model_copy(update={"seconds": 700.0})
    view.add(Event(stage="run", message="begins", work="run", phase="begin", run=later, time=START + 9000))
    assert not view.running
    assert "11:50 of" in shown(view, 80, at=9010)[0]
    assert view.best is not None


def test_hostile_text_stays_on_its_line_and_is_no_markup() -> None:
    view = a_run()
    hostile = "[bold]x[/bold]\x1b[2J\n\r\u202e[/]"
    view.add(begin("execution", "h", 99, track=0, limit=9.0, solution=hostile, title=hostile, plan=hostile))
    lines = shown(view, 200)
    assert sum("[bold]x[/bold] [/]" in line for line in lines) == 1
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


def test_scores_that_are_not_shown_are_told_by_their_standing() -> None:
    view = a_run()
    view.add(graded("t0.r1.2", None, 99, standing="better than the best"))
    assert "t0.r1.2 better than the best before it" in shown(view, 80)[5]


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = draw(a_run(), START + 100, 80, 24, unicode=False).plain
    assert not set("━→▁█") & set(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (59.9, "0:59"), (600, "10:00"), (4 * 3600 + 61, "4:01:01")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_taller_bar_is_the_better_score() -> None:
    assert sparkline([1.0, 2.0, 3.0], "maximize") == "▁▅█"
    assert sparkline([1.0, 2.0, 3.0], "minimize") == "█▅▁"
    assert sparkline([1.0, 1.0], "maximize") == "▁▁"


def test_words_are_cut_whole() -> None:
    assert cut_words("one two three", 9) == "one two …"
    assert cut_words("界界界界 two", 9) == "界界界界…" or cell_len(cut_words("界界界界 two", 9)) <= 9
    assert cut_words("averylongword", 6) == "avery…"
    assert flow([], 10) == []


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(width: int = 60) -> tuple[Console, Screen]:
    """Return the console of a terminal, and what it shows."""
    stream = Screen()
    return Console(file=stream, width=width, height=20, _environ={"TERM": "xterm"}), stream


def test_lines_stand_above_the_view_and_the_view_is_removed_at_the_end() -> None:
    console, screen = terminal()
    assert shows_live(console)
    with LiveProgress(console) as progress:
        progress(Event(stage="rank", message="a first line"))
        assert "no score yet" in screen.getvalue()
    assert screen.getvalue().count("a first line") == 1
    assert screen.getvalue().endswith("\x1b[2K")


def test_nothing_is_drawn_while_a_person_is_asked() -> None:
    console, screen = terminal()
    with LiveProgress(console) as progress:
        with progress.held():
            before = screen.getvalue()
            progress(Event(stage="rank", message="a late line"))
            assert screen.getvalue() == before
        assert "a late line" in screen.getvalue()


def test_a_long_line_is_broken_between_words_on_a_terminal() -> None:
    console, screen = terminal()
    Progress(console)(Event(stage="rank", message="could not convert this string to a number at all", time=START))
    lines = Text.from_ansi(screen.getvalue()).plain.splitlines()
    assert lines == ["  0:00  rank              could not convert this string to a", " " * 26 + "number at all"]


def test_the_last_message_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    for name, value in {"COLUMNS": "40", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    echo_error("mlestar: interrupted; continue with: mlestar resume diabetes")
    assert screen.getvalue().splitlines() == ["mlestar: interrupted; continue with: ", "mlestar resume diabetes"]


def test_a_long_line_stays_whole_in_a_pipe() -> None:
    pipe = io.StringIO()
    message = "word " * 60
    Progress(Console(file=pipe))(Event(stage="rank", message=message))
    assert pipe.getvalue().count("\n") == 1


def test_rows_that_a_narrower_terminal_made_are_removed() -> None:
    console, screen = terminal(80)
    progress = LiveProgress(console, a_run())
    progress._start()
    columns, drawn = progress._widths, screen.getvalue()
    console.width = 30
    progress._adapt()
    added = screen.getvalue().removeprefix(drawn)
    progress._stop()
    assert added.count("\x1b[1A") == sum(-(-count // 30) - 1 for count in columns) > 0


def test_a_resumed_run_shows_what_earlier_sessions_reached(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.open()
    log(graded("t0.c1", 0.71, 21))
    log.close()
    facts = FACTS.model_copy(update={"folder": str(tmp_path)})
    with LiveProgress(terminal()[0]) as progress:
        progress(Event(stage="run", message="begins", work="run", phase="begin", run=facts))
    assert progress.view.best is not None
