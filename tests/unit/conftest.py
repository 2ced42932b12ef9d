import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections: unit tests use no network."""

    def refuse(self: socket.socket, address: object) -> None:
        msg = f"a unit test tried to connect to {address}"
        raise AssertionError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)
