"""The run folder: blobs by sha256, ledger, checkpointer."""

from mlestar.store.blobs import Blobs
from mlestar.store.checkpoints import CheckpointStore, open_checkpoints, serializer
from mlestar.store.folder import FORMAT, RunFolder, RunLock, RunSettings, claim_run_id, list_runs, make_run_id, maker
from mlestar.store.kinds import ExecutionKind, NoteKind, WorkKind
from mlestar.store.ledger import (
    Amount,
    Cap,
    Caps,
    Ledger,
    Record,
    Reservation,
    Shortage,
    UnfinishedError,
    finish,
    key_of,
    read_decisions,
)
from mlestar.store.queries import LedgerQueries, Spend, reading

__all__ = [
    "FORMAT",
    "Amount",
    "Blobs",
    "Cap",
    "Caps",
    "CheckpointStore",
    "ExecutionKind",
    "Ledger",
    "LedgerQueries",
    "NoteKind",
    "Record",
    "Reservation",
    "RunFolder",
    "RunLock",
    "RunSettings",
    "Shortage",
    "Spend",
    "UnfinishedError",
    "WorkKind",
    "claim_run_id",
    "finish",
    "key_of",
    "list_runs",
    "make_run_id",
    "maker",
    "open_checkpoints",
    "read_decisions",
    "reading",
    "serializer",
]
