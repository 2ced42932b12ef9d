"""A local hub of model repositories: as much of the real protocol as the real client uses, with faults on demand."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tests.integration.stub_server import Loopback

Fault = Literal["cut", "slow", "wrong", "longer", "unavailable", "no_ranges"]
"""Of one file. `cut`: the connection ends after half of it, once. `slow`: it takes seconds. `wrong`: other content.
`longer`: more than is stated, without a length. `unavailable`: always 503. `no_ranges`: like `cut`, and a download
always starts from the beginning."""
LFS_BYTES = 1000
"""Files from this size on have a sha256, as large files of the real hub."""


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class HubRepository:
    """A repository with its branches; a commit is a hash of its files."""

    files: dict[str, bytes]
    licence: str = "apache-2.0"
    gated: bool = False
    stated: dict[str, bytes] = field(default_factory=dict)
    """Content whose hash and size are stated in place of those of the file."""

    @property
    def commit(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()

    def describe(self, name: str) -> dict[str, Any]:
        siblings = [self._sibling(path, self.stated.get(path, content)) for path, content in self.files.items()]
        card = {"license": self.licence} if self.licence else {}
        return {
            "id": name,
            "modelId": name,
            "sha": self.commit,
            "private": False,
            "gated": self.gated,
            "downloads": 1,
            "likes": 0,
            "tags": [f"license:{self.licence}"] if self.licence else [],
            "cardData": card,
            "siblings": siblings,
        }

    def _sibling(self, path: str, content: bytes) -> dict[str, Any]:
        sibling: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
        if len(content) >= LFS_BYTES:
            sha256 = hashlib.sha256(content).hexdigest()
            sibling["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
        return sibling


@dataclass
class StubHub(Loopback):
    """Serves repositories and plain files on a free port of this machine."""

    repositories: dict[str, HubRepository] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    """Files by their paths, for addresses with a hash."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Addresses to which paths lead."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """By the name of a file."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of every request."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes that were sent of each file, by its name."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    @property
    def url(self) -> str:
        return self.address

    def paths(self, part: str = "") -> list[str]:
        """Return the paths of requests that contain a text."""
        return [path for path, _ in self.requests if part in path]


class _Handler(BaseHTTPRequestHandler):
    stub: StubHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.stub.requests.append((path, dict(self.headers)))
        if path in self.stub.redirects:
            self._answer(302, b"", {"Location": self.stub.redirects[path]})
        elif path in self.stub.plain:
            self._send_file(path.rsplit("/", 1)[-1], self.stub.plain[path], {})
        elif path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"))
        elif "/resolve/" in path:
            name, _, rest = path.lstrip("/").partition("/resolve/")
            self._resolve(name, rest)
        else:
            self._answer(404, b"{}", {})

    def _describe(self, rest: str) -> None:
        name, _, revision = rest.partition("/revision/")
        repository = self.stub.repositories.get(name)
        if repository is None:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif repository.gated:
            self._answer(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        elif revision not in ("", "main", "v1", repository.commit):
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        else:
            content = json.dumps(repository.describe(name)).encode()
            self._answer(200, content, {"Content-Type": "application/json"})

    def _resolve(self, name: str, rest: str) -> None:
        repository = self.stub.repositories.get(name)
        commit, _, file = rest.partition("/")
        if repository is None or commit not in ("main", repository.commit) or file not in repository.files:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = repository.files[file]
        self._send_file(file, content, {"X-Repo-Commit": repository.commit, "ETag": f'"{git_hash(content)}"'})

    def _send_file(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        fault = self.stub.faults.get(name)
        if fault == "unavailable":
            self._answer(503, b"", {})
            return
        if fault == "wrong":
            content = bytes(len(content) * [7])
        start = self._start(fault)
        if start >= len(content) > 0:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for key, value in headers.items():
            self.send_header(key, value)
        if fault == "longer":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "GET":
            self._write(name, content[start:], fault)

    def _start(self, fault: Fault | None) -> int:
        asked = self.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
        return int(asked) if asked and fault != "no_ranges" else 0

    def _write(self, name: str, content: bytes, fault: Fault | None) -> None:
        if fault in ("cut", "no_ranges") and self.stub.sent[name] == 0:
            content = content[: len(content) // 2]
            self.close_connection = True
        if fault == "longer":
            content += bytes(2**20)
            self.close_connection = True
        step = max(1, len(content) // 20)
        for offset in range(0, len(content), step):
            piece = content[offset : offset + step]
            self.wfile.write(piece)
            self.stub.sent[name] += len(piece)
            if fault == "slow":
                time.sleep(0.1)

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
