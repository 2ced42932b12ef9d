"""Python source is parsed in several threads at once."""

import argparse
import gc
import inspect
import threading
import time
from collections.abc import Iterator

import pytest

from mlestar import syntax
from mlestar.syntax import parse, read_literal


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Let other threads run whenever memory is collected, which happens while a tree is made."""

    def wait(phase: str, info: dict[str, int]) -> None:
        time.sleep(0.0002)

    before = gc.get_threshold()
    gc.callbacks.append(wait)
    gc.set_threshold(2000)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(wait)


def test_threads_parse_at_the_same_time(interrupted: None) -> None:
    source, failures = inspect.getsource(argparse), []

    def parse_often() -> None:
        for _ in range(20):
            try:
                parse(source)
            except SystemError as error:
                failures.append(error)

    threads = [threading.Thread(target=parse_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_literal_waits_for_a_script_that_is_parsed() -> None:
    read = threading.Thread(target=read_literal, args=("[1, 2]",), daemon=True)
    with syntax._LOCK:
        read.start()
        read.join(0.05)
        assert read.is_alive()
    read.join(10)
    assert not read.is_alive()
