"""Labels are in a text that is base64 or hexadecimal as a whole, compressed or not.

Outcome: succeeded; prevented since.
"""

import base64
import gzip
import tracemalloc
from pathlib import Path

import pytest

from mlestar.evaluation.holdout.revealing.hidden_text import decode_text
from mlestar.evaluation.holdout.revealing.mentions import MAX_SCANNED
from tests.abuse.attempts.helpers_score import ALL, CHANCE, Write, beside, steal, text_of

FORMS: dict[str, Write] = {
    "base64": lambda folder, rows: write_text(folder, base64.encodebytes(rows.lines().encode()).decode()),
    "gzip": lambda folder, rows: write_text(folder, base64.b64encode(gzip.compress(rows.lines().encode())).decode()),
    "hexadecimal": lambda folder, rows: write_text(folder, rows.lines().encode().hex()),
}


def write_text(folder: Path, text: str) -> None:
    (folder / "blob.txt").write_text(text)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    text = "".join(text_of(folder, "blob.txt").split())
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = base64.b64decode(text)
    return beside((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(), ids)


@pytest.mark.parametrize("name", FORMS)
def test_encoded_text_is_decoded(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE


def test_a_packed_text_is_unpacked_in_bounded_memory() -> None:
    packed = base64.b64encode(gzip.compress(bytes(20 * MAX_SCANNED), 1)).decode()
    tracemalloc.start()
    try:
        data = decode_text(packed)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data == bytes(MAX_SCANNED)
    assert peak < 5 * MAX_SCANNED
