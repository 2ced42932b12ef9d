"""Runs whose scripts declare pretrained weights: what the policy allows, and what agents and people are told."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import SettingsError, UserError
from mlestar.report import Result
from mlestar.retrieval import Exclusion
from mlestar.runners import Execution, Job, ScriptedRunner
from mlestar.runners.supply.weights import Entry, StoredFile, WeightStore, WeightSupplier, read_address
from mlestar.state import Answer, Question
from tests.unit.scenario import SMALL, Scenario, fence, script, signs

COMMIT = "a" * 40
ADDRESS = f"hf:timm/tiny@{COMMIT}"
CONTENT = b"weights"


def declare(*addresses: str) -> str:
    """Return the block with which a script declares weights."""
    return f"# /// script\n# dependencies = []\n# [tool.mlestar]\n# weights = {json.dumps(addresses)}\n# ///\n"


def fill(folder: Path, address: str = ADDRESS, licence: str = "mit") -> None:
    """Put weights into a store, as a download would have done."""
    store, sha256 = WeightStore(folder), hashlib.sha256(CONTENT).hexdigest()
    part = store.partial(address)
    part.write_bytes(CONTENT)
    store.install(part, sha256)
    repository = address.removeprefix("hf:").partition("@")[0]
    file = StoredFile(name="model.safetensors", sha256=sha256, size=len(CONTENT))
    entry = Entry(
        address=address,
        kind="hub",
        repository=repository,
        revision=COMMIT,
        files=(file,),
        licence=licence,
        fetched="2026-01-01T00:00:00Z",
    )
    store.record(entry, read_address(address))


class WeightRun:
    """A run with scripts that declare weights, and what its runner was given."""

    def __init__(self, folder: Path, *addresses: str, answer: str = "", **settings: object) -> None:
        self.folder = folder
        self.settings: Mapping[str, object] = {"weights_dir": folder / "store", **settings}
        self.answer = answer
        self.questions: list[Question] = []
        replies = [fence(declare(*addresses) + script(0.9, name)) for name in ("A", "B")]
        self.scenario = Scenario(initializer=replies)
        self.weights: dict[str, tuple[str, ...]] = {}
        """Files of weights by the name of an execution that had any."""
        self.folders: set[tuple[Path, ...]] = set()

    async def solve(self) -> Result:
        settings = {**SMALL, "runs_dir": self.folder / "runs", "outer_steps": 0, **self.settings}
        options = self.scenario.options(on_question=self._ask if self.answer else None)
        options["runner"] = ScriptedRunner(self._run)
        return await mlestar.asolve(signs(), settings=settings, run_id="run", **options)

    def _run(self, job: Job) -> Execution:
        self.folders.add(job.weight_folders)
        if job.weights is not None:
            files = (path for path in job.weights.rglob("*") if path.is_file() and path.read_bytes() == CONTENT)
            self.weights[job.name] = tuple(sorted(path.relative_to(job.weights).as_posix() for path in files))
        return self.scenario.run(job)

    def _ask(self, question: Question) -> Answer:
        self.questions.append(question)
        return Answer.model_validate({"action": self.answer})


async def test_a_script_reads_the_weights_that_it_declares_and_the_result_states_them(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    run = WeightRun(tmp_path, ADDRESS)
    result = await run.solve()
    assert result.status == "solved"
    snapshot = f"hub/models--timm--tiny/snapshots/{COMMIT}/model.safetensors"
    assert snapshot in run.weights["t0.c1"]
    (row,) = result.weights
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert (row.address, row.revision, row.sha256, row.licence) == (ADDRESS, COMMIT, sha256, "mit")
    page = Path(result.report or "").read_text()
    assert all(text in page for text in (ADDRESS, COMMIT, sha256, "mit"))


async def test_weights_that_the_policy_does_not_allow_are_a_verdict_that_names_the_option(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    run = WeightRun(tmp_path, "hf:timm/other")
    result = await run.solve()
    assert not run.weights
    (prompt, *_) = run.scenario.prompts["debugger"]
    assert "weights hf:timm/other are not in the store, and this run may not fetch them (--weights auto" in prompt
    assert f"declare one of {ADDRESS}" in run.scenario.prompts["bug_summarizer"][0]
    assert result.status == "solved"
    assert result.weights == ()


async def test_a_file_of_the_web_needs_its_host_to_be_allowed_also_by_auto(tmp_path: Path) -> None:
    address = f"https://example.org/data?x=1#sha256={'0' * 64}"
    run = WeightRun(tmp_path, address, weights="auto")
    await run.solve()
    assert "(--set weight_hosts=example.org allows it)" in run.scenario.prompts["debugger"][0]


@pytest.mark.parametrize("answer", ["reject", ""])
async def test_a_person_decides_what_is_fetched(tmp_path: Path, answer: str) -> None:
    run = WeightRun(tmp_path, "hf:timm/other", weights="ask", answer=answer)
    result = await run.solve()
    if not answer:
        assert (result.status, "weights" in result.message) == ("paused", True)
        return
    (question, *others) = run.questions
    assert (question.point, question.proposal["weights"], others) == ("weights", ["hf:timm/other"], [])
    assert "a person has refused to fetch them" in run.scenario.prompts["debugger"][0]


async def test_weights_that_are_named_after_the_task_are_refused_and_listed(tmp_path: Path) -> None:
    address = f"hf:somebody/signs-solution@{COMMIT}"
    fill(tmp_path / "store", address)
    run = WeightRun(tmp_path, address)
    result = await run.solve()
    assert not run.weights
    reason = "it has the name of the competition that the task is named after"
    assert reason in run.scenario.prompts["debugger"][0]
    assert [(source.address, source.dropped) for source in result.sources] == [(address, reason)]


async def test_a_folder_of_the_users_own_is_given_to_every_script(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    run = WeightRun(tmp_path, weights_folder=[str(own)])
    await run.solve()
    assert run.folders == {(own,)}


@pytest.mark.parametrize("place", ["task", "task/input", "", "runs/x", "missing"])
def test_a_folder_with_labels_is_no_folder_of_weights(tmp_path: Path, place: str) -> None:
    from mlestar.runtime.weights import check_weight_folders
    from mlestar.settings import Settings

    for name in ("task/input", "runs/x"):
        (tmp_path / name).mkdir(parents=True)
    settings = Settings(weights_folder=(tmp_path / place,), runs_dir=tmp_path / "runs")
    with pytest.raises(SettingsError, match="--weights-folder"):
        check_weight_folders(settings, tmp_path / "task")


@pytest.mark.parametrize(
    ("task", "name", "refused"),
    [
        ("dog-breed-identification", "somebody/dog-breed-identification-vit", True),
        ("dog-breed-identification", "dogbreedidentification", True),
        ("dog-breed-identification", "timm/efficientnet_b0.ra_in1k", False),
        ("titanic", "somebody/titanic-xgb", True),
        ("titanic", "titan", False),
        ("images", "timm/images-classifier", False),
        ("text classification", "google-bert/bert-base-uncased", False),
        ("wine", "winepi", False),
    ],
)
def test_a_name_of_the_competition_is_recognised(task: str, name: str, refused: bool) -> None:
    assert bool(Exclusion(names=(task,)).reason_for_supply(name)) == refused


def test_domains_and_terms_that_a_person_excludes_apply_to_weights() -> None:
    exclusion = Exclusion(domains=("example.org",), terms=("secret",))
    assert exclusion.reason_for_supply("x.pth", "https://files.example.org/x.pth") == "example.org is excluded"
    assert exclusion.reason_for_supply("a/secret-net") == "it contains 'secret'"
    assert not exclusion.reason_for_supply("a/b")


async def test_a_fork_keeps_what_was_executed_with_weights_that_are_gone(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    run = WeightRun(tmp_path, ADDRESS)
    result = await run.solve()
    WeightStore(tmp_path / "store").remove(read_address(ADDRESS))
    run.weights.clear()
    prompts = sum(map(len, run.scenario.prompts.values()))
    options = run.scenario.options()
    options["runner"] = ScriptedRunner(run._run)
    forked = await mlestar.afork("run", at="settings", runs_dir=tmp_path / "runs", **options)
    assert (forked.status, forked.winner, forked.weights) == ("solved", result.winner, result.weights)
    assert not run.weights
    assert sum(map(len, run.scenario.prompts.values())) == prompts


async def test_weights_that_a_run_has_found_are_not_removed_before_it_uses_them(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    store = WeightStore(tmp_path / "store")
    supplier = WeightSupplier(store, max_mb=1)
    assert await supplier.find(read_address(ADDRESS)) is not None
    with pytest.raises(UserError, match="a run uses the weights"):
        store.remove(read_address(ADDRESS))
    supplier.close()
    store.remove(read_address(ADDRESS))


def test_a_repository_without_a_revision_is_what_the_store_has_of_it(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    store = WeightStore(tmp_path / "store")
    entry = store.find(read_address("hf:timm/tiny"))
    assert entry is not None
    assert entry.address == ADDRESS
    assert store.find(read_address("hf:timm/tiny@main")) is None
    assert store.find(read_address("hf:timm/other")) is None
