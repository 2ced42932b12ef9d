"""A run that is killed repeatedly has the same result as a whole one, and repeats nothing that was finished."""

import json
import multiprocessing
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration import session
from tests.integration.provider import Provider
from tests.unit.method import METHOD
from tests.unit.scenario import EARLY, Scenario, count_rows, make_task

KILLS = 30
SEED = 7
CALL, SCRIPT = 0.2, 0.5
"""Seconds of a model call and of a script. Chosen by judgement; not measured."""
LONGEST = 1.4
"""Seconds after the start of the first script after which a session is killed at the latest. Chosen by judgement; not
measured."""
EVERY = 3
"""Of so many sessions one is killed while it executes, the others before. However fast the machine is, the run then is
not at its end before the last kill."""
PATIENCE = 60.0
"""Seconds in which a session must execute something."""
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.integration.session", "mlestar.api", "langchain_google_genai"])


def finished_work(run: Path) -> tuple[set[str], set[str]]:
    """Return the prompts (sha256) and the executions (name) in the ledger."""
    if not (run / "ledger.sqlite").exists():
        return set(), set()
    connection = sqlite3.connect(run / "ledger.sqlite")
    try:
        rows = connection.execute(
            "SELECT kind, label, result FROM entries WHERE kind IN ('model_call', 'execution')"
        ).fetchall()
    except sqlite3.OperationalError:  # killed before the table was made
        rows = []
    connection.close()
    replies = [json.loads(result) for kind, _, result in rows if kind == "model_call"]
    # A request that was sent when its process was killed counts, and is no finished work.
    calls = {reply["prompt"] for reply in replies if "unknown" not in reply}
    return calls, {label for kind, label, _ in rows if kind == "execution"}


def started_executions(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [line.split()[1] for line in lines if line.startswith("begin")]


class KilledRun:
    """A run whose sessions can be killed, with its provider and the log of its executions."""

    def __init__(self, folder: Path, provider: Provider, **more: Any) -> None:
        folder.mkdir()
        count_rows(make_task(folder / "signs"))
        self.folder, self.provider, self.more = folder, provider, more
        self.log = folder / "executions.log"

    def session(self, seconds: float | None = None) -> bool:
        """Work on the run, for some seconds or to its end; return whether it reached its end."""
        process = self._start()
        process.join(seconds)
        return self._kill(process)

    def session_to_script(self, seconds: float, after: float = 0.0) -> bool:
        """Work on the run until its first script of this session has run for some seconds, for some seconds at most.

        Return whether the run reached its end.
        """
        started, start, process = len(started_executions(self.log)), time.monotonic(), self._start()
        while process.exitcode is None and time.monotonic() - start < seconds:
            if len(started_executions(self.log)) > started:
                process.join(after)
                break
            time.sleep(0.01)
        return self._kill(process)

    def seconds_to_first_script(self) -> float:
        """Return how long a session takes until it executes something, and kill it then."""
        start = time.monotonic()
        assert not self.session_to_script(PATIENCE)
        return time.monotonic() - start

    def _start(self) -> "multiprocessing.context.ForkServerProcess":
        arguments = (self.folder, self.provider.url, self.log, SCRIPT, self.more)
        process = PROCESSES.Process(target=session.work, args=arguments)
        process.start()
        return process

    def _kill(self, process: "multiprocessing.context.ForkServerProcess") -> bool:
        ended = process.exitcode is not None
        process.kill()
        process.join()
        return ended

    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.folder / "runs/run/result.json").read_text(encoding="utf-8"))
        return result


def make_provider() -> Provider:
    return Provider(Scenario(METHOD).answer, CALL)


@dataclass(frozen=True)
class Kill:
    """The counts of prompts and executions, and the finished work, when a session was killed."""

    prompts: int
    started: int
    calls: set[str]
    executions: set[str]


@pytest.mark.slow
def test_a_run_killed_thirty_times_repeats_nothing_and_ends_the_same(tmp_path: Path) -> None:
    with make_provider() as provider:
        whole = KilledRun(tmp_path / "whole", provider)
        assert whole.session()
        usual = KilledRun(tmp_path / "first", provider).seconds_to_first_script()
    with make_provider() as provider:
        run, moments = KilledRun(tmp_path / "killed", provider), random.Random(SEED)
        kills: list[Kill] = []
        for number in range(KILLS):
            if number % EVERY:
                ended = run.session_to_script(moments.uniform(0.0, usual))
            else:
                ended = run.session_to_script(PATIENCE, after=moments.uniform(0.0, LONGEST))
            assert not ended, f"the run ended before kill {number + 1}"
            kills.append(
                Kill(len(provider.prompts), len(started_executions(run.log)), *finished_work(run.folder / "runs/run"))
            )
        assert run.session()
    executed = started_executions(run.log)
    print(f"{KILLS} kills with {sorted({len(kill.executions) for kill in kills})} executions finished: ", end="")
    print(f"{len(provider.prompts)} calls of {len(set(provider.prompts))} prompts, ", end="")
    print(f"{len(executed)} executions of {len(set(executed))} scripts")
    for kill in kills:
        assert not kill.calls & set(provider.prompts[kill.prompts :])
        assert not kill.executions & set(executed[kill.started :])
    assert len(kills[-1].executions) > len(kills[0].executions)
    assert run.result()["status"] == "solved"
    assert run.result()["winner"] == whole.result()["winner"] == "e2"
    assert {name for name in executed if not EARLY.fullmatch(name)} == {
        name for name in started_executions(whole.log) if not EARLY.fullmatch(name)
    }
