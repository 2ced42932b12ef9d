"""How a command that works on a run, or follows one, shows it: live, as lines, as JSON, or only its result."""

from collections.abc import Callable
from functools import partial
from typing import Any

import typer

from mlestar.cli.console import Progress, show_result
from mlestar.cli.editor import is_terminal, write_reply
from mlestar.cli.exits import NO_SOLUTION, PAUSED, SOLVED
from mlestar.cli.live import LiveProgress, shows_live
from mlestar.cli.review_prompt import ask_in_terminal
from mlestar.cli.terminal import Console, echo_json
from mlestar.events import Event
from mlestar.progress import to_line
from mlestar.report import Result
from mlestar.state import Answer, Question


class Quiet(Progress):
    """Prints nothing."""

    def __call__(self, event: Event) -> None:
        pass


class Shown:
    """Where a command prints what people read, and what programs read."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        """Choose the ways.

        Args:
            as_json: events, unless `quiet`, and the result are printed on standard output, one JSON object per line;
                what people read goes to standard error.
            quiet: only the result is shown.
        """
        self.as_json, self.quiet = as_json, quiet
        self.console = Console(stderr=as_json)
        self.progress = self._choose()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if self.as_json and not self.quiet:
            echo_json(to_line(event).decode().rstrip("\n"))
        self.progress(event)

    def ask(self, question: Question) -> Answer:
        """Ask a person, who sees nothing else meanwhile."""
        with self.progress.held():
            return ask_in_terminal(self.console, question)

    def end(self, result: Result, after: Callable[[Console, Result], None] | None = None) -> None:
        """Print a result and exit with its status.

        Args:
            result: of the run.
            after: shows more of it to people.
        """
        if self.as_json:
            echo_json(result.model_dump_json())
        else:
            show_result(self.console, result)
            if after:
                after(self.console, result)
        if result.status == "paused":
            self.console.print(f"Continue with: mlestar resume {result.run_id} [--answer FILE]", markup=False)
            raise typer.Exit(PAUSED)
        raise typer.Exit(SOLVED if result.solution else NO_SOLUTION)

    def _choose(self) -> Progress:
        if self.quiet:
            return Quiet(self.console)
        # Two streams that share a terminal would write over each other.
        shared = self.as_json and typer.get_text_stream("stdout").isatty()
        return LiveProgress(self.console) if shows_live(self.console) and not shared else Progress(self.console)


def finish(
    work: Callable[[dict[str, Any]], Result],
    *,
    as_json: bool,
    quiet: bool,
    after: Callable[[Console, Result], None] | None = None,
) -> None:
    """Do the work with progress on the terminal, print the result and exit with its status.

    Args:
        work: is called with what shows progress and asks questions.
        as_json: print events and the result for programs.
        quiet: print only the result.
        after: shows more of the result.
    """
    shown = Shown(as_json=as_json, quiet=quiet)
    ask = shown.ask if is_terminal() else None
    with shown.progress as progress:
        result = work({"on_event": shown, "on_question": ask, "on_model_call": partial(write_reply, progress)})
    shown.end(result, after)
