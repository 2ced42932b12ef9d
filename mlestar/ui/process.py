"""The program of a process that works on one run: it reads an order and calls the public API.

It runs as `python -m mlestar.ui.process`, so that a run goes on when the page or its server ends, and Ctrl-C reaches it
as it reaches `mlestar run`.
"""

import sys
import traceback

from mlestar.api import fork, resume, solve
from mlestar.errors import MlestarError, OperatorError, StopRequested, clean_text, mask_secrets, one_line
from mlestar.ui.order import Order

FAILED = 1


def main() -> None:
    """Do what the order on standard input says; what went wrong is the last line of standard error."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    try:
        _work(order)
    except StopRequested:
        return
    except KeyboardInterrupt:
        return
    except MlestarError as error:
        _say(str(error), saved=isinstance(error, OperatorError))
    except Exception as error:
        sys.stderr.write(mask_secrets(clean_text("".join(traceback.format_exception(error)))))
        _say(f"a defect: {type(error).__name__}: {error}", saved=False)


def _work(order: Order) -> None:
    if order.do == "solve":
        solve(order.task, settings={**order.settings, "runs_dir": order.runs_dir}, run_id=order.run_id)
    elif order.do == "resume":
        resume(order.run_id, runs_dir=order.runs_dir, settings=order.settings, answers=order.answers)
    else:
        fork(
            order.source,
            at=order.at,
            answer=order.answer,
            settings=order.settings,
            fork_id=order.run_id,
            runs_dir=order.runs_dir,
        )


def _say(message: str, *, saved: bool) -> None:
    end = "; what was reached is saved" if saved else ""
    sys.stderr.write(f"{one_line(mask_secrets(message), 1000)}{end}\n")
    sys.exit(FAILED)


if __name__ == "__main__":
    main()
