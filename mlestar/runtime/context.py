"""The live services of a run (model, search, runner, store, budget), found from the runtime context."""

import asyncio
import dataclasses
import shutil
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from langgraph.config import get_config, get_stream_writer
from langgraph.runtime import Runtime

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.roles import ROLES
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import Holdout, fresh_holdouts, search_holdout, stage
from mlestar.events import Event, Spending
from mlestar.llm import Caller, ModelReply, Prices, RetryPolicy, Transport, choose_models
from mlestar.prompts import Prompts
from mlestar.retrieval import Findings, choose_retrieval, read_card
from mlestar.runners import ContainerOptions, Environment, Execution, Job, Limits, Runner, choose_runner
from mlestar.runtime.budget import Budget, Refused, Stage
from mlestar.runtime.options import OnEvent, RunOptions
from mlestar.settings import Settings
from mlestar.state import Brief, Outcome, Solution
from mlestar.store import Blobs, Held, Ledger, Record, RunFolder, key_of


@dataclass(frozen=True)
class StagedInput:
    """An input folder that scripts read, and the hash of its contents."""

    name: str
    path: Path
    manifest: str


@dataclass(frozen=True)
class SubmittedSolution:
    """The solution whose submission lies in the run folder."""

    solution: Solution
    final: bool
    """The run chose it; otherwise it stands there until the run has chosen."""


CPUS_PER_SCRIPT = 1
LEAST_MEMORY_MB = 2048
"""Memory that a script should find when several execute at once."""


class _Unfinished(Exception):
    """A search found what it could while a part of it failed."""

    def __init__(self, findings: Findings) -> None:
        super().__init__("; ".join(findings.failures))
        self.findings = findings


class RunContext:
    """Everything nodes need to act for one run."""

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        task_folder: Path,
        options: RunOptions,
        task: Task | None,
        lock: IO[str],
    ) -> None:
        models, prices = choose_models(settings, options.get("model")), Prices(settings.prices)
        self.prompts = Prompts(settings.prompts, [role.prompt for role in ROLES.values()])
        self.cards = [read_card(path) for path in settings.cards]
        self.settings = settings
        self.folder = folder
        self.task_folder = task_folder
        self.blobs = Blobs(folder.blobs)
        self.ledger = Ledger(folder.ledger)
        policy = RetryPolicy(
            attempt_seconds=settings.model_seconds,
            attempts=settings.model_attempts,
            backoff_seconds=settings.model_backoff,
            parallel_calls=settings.model_parallel,
        )
        self.caller = Caller(models, self.ledger, self.blobs, transport=Transport(policy, _emit_model), prices=prices)
        try:
            self.budget = Budget(settings, self.ledger, self.caller.prices)
            self.retrieval = choose_retrieval(
                settings.retrieval,
                options.get("retrieval"),
                ground=self._ground if models.can_ground else None,
                prompts=self.prompts,
                names=[task_folder.name, *([task.spec.name] if task else [])],
            )
        except UserError:
            self.ledger.close()
            raise
        self.held = False
        """Whoever opened it closes it; otherwise the run's last node does."""
        self.submitted: SubmittedSolution | None = None
        self.submitting = threading.Lock()
        self._options = options
        self._lock = lock
        self._runner = options.get("runner")
        self._opening = asyncio.Lock()
        self._staging = asyncio.Lock()
        self._slots: asyncio.Semaphore | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._briefs: dict[str, Brief] = {}
        self._task = task
        self._inputs: dict[str, StagedInput] = {}
        self._searched: Holdout | None = None

    async def runner(self) -> Runner:
        """Return the runner, choosing it on first use."""
        async with self._opening:
            if self._runner is None:
                self._runner = await choose_runner(
                    self.settings.runner,
                    trusted=self.caller.models.trusted,
                    owner=self.folder.run_id,
                    work_dir=self.folder.work,
                    on_progress=_progress(self._options.get("on_event")),
                    container=ContainerOptions(
                        image=self.settings.image,
                        network="bridge" if self.settings.network else "none",
                        gpus=self.settings.gpus,
                        runtime=self.settings.runtime,
                        warm=self.settings.warm,
                    ),
                )
        return self._runner

    async def environment(self) -> Environment:
        """Return what one script finds: its share of the CPUs and memory when several execute at once."""
        whole = await (await self.runner()).environment()
        at_once = scripts_at_once(self.settings, whole)
        if self._slots is None:
            self._slots = asyncio.Semaphore(at_once)
            self.budget.at_once = at_once
        return dataclasses.replace(
            whole,
            cpus=self.settings.cpus or max(1.0, float(whole.cpus // at_once)),
            memory_mb=min(self.settings.memory_mb, whole.memory_mb // at_once),
        )

    async def task(self, brief: Brief | None = None) -> Task:
        """Return the task, with the brief's spec when one is given."""
        async with self._opening:
            if self._task is None:
                self._task = await asyncio.to_thread(
                    Task.load, self.task_folder, goal=self.settings.goal, metric=self.settings.metric
                )
        return dataclasses.replace(self._task, spec=brief.spec) if brief else self._task

    async def keep(self, text: str) -> str:
        """Store a text and return its blob."""
        return await asyncio.to_thread(self.blobs.put, text)

    async def text(self, sha: str) -> str:
        return await asyncio.to_thread(self.blobs.text, sha)

    async def brief(self, state: Mapping[str, Any]) -> Brief:
        """Return the brief that a state refers to."""
        sha = state["brief"]
        if sha not in self._briefs:
            self._briefs[sha] = Brief.model_validate_json(await self.text(sha))
        return self._briefs[sha]

    def agent(self, brief: Brief, track: int = 0, stage: Stage = "search") -> AgentContext:
        """Return a agent at which an agent of a track works; a call that the budget refuses is no usable reply.

        Answers are told as events of the node that asks.
        """

        async def call(role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
            label = f"{role} of t{sample[0]}"
            try:
                reply = await self.caller.call(role, prompt, sample, self.budget.call(label, prompt, stage))
            except Refused as refusal:
                raise ReplyError(str(refusal)) from None
            await self._emit_answer(role, track)
            return reply

        return AgentContext(call=call, prompts=self.prompts, brief=brief, track=track)

    async def _ground(self, role: str, prompt: str) -> ModelReply:
        return await self.caller.ground(role, prompt, self.budget.call(role, prompt))

    async def spending(self) -> Spending:
        """Return what the run has cost so far."""
        return Spending.model_validate(await self.budget.spend())

    async def _emit_answer(self, role: str, track: int) -> None:
        try:
            node = get_config()["metadata"]["langgraph_node"]
        except (RuntimeError, KeyError):  # asked outside of a graph
            return
        message = f"the {role.replace('_', ' ')} has answered"
        get_stream_writer()(Event(stage=node, message=message, track=track, role=role, spend=await self.spending()))

    async def find_cards(self, brief: Brief, count: int) -> Findings:
        """Search for model cards, or return what the ledger remembers of the same search.

        A search that failed is not remembered: another session may have more luck.
        """

        async def work() -> Record:
            findings = await self.retrieval.gather(brief, count, _emit_retrieval)
            if findings.failures:
                raise _Unfinished(findings)
            return Record(result=findings.model_dump(mode="json"))

        excluded = self.settings.retrieval.model_dump(mode="json")
        key = key_of("retrieval", self.retrieval.title, excluded, brief.spec.model_dump(mode="json"), count)
        try:
            result, _ = await self.ledger.once(key, "retrieval", "retrieval", work)
        except _Unfinished as unfinished:
            return unfinished.findings
        return Findings.model_validate(result)

    async def search_input(self, brief: Brief) -> tuple[StagedInput, Holdout | None]:
        """Return the input of the search: the holdout's, or the real one when there is no holdout."""
        if brief.split is None:
            return await self.real_input(), None
        task = await self.task(brief)
        if self._searched is None:
            self._searched = await asyncio.to_thread(search_holdout, task, brief.split, seed=brief.seed)
        return await self._staged(task, self._searched), self._searched

    async def fresh_inputs(self, brief: Brief, count: int) -> list[tuple[StagedInput, Holdout]]:
        """Return up to `count` holdouts whose held-out rows the search never scored."""
        if brief.split is None or count == 0:
            return []
        task = await self.task(brief)
        fresh = await asyncio.to_thread(fresh_holdouts, task, brief.split, seed=brief.seed, count=count)
        return [(await self._staged(task, holdout), holdout) for holdout in fresh]

    async def real_input(self) -> StagedInput:
        """Return the task's own input, copied so that no script works on a person's files."""
        return await self._staged(await self.task(), None)

    async def execute(
        self,
        script: str,
        place: StagedInput,
        *,
        outputs: tuple[str, ...] = ("submission.csv",),
        stretch: float = 1.0,
        stage: Stage = "search",
        label: str,
    ) -> Outcome:
        """Run a script, or return what the ledger remembers of the same run.

        Args:
            script: blob of the script.
            place: its `./input`.
            outputs: glob patterns of the files to keep.
            stretch: factor on the time limit of a script.
            stage: what the run is for; later stages may use what the budget keeps for them.
            label: name of the ledger entry.

        Raises:
            Refused: the budget does not allow the run.
            RunnerError: scripts cannot be executed here.
        """
        environment = await self.environment()
        settings = self.settings
        seconds = settings.script_seconds * stretch
        limits = Limits(seconds=seconds, memory_mb=environment.memory_mb, cpus=environment.cpus)
        # What is configured, not what this machine or the rest of the budget makes of it: a resume finds its work.
        limited = [seconds, settings.memory_mb, settings.cpus, settings.gpus]
        software = [environment.image, environment.python, environment.packages, environment.network]
        key = key_of("execution", script, place.manifest, software, limited, outputs, settings.seed)
        code = await self.text(script)
        allowed = limits.seconds

        @asynccontextmanager
        async def started() -> AsyncIterator[Held]:
            nonlocal allowed
            async with self._free_slot(), self.budget.execution(label, stage, limits.seconds) as held:
                allowed = held.seconds
                yield held

        async def work() -> Record:
            record = await self._run(code, place, dataclasses.replace(limits, seconds=allowed), outputs, label)
            if record.result["status"] == "timeout" and allowed < limits.seconds:
                raise await self.budget.overran(label)
            return record

        result, _ = await self.ledger.once(key, "execution", label, work, within=started())
        return Outcome.model_validate(result)

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work beside the graph, which does not wait for it; `aclose` ends what is not finished."""
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def aclose(self) -> None:
        """End what runs aside and release the runner, the ledger and the lock."""
        for task in (unfinished := list(self._aside)):
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        try:
            if self._runner is not None and self._options.get("runner") is None:
                await self._runner.aclose()
            await asyncio.to_thread(shutil.rmtree, self.folder.work, ignore_errors=True)
            await self.budget.spend()
        finally:
            self.ledger.close()
            self._lock.close()

    def _free_slot(self) -> asyncio.Semaphore:
        if self._slots is None:
            msg = "what a script finds is not known yet"
            raise RuntimeError(msg)
        return self._slots

    async def _dismiss_runner(self) -> None:
        """Let go of the runner and of containers that wait: a run that is cancelled has no end of its own to do so."""
        runner, self._runner = self._runner, self._options.get("runner")
        if runner is not None and runner is not self._runner:
            await runner.aclose()

    async def _staged(self, task: Task, holdout: Holdout | None) -> StagedInput:
        name = holdout.name if holdout else "real"
        async with self._staging:
            if name not in self._inputs:
                path = self.folder.holdouts / name / "input"
                sha = await asyncio.to_thread(stage, task, holdout, path, link=True)
                self._inputs[name] = StagedInput(name, path, sha)
            return self._inputs[name]

    async def _run(self, code: str, place: StagedInput, limits: Limits, outputs: tuple[str, ...], label: str) -> Record:
        collect = self.folder.work / uuid.uuid4().hex
        await asyncio.to_thread(collect.mkdir, parents=True)
        job = Job(
            script=code,
            input=place.path,
            collect=collect,
            limits=limits,
            outputs=outputs,
            seed=self.settings.seed,
            name=label,
        )
        try:
            execution = await (await self.runner()).run(job)
            outcome = await asyncio.to_thread(self._remember, execution, collect)
        except asyncio.CancelledError:
            await self._dismiss_runner()
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, collect, ignore_errors=True)
        return Record(result=outcome.model_dump(), seconds=outcome.seconds)

    def _remember(self, execution: Execution, collect: Path) -> Outcome:
        return Outcome(
            status=execution.status,
            exit_code=execution.exit_code,
            stdout=self.blobs.put(execution.stdout),
            stderr=self.blobs.put(execution.stderr),
            seconds=execution.seconds,
            peak_memory_mb=execution.peak_memory_mb,
            files={name: self.blobs.put_file(collect / name) for name in execution.files},
            detail=execution.detail,
        )


def _progress(on_event: OnEvent | None) -> Callable[[str], None] | None:
    return (lambda line: on_event(Event(stage="sandbox", message=line))) if on_event else None


def _emit_model(line: str) -> None:
    _emit("model", line)


def _emit_retrieval(line: str) -> None:
    _emit("retrieval", line)


def _emit(stage: str, line: str) -> None:
    """Stream a line of progress from below the nodes; without a graph around there is nobody to tell."""
    try:
        write = get_stream_writer()
    except RuntimeError:
        return
    write(Event(stage=stage, message=line))


def scripts_at_once(settings: Settings, whole: Environment) -> int:
    """Return how many scripts execute at once on a machine, from its CPUs and memory.

    Scripts that use GPUs take turns: nothing tells which device another script holds.
    """
    if settings.parallel:
        return settings.parallel
    if settings.gpus:
        return 1
    cpus = settings.cpus or CPUS_PER_SCRIPT
    memory = min(settings.memory_mb, LEAST_MEMORY_MB)
    return max(1, min(int(whole.cpus // cpus), whole.memory_mb // memory))


_OPENING = threading.Lock()
_OPEN: dict[Path, RunContext] = {}
"""Run contexts of this process by run folder: state and context hold plain data only, so nodes find the services of
their run here."""


async def open_context(
    settings: Settings,
    run_id: str,
    task_folder: Path | None = None,
    options: RunOptions | None = None,
    task: Task | None = None,
) -> RunContext:
    """Return the run context of a run, opening it when this process has not done so.

    Args:
        settings: of the run; a run that exists keeps the task folder it was made with.
        run_id: name of the run folder.
        task_folder: needed for a run that does not exist.
        options: live objects to use instead of those the settings name.
        task: a loaded task to use instead of what lies in the folder.

    Raises:
        UserError: the run does not exist and no task folder is given, or the runs folder cannot be written.
        StoreError: another process works on the run.
    """
    # Off the loop from the first line on: a relative runs folder asks the system for the current one.
    return await asyncio.to_thread(_open, settings, run_id, task_folder, options, task)


async def close_context(ctx: RunContext) -> None:
    """Release a run's services."""
    _OPEN.pop(ctx.folder.path, None)
    await ctx.aclose()


async def release_context(ctx: RunContext) -> None:
    """Release the services of a run that ends, unless whoever opened them with options of its own closes them."""
    if not ctx.held:
        await close_context(ctx)


async def find_context(state: Mapping[str, Any], runtime: Runtime[Settings]) -> RunContext:
    """Return the run context of the run that a node works on."""
    return await open_context(Settings.of(runtime.context), state["run_id"])


def _open(
    settings: Settings, run_id: str, task_folder: Path | None, options: RunOptions | None, task: Task | None
) -> RunContext:
    folder = RunFolder(settings.runs_dir, run_id)
    with _OPENING:
        if folder.path not in _OPEN:
            task_folder = (task_folder or Path(folder.read_settings().task)).absolute()
            folder.create()
            lock = folder.lock()
            try:
                # First of all, so that a run that is killed at once can be resumed by its name alone.
                folder.record_settings(task_folder, settings.model_dump(mode="json"))
                ctx = RunContext(settings, folder, task_folder, options or {}, task, lock)
                ctx.held = options is not None
            except BaseException:
                lock.close()
                raise
            _OPEN[folder.path] = ctx
        return _OPEN[folder.path]
