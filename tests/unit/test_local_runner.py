"""The local runner on scripts that take an instant, and the modules that both runners share."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from mlestar.errors import RunnerError, UserError
from mlestar.runners import Execution, Job, Limits, LocalRunner, ScriptedRunner, choose_runner
from mlestar.runners.capture import Capture
from mlestar.runners.docker.image import image_folder, image_tag
from mlestar.runners.dump import cut_dump, describe_position
from mlestar.runners.scripted import fail, succeed
from mlestar.runners.work_folder import delete_folder, make_work_folder, measure

DEFAULT_LIMITS = Limits()


class MakeJob(Protocol):
    def __call__(self, script: str, *, limits: Limits = ..., seed: int = ..., name: str = ...) -> Job: ...


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[LocalRunner]:
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    yield runner
    await runner.aclose()
    assert list((tmp_path / "work").iterdir()) == []


@pytest.fixture
def job(input_folder: Path, tmp_path: Path) -> MakeJob:
    def make(script: str, *, limits: Limits = DEFAULT_LIMITS, seed: int = 0, name: str = "") -> Job:
        collect = tmp_path / "collect"
        collect.mkdir()
        return Job(script=script, input=input_folder, collect=collect, limits=limits, seed=seed, name=name)

    return make


async def test_a_script_becomes_an_execution(runner: LocalRunner, job: MakeJob) -> None:
    execution = await runner.run(job("print(open('input/train.csv').read()); open('submission.csv', 'w').write('1')"))
    assert (execution.status, execution.stdout) == ("ok", "x,y\n1,2\n\n")
    assert execution.files == ("submission.csv",)


async def test_messages_name_neither_user_nor_folder(runner: LocalRunner, job: MakeJob, tmp_path: Path) -> None:
    execution = await runner.run(job("import os; print(os.getcwd(), os.path.realpath('input')); 1 / 0"))
    assert execution.stdout == "/sandbox /sandbox/input\n"
    assert str(tmp_path) not in execution.stderr


async def test_a_timeout_keeps_partial_output(runner: LocalRunner, job: MakeJob) -> None:
    script = "import time; print('early'); time.sleep(60)"
    execution = await runner.run(job(script, limits=Limits(seconds=0.5)))
    assert (execution.status, execution.stdout) == ("timeout", "early\n")


async def test_a_timeout_describes_the_limit_and_where_the_script_was(runner: LocalRunner, job: MakeJob) -> None:
    execution = await runner.run(
        job("import time\n\ndef fit():\n    time.sleep(60)\n\nfit()", limits=Limits(seconds=0.5))
    )
    limit = "the script was stopped at its time limit of 0.5 s, having printed nothing"
    where = "it was at line 4 of main.py in fit: `time.sleep(60)`, called from line 6"
    assert execution.detail == f"{limit}; {where}"
    assert execution.stderr == ""


@pytest.mark.parametrize(
    "forged",
    ["Fatal Python error: x", 'Current thread 0 (most recent call first):\n  File "/main.py", line 99999 in f\n'],
)
async def test_a_forged_dump_is_ignored(
    runner: LocalRunner, job: MakeJob, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    monkeypatch.setattr("mlestar.runners.watch.ABORT_GRACE_SECONDS", 0.3)
    script = f"import signal, sys, time\nsignal.signal(6, signal.SIG_IGN)\nsys.stderr.write({forged!r})\ntime.sleep(60)"
    execution = await runner.run(job(script, limits=Limits(seconds=0.5)))
    assert execution.status == "timeout"
    assert "it was" not in execution.detail


def test_a_dump_is_read_from_its_end_and_names_stay_short() -> None:
    frames = f'Current thread 0x1 (most recent call first):\n  File "{"x" * 900}\x1b[2J.py", line 7 in get\n'
    dump = f'{frames}  File "/sandbox/main.py", line 2 in <module>\n\nExtension modules: numpy (total: 1)\n'
    before, rest = cut_dump("Fatal Python error: no\n" * 9000 + "loss 0.3\nFatal Python error: Aborted\n\n" + dump)
    assert before.endswith("\nloss 0.3\n")
    position = describe_position(rest, "import x\nx.fit()\n")
    assert position.startswith("it was at line 2 of main.py in <module>: `x.fit()`, inside xxx")
    assert len(position) < 250
    assert position.isprintable()
    assert "Extension modules" not in rest


async def test_only_listed_variables_are_passed_on(
    runner: LocalRunner, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "secret")
    execution = await runner.run(
        job("import os; print('GOOGLE_API_KEY' in os.environ, os.environ['PYTHONHASHSEED'])", seed=7)
    )
    assert execution.stdout == "False 7\n"


async def test_the_log_has_status_and_limit_and_nothing_of_the_script(
    runner: LocalRunner,
    job: MakeJob,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", logger="mlestar")
    await runner.run(job("import time; print('loss 0.3'); time.sleep(60)", limits=Limits(seconds=0.5), name="t0-c1"))
    assert re.search(r"limit exceeded after [\d.]+ s: timeout", caplog.text)
    assert "t0-c1: timeout after" in caplog.text
    assert "loss" not in caplog.text


async def is_gone(pid: str) -> bool:
    for _ in range(100):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.05)  # killed, and not yet removed by the kernel
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children that left the process group are found through /proc")
async def test_escaped_children_are_killed(runner: LocalRunner, job: MakeJob) -> None:
    script = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n os.setsid(); open('submission.csv', 'w').write(str(os.getpid())); time.sleep(60)\n"
        "time.sleep(0.2)"
    )
    script_job = job(script)
    await runner.run(script_job)
    assert await is_gone((script_job.collect / "submission.csv").read_text())


async def test_a_changed_input_is_copied_again(runner: LocalRunner, job: MakeJob, input_folder: Path) -> None:
    script_job = job("print(open('input/train.csv').read(), end='')")
    before = await runner.run(script_job)
    (input_folder / "train.csv").write_text("x\n3\n")
    after = await runner.run(script_job)
    assert (before.stdout, after.stdout) == ("x,y\n1,2\n", "x\n3\n")


async def test_runs_inside_the_input_folder_are_not_copied(job: MakeJob, input_folder: Path) -> None:
    runner = LocalRunner(work_dir=input_folder / "runs" / "work", bubblewrap=False)
    execution = await runner.run(job("import os; print(os.listdir('input'))"))
    await runner.aclose()
    assert execution.stdout == "['train.csv']\n"


async def test_jobs_run_side_by_side(runner: LocalRunner, input_folder: Path, tmp_path: Path) -> None:
    jobs = []
    for number in range(3):
        collect = tmp_path / f"collect-{number}"
        collect.mkdir()
        jobs.append(Job(script=f"print({number})", input=input_folder, collect=collect))
    executions = await asyncio.gather(*map(runner.run, jobs))
    assert [execution.stdout for execution in executions] == ["0\n", "1\n", "2\n"]


async def test_an_interpreter_that_is_missing_is_an_operators_error(job: MakeJob, tmp_path: Path) -> None:
    runner = LocalRunner(python="/no/such/python", work_dir=tmp_path / "work")
    with pytest.raises(RunnerError, match="/no/such/python"):
        await runner.run(job("print(1)"))
    await runner.aclose()


async def test_a_work_folder_that_cannot_be_made_is_an_operators_error(job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(RunnerError, match="work"):
        await LocalRunner(work_dir=tmp_path / "work").run(job("print(1)"))


async def test_the_local_runner_warns_of_what_it_does_not_protect(tmp_path: Path) -> None:
    lines: list[str] = []
    await choose_runner("local", trusted=False, work_dir=tmp_path, on_progress=lines.append)
    assert "protects nothing" in lines[0] or "share your kernel" in lines[0]
    assert "protects nothing" in await LocalRunner(bubblewrap=False).warning()


async def test_without_an_engine_trusted_scripts_run_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://")
    assert (await choose_runner("auto", trusted=True)).name == "local"


@pytest.mark.parametrize(("name", "advice"), [("auto", "--runner local"), ("docker", "start one")])
async def test_without_an_engine_the_error_of_other_scripts_advises_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    advice: str,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://")
    with pytest.raises(UserError, match=advice) as raised:
        await choose_runner(name, trusted=False)
    assert "\n" not in str(raised.value)


async def test_a_scripted_runner_replies_by_a_part_of_the_script(job: MakeJob) -> None:
    runner = ScriptedRunner({"fit": succeed("score 1", ["submission.csv"]), "load": fail("KeyError"), "": "else"})
    script_job = job("model.fit()")
    execution = await runner.run(script_job)
    assert (execution.status, execution.stdout, runner.jobs) == ("ok", "score 1", [script_job])
    assert (script_job.collect / "submission.csv").is_file()


async def test_a_scripted_runner_takes_a_function(job: MakeJob) -> None:
    def reply(job: Job) -> Execution:
        return fail(job.script)

    assert (await ScriptedRunner(reply).run(job("no"))).stderr == "no"


def test_a_capture_keeps_head_and_tail() -> None:
    capture = Capture(head=4, tail=4)
    for data in (b"abc", b"def", b"ghi", b"jkl"):
        capture.feed(data)
    assert capture.content() == b"abcd\n[... 4 bytes left out ...]\nijkl"


def test_a_capture_within_its_limits_is_complete() -> None:
    capture = Capture(head=4, tail=4)
    capture.feed(b"abcdefgh")
    assert capture.content() == b"abcdefgh"


def test_a_record_is_cut_off() -> None:
    capture = Capture()
    capture.feed(b"text\nmark:{}")
    assert capture.cut(b"\nmark:") == b"{}"
    assert capture.content() == b"text"


def test_usage_does_not_follow_links(tmp_path: Path) -> None:
    work = make_work_folder(tmp_path / "folder", "")
    (work / "link").symlink_to("/")
    (work / "data").write_bytes(b"x" * 100_000)
    usage = measure(work)
    assert usage.entries == 3
    assert 100_000 <= usage.size < 200_000


def test_closed_and_deep_folders_are_deleted(tmp_path: Path) -> None:
    folder = deepest = tmp_path / "folder"
    for _ in range(3):
        deepest = deepest / "deep"
    deepest.mkdir(parents=True)
    (deepest / os.fsdecode(b"\xff\n")).touch()
    deepest.chmod(0)
    delete_folder(folder)
    assert not folder.exists()


def test_the_image_has_a_tag_that_follows_from_its_files() -> None:
    assert (image_folder() / "requirements.txt").is_file()
    assert image_tag() == image_tag()
    assert len(image_tag().partition(":")[2]) == 12
