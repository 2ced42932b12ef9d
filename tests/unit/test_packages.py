"""Packages that scripts declare: what is allowed, what a lock is, which wheels are refused, and what messages say."""

import shutil
import stat
import sys
import threading
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest

from mlestar.errors import RunnerError, SettingsError
from mlestar.runners.local.packages import Environments
from mlestar.runners.supply.packages.explain import explain
from mlestar.runners.supply.packages.index import read_index_settings
from mlestar.runners.supply.packages.lock import (
    InstallLimits,
    Lock,
    LockedPackage,
    PackageError,
    PackageRequest,
    locked,
    read_lock,
)
from mlestar.runners.supply.packages.policy import make_policy, one_edit
from mlestar.runners.supply.packages.sharing import check_count, exclusively, read_end, used_bytes
from mlestar.runners.supply.packages.wheels import check_wheels

INSTALLED = {"numpy": "2.4.6", "pandas": "3.1.1", "xgboost": "3.2.0"}
CATALOGUE = ("LightGBM", "torch", "scikit_learn", "numpy")
HASH = sha256(b"").hexdigest()


def missing(setting: str, *dependencies: str, installed: Mapping[str, str] = INSTALLED) -> tuple[str, ...]:
    return make_policy(setting, CATALOGUE).missing(dependencies, installed)


def refusal(setting: str, *dependencies: str) -> str:
    with pytest.raises(PackageError) as error:
        missing(setting, *dependencies)
    return str(error.value)


@pytest.mark.parametrize("setting", ["image", "ask", "auto"])
def test_what_is_installed_is_not_missing(setting: str) -> None:
    assert missing(setting, "numpy", "Pandas>=3", "xgboost", "tomli; python_version < '3.0'") == ()


def test_nothing_is_missing_where_nobody_knows_what_is_installed() -> None:
    assert missing("image", "anything", installed={}) == ()


def test_an_installed_version_is_not_replaced() -> None:
    assert "the sandbox has pandas 3.1.1, which is not replaced" in refusal("auto", "pandas<2")


def test_nothing_is_added_by_default_and_the_message_names_the_option() -> None:
    assert "`--packages image`" in refusal("image", "lightgbm")


def test_the_libraries_of_the_catalogue_may_be_added_by_any_spelling() -> None:
    assert missing("auto", "numpy", "lightgbm>=4", "Scikit.Learn") == ("lightgbm>=4", "Scikit.Learn")


def test_other_packages_may_not_be_added() -> None:
    assert "it is not in the catalogue" in refusal("auto", "humanize")
    assert missing("ask", "humanize") == ("humanize",)


def test_a_file_lists_what_may_be_added_and_which_versions(tmp_path: Path) -> None:
    (tmp_path / "allowed.txt").write_text("# mine\nhumanize>=4,<5  # sizes\n\nHumanize!=4.1\n")
    assert missing(str(tmp_path / "allowed.txt"), "humanize>=4.2") == ("humanize!=4.1,<5,>=4,>=4.2",)
    assert "not in the file of allowed packages" in refusal(str(tmp_path / "allowed.txt"), "torch")


@pytest.mark.parametrize(("text", "message"), [("a b c\n", "line 1 of"), (None, "nor a file that can be read")])
def test_a_file_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "allowed.txt").write_text(text)
    with pytest.raises(SettingsError, match=message):
        make_policy(str(tmp_path / "allowed.txt"), ())


@pytest.mark.parametrize("name", ["lightgbn", "ligtgbm", "lightgbmm", "ilghtgbm", "nunpy"])
@pytest.mark.parametrize("setting", ["image", "ask", "auto"])
def test_a_name_one_edit_away_from_a_known_one_is_refused_with_the_likely_name(setting: str, name: str) -> None:
    assert f"did you mean {'numpy' if name == 'nunpy' else 'lightgbm'!r}?" in refusal(setting, name)


def test_one_edit_is_found_in_both_directions() -> None:
    for text, at, letter in product(["", "a", "ab", "aab", "abab", "bbaa"], range(5), "abc"):
        longer = text[:at] + letter + text[at:]
        assert one_edit(text, longer)
        assert one_edit(longer, text)
        assert one_edit(f"{text}x", f"{text}y")
        assert not one_edit(text, text)
        assert not one_edit(text, f"{longer}zz")
    assert one_edit("nupmy", "numpy")
    assert not one_edit("nupym", "numpy")


def test_a_lock_is_the_same_text_for_the_same_packages() -> None:
    first, second = locked("B_c", "1.0", [HASH]), locked("a", "2", [HASH])
    assert Lock((first, second)).text == Lock((second, first)).text == f"a==2 --hash=sha256:{HASH}\n{first.line}\n"
    assert read_lock(Lock((first, second)).text).text == Lock((first, second)).text
    assert Lock((first,)).key("image") != Lock((first,)).key("other image")
    assert Lock((first,)).key("image") != Lock((second,)).key("image")


@pytest.mark.parametrize("hashes", [[], None, ["00"], ["x" * 64]])
def test_a_package_without_a_hash_is_refused(hashes: object) -> None:
    with pytest.raises(PackageError, match="has no hash for 'a' 1"):
        locked("a", "1", hashes)


@pytest.mark.parametrize("version", ["1.0 --index-url=x", "../x", "1\n2"])
def test_a_malformed_version_is_refused(version: str) -> None:
    with pytest.raises(PackageError, match="which is not a version"):
        locked("a", version, [HASH])


def test_the_number_of_packages_is_limited() -> None:
    lock = Lock(tuple(locked(f"p{number}", "1", [HASH]) for number in range(3)))
    check_count(lock, InstallLimits(count=3))
    with pytest.raises(PackageError, match="need 3 packages that the sandbox lacks: at most 2"):
        check_count(lock, InstallLimits(count=2))


def make_wheel(folder: Path, members: Mapping[str, bytes], name: str = "tool-1.0-py3-none-any.whl") -> Lock:
    """Write a wheel and return its lock."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    digest = sha256((folder / name).read_bytes()).hexdigest()
    return Lock((LockedPackage(name="tool", version="1.0", hashes=(digest,)),))


def test_an_ordinary_wheel_is_accepted(tmp_path: Path) -> None:
    members = dict.fromkeys(["tool/__init__.py", "tool-1.0.dist-info/METADATA", "tool-1.0.data/scripts/tool"], b"x")
    wheels = check_wheels(tmp_path, make_wheel(tmp_path, members), InstallLimits())
    assert [wheel.path.name for wheel in wheels] == ["tool-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("member", ["../x.py", "a/../../x", "/etc/x", "C:/x", "a\\..\\..\\x", "tool-1.0.data/other/x"])
def test_a_wheel_with_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, member: str) -> None:
    lock = make_wheel(tmp_path, {member: b"x"})
    with pytest.raises(PackageError, match="is refused: its file"):
        check_wheels(tmp_path, lock, InstallLimits())


def test_a_wheel_with_a_link_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tool-1.0-py3-none-any.whl", "w") as archive:
        link = zipfile.ZipInfo("tool/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    digest = sha256((tmp_path / "tool-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    lock = Lock((LockedPackage(name="tool", version="1.0", hashes=(digest,)),))
    with pytest.raises(PackageError, match="is a link or a device"):
        check_wheels(tmp_path, lock, InstallLimits())


def test_a_wheel_that_unpacks_to_more_than_it_may_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tool-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tool/data", bytes(6 * 2**20))
    digest = sha256((tmp_path / "tool-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    lock = Lock((LockedPackage(name="tool", version="1.0", hashes=(digest,)),))
    with pytest.raises(PackageError, match="are larger than 1 MB"):
        check_wheels(tmp_path, lock, InstallLimits(mb=1))


def test_only_the_files_of_the_lock_are_installed(tmp_path: Path) -> None:
    lock = make_wheel(tmp_path / "wheels", {"tool/__init__.py": b"one"})
    make_wheel(tmp_path / "wheels", {"tool/__init__.py": b"two"})
    with pytest.raises(PackageError, match="its hash differs"):
        check_wheels(tmp_path / "wheels", lock, InstallLimits())
    make_wheel(tmp_path / "wheels", {"x": b""}, "other-1.0-py3-none-any.whl")
    with pytest.raises(PackageError, match="was not asked for"):
        check_wheels(tmp_path / "wheels", lock, InstallLimits())
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError, match="no wheel for tool"):
        check_wheels(tmp_path / "empty", lock, InstallLimits())


NOT_FOUND = "ERROR: No matching distribution found for {}\n"
LOGS = {
    "an unknown name": (
        "404 Client Error: Not Found for url: https://me:word@host/simple/nothing/ - skipping\n"
        "ERROR: Could not find a version that satisfies the requirement nothing (from versions: none)\n"
        + NOT_FOUND.format("nothing"),
        "there is no package nothing on the index",
    ),
    "only source code": (
        "Skipping link: No sources permitted for wget: https://me:word@host/wget-3.2.zip\n"
        "ERROR: Could not find a version that satisfies the requirement wget (from versions: none)\n"
        + NOT_FOUND.format("wget"),
        "wget has no wheel for this Python, only source code",
    ),
    "another Python": (
        "  Link requires a different Python (3.11.2 not in: '>=3.14'): https://me:word@host/x.whl\n"
        "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
        + NOT_FOUND.format("x"),
        "x has no wheel for the sandbox's Python",
    ),
    "no such version": (
        "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.0, 2.0)\n"
        + NOT_FOUND.format("x==9"),
        "no version of x satisfies x==9: the newest ones are 1.0, 2.0",
    ),
    "a conflict": (
        "The conflict is caused by:\n    tool 1.0 depends on pandas<2\n    The user requested pandas==3.1.1\n"
        "\nTo fix this you could try to:\n",
        "does not fit what the sandbox has: tool 1.0 depends on pandas<2;",
    ),
    "another error": ("ERROR: it broke at https://me:word@host/x\n", "tool cannot be added: it broke at ADDRESS"),
}
STOPS = {
    "a full disk": "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
    "no network": "WARNING: Retrying after 'Failed to establish a new connection: [Errno -3]'\n"
    "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n" + NOT_FOUND.format("x"),
    "no pip": "/usr/bin/python: No module named pip\n",
    "no access": "403 Client Error: Forbidden\n" + NOT_FOUND.format("x"),
}


@pytest.mark.parametrize("kind", LOGS)
def test_an_agent_is_told_why_a_package_cannot_be_added(kind: str) -> None:
    log, message = LOGS[kind]
    error = explain(log, ("tool",))
    assert isinstance(error, PackageError)
    assert message in str(error)
    assert "word" not in str(error)


@pytest.mark.parametrize("kind", STOPS)
def test_what_is_no_fault_of_a_declaration_stops_the_run(kind: str) -> None:
    assert isinstance(explain(STOPS[kind], ("x",)), RunnerError)


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT", "CONSTRAINT", "TRUSTED_HOST", "PROXY"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    path = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    monkeypatch.setattr(
        "os.environ", {**__import__("os").environ, "XDG_CONFIG_DIRS": str(tmp_path), "HOME": str(tmp_path)}
    )
    return path


def test_the_index_settings_of_pip_become_variables_and_read_only_mounts(settings_file: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "ca.pem").write_text("")
    settings_file.write_text(
        f"[global]\nindex-url = https://me:word@index.example/simple\nfind-links = {tmp_path / 'wheels'}\n"
        f"cert = {tmp_path / 'ca.pem'}\n[install]\ntrusted-host = index.example\n"
    )
    index = read_index_settings()
    assert index.variables["PIP_INDEX_URL"] == "https://me:word@index.example/simple"
    assert index.variables["PIP_TRUSTED_HOST"] == "index.example"
    assert index.mounts[str(tmp_path / "wheels")] == tmp_path / "wheels"
    assert index.mounts[index.variables["PIP_CERT"]] == tmp_path / "ca.pem"
    assert "word" not in repr(index)


def test_a_folder_of_the_system_is_not_mounted_over_that_of_the_container(settings_file: Path) -> None:
    settings_file.write_text("[global]\nfind-links = /usr/local\n")
    with pytest.raises(RunnerError, match="cannot be used in a container"):
        read_index_settings()


def test_the_files_of_a_local_index_are_mounted_with_it(settings_file: Path, tmp_path: Path) -> None:
    (tmp_path / "index" / "tool").mkdir(parents=True)
    (tmp_path / "index" / "tool" / "index.html").write_text('<a href="../../files/tool-1.0-py3-none-any.whl">tool</a>')
    (tmp_path / "files").mkdir()
    settings_file.write_text(f"[global]\nextra-index-url = {(tmp_path / 'index').as_uri()}\n")
    assert {str(tmp_path / "index"), str(tmp_path / "files")} <= set(read_index_settings().mounts)


def test_only_one_process_at_a_time_builds_a_lock(tmp_path: Path) -> None:
    stop, entered = threading.Event(), threading.Event()

    def build() -> None:
        with exclusively(tmp_path, "key", stop):
            entered.set()

    with exclusively(tmp_path, "key", stop):
        other = threading.Thread(target=build)
        other.start()
        assert not entered.wait(0.5)
    other.join(10)
    assert entered.is_set()
    with exclusively(tmp_path, "key", stop):
        stop.set()
        with pytest.raises(RunnerError, match="was stopped"), exclusively(tmp_path, "key", stop):
            pass


def test_of_a_long_output_the_end_is_read(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("a" * 1000 + "error: the reason", encoding="utf-8")
    assert read_end(tmp_path / "log.txt", 17) == "error: the reason"
    assert read_end(tmp_path / "none.txt", 17) == ""


def test_what_the_interpreter_has_needs_no_addition(tmp_path: Path) -> None:
    environments = Environments(
        python=sys.executable, work_dir=tmp_path, cache=tmp_path, report=print, stop=threading.Event()
    )
    assert environments.resolve(PackageRequest(requirements=("packaging",), provided={})) == Lock(())


def test_a_folder_whose_folders_vanish_is_measured(tmp_path: Path) -> None:
    (tmp_path / "stays").write_bytes(bytes(10_000))
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            deepest = tmp_path / "a" / "b" / "c"
            deepest.mkdir(parents=True)
            shutil.rmtree(tmp_path / "a")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        sizes = {used_bytes(tmp_path) for _ in range(2000)}
    finally:
        ended.set()
        thread.join()
    assert min(sizes) >= 10_000
