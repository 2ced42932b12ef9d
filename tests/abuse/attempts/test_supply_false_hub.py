"""A hub states a file of negative size, so that the sum of all files stays below the limit on size.

Outcome: succeeded; prevented since.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlestar.runners.supply.weights import WeightsError, WeightStore, WeightSupplier, read_address
from tests.integration.stub_hub import HubRepository, StubHub


@dataclass
class FalseRepository(HubRepository):
    """States a negative size of its last file."""

    def describe(self, name: str) -> dict[str, Any]:
        described = super().describe(name)
        described["siblings"][-1]["size"] = -(10**9)
        return described


def test_nothing_is_fetched(tmp_path: Path) -> None:
    files = {"a.safetensors": b"x" * 3_000_000, "config.json": b"{}"}
    with StubHub({"owner/name": FalseRepository(files)}) as hub:
        supplier = WeightSupplier(WeightStore(tmp_path / "store"), max_mb=1, endpoint=hub.url)
        with pytest.raises(WeightsError, match="states no size"):
            supplier.fetch_blocking(read_address("hf:owner/name"))
        assert not hub.sent
