"""A run whose scripts declare packages: what is asked, resolved and recorded, and what a debugger is told."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

import mlestar
from mlestar.report import Result
from mlestar.runners import Environment, Execution, Job, ScriptedRunner
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError, PackageRequest, locked
from mlestar.session.repair import repair_run
from mlestar.settings import Settings
from mlestar.state import Answer, Question
from mlestar.store import Ledger, RunFolder
from tests.unit.scenario import SMALL, Scenario, fence, script, signs, study

HASH = "0" * 64
ENVIRONMENT = Environment(
    runner="scripted",
    image="scripted",
    python="3.11.0",
    packages={},
    distributions={"numpy": "2.4.6"},
    cpus=1.0,
    memory_mb=4096,
    network=False,
)
DECLARATION = "# /// script\n# dependencies = [{}]\n# ///\n"


class InstallingRunner(ScriptedRunner):
    """A scripted runner that can add packages; it knows one, `lightgbm`, which needs `helper`."""

    def __init__(self, scenario: Scenario, environment: Environment = ENVIRONMENT) -> None:
        super().__init__(self.execute, environment)
        self.scenario = scenario
        self.resolved: list[tuple[str, ...]] = []
        self.installed: list[str] = []
        self.bases: dict[str, str] = {}
        self.adds: tuple[str, ...] = ("lightgbm", "helper")

    def execute(self, job: Job) -> Execution:
        self.bases[job.name] = job.base
        return self.scenario.run(job)

    async def resolve(self, request: PackageRequest) -> Lock:
        self.resolved.append(request.requirements)
        if not request.requirements[0].startswith("lightgbm"):
            msg = f"there is no package {request.requirements[0]} on the index"
            raise PackageError(msg)
        versions = {"lightgbm": "4.7.0", "helper": "1.0"}
        return Lock(tuple(locked(name, versions[name], [HASH]) for name in self.adds))

    async def install(self, lock: Lock, limits: InstallLimits) -> str:
        del limits
        self.installed.append(lock.text)
        return "base-with-packages"


def declaring(*names: str) -> Scenario:
    """Return a scenario whose candidates declare packages."""
    head = DECLARATION.format(", ".join(f'"{name}"' for name in names))
    return Scenario(initializer=fence(head + script(0.7, "declared")), debugger=fence(script(0.6, "repaired")))


async def solve(tmp_path: Path, scenario: Scenario, runner: InstallingRunner, **settings: object) -> Result:
    chosen = {**SMALL, "runs_dir": tmp_path / "runs", "model_backoff": 0, "retrieved_models": 1, **settings}
    options = {**scenario.options(), "runner": runner}
    return await mlestar.asolve(signs(), settings=Settings.resolve(chosen), run_id="run", **options)  # type: ignore[arg-type]  # a dict of options


async def test_a_declared_package_is_added_once_and_its_lock_is_recorded(tmp_path: Path) -> None:
    scenario = declaring("lightgbm>=4", "numpy")
    runner = InstallingRunner(scenario)
    result = await solve(tmp_path, scenario, runner, packages="auto", outer_steps=0)
    assert result.status == "solved"
    assert runner.resolved == [("lightgbm>=4",)]
    assert set(runner.bases.values()) == {"base-with-packages"}
    assert result.packages == (f"helper==1.0 --hash=sha256:{HASH}", f"lightgbm==4.7.0 --hash=sha256:{HASH}")
    assert "lightgbm==4.7.0" in Path(result.report or "").read_text(encoding="utf-8")
    ledger = Ledger(RunFolder(tmp_path / "runs", "run").ledger)
    assert [note["declared"] for note in ledger.notes("packages")] == [["lightgbm>=4"]]
    ledger.close()


@pytest.mark.parametrize(
    ("packages", "name", "message"),
    [
        ("image", "lightgbm", "this run adds no packages (`--packages image`"),
        ("auto", "lightgbn", "did you mean 'lightgbm'?"),
        ("auto", "humanize", "it is not in the catalogue"),
        ("auto", "signs-solutions", "it has the name of the competition"),
        ("auto", "numpy<2", "the sandbox has numpy 2.4.6"),
    ],
)
async def test_a_debugger_is_told_why_a_script_did_not_start(
    tmp_path: Path, packages: str, name: str, message: str
) -> None:
    scenario = declaring(name)
    result = await solve(tmp_path, scenario, InstallingRunner(scenario), packages=packages, outer_steps=0)
    assert result.status == "solved"
    assert message in scenario.prompts["bug_summarizer"][0]
    assert "declared" not in "".join(scenario.scripts.values())


async def test_the_reason_is_told_whatever_is_shared_of_the_data(tmp_path: Path) -> None:
    scenario = declaring("lightgbn")
    await solve(tmp_path, scenario, InstallingRunner(scenario), packages="auto", outer_steps=0, share="names")
    assert "did you mean 'lightgbm'?" in scenario.prompts["bug_summarizer"][0]


async def test_the_reason_why_a_study_did_not_start_is_told_without_figures(tmp_path: Path) -> None:
    head = DECLARATION.format('"lightgbn"')
    scenario = Scenario(ablator=fence(head + study(0.7, ("plain", 0.6))))
    await solve(tmp_path, scenario, InstallingRunner(scenario), packages="auto", share="names")
    (prompt, *_) = scenario.prompts["bug_summarizer"]
    assert "did you mean 'lightgbm'?" in prompt
    assert "not shared" not in prompt
    assert "seconds" not in prompt.partition("</script>")[2]


async def test_a_person_is_asked_once_and_may_refuse(tmp_path: Path) -> None:
    for action, ran in (("approve", "declared"), ("reject", "repaired")):
        questions: list[Question] = []

        def answer(question: Question, action: str = action, asked: list[Question] = questions) -> Answer:
            asked.append(question)
            return Answer.model_validate({"action": action})

        scenario = declaring("lightgbm")
        chosen = {**SMALL, "runs_dir": tmp_path / action, "packages": "ask", "retrieved_models": 1, "outer_steps": 0}
        options = {**scenario.options(on_question=answer), "runner": InstallingRunner(scenario)}
        result = await mlestar.asolve(signs(), settings=Settings.resolve(chosen), **options)  # type: ignore[arg-type]  # a dict of options
        assert result.status == "solved"
        assert [(question.id, question.point) for question in questions] == [("packages:lightgbm", "packages")]
        assert any(ran in text for text in scenario.scripts.values())


async def test_without_an_answer_the_run_pauses(tmp_path: Path) -> None:
    scenario = declaring("lightgbm")
    result = await solve(tmp_path, scenario, InstallingRunner(scenario), packages="ask", outer_steps=0)
    assert (result.status, "packages:lightgbm" in result.message) == ("paused", True)


async def test_a_block_that_cannot_be_read_is_a_failure_that_is_debugged(tmp_path: Path) -> None:
    scenario = declaring("not a requirement !")
    result = await solve(tmp_path, scenario, InstallingRunner(scenario), packages="auto", outer_steps=0)
    assert result.status == "solved"
    assert "is not a requirement such as" in scenario.prompts["bug_summarizer"][0]


async def test_the_answer_about_packages_is_none_about_weights(tmp_path: Path) -> None:
    questions: list[Question] = []

    def answer(question: Question) -> Answer:
        questions.append(question)
        return Answer.model_validate({"action": "approve" if question.point == "packages" else "reject"})

    block = '# /// script\n# dependencies = ["lightgbm"]\n# [tool.mlestar]\n# weights = ["hf:timm/other"]\n# ///\n'
    scenario = Scenario(initializer=fence(block + script(0.7, "declared")), debugger=fence(script(0.6, "repaired")))
    policies = {"packages": "ask", "weights": "ask", "weights_dir": tmp_path / "store"}
    chosen = {**SMALL, "runs_dir": tmp_path / "runs", "retrieved_models": 1, "outer_steps": 0, **policies}
    options = {**scenario.options(on_question=answer), "runner": InstallingRunner(scenario)}
    result = await mlestar.asolve(signs(), settings=Settings.resolve(chosen), **options)  # type: ignore[arg-type]  # a dict of options
    assert result.status == "solved"
    assert [question.id for question in questions] == ["packages:lightgbm", "weights:hf:timm/other"]
    assert "a person has refused to fetch them" in scenario.prompts["bug_summarizer"][0]


async def test_a_fork_adds_no_packages_for_what_is_recorded(tmp_path: Path) -> None:
    scenario = declaring("lightgbm>=4")
    result = await solve(tmp_path, scenario, InstallingRunner(scenario), packages="auto", outer_steps=0)
    runner = InstallingRunner(scenario)
    options = {**scenario.options(), "runner": runner}
    forked = await mlestar.afork("run", at="settings", runs_dir=tmp_path / "runs", **options)  # type: ignore[arg-type]  # a dict of options
    assert (forked.status, forked.packages) == ("solved", result.packages)
    assert not runner.installed
    assert not runner.bases


async def test_conditions_are_those_of_the_interpreter_of_scripts(tmp_path: Path) -> None:
    scenario = declaring("lightgbm; python_version < '3.5'")
    runner = InstallingRunner(scenario, dataclasses.replace(ENVIRONMENT, python="3.4.10"))
    await solve(tmp_path, scenario, runner, packages="auto", outer_steps=0)
    assert runner.installed


async def test_a_lock_that_is_gone_is_found_and_resolved_again(tmp_path: Path) -> None:
    scenario = declaring("lightgbm>=4")
    result = await solve(tmp_path, scenario, InstallingRunner(scenario), packages="auto", outer_steps=0)
    folder = RunFolder(tmp_path / "runs", "run")
    sha = hashlib.sha256("".join(f"{line}\n" for line in result.packages).encode()).hexdigest()
    (folder.blobs / sha[:2] / sha[2:]).unlink()
    folder.result.unlink()
    lost = {finding.damage.split()[0].rstrip(":") for finding in repair_run(folder)}
    assert {"packages", "execution", "export", "solution"} <= lost
    runner = InstallingRunner(scenario)
    options = {**scenario.options(), "runner": runner}
    again = await mlestar.aresume("run", runs_dir=tmp_path / "runs", **options)  # type: ignore[arg-type]  # a dict of options
    assert (again.status, again.packages) == ("solved", result.packages)
    assert runner.resolved == [("lightgbm>=4",)]


async def test_an_extra_of_which_all_is_installed_adds_nothing(tmp_path: Path) -> None:
    scenario = declaring("lightgbm[scikit-learn]")
    runner = InstallingRunner(scenario, dataclasses.replace(ENVIRONMENT, distributions={"lightgbm": "4.7.0"}))
    runner.adds = ()
    result = await solve(tmp_path, scenario, runner, packages="auto", outer_steps=0)
    assert (result.status, result.packages, runner.installed) == ("solved", (), [])
    assert set(runner.bases.values()) == {""}
    assert len(runner.resolved) == 1
    assert any("declared" in text for text in scenario.scripts.values())


async def test_what_is_installed_and_broken_is_not_added(tmp_path: Path) -> None:
    scenario = declaring("lightgbm")
    runner = InstallingRunner(scenario, dataclasses.replace(ENVIRONMENT, broken={"lightgbm": "OSError: libgomp"}))
    await solve(tmp_path, scenario, runner, packages="auto", outer_steps=0)
    assert (
        "is installed in the sandbox and cannot be imported (OSError: libgomp)" in scenario.prompts["bug_summarizer"][0]
    )
    assert not runner.resolved


async def test_agents_are_told_nothing_of_packages_that_the_runner_cannot_add(tmp_path: Path) -> None:
    scenario = Scenario()
    chosen = {**SMALL, "runs_dir": tmp_path / "runs", "packages": "auto", "outer_steps": 0}
    options = {**scenario.options(), "runner": ScriptedRunner(scenario.run, ENVIRONMENT)}
    await mlestar.asolve(signs(), settings=Settings.resolve(chosen), **options)  # type: ignore[arg-type]  # a dict of options
    assert "packages cannot be added" in scenario.prompts["initializer"][0]
