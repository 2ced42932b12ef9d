"""Weights that the scripts of a run declare: allowed by the policy, pinned once, fetched, and in a folder."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mlestar.errors import SettingsError, clean_text, mask_secrets
from mlestar.retrieval import Exclusion
from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runners.supply.weights import (
    Address,
    Entry,
    FileAddress,
    WeightsError,
    WeightStore,
    WeightSupplier,
    read_address,
    weight_line,
)
from mlestar.runtime.answers import ask_permission
from mlestar.settings import Settings
from mlestar.store import Ledger, key_of

logger = logging.getLogger("mlestar.runtime")


class WeightRow(BaseModel):
    """Weights that a script declares, as the ledger and the result have them."""

    model_config = ConfigDict(frozen=True)

    declared: str
    """As the script has it."""
    address: str
    """With the commit or the hash."""
    revision: str
    """The commit of a repository; empty for a file."""
    sha256: str
    """Of a file; of the names and hashes of several."""
    files: dict[str, str]
    """The sha256 of each file."""
    licence: str
    """As its author states it; empty when that is unknown."""

    @classmethod
    def of(cls, declared: Address, entry: Entry) -> "WeightRow":
        return cls(
            declared=str(declared),
            address=entry.address,
            revision=entry.revision,
            sha256=entry.sha256,
            files={file.name: file.sha256 for file in entry.files},
            licence=entry.licence,
        )

    @property
    def line(self) -> str:
        """What executions state: address, hash and licence."""
        return weight_line(self.address, self.sha256, self.licence)

    @property
    def shown(self) -> "WeightRow":
        """The same with secrets in addresses masked."""
        masked = {"declared": mask_secrets(self.declared), "address": mask_secrets(self.address)}
        return self.model_copy(update=masked)


NAMED = 10
"""Weights of the store that a refusal names. Chosen by judgement; not measured."""
OTHERWISE = "use weights that a package contains, or train from scratch"


class RunWeights:
    """Supplies the weights of one run within the policy of its settings."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        exclusion: Exclusion,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Describe what may be supplied.

        Args:
            settings: of the run.
            ledger: keeps the commit of each repository, so that a run uses one commit throughout, and what was refused.
            exclusion: what may not be used, whatever the policy.
            on_progress: receives lines about downloads.
        """
        self._settings = settings
        self._ledger = ledger
        self._exclusion = exclusion
        self._store = WeightStore(settings.weights_dir)
        self._supplier = WeightSupplier(self._store, max_mb=settings.weight_mb, on_progress=on_progress)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders with the user's own weights."""
        return tuple(folder.expanduser().absolute() for folder in self._settings.weights_folder)

    async def supply(self, addresses: tuple[str, ...]) -> tuple[tuple[str, ...], Path | None]:
        """Return one line for each weight, and the host folder that scripts read; nothing when none is declared.

        Raises:
            WeightsError: a weight may not be used or cannot be fetched.
            RunnerError: the store cannot be written, or the disk is full.
        """
        if not addresses:
            return (), None
        try:
            declared = {read_address(text): text for text in addresses}
            weights = {address: await self._supply_one(address) for address in declared}
            folder = await self._supplier.view(weights)
        except WeightsError as error:
            msg = f"{error}; {OTHERWISE}"
            raise WeightsError(msg) from error
        # What is recorded stays, whatever a hub states of the same commit later.
        return await self.recall(addresses) or (), folder

    async def recall(self, addresses: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the lines of weights that this run has supplied before; None when one is not, or may not be used."""
        try:
            declared = [read_address(text) for text in addresses]
            for address in declared:
                await self._check_exclusion(address)
        except WeightsError:
            return None
        facts = [await asyncio.to_thread(self._ledger.recall, _pin_key(address)) for address in declared]
        return None if None in facts else tuple(sorted({WeightRow.model_validate(fact).line for fact in facts}))

    def close(self) -> None:
        """Let others remove weights from the store."""
        self._supplier.close()

    async def _supply_one(self, declared: Address) -> Entry:
        await self._check_exclusion(declared)
        pinned = await self._pinned(declared)
        entry = await self._supplier.find(pinned)
        if entry is None:
            await self._check_policy(pinned)
            entry = await self._supplier.fetch(pinned)
        fact = WeightRow.of(declared, entry).model_dump()
        await asyncio.to_thread(self._ledger.note, "weights", _pin_key(declared), fact)
        return entry

    async def _pinned(self, declared: Address) -> Address:
        """Return the address that this run used for a declaration before; the declared one at first."""
        fact = await asyncio.to_thread(self._ledger.recall, _pin_key(declared))
        return declared if fact is None else read_address(fact["address"])

    async def _check_exclusion(self, address: Address) -> None:
        name = address.file_name if isinstance(address, FileAddress) else address.repository
        url = address.url if isinstance(address, FileAddress) else ""
        if reason := self._exclusion.reason_for_supply(name, url):
            shown = _shown(address)
            fact = {"address": shown, "dropped": reason, "kind": "weights"}
            await asyncio.to_thread(self._ledger.note, "refused_supply", key_of("refused_supply", shown), fact)
            logger.info("refused weights %s: %s", shown, reason)
            msg = f"weights {shown} may not be used: {reason}"
            raise WeightsError(msg)

    async def _check_policy(self, address: Address) -> None:
        refusal = await self._refusal(address)
        if not refusal:
            return
        stored = await asyncio.to_thread(self._stored_names)
        msg = f"weights {_shown(address)} are not in the store, and {refusal}"
        raise WeightsError(f"{msg}; declare one of {stored}" if stored else msg)

    async def _refusal(self, address: Address) -> str:
        """Return why weights may not be fetched, empty when they may."""
        option = "--weights auto"
        if self._settings.weights == "ask":
            if mask_secrets(str(address)) != str(address):
                return "a person cannot decide about an address with a secret (`mlestar weights add` fetches it)"
            return await self._ask(_shown(address))
        if self._settings.weights == "auto":
            if not isinstance(address, FileAddress) or address.host in self._settings.weight_hosts:
                return ""
            option = f"--set weight_hosts={clean_text(address.host)}"
        return f"this run may not fetch them ({option} allows it)"

    async def _ask(self, shown: str) -> str:
        """Ask a person whether weights may be fetched; return why they may not, empty when they may."""
        proposal = {"weights": [shown], "at_most_mb": self._settings.weight_mb}
        allowed = await ask_permission(self._ledger, "weights", (shown,), proposal)
        if allowed is None:
            return "nobody can be asked here (--weights auto or `mlestar weights add` needs no answer)"
        return "" if allowed else "a person has refused to fetch them"

    def _stored_names(self) -> str:
        entries = list(self._store.index().entries.values())
        names = [entry.shown_address for entry in entries[:NAMED]]
        return ", ".join(names) + (" ..." if len(entries) > NAMED else "")


def declared_weights(ledger: Ledger, code: str) -> tuple[WeightRow, ...]:
    """Return the weights that a script declares and was supplied with in this run."""
    try:
        addresses = [read_address(text) for text in read_needs(code).weights]
    except (NeedsError, WeightsError):
        return ()
    facts = [ledger.recall(_pin_key(address)) for address in addresses]
    return tuple(WeightRow.model_validate(fact).shown for fact in facts if fact is not None)


def check_weight_folders(settings: Settings, task_folder: Path) -> None:
    """Refuse folders with weights that do not exist, or in which scripts would find the task's labels.

    Raises:
        SettingsError: says which folder.
    """
    private = [task_folder.resolve(), settings.runs_dir.absolute().resolve()]
    for folder in settings.weights_folder:
        path = folder.expanduser().resolve()
        if not path.is_dir():
            msg = f"--weights-folder {folder}: there is no such folder"
            raise SettingsError(msg)
        if any(path.is_relative_to(other) or other.is_relative_to(path) for other in private):
            msg = f"--weights-folder {folder} overlaps with the task or the runs, whose labels scripts must not read: "
            msg += "use a folder with nothing but weights"
            raise SettingsError(msg)


def _pin_key(declared: Address) -> str:
    return key_of("weights", str(declared))


def _shown(address: Address) -> str:
    return clean_text(mask_secrets(str(address)))
