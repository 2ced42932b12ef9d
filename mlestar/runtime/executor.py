"""Executing the scripts of a run, each once: runner, limits, budget and ledger around it."""

import asyncio
import dataclasses
import functools
import logging
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from mlestar.events import Event
from mlestar.runners import ContainerOptions, Environment, Execution, Gpu, Job, Limits, Runner, choose_runner
from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runtime.budget import Stage
from mlestar.runtime.devices import Devices, find_devices, scripts_by_gpus
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.page_cache import drop_page_cache, dropping_problem
from mlestar.runtime.progress import Subject, announce, emit_event, few_words
from mlestar.runtime.services import Services
from mlestar.runtime.supplies import Supplied, Supplies, UnavailableError
from mlestar.runtime.turns import Turns
from mlestar.settings import Settings
from mlestar.state import ExecutionRecord
from mlestar.store import ExecutionKind, Record, Reservation, RunFolder, key_of

logger = logging.getLogger("mlestar.runtime")

CPUS_PER_SCRIPT = 1
MIN_MEMORY_MB = 2048
"""Memory that a script should have when several execute at once: what the offline engineer's largest scripts need.
Chosen by judgement; not measured."""
SUBMISSION = "submission.csv"
NOTHING = Subject(solution="")
_SHOWN_REFUSALS = 3
"""Outputs beyond their size that a message names. Chosen by judgement; not measured."""


class Executor:
    """Runs scripts in the sandbox and records their results in the ledger."""

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        services: Services,
        runner: Runner | None = None,
        on_progress: Callable[[str], None] | None = None,
        data: Callable[[], Awaitable[str]] | None = None,
        emit: Callable[[Event], object] = emit_event,
    ) -> None:
        """Describe the executor; the runner is chosen on first use.

        Args:
            settings: of the run.
            folder: of the run.
            services: its ledger, blobs and budget.
            runner: the caller's own, which the caller closes.
            on_progress: receives lines about slow preparations, such as building the sandbox image.
            data: returns the kind of the task's data, from which `image=auto` picks an image.
            emit: receives events about executions that begin and end, and about what is prepared for them.
        """
        self._settings = settings
        self._folder = folder
        self._services = services
        self._given_runner = runner
        self._runner = runner
        self._on_progress = on_progress
        self._data = data or _unknown_data
        self._emit = emit
        self._opening = asyncio.Lock()
        self._slots: asyncio.Semaphore | None = None
        self._devices = Devices()
        self._supplies = Supplies(
            settings,
            ledger=services.ledger,
            blobs=services.blobs,
            runner=self.runner,
            exclusion=services.retrieval.exclusion,
            on_progress=on_progress,
        )
        self._turns = Turns(self._drop_page_cache if settings.isolation == "strict" else None)

    async def runner(self) -> Runner:
        """Return the runner, choosing it on first use."""
        async with self._opening:
            if self._runner is None:
                with announce(_preparation("preparing the sandbox"), self._emit):
                    self._runner = await self._choose_runner()
        return self._runner

    async def _choose_runner(self) -> Runner:
        settings = self._settings
        return await choose_runner(
            settings.runner,
            trusted=self._services.caller.models.trusted,
            owner=self._folder.run_id,
            work_dir=self._folder.work,
            on_progress=self._on_progress,
            container=ContainerOptions(
                image=settings.image,
                data=await self._data() if settings.image == "auto" else "",
                network="bridge" if settings.network else "none",
                gpus=settings.gpus,
                runtime=settings.runtime,
                warm=settings.warm,
            ),
            packages_dir=settings.packages_dir,
        )

    async def environment(self) -> Environment:
        """Return what one script can use: its share of the CPUs and memory when several execute at once."""
        runner = await self.runner()
        if self._slots is None:  # the first time the sandbox may have to be built
            with announce(_preparation("looking at what the sandbox has"), self._emit):
                machine = await runner.environment()
        else:
            machine = await runner.environment()
        at_once = scripts_at_once(self._settings, machine)
        if self._slots is None:
            self._slots = asyncio.Semaphore(at_once)
            self._devices = find_devices(self._settings, machine, self._on_progress)
            self._services.budget.at_once = at_once
        return dataclasses.replace(
            machine,
            cpus=self._settings.cpus or max(1.0, float(machine.cpus // at_once)),
            memory_mb=min(self._settings.memory_mb, machine.memory_mb // at_once),
            gpu=self._devices.description or machine.gpu,
        )

    async def execute(
        self,
        script: str,
        staged: StagedInput,
        *,
        outputs: tuple[str, ...] = (SUBMISSION,),
        stretch: float = 1.0,
        stage: Stage = "search",
        kind: ExecutionKind = "execution",
        label: str,
        subject: Subject = NOTHING,
    ) -> ExecutionRecord:
        """Run a script, or return what the ledger has of the same execution.

        The packages and weights that it declares are supplied first, unless the execution is recorded; it does not
        start where that is not possible.

        Args:
            script: blob of the script.
            staged: its `./input`.
            outputs: glob patterns of the files to keep.
            stretch: factor on the time limit of a script.
            stage: what the budget counts it for; later stages may use what earlier ones had to leave.
            kind: of the ledger entry.
            label: name of the ledger entry and of the job.
            subject: what it is for, for the events.

        Raises:
            Refusal: the budget does not allow the execution.
            RunnerError: scripts cannot be executed here.
        """
        environment = await self.environment()
        code = await self._services.text(script)
        seconds = self._settings.script_seconds * stretch
        limits = Limits(seconds=seconds, memory_mb=environment.memory_mb, cpus=environment.cpus)
        key_with = functools.partial(self._key, script, staged, environment, seconds, outputs)
        prepared = await self._prepare(code, environment, label, key_with, subject)
        if isinstance(prepared, ExecutionRecord):
            return prepared
        supplied, key = prepared, key_with(prepared)
        allowed, gpus = limits.seconds, tuple[Gpu, ...]()

        @asynccontextmanager
        async def reserve() -> AsyncIterator[Reservation]:
            nonlocal allowed, gpus
            async with self._admit(label, stage, staged, limits.seconds, subject.track) as (reservation, gpus):
                allowed = reservation.seconds
                yield reservation

        async def work() -> Record:
            begin = _begin(label, subject, allowed, kind)
            record = await self._run(code, staged, limits, outputs, begin, stretch, supplied, gpus)
            if record.result["status"] == "timeout" and allowed < limits.seconds:
                raise await self._services.budget.record_timeout(label)
            return record

        result, recorded = await self._services.ledger.once(key, kind, label, work, within=reserve())
        execution = ExecutionRecord.model_validate(result)
        logger.info("%s on %s: %s%s", label, staged.name, execution.status, " (recorded)" if recorded else "")
        return execution

    @asynccontextmanager
    async def _admit(
        self, label: str, stage: Stage, staged: StagedInput, seconds: float, track: int | None
    ) -> AsyncIterator[tuple[Reservation, tuple[Gpu, ...]]]:
        """Wait until an execution may start; its devices are its own and its place in the budget is reserved."""
        within_budget = self._services.budget.execution(label, stage, seconds)
        # From an export on there is something to submit.
        turn = self._turns.of(staged.name, urgent=stage == "export")
        async with AsyncExitStack() as held:
            with announce(_preparation(f"{label} waits for its turn", track), self._emit):
                await held.enter_async_context(turn)
                await held.enter_async_context(self._slot())
                gpus = await held.enter_async_context(self._devices.lease())
                reservation = await held.enter_async_context(within_budget)
            yield reservation, gpus

    async def _prepare(
        self,
        code: str,
        environment: Environment,
        label: str,
        key_with: Callable[[Supplied], str],
        subject: Subject,
    ) -> Supplied | ExecutionRecord:
        """Supply what a script declares; return the execution where it is recorded, or cannot start."""
        try:
            needs = read_needs(code)
            known = await self._supplies.recall(needs, environment)
            if known is not None and (result := await asyncio.to_thread(self._services.ledger.recall, key_with(known))):
                return ExecutionRecord.model_validate(result)
            if not (needs.dependencies or needs.weights):
                return await self._supplies.prepare(needs, environment, label)
            with announce(_preparation(f"packages and weights for {label}", subject.track), self._emit):
                return await self._supplies.prepare(needs, environment, label)
        except (NeedsError, UnavailableError) as error:
            logger.info("%s: not executed: %s", label, error)
            return await self._unavailable(str(error))

    async def aclose(self) -> None:
        """Release the store of weights, and the runner unless it is the caller's."""
        self._supplies.close()
        if self._runner is not None and self._given_runner is None:
            await self._runner.aclose()

    def warnings(self) -> tuple[str, ...]:
        """Return what makes scores less certain: strict isolation that is not possible here."""
        problem = dropping_problem() if self._settings.isolation == "strict" else ""
        return (f"isolation is not strict: {problem}",) if problem else ()

    async def _drop_page_cache(self) -> None:
        if problem := await asyncio.to_thread(drop_page_cache):
            line = f"isolation is not strict: {problem}"
            logger.warning("%s", line)
            if self._on_progress is not None:
                self._on_progress(line)

    def _key(
        self,
        script: str,
        staged: StagedInput,
        environment: Environment,
        seconds: float,
        outputs: tuple[str, ...],
        supplied: Supplied,
    ) -> str:
        settings = self._settings
        # What is configured, not what depends on this machine or the rest of the budget: a resume finds its work.
        configured = [seconds, settings.memory_mb, settings.cpus, settings.gpus]
        software = [environment.image, environment.python, environment.packages, environment.network]
        supplies = [[supplied.lock, *supplied.weights]] if supplied.lock or supplied.weights else []
        return key_of("execution", script, staged.manifest, software, configured, outputs, settings.seed, *supplies)

    async def _unavailable(self, message: str) -> ExecutionRecord:
        """Return the execution of a script that did not start: it counts towards no cap and is in no ledger."""
        empty = await self._services.keep("")
        return ExecutionRecord(
            status="unavailable",
            exit_code=None,
            stdout=empty,
            stderr=empty,
            seconds=0.0,
            peak_memory_mb=None,
            files={},
            detail=message,
        )

    def _slot(self) -> asyncio.Semaphore:
        if self._slots is None:
            msg = "how many scripts execute at once is not known yet"
            raise RuntimeError(msg)
        return self._slots

    async def _run(
        self,
        code: str,
        staged: StagedInput,
        limits: Limits,
        outputs: tuple[str, ...],
        begin: Event,
        stretch: float,
        supplied: Supplied,
        gpus: tuple[Gpu, ...],
    ) -> Record:
        collect = self._folder.work / uuid.uuid4().hex
        await asyncio.to_thread(collect.mkdir, parents=True)
        job = Job(
            script=code,
            input=staged.path,
            collect=collect,
            limits=dataclasses.replace(limits, seconds=limits.seconds if begin.limit is None else begin.limit),
            outputs=outputs,
            seed=self._settings.seed,
            base=supplied.base,
            weights=supplied.weights_folder,
            weight_folders=self._supplies.weight_folders,
            gpus=gpus,
            name=begin.message,
        )
        try:
            runner = await self.runner()
            with announce(begin, self._emit) as end:
                execution = await runner.run(job)
                status = execution.status
                end.update(seconds=execution.seconds, message=f"{job.name}: {status}", outcome=status)
            record = await asyncio.to_thread(self._store, execution, collect, staged, supplied)
        except asyncio.CancelledError:
            await self._release_runner()
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, collect, ignore_errors=True)
        return Record(result={**record.model_dump(), "stretch": stretch}, seconds=record.seconds)

    async def _release_runner(self) -> None:
        """Close the runner and its waiting containers: a cancelled run reaches no last node that would."""
        runner, self._runner = self._runner, self._given_runner
        if runner is not None and runner is not self._runner:
            await runner.aclose()

    def _store(self, execution: Execution, collect: Path, staged: StagedInput, supplied: Supplied) -> ExecutionRecord:
        blobs = self._services.blobs
        excess = {name: staged.excess((collect / name).stat().st_size) for name in execution.files}
        refused = [f"output {name!r} was refused: {why}" for name, why in excess.items() if why]
        return ExecutionRecord(
            status=execution.status,
            exit_code=execution.exit_code,
            stdout=blobs.put(execution.stdout),
            stderr=blobs.put(execution.stderr),
            seconds=execution.seconds,
            peak_memory_mb=execution.peak_memory_mb,
            peak_gpu_memory_mb=execution.peak_gpu_memory_mb,
            files={name: blobs.put_file(collect / name) for name, why in excess.items() if not why},
            detail="; ".join(filter(None, [execution.detail, *refused[:_SHOWN_REFUSALS]])),
            lock=supplied.lock,
            weights=supplied.weights,
        )


def _begin(label: str, subject: Subject, seconds: float, kind: ExecutionKind) -> Event:
    """Return the event of an execution that begins. An export has a stage of its own: it may run beside the search."""
    return Event(
        stage="export" if kind == "export" else "",
        message=label,
        track=subject.track,
        solution=subject.solution or label,
        work="execution",
        limit=seconds,
        title=subject.title,
        plan=few_words(subject.plan),
    )


def _preparation(message: str, track: int | None = None) -> Event:
    """Return the event of a preparation that begins."""
    return Event(stage="", message=message, track=track, work="preparation")


async def _unknown_data() -> str:
    return ""


def scripts_at_once(settings: Settings, machine: Environment) -> int:
    """Return how many scripts execute at once on a machine, from its GPUs, CPUs and memory."""
    by_gpus = scripts_by_gpus(settings, machine)
    if settings.parallel:
        return min(settings.parallel, by_gpus or settings.parallel)
    cpus = settings.cpus or CPUS_PER_SCRIPT
    memory = min(settings.memory_mb, MIN_MEMORY_MB)
    fitting = max(1, min(int(machine.cpus // cpus), machine.memory_mb // memory))
    return fitting if by_gpus is None else min(fitting, by_gpus)
