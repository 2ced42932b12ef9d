import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections: a unit test that talks to anything is no unit test."""

    def refuse(self, address) -> None:
        msg = f"a unit test tried to connect to {address}"
        raise AssertionError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)
