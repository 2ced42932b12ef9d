"""Checkpoints in a Postgres database: a run stops and resumes, and no file contains the database's password."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import ModelError, SettingsError, StoreError
from mlestar.store.checkpoints import DSN
from tests.unit.scenario import Scenario, lose_connection, solve

PASSWORD = "a-secret-password"
PROGRAMS = Path("/usr/lib/postgresql")


def find_program(name: str) -> str | None:
    """Return the path of a server program, which some systems leave out of the search path."""
    versions = sorted(PROGRAMS.glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else shutil.which(name)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a database server that only this test can reach, and return its address."""
    pytest.importorskip("psycopg")
    initdb, control = find_program("initdb"), find_program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("no Postgres is installed")
    folder = Path("/tmp") / f"mlestar-postgres-{os.getpid()}"
    # The server refuses to run as root.
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []

    def call(*command: str) -> None:
        # The server inherits its starter's streams: a pipe would stay open as long as it lives.
        subprocess.run([*prefix, *command], check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    call(initdb, "-D", str(folder), "-A", "trust", "-U", "mlestar", "--no-sync")
    options = f"-c listen_addresses='' -c fsync=off -k {folder}"
    call(control, "-D", str(folder), "-o", options, "-w", "-l", str(folder / "log"), "start")
    yield f"postgresql://mlestar:{PASSWORD}@/postgres?host={folder}"
    call(control, "-D", str(folder), "-m", "immediate", "stop")
    call("rm", "-rf", str(folder))


async def test_a_run_resumes_from_checkpoints_in_postgres(
    tmp_path: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DSN, server)
    first, second = Scenario(planner=lose_connection), Scenario()
    with pytest.raises(ModelError):
        await solve(tmp_path, first, checkpoints="postgres")
    assert not (tmp_path / "runs/run/checkpoints.sqlite").exists()
    result = await mlestar.aresume("run", runs_dir=tmp_path / "runs", model=second.model(), runner=second.runner())
    assert result.status == "solved"
    assert second.asked[0] == "planner"
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


async def test_runs_of_one_name_in_two_folders_share_a_database(
    tmp_path: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DSN, server)
    results = [await solve(tmp_path / name, Scenario(), outer_steps=0, checkpoints="postgres") for name in ("a", "b")]
    assert [result.status for result in results] == ["solved", "solved"]


async def test_a_database_that_does_not_answer_is_an_error_without_its_password(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv(DSN, f"postgresql://mlestar:{PASSWORD}@/postgres?host={tmp_path}")
    with pytest.raises(StoreError, match="does not answer") as error:
        await solve(tmp_path, Scenario(), checkpoints="postgres")
    assert PASSWORD not in str(error.value)


async def test_postgres_without_an_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DSN, raising=False)
    with pytest.raises(SettingsError, match=DSN):
        await solve(tmp_path, Scenario(), checkpoints="postgres")
