"""Runs pip in a container: resolves a declaration, fetches wheels, or installs them. Standard library only.

`job.json` beside this file says what to do; the result is written to `/supply/result.json`.
"""

import importlib.metadata
import json
import os
import site
import subprocess
import sys
from pathlib import Path
from typing import Any

SUPPLY = Path("/supply")
TARGET = "/opt/mlestar-packages"
"""Where added packages are. After site-packages on Python's path, so that they replace nothing of the image."""
PATH_FILE = "mlestar-packages.pth"
GUARD = """
import os, runpy, sys

def refuse(event, values):
    if event == "subprocess.Popen":
        program = str(values[0] or values[1][0])
        if os.path.basename(program) in ("git", "hg", "svn", "bzr") or program == sys.executable:
            os.write(2, b"\\nERROR: a package depends on source code at an address, which is not built\\n")
            os._exit(1)

sys.addaudithook(refuse)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""Runs pip so that it executes no code of a package: `--only-binary` does not apply to a package that another one names
by its address."""
COMMON = ("--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar", "off", "-vv")


def write(name: str, text: str) -> str:
    """Write a file of the supply folder and return its path."""
    path = SUPPLY / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def run_pip(*arguments: str, builds: bool = False) -> int:
    """Run pip and return its exit status; its output is in `log.txt`.

    Args:
        arguments: of pip.
        builds: whether it may build packages of source code.
    """
    variables = dict(os.environ, PYTHONPATH=str(SUPPLY / "provided"))
    program = ["-m", "pip"] if builds else ["-c", GUARD]
    command = [sys.executable, "-s", *program, *arguments, *COMMON]
    with (SUPPLY / "log.txt").open("ab") as log:
        # The current folder comes first on Python's path, and this one has no modules.
        return subprocess.call(command, cwd=SUPPLY, env=variables, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def provide(packages: dict[str, str]) -> None:
    """Make pip treat distributions as installed whose modules others provide."""
    for name, version in packages.items():
        folder = SUPPLY / "provided" / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def installed(unpinned: list[str]) -> str:
    """Return what is installed, as constraints."""
    found = [(one.metadata["Name"], one.version) for one in importlib.metadata.distributions()]
    pins = {f"{name}=={version}\n" for name, version in found if name and version and name.lower() not in unpinned}
    return "".join(sorted(pins))


def resolve(job: dict[str, Any]) -> dict[str, Any]:
    """Find the versions and hashes of everything that must be added."""
    provide(job["provided"])
    report = SUPPLY / "report.json"
    requirements = write("requirements.txt", "\n".join(job["requirements"]) + "\n")
    constraints = ["--constraint", write("constraints.txt", installed(job["unpinned"]))]
    for path in job["constraints"]:
        constraints += ["--constraint", path]
    wheels = [] if job["source_builds"] else ["--only-binary", ":all:"]
    chosen = ["--report", str(report), "-r", requirements, *constraints, *wheels]
    status = run_pip("install", "--dry-run", *chosen, builds=job["source_builds"])
    if status:
        return {"status": status}
    rows = json.loads(report.read_bytes())["install"]
    return {"status": 0, "packages": [describe(row) for row in rows]}


def describe(row: dict[str, Any]) -> dict[str, Any]:
    """Return name, version and hashes of a row of pip's report; its address may hold a password."""
    archive = row["download_info"].get("archive_info") or {}
    hashes = archive.get("hashes") or dict([archive.get("hash", "=").split("=", 1)])
    digest = hashes.get("sha256")
    metadata = row["metadata"]
    return {"name": metadata["name"], "version": metadata["version"], "hashes": [digest] if digest else []}


def fetch(job: dict[str, Any]) -> dict[str, Any]:
    """Download, or build, the wheels of a lock."""
    chosen = ["--no-deps", "--require-hashes", "-r", write("lock.txt", job["lock"])]
    wheels = str(SUPPLY / "wheels")
    if job["source_builds"]:
        return {"status": run_pip("wheel", *chosen, "--wheel-dir", wheels, builds=True)}
    return {"status": run_pip("download", *chosen, "--dest", wheels, "--only-binary", ":all:")}


def install(job: dict[str, Any]) -> dict[str, Any]:
    """Install wheels. Nothing starts Python after that: a file of a package could make it execute code."""
    lines = [f"{SUPPLY / 'wheels' / name} --hash=sha256:{digest}\n" for name, digest in job["files"]]
    chosen = ["--no-deps", "--require-hashes", "-r", write("lock.txt", "".join(lines))]
    status = run_pip("install", "--no-index", *chosen, "--target", TARGET)
    if not status:
        path = Path(site.getsitepackages()[0]) / PATH_FILE
        path.write_text(f"import site; site.addsitedir({TARGET!r})\n", encoding="utf-8")
    return {"status": status}


def main() -> None:
    """Do the job and write its result."""
    job = json.loads((Path(__file__).parent / "job.json").read_bytes())
    os.environ.update(job["variables"])
    action = {"resolve": resolve, "fetch": fetch, "install": install}[job["action"]]
    write("result.json", json.dumps(action(job)))


if __name__ == "__main__":
    main()
