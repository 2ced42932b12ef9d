"""Downloads: within limits of size, time and disk, resumed where they were interrupted."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from mlestar.errors import RunnerError, first_line
from mlestar.runners.supply.weights.address import WeightsError, check_scheme

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 4
"""Failures in a row, without a byte in between, after which a download is given up. Chosen by judgement."""
PAUSE_SECONDS = 1.0
"""Time before a failed download goes on; doubled each time. Chosen by judgement; not measured."""
READ_SECONDS = 30.0
"""Time within which a server must send something. Chosen by judgement; not measured."""
MAX_SECONDS = 3600.0
"""Time for one file, so that a server that sends a byte now and then cannot stop a run for ever. Chosen by judgement;
not measured."""
REPORT_SECONDS = 5.0
"""Time between two lines about progress. Chosen by judgement; not measured."""
RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may succeed later."""


class _TryAgainError(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file to fetch."""

    url: str
    part: Path
    """Where it is written; what is there already is kept."""
    max_bytes: int
    """Bytes that it may have at most."""
    over: str
    """Message when it has more."""
    size: int | None = None
    """Bytes that it must have, where that is known."""
    headers: Mapping[str, str] = field(default_factory=dict)
    label: str
    """Its name in messages."""


class Downloader:
    """Fetches files one after another; its methods block."""

    def __init__(self, report: Callable[[str], None], stopped: Event, check_space: Callable[[int], None]) -> None:
        """Describe what fetches files.

        Args:
            report: receives lines about progress.
            stopped: set when nobody waits for a download any more.
            check_space: raises when so many bytes do not fit on the disk.
        """
        self._report = report
        self._stopped = stopped
        self._check_space = check_space

    def fetch(self, download: Download) -> None:
        """Complete a file.

        Raises:
            WeightsError: the server refuses it, or it is too large.
            RunnerError: it was stopped, or the disk is full.
        """
        import httpx

        def check(request: "httpx.Request") -> None:
            check_scheme(str(request.url), first=download.url)

        self._cut(download)
        if self._is_complete(download):
            return
        deadline, failures = time.monotonic() + MAX_SECONDS, 0
        client = httpx.Client(follow_redirects=True, timeout=READ_SECONDS, event_hooks={"request": [check]})
        with client:
            while True:
                before = _present(download.part)
                try:
                    self._transfer(client, download, deadline)
                    return
                except (httpx.TransportError, _TryAgainError) as error:
                    failures = 1 if _present(download.part) > before else failures + 1
                    self._wait_or_give_up(download, failures, error)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    msg = f"{download.label} cannot be fetched: {first_line(str(error))}"
                    raise WeightsError(msg) from error

    def _cut(self, download: Download) -> None:
        """Delete what is longer than the file."""
        limit = download.size if download.size is not None else download.max_bytes
        if _present(download.part) > limit:
            download.part.unlink()

    def _is_complete(self, download: Download) -> bool:
        if download.size == 0:
            download.part.touch()
        return download.part.exists() and _present(download.part) == download.size

    def _wait_or_give_up(self, download: Download, failures: int, error: Exception) -> None:
        why = first_line(str(error)) or type(error).__name__
        if failures >= ATTEMPTS:
            msg = f"{download.label} cannot be fetched: {why}; the fetched part is kept for the next attempt"
            raise WeightsError(msg) from error
        self._report(f"{download.label}: {why}; trying again")
        if self._stopped.wait(PAUSE_SECONDS * 2 ** (failures - 1)):
            raise RunnerError(_STOPPED)

    def _transfer(self, client: "httpx.Client", download: Download, deadline: float) -> None:
        offset = _present(download.part)
        # Compressed content would have neither the size nor the hash that is known.
        headers = {**download.headers, "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with client.stream("GET", download.url, headers=headers) as response:
            offset = self._start(response, download, offset)
            self._check_size(response, download, offset)
            self._write(response, download, offset, deadline)
        if download.size is not None and _present(download.part) != download.size:
            raise _TryAgainError(f"the connection ended after {_present(download.part):,} of {download.size:,} bytes")

    def _start(self, response: "httpx.Response", download: Download, offset: int) -> int:
        """Return where the content of an answer begins."""
        if response.status_code == 206 and response.headers.get("content-range", "").startswith(f"bytes {offset}-"):
            return offset
        if response.status_code == 200:
            return 0
        if response.status_code in (206, 416):
            download.part.unlink(missing_ok=True)
            raise _TryAgainError("the server cannot continue the file")
        if response.status_code in RETRIED:
            raise _TryAgainError(f"the server answers {response.status_code}")
        msg = f"{download.label} cannot be fetched: the server answers {response.status_code}"
        raise WeightsError(msg)

    def _check_size(self, response: "httpx.Response", download: Download, offset: int) -> None:
        length = response.headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else 0
        if offset + announced > download.max_bytes:
            raise WeightsError(download.over)
        self._check_space((download.size or offset + announced) - offset)

    def _write(self, response: "httpx.Response", download: Download, offset: int, deadline: float) -> None:
        limit = download.size if download.size is not None else download.max_bytes
        reported, count = time.monotonic(), offset
        with download.part.open("ab") as file:
            file.truncate(offset)
            # With a chosen chunk size, the last part before an interruption would be lost.
            for chunk in response.iter_raw():
                if self._stopped.is_set():
                    raise RunnerError(_STOPPED)
                if time.monotonic() > deadline:
                    msg = f"{download.label} was not complete after {MAX_SECONDS / 60:.0f} minutes"
                    raise WeightsError(msg)
                count += len(chunk)
                if count > limit:
                    raise WeightsError(download.over)
                file.write(chunk)
                if time.monotonic() - reported > REPORT_SECONDS:
                    reported = time.monotonic()
                    self._report(f"{download.label}: {_progress(count, download.size)}")


_STOPPED = "fetching weights was stopped"


def _present(part: Path) -> int:
    try:
        return part.lstat().st_size
    except FileNotFoundError:
        return 0


def _progress(count: int, size: int | None) -> str:
    return f"{count / 1e6:,.0f} of {size / 1e6:,.0f} MB" if size else f"{count / 1e6:,.0f} MB"
