"""Fetching weights into the store, and making folders of them for scripts."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mlestar.errors import clean_text, mask_secrets
from mlestar.files import sha256_of
from mlestar.runners.supply.weights.address import Address, FileAddress, HubAddress, WeightsError
from mlestar.runners.supply.weights.download import Download, Downloader
from mlestar.runners.supply.weights.hub import RemoteFile, Repository, describe_repository
from mlestar.runners.supply.weights.records import Entry, StoredFile
from mlestar.runners.supply.weights.store import WeightStore


@dataclass(frozen=True)
class _Fetching:
    downloader: Downloader
    store: WeightStore
    max_mb: int
    report: Callable[[str], None]


class WeightSupplier:
    """Supplies weights from a store, and fetches into it what a caller has decided to fetch."""

    def __init__(
        self,
        store: WeightStore,
        *,
        max_mb: int,
        endpoint: str | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Describe the supplier; nothing is opened.

        Args:
            store: where weights are kept.
            max_mb: MB of one repository or file.
            endpoint: address of the hub; None: that of its client.
            on_progress: receives lines about downloads.
        """
        self.store = store
        self._max_mb = max_mb
        self._endpoint = endpoint
        self._report = on_progress or (lambda line: None)
        self._use: IO[bytes] | None = None
        self._opening = threading.Lock()
        self._fetching = asyncio.Lock()

    async def find(self, address: Address) -> Entry | None:
        """Return what the store has of an address, None when it lacks it; it stays there while this process lives."""
        return await asyncio.to_thread(self._find, address)

    def _find(self, address: Address) -> Entry | None:
        if self.store.folder.is_dir():
            self._hold()
        return self.store.find(address)

    def _hold(self) -> None:
        """Keep others from removing weights from the store."""
        with self._opening:
            if self._use is None:
                self._use = self.store.hold()

    async def fetch(self, address: Address) -> Entry:
        """Fetch weights, unless the store has them, one address after another; when cancelled, stop.

        Raises:
            WeightsError: they cannot be fetched, are too large, or are not what was stated.
            RunnerError: the store cannot be written, or the disk is full.
        """
        stopped = threading.Event()
        async with self._fetching:
            try:
                await asyncio.to_thread(self._hold)
                return await asyncio.to_thread(self.fetch_blocking, address, stopped)
            except asyncio.CancelledError:
                stopped.set()
                raise

    def fetch_blocking(self, address: Address, stopped: threading.Event | None = None, *, again: bool = False) -> Entry:
        """Do the same for callers without an event loop.

        Args:
            address: of the weights.
            stopped: set when nobody waits any more.
            again: ask for the newest commit of a branch, although the store has an earlier one.
        """
        stopped = stopped or threading.Event()

        def on_wait() -> None:
            self._report(f"{_shown(address)}: waiting for another process that fetches it")

        with self.store.fetching(address, stopped, on_wait):
            entry = None if again and _may_move(address) else self.store.find(address)
            if entry is not None:
                return entry
            downloader = Downloader(self._report, stopped, self.store.check_space)
            work = _Fetching(downloader, self.store, self._max_mb, self._report)
            entry = (
                _fetch_file(work, address)
                if isinstance(address, FileAddress)
                else _fetch_repository(work, describe_repository(address, self._endpoint))
            )
            self.store.record(entry, address)
            return entry

    async def view(self, weights: Mapping[Address, Entry]) -> Path:
        """Return the folder of these weights for a script; they stay in the store while this process lives.

        Args:
            weights: entries by the addresses that the script declares.

        Raises:
            WeightsError: two of them have the same name.
        """
        return await asyncio.to_thread(self.view_blocking, weights)

    def view_blocking(self, weights: Mapping[Address, Entry]) -> Path:
        """Do the same for callers without an event loop."""
        self._hold()
        return self.store.make_view(weights)

    def close(self) -> None:
        """Let others remove weights from the store."""
        use, self._use = self._use, None
        if use is not None:
            use.close()


def _may_move(address: Address) -> bool:
    return isinstance(address, HubAddress) and not address.is_pinned


def _shown(address: Address) -> str:
    return mask_secrets(str(address).partition("#")[0])


def _over(work: _Fetching, name: str, size: int | None = None) -> str:
    has = f"has {size / 1e6:,.0f} MB" if size is not None else "is larger"
    return f"{name} {has}: at most {work.max_mb:,} MB are fetched (--set weight_mb); choose a smaller one"


def _fetch_repository(work: _Fetching, repository: Repository) -> Entry:
    address, limit = repository.address, work.max_mb * 10**6
    if repository.size > limit:
        raise WeightsError(_over(work, str(address), repository.size))
    count, size = len(repository.files), repository.size / 1e6
    licence = repository.licence or "unknown"
    work.report(f"weights {address}: {size:,.1f} MB in {count} files, licence {licence}")
    work.store.check_space(repository.size)
    stored = [_fetch_remote(work, repository, file) for file in repository.files]
    return Entry(
        address=str(address),
        kind="hub",
        repository=address.repository,
        revision=address.revision,
        files=tuple(stored),
        licence=repository.licence,
        fetched=_now(),
    )


def _fetch_remote(work: _Fetching, repository: Repository, file: RemoteFile) -> StoredFile:
    label = f"{repository.address.repository}/{clean_text(file.name)}"
    if file.sha256 and work.store.has_blob(file.sha256, file.size):
        return StoredFile(name=file.name, sha256=file.sha256, size=file.size)
    download = Download(
        url=file.url,
        part=work.store.partial(f"{repository.address} {file.name}"),
        max_bytes=file.size,
        over=f"{label} is larger than the {file.size:,} bytes that the hub states",
        size=file.size,
        headers=repository.headers,
        label=label,
    )
    return StoredFile(name=file.name, sha256=_complete(work, download, file.is_content), size=file.size)


def _fetch_file(work: _Fetching, address: FileAddress) -> Entry:
    label = _shown(address)
    download = Download(
        url=address.url,
        part=work.store.partial(str(address)),
        max_bytes=work.max_mb * 10**6,
        over=_over(work, label),
        label=label,
    )
    work.report(f"weights {label}: the licence is not known")
    sha256 = _complete(work, download, lambda path: sha256_of(path) == address.sha256)
    file = StoredFile(name=address.file_name, sha256=sha256, size=work.store.blob(sha256).stat().st_size)
    return Entry(address=str(address), kind="file", files=(file,), fetched=_now())


def _complete(work: _Fetching, download: Download, is_content: Callable[[Path], bool]) -> str:
    """Fetch a file, compare it with what was stated and install it; return its sha256.

    What an interrupted download left may be part of other content: then everything is fetched once more.
    """
    resumed = download.part.exists()
    work.downloader.fetch(download)
    if resumed and not is_content(download.part):
        download.part.unlink()
        work.downloader.fetch(download)
    if not is_content(download.part):
        download.part.unlink()
        msg = f"{download.label} is refused: its hash is not the stated one"
        raise WeightsError(msg)
    sha256 = sha256_of(download.part)
    work.store.install(download.part, sha256)
    return sha256


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
