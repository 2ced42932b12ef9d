"""Scripts reach the network only with an explicit setting, which prompts, progress and report state."""

import asyncio
import ipaddress
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.runners import DockerRunner, Job
from tests.unit.scenario import Scenario, cards, fence

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

SCRIPT = """import csv, urllib.request

# Without the proxy that the image may name.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
reply = opener.open("{address}", timeout=5).read().decode()
with open("input/test.csv") as file: rows = list(csv.DictReader(file))
with open("submission.csv", "w") as file:
    file.write("id,label\\n" + "".join(row["id"] + "," + str(int(float(row["x"]) > 0)) + "\\n" for row in rows))
print("Final Validation Performance:", reply)
"""


@dataclass
class Site:
    """A page on this machine's address on the engine's bridge."""

    address: str = ""
    visits: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.visits.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"0.5")

        def log_message(self, *_: object) -> None:
            pass

    client = docker.from_env()
    (config,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    client.close()
    gateway = config.get("Gateway") or str(next(ipaddress.ip_network(config["Subnet"]).hosts()))
    with ThreadingHTTPServer((gateway, 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.address = f"http://{gateway}:{server.server_port}/"
        yield site
        server.shutdown()


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "signs"
    folder.mkdir()
    rows = [(number, (number * 7 % 11) - 5) for number in range(120)]
    train = "".join(f"{number},{x},{int(x > 0)}\n" for number, x in rows[:80])
    (folder / "train.csv").write_text("id,x,label\n" + train)
    (folder / "test.csv").write_text("id,x\n" + "".join(f"{number},{x}\n" for number, x in rows[80:]))
    (folder / "sample_submission.csv").write_text("id,label\n" + "".join(f"{number},0\n" for number, _ in rows[80:]))
    (folder / "task.md").write_text("Which sign?\n\n## Evaluation\nAccuracy.\n")
    return folder


async def test_by_default_a_script_reaches_nothing(site: Site, input_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "collect").mkdir()
    runner = DockerRunner(work_dir=tmp_path / "work")
    script = SCRIPT.format(address=site.address)
    execution = await runner.run(Job(script=script, input=input_folder, collect=tmp_path / "collect"))
    environment = await runner.environment()
    await runner.aclose()
    assert (execution.status, site.visits, environment.network) == ("error", [], False)
    assert "Network is unreachable" in execution.stderr


async def test_an_open_network_is_stated_in_prompts_progress_and_report(site: Site, task: Path, tmp_path: Path) -> None:
    prompts: list[str] = []
    lines: list[str] = []

    scenario = Scenario(retriever=cards("A"), initializer=fence(SCRIPT.format(address=site.address)))

    def answer(role: str, prompt: str) -> str:
        prompts.append(prompt)
        return scenario.answer(role, prompt)

    small = {"retrieved_models": 1, "outer_steps": 0, "finalists": 1, "fresh_splits": 0, "memory_mb": 512}
    settings = {"profile": "quick", "retrieval": "none", "runner": "docker", "network": True, **small}
    result = await mlestar.asolve(
        task,
        settings={**settings, "runs_dir": tmp_path / "runs"},
        model=ScriptedModel(answer=answer),
        on_event=lambda event: lines.append(event.message),
    )
    assert (result.status, result.runner, result.network) == ("solved", "docker", True)
    assert site.visits
    assert result.report is not None
    report = await asyncio.to_thread(Path(result.report).read_text, "utf-8")
    assert "Open network" in report
    assert any("NETWORK OPEN" in line for line in lines)
    assert any("The sandbox has no pip" in prompt for prompt in prompts)
    assert not any("no network" in prompt for prompt in prompts)
