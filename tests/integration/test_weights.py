"""Weights from a local hub into a store, through the real client of the hub: pinned, resumed, refused, cached."""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlestar.errors import RunnerError, UserError
from mlestar.runners.supply.weights import Entry, WeightsError, WeightStore, WeightSupplier, read_address
from tests.integration.command import run_mlestar
from tests.integration.stub_hub import HubRepository, StubHub

NAME = "timm/tiny.in1k"
BIG = bytes(range(256)) * 8000
"""Content of a file of weights: 2 MB."""


@pytest.fixture
def hub() -> Iterator[StubHub]:
    files = {"config.json": b'{"num_classes": 3}', "model.safetensors": BIG, "pytorch_model.bin": b"\x80\x02." * 900}
    files |= {"README.md": b"# A card", "data/train.parquet": b"PAR1", "sub/vocab.txt": b"a\nb\n"}
    with StubHub({NAME: HubRepository(files)}) as hub:
        yield hub


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "store")


def view_of(store: WeightStore, hub: StubHub, *addresses: str) -> Path:
    """Return the folder that a script which declares these addresses reads."""
    parsed = [read_address(text) for text in addresses]
    return store.make_view({address: supplier_of(store, hub).fetch_blocking(address) for address in parsed})


def supplier_of(store: WeightStore, hub: StubHub, max_mb: int = 10) -> WeightSupplier:
    return WeightSupplier(store, max_mb=max_mb, endpoint=hub.url)


def fetch(store: WeightStore, hub: StubHub, address: str = f"hf:{NAME}", max_mb: int = 10) -> Entry:
    return supplier_of(store, hub, max_mb).fetch_blocking(read_address(address))


def file_address(hub: StubHub, content: bytes = BIG, path: str = "/files/resnet-abc.pth") -> str:
    hub.plain[path] = content
    return f"{hub.url}{path}#sha256={hashlib.sha256(content).hexdigest()}"


def refuse(store: WeightStore, hub: StubHub, address: str = f"hf:{NAME}", max_mb: int = 10) -> str:
    """Return why weights are refused; the store has no part of them."""
    with pytest.raises(WeightsError) as caught:
        fetch(store, hub, address, max_mb)
    assert not store.index().entries
    assert store.find(read_address(address)) is None
    return str(caught.value)


def blobs(store: WeightStore) -> set[str]:
    return {path.parent.name + path.name for path in (store.folder / "blobs").glob("??/*")}


def test_a_repository_is_pinned_and_has_safetensors_in_place_of_pickles_and_no_data(
    store: WeightStore, hub: StubHub
) -> None:
    entry = fetch(store, hub)
    assert entry.address == f"hf:{NAME}@{hub.repositories[NAME].commit}"
    assert [file.name for file in entry.files] == ["config.json", "model.safetensors", "sub/vocab.txt"]
    assert entry.licence == "apache-2.0"
    assert hashlib.sha256(BIG).hexdigest() in blobs(store)


def test_a_second_run_fetches_nothing_even_when_the_branch_has_moved(store: WeightStore, hub: StubHub) -> None:
    entry, requests = fetch(store, hub), len(hub.requests)
    hub.repositories[NAME].files["config.json"] = b'{"num_classes": 4}'
    assert fetch(WeightStore(store.folder), hub) == entry
    assert fetch(store, hub, entry.address) == entry
    assert len(hub.requests) == requests


def test_adding_a_branch_again_takes_its_newest_commit_and_fetches_only_what_changed(
    store: WeightStore, hub: StubHub
) -> None:
    before, sent = fetch(store, hub), hub.sent["model.safetensors"]
    hub.repositories[NAME].files["config.json"] = b'{"num_classes": 4}'
    after = supplier_of(store, hub).fetch_blocking(read_address(f"hf:{NAME}"), again=True)
    assert (after.address != before.address, hub.sent["model.safetensors"]) == (True, sent)


@pytest.mark.parametrize("fault", ["cut", "no_ranges"])
def test_an_interrupted_download_is_completed(store: WeightStore, hub: StubHub, fault: str) -> None:
    hub.faults["model.safetensors"] = fault  # type: ignore[assignment]  # one of its values
    entry = fetch(store, hub)
    assert store.blob(entry.files[1].sha256).read_bytes() == BIG
    if fault == "cut":
        assert hub.sent["model.safetensors"] < 1.5 * len(BIG)


def _fetch_one(folder: Path, url: str) -> None:
    WeightSupplier(WeightStore(folder), max_mb=10, endpoint=url).fetch_blocking(read_address(f"hf:{NAME}"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def test_a_download_goes_on_where_a_process_that_was_killed_left_it(store: WeightStore, hub: StubHub) -> None:
    hub.faults["model.safetensors"] = "slow"
    process = multiprocessing.get_context("spawn").Process(target=_fetch_one, args=(store.folder, hub.url))
    process.start()
    while process.is_alive() and _size(store.folder / "partial") < len(BIG) // 20:
        time.sleep(0.01)
    process.kill()
    process.join()
    assert 0 < _size(store.folder / "partial") < len(BIG)
    hub.faults.clear()
    fetch(store, hub)
    ranges = [headers["Range"] for path, headers in hub.requests if "model.safetensors" in path and "Range" in headers]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").rstrip("-")) > 0


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_content_with_another_hash_is_refused(store: WeightStore, hub: StubHub, name: str) -> None:
    hub.faults[name] = "wrong"
    assert "its hash is not the stated one" in refuse(store, hub)


def test_more_than_the_hub_states_is_refused_before_it_fills_the_disk(store: WeightStore, hub: StubHub) -> None:
    hub.faults["model.safetensors"] = "longer"
    assert "is larger than" in refuse(store, hub)
    assert all(path.stat().st_size <= len(BIG) for path in (store.folder / "partial").iterdir())


def test_a_repository_over_the_cap_is_refused_before_any_file_is_fetched(store: WeightStore, hub: StubHub) -> None:
    assert "at most 1 MB are fetched (--set weight_mb)" in refuse(store, hub, max_mb=1)
    assert not hub.paths("/resolve/")


def test_a_file_over_the_cap_is_refused_also_without_a_stated_length(store: WeightStore, hub: StubHub) -> None:
    address = file_address(hub)
    assert "at most 1 MB" in refuse(store, hub, address, max_mb=1)
    hub.faults["resnet-abc.pth"] = "longer"
    assert "at most 1 MB" in refuse(store, hub, address, max_mb=1)


def test_a_file_is_fetched_by_its_hash_and_another_content_is_refused(store: WeightStore, hub: StubHub) -> None:
    address = file_address(hub)
    hub.faults["resnet-abc.pth"] = "wrong"
    assert "its hash is not the stated one" in refuse(store, hub, address)
    hub.faults.clear()
    entry = fetch(store, hub, address)
    assert (entry.kind, entry.files[0].name) == ("file", "resnet-abc.pth")


@pytest.mark.parametrize(
    ("target", "reason"),
    [("http://10.1.2.3/x.pth", "is not encrypted"), ("ftp://127.0.0.1/x.pth", "is not encrypted")],
)
def test_a_redirect_to_an_address_that_is_not_encrypted_is_refused(
    store: WeightStore, hub: StubHub, target: str, reason: str
) -> None:
    hub.redirects["/files/moved.pth"] = target
    address = f"{hub.url}/files/moved.pth#sha256={'0' * 64}"
    assert reason in refuse(store, hub, address)


def test_the_token_of_the_host_goes_to_the_hub_alone(
    store: WeightStore, hub: StubHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef0123456789abcdef01")
    address = file_address(hub)
    entry = fetch(store, hub)
    fetch(store, hub, address)
    asked = {path for path, headers in hub.requests if "authorization" in {name.lower() for name in headers}}
    assert any("/resolve/" in path for path in asked)
    assert not any("/files/" in path for path in asked)
    kept = (store.folder / "index.json").read_text()
    assert "hf_0123" not in kept + entry.line


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("hf:nobody/nothing", "the hub has no repository 'nobody/nothing'"),
        (f"hf:{NAME}@other", "has no revision 'other'"),
        ("hf:timm/gated", "needs the consent of its authors"),
        ("hf:timm/empty", "has no weights"),
    ],
)
def test_what_cannot_be_fetched_is_explained(store: WeightStore, hub: StubHub, address: str, reason: str) -> None:
    hub.repositories["timm/gated"] = HubRepository({"model.safetensors": b"x"}, gated=True)
    hub.repositories["timm/empty"] = HubRepository({"README.md": b"x"})
    assert reason in refuse(store, hub, address)


@pytest.mark.parametrize(
    "name", ["../../escape.bin", "/etc/escape.bin", "a/../../b.bin", "a\\b.bin", "a//b.bin", "x\x1b[2J.bin", "C:x.bin"]
)
def test_names_of_files_that_leave_their_folder_are_refused(store: WeightStore, hub: StubHub, name: str) -> None:
    hub.repositories["evil/names"] = HubRepository({name: b"x" * 10})
    assert "whose name is refused" in refuse(store, hub, "hf:evil/names")
    assert not hub.paths("/resolve/")


@pytest.mark.parametrize(
    "address",
    [
        "hf:../../etc/passwd",
        "hf:a/..",
        "hf:a/b@../../x",
        "hf:a/b@refs//x",
        "hf:a--b/c",
        "hf:a/b/c",
        "http://example.org/x.pth#sha256=" + "0" * 64,
        "https://example.org/x.pth",
        "https://example.org/x.pth#sha256=12",
        "https://user:password@example.org/x.pth#sha256=" + "0" * 64,
        "https://example.org/..#sha256=" + "0" * 64,
        "https://example.org/%2e%2e%2fx.pth#sha256=" + "0" * 64,
        "https://example.org/#sha256=" + "0" * 64,
        "file:///etc/passwd",
        "/etc/passwd",
    ],
)
def test_a_malformed_address_of_weights_is_refused(address: str) -> None:
    with pytest.raises(WeightsError):
        read_address(address)


def test_a_link_in_the_store_is_not_followed(store: WeightStore, hub: StubHub, tmp_path: Path) -> None:
    entry = fetch(store, hub)
    secret = tmp_path / "secret"
    secret.write_bytes(BIG)
    blob = store.blob(entry.files[1].sha256)
    blob.unlink()
    blob.symlink_to(secret)
    again = WeightStore(store.folder)
    assert again.find(read_address(entry.address)) is None
    assert fetch(again, hub).files == entry.files
    assert not blob.is_symlink()
    assert secret.read_bytes() == BIG


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (hashlib.sha256(BIG).hexdigest(), "../../../secret"),
        ('"model.safetensors"', '"../../../../secret"'),
        ('"revision": "', '"revision": "../../../../'),
    ],
)
def test_an_index_that_leads_out_of_the_store_is_refused(
    store: WeightStore, hub: StubHub, tmp_path: Path, old: str, new: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    entry = fetch(store, hub)
    index = store.folder / "index.json"
    text = index.read_text()
    assert old in text
    index.write_text(text.replace(old, new))
    with pytest.raises((UserError, WeightsError)):
        view_of(WeightStore(store.folder), hub, entry.address)
    assert secret.read_text() == "secret"
    assert not list((store.folder / "views").glob("*/*")) if (store.folder / "views").exists() else True


def test_a_damaged_file_of_the_store_is_fetched_again(store: WeightStore, hub: StubHub) -> None:
    entry = fetch(store, hub)
    blob = store.blob(entry.files[1].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"\0" * len(BIG))
    again = WeightStore(store.folder)
    assert fetch(again, hub).files == entry.files
    assert blob.read_bytes() == BIG


def _fetch_in_process(folder: Path, url: str) -> None:
    store = WeightStore(folder)
    supplier = WeightSupplier(store, max_mb=10, endpoint=url)
    addresses = [read_address(f"hf:{NAME}"), read_address("hf:timm/other")]
    store.make_view({address: supplier.fetch_blocking(address) for address in addresses})


def test_processes_that_fill_a_store_at_once_fetch_each_file_once(store: WeightStore, hub: StubHub) -> None:
    hub.repositories["timm/other"] = HubRepository({"model.safetensors": BIG[::-1]})
    hub.faults["model.safetensors"] = "slow"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fetch_in_process, args=(store.folder, hub.url)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert hub.sent["model.safetensors"] == 2 * len(BIG)
    assert len(store.index().entries) == 2
    assert all(hashlib.sha256(store.blob(name).read_bytes()).hexdigest() == name for name in blobs(store))


def test_removing_frees_what_no_other_entry_needs_and_is_refused_while_a_run_reads(
    store: WeightStore, hub: StubHub
) -> None:
    hub.repositories["timm/same"] = HubRepository({"model.safetensors": BIG, "extra.txt": b"x"})
    first, second = read_address(f"hf:{NAME}"), read_address("hf:timm/same")
    supplier = supplier_of(store, hub)
    view = supplier.view_blocking({address: supplier.fetch_blocking(address) for address in (first, second)})
    with pytest.raises(UserError, match="a run uses the weights"):
        WeightStore(store.folder).remove(second)
    supplier.close()
    assert store.remove(second) == len(b"x")
    assert not view.exists()
    assert store.find(first) is not None
    assert store.remove(first) >= len(BIG)
    assert not blobs(store)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk")
def test_a_full_disk_stops_with_a_line_and_leaves_no_part_of_a_file(tmp_path: Path, hub: StubHub) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        store = WeightStore(disk / "store")
        with pytest.raises(RunnerError, match="no space for 2 MB of weights"):
            fetch(store, hub)
        hub.faults["resnet-abc.pth"] = "longer"  # no length is stated, so that the disk fills while it is written
        with pytest.raises(RunnerError, match="the disk is full"):
            fetch(store, hub, file_address(hub))
        assert not blobs(store)
        assert not store.index().entries
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path, hub: StubHub) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunnerError, match="cannot write to the store of weights"):
        fetch(WeightStore(tmp_path / "file" / "store"), hub)


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_the_real_client_finds_a_view_without_a_network(store: WeightStore, hub: StubHub, revision: str | None) -> None:
    view = view_of(store, hub, f"hf:{NAME}@v1")
    code = f"from huggingface_hub import hf_hub_download as find; print(find({NAME!r}, 'sub/vocab.txt', "
    code += f"revision={revision!r}))"
    variables = {**os.environ, "HF_HOME": str(view), "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": hub.url}
    requests = len(hub.requests)
    shown = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    path = Path(shown.stdout.strip())
    assert path.read_bytes() == b"a\nb\n"
    assert path.resolve().is_relative_to(view)
    assert len(hub.requests) == requests


def test_two_weights_of_the_same_name_are_refused(store: WeightStore, hub: StubHub) -> None:
    addresses = [file_address(hub, bytes([n]) * 9, f"/{n}/resnet.pth") for n in (1, 2)]
    with pytest.raises(WeightsError, match=r"would both be 'files/resnet.pth'"):
        view_of(store, hub, *addresses)


def test_the_command_adds_lists_and_removes(tmp_path: Path, hub: StubHub) -> None:
    variables = {**os.environ, "HF_ENDPOINT": hub.url}
    options = ("--weights-dir", tmp_path / "store")
    added = run_mlestar("weights", "add", f"hf:{NAME}", *options, env=variables)
    assert added.returncode == 0, added.stderr
    pinned = f"hf:{NAME}@{hub.repositories[NAME].commit}"
    assert added.stdout.startswith(f"{pinned} 2.0 MB in 3 files, apache-2.0, ")
    assert "2.0 MB in 3 files, licence apache-2.0" in added.stderr
    listed = run_mlestar("weights", "list", *options, env=variables)
    assert listed.stdout == f"{added.stdout}  as hf:{NAME}\n"
    removed = run_mlestar("weights", "remove", pinned, *options, env=variables)
    assert removed.stdout == f"removed {pinned}: 2.0 MB were freed\n"
    again = run_mlestar("weights", "remove", pinned, *options, env=variables)
    assert again.returncode == 2
    assert len(again.stderr.strip().splitlines()) == 1


def test_a_pickle_is_stored_as_it_is_and_never_loaded(store: WeightStore, hub: StubHub, tmp_path: Path) -> None:
    marker = tmp_path / "loaded"
    pickle = b"cpathlib\nPath\n(V" + str(marker).encode() + b"\ntR."
    hostile = f"cos\nsystem\n(Vtouch {marker}\ntR.".encode()
    hub.repositories["evil/pickle"] = HubRepository({"pytorch_model.bin": hostile, "model.pkl": pickle})
    view = view_of(store, hub, "hf:evil/pickle")
    entry = fetch(store, hub, "hf:evil/pickle")
    assert {file.name for file in entry.files} == {"pytorch_model.bin", "model.pkl"}
    assert not marker.exists()
    assert json.loads((store.folder / "index.json").read_text())["entries"]
    assert view.is_dir()
