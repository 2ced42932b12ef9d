"""The browser that tests of pages drive: an installed Chromium or Chrome."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

REQUIRED = "MLESTAR_REQUIRE_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser without a window; skip where none is installed, or fail where one is required."""
    path = next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        reason = f"none of {', '.join(NAMES)} is installed; {REQUIRED}=1 insists"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Its own sandbox needs more rights than root in a container has; the pages are those of the tests.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()
