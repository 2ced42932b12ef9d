"""The live view of a run in a terminal: where it stands, below the lines about what has happened."""

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from mlestar.cli.console import Progress
from mlestar.cli.drawing import draw
from mlestar.events import Event
from mlestar.progress import RunView, read_events
from mlestar.store.folder import EVENTS

REFRESH_SECONDS = 0.5
_UTF = "utf"


def shows_live(console: Console) -> bool:
    """Whether a console is a terminal that can draw again what it has drawn."""
    return console.is_terminal and console.is_interactive and not console.is_dumb_terminal and console.file.isatty()


class LiveProgress(Progress):
    """Prints one line per event, and below them where the run stands, drawn again twice a second.

    Everything that is printed between `__enter__` and `__exit__` goes through this object or `held`.
    """

    def __init__(self, console: Console, view: RunView | None = None) -> None:
        """Take the console, which is a terminal, and the view of a run that has begun before."""
        super().__init__(console)
        self.view = view or RunView()
        self.view.began = self.view.began or time.time()
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._live: Live | None = None
        self._ticking: threading.Thread | None = None
        self._widths: list[int] = []
        """Columns of the lines that were drawn last."""

    def __enter__(self) -> "LiveProgress":
        self._start()
        self._ticking = threading.Thread(target=self._tick, name="live-view", daemon=True)
        self._ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if self._ticking is not None:
            self._ticking.join()
        self._stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._recall(event)
            self.view.add(event)
            super().__call__(event)

    def _recall(self, event: Event) -> None:
        """Take into account what earlier sessions of a run have written into its folder."""
        if event.run is not None and self.view.run is None:
            earlier = read_events(Path(event.run.folder) / EVENTS)
            self.view.add_all(past for past in earlier if past.time < event.time)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Remove the view and keep lines back while a person is asked or another program uses the terminal."""
        self._stop()
        with super().held():
            yield
        self._start()

    def _print(self, line: Text) -> None:
        with self._lock:
            self._adapt()
            super()._print(line)

    def _start(self) -> None:
        with self._lock:
            if self._ending.is_set() or self._live is not None:
                return
            self._live = Live(
                get_renderable=self._draw,
                console=self._console,
                auto_refresh=False,
                transient=True,
                # What goes elsewhere stays there.
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start(refresh=True)

    def _stop(self) -> None:
        with self._lock:
            if self._live is not None:
                self._adapt()
                self._live.stop()
            self._live = None

    def _tick(self) -> None:
        while not self._ending.wait(REFRESH_SECONDS):
            with self._lock:
                if self._live is not None:
                    self._adapt()
                    self._live.refresh()

    def _draw(self) -> Text:
        width, height = self._console.size
        text = draw(self.view, time.time(), width, height, unicode=self._console.encoding.startswith(_UTF))
        self._widths = [line.cell_len for line in text.split("\n")]
        text.no_wrap, text.overflow = True, "crop"
        return text

    def _adapt(self) -> None:
        """Remove the rows that a terminal made of lines that became too wide for it: it was made narrower."""
        if self._live is None:
            return
        width = max(1, self._console.width)
        extra = sum(max(0, math.ceil(columns / width) - 1) for columns in self._widths)
        if extra:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *(up * extra)))
            self._widths = []
