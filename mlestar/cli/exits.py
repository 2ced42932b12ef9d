"""How commands end: an exit status, and for known errors one line in place of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from mlestar.cli.terminal import echo_error
from mlestar.errors import OperatorError, StopRequested, UserError, WeakModelError, clean_text

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""The parent of typer's errors about options and commands: of click, or of typer's own copy of it, which has no public
name."""
SOLVED, NO_SOLUTION, BAD_INPUT, PAUSED, INTERRUPTED = 0, 1, 2, 3, 130


class Commands(TyperGroup):
    """Ends known errors in one line and an exit status; text that it quotes is cleaned."""

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        with _clean_usage_errors():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _clean_usage_errors():
                return super().invoke(ctx)
        except UserError as error:
            raise _stop(str(error), BAD_INPUT) from None
        except OperatorError as error:
            status = INTERRUPTED if isinstance(error, StopRequested) else NO_SOLUTION
            advice = "" if isinstance(error, WeakModelError) else _describe_resume(error.run)
            raise _stop(f"{error}{advice}", status) from None
        except KeyboardInterrupt as error:
            # Besides the folder of the run, a cancellation may have a message of whoever cancelled.
            run = next((str(value) for value in error.args if Path(str(value)).is_dir()), None)
            raise _stop(f"interrupted{_describe_resume(run)}", INTERRUPTED) from None


@contextmanager
def _clean_usage_errors() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        vars(error)["message"] = clean_text(str(vars(error)["message"]))
        raise


def _describe_resume(run: str | None) -> str:
    """Return the command that resumes the run of a folder, empty when there is no run yet."""
    if run is None:
        return ""
    from mlestar.store import RunFolder

    return f"; what was reached is saved; continue with: mlestar resume {RunFolder.at(run).arguments}"


def _stop(message: str, status: int) -> typer.Exit:
    echo_error(f"mlestar: {' '.join(clean_text(message).split())}")
    return typer.Exit(status)
