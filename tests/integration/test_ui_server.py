"""The server of the local page: real requests, events as they come, and runs that outlive it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mlestar.events import Event
from mlestar.progress import EventLog
from mlestar.report import Result
from tests.integration.command import run_mlestar
from tests.integration.ui_server import served
from tests.unit.scenario import count_rows, make_task
from tests.unit.ui_runs import write_solved, write_working

SECONDS = 200


@contextmanager
def enter(address: str) -> Iterator[httpx.Client]:
    """Yield a client that has exchanged the token for the cookie, as a browser does."""
    base = address.partition("/?")[0]
    with httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as client:
        client.get(address)
        yield client


def wait(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.3)
    msg = f"did not happen: {what}"
    raise TimeoutError(msg)


def state_of(client: httpx.Client, run: str) -> str:
    found = re.search(r'<span class="chip \w+">([\w ]+)</span>', client.get(f"/runs/{run}").text)
    assert found is not None
    return found.group(1)


def parts(lines: Iterator[str]) -> dict[str, str]:
    """Return the next parts of a page that a stream sends."""
    line = next(line for line in lines if line.startswith("data: "))
    sent: dict[str, str] = json.loads(line.removeprefix("data: "))
    return sent


def test_only_a_browser_with_the_token_is_served(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_solved(runs, "solved")
    with served(runs) as address, enter(address) as client:
        base = address.partition("/?")[0]
        assert httpx.get(f"{base}/").status_code == 403
        assert httpx.get(f"{base}/?token=wrong").status_code == 403
        assert "solved" in client.get("/").text
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403
        assert client.post("/runs/solved/stop", headers={"origin": "http://evil.example"}).status_code == 403
        assert client.get("/runs/%2e%2e%2f%2e%2e/report").status_code == 404
        assert (
            client.post("/start", content=b"x" * 9_000_000, headers={"content-type": "text/plain"}).status_code == 400
        )
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert "larger than 8 MB" in client.post("/start", content=b"x" * 9_000_000, headers=kind).text
        form = client.post("/start", data={"folder": "/no/such/place"})
        assert (form.status_code, "there is no /no/such/place" in form.text) == (400, True)


def test_a_page_is_sent_what_changes(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folder = write_working(runs, "works")
    path = "/runs/works/events"
    with folder.lock(), served(runs) as address, enter(address) as client, client.stream("GET", path) as answer:
        lines = answer.iter_lines()
        first = parts(lines)
        assert first["state"] == "running"
        assert "0.720 ± 0.020" in first["best"]
        log = EventLog(folder.events)
        log.open()
        fields = {"verdict": "ok", "score": 0.81, "standard_error": 0.02, "direction": "maximize"}
        log(Event.model_validate({"stage": "refine", "message": "<b>", "solution": "t0.r1.1", "track": 0, **fields}))
        log.close()
        second = parts(lines)
    assert "0.810 ± 0.020" in second["best"]
    assert "&lt;b&gt;" in second["lines"]
    assert "spend" not in second


def test_a_task_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with served(tmp_path / "runs") as address, enter(address) as client:
        client.post("/start", data={"folder": str(tmp_path / "empty"), "model": "offline", "run_id": "r"})
        wait(lambda: state_of(client, "r") == "not started", "the process ends")
        page = client.get("/runs/r").text
    assert 'role="alert"' in page
    assert "empty" in page.partition('role="alert"')[2][:400]
    assert not (tmp_path / "runs/r").exists()


def test_a_run_outlives_its_server_and_another_one_stops_it(tmp_path: Path) -> None:
    task, runs = count_rows(make_task(tmp_path / "signs")), tmp_path / "runs"
    form = {"folder": str(task), "model": "offline", "runner": "local", "profile": "quick", "run_id": "r"}
    with served(runs, {"trust": "true"}) as address, enter(address) as client:
        assert client.post("/start", data=form).headers["location"] == "/runs/r"
        assert "exists" in client.post("/start", data=form).text
        wait(lambda: state_of(client, "r") == "running", "the run begins")
    with served(runs) as address, enter(address) as client:
        assert state_of(client, "r") == "running"
        assert client.post("/runs/r/stop").status_code == 303
        wait(lambda: state_of(client, "r") == "stopped", "the run stops")
    assert Result.read(runs / "r/result.json").status == "stopped"


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with served(tmp_path / "runs") as address:
        port = re.findall(r":(\d+)/", address)[0]
        ended = run_mlestar("ui", "--port", port, "--runs-dir", tmp_path / "runs")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"mlestar: port {port} cannot be used")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_names_the_extra(package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None; sys.argv = ['mlestar', 'ui']\n"
    code += "from mlestar.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "mlestar: `mlestar ui` needs packages: pip install 'mlestar[ui]'\n"
