"""Waiting for servers that tests start."""

import time

import httpx


def wait_until_served(address: str, seconds: float) -> None:
    """Return when a server answers at an address.

    Raises:
        TimeoutError: it does not within so many seconds.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            httpx.get(address)
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    msg = f"nothing answers at {address}"
    raise TimeoutError(msg)
