"""A run in MLflow: one run of MLflow with a nested run for each evaluation."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# MLflow reports its use to its makers unless this is set before it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow.entities import Metric, Param, RunStatus, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mlestar import __version__
from mlestar.errors import clean_text, mask_secrets
from mlestar.files import read_regular
from mlestar.metrics.precision import format_score
from mlestar.trackers.course import Course, Evaluation
from mlestar.trackers.facts import child_metrics, child_params, final_metrics, point_metrics, run_params
from mlestar.trackers.model import exported_model

RECORD = "trackers.json"
"""File of the run folder with the ids of the runs in MLflow."""
BATCH = 100
"""Parameters or metrics of one request; MLflow takes no more parameters."""
MAX_TEXT = 500
"""Characters of a parameter that every version of MLflow takes."""
PAGE = 1000
STATUS = {
    "solved": "FINISHED",
    "baseline": "FINISHED",
    "no_solution": "FAILED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "paused": "SCHEDULED",
}
"""Of MLflow, by how a run has ended; one whose process was killed has not."""
PARENT = "mlflow.parentRunId"
SOLUTION = "mlestar.solution"
THREAD = "mlestar.thread"
"""Tag with the name that only this run has, by which it is found where the run folder has lost the id."""
MODEL = "mlestar.model"
"""Tag with the version of the model that was sent."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag by which the pages of MLflow show an experiment as one of models that are trained."""


@dataclass
class _Child:
    """The nested run of an evaluation, as far as it is known to be at the server."""

    run: str
    ended: int
    """Until when the server knows the evaluation, in milliseconds since 1970; 0: not to its end."""
    params: frozenset[str]
    metrics: frozenset[str]


class MlflowTracker:
    """Sends a run to a tracking server; what the server has already is not sent again."""

    def __init__(self, course: Course, address: str, experiment: str) -> None:
        """Take a run and where it is sent."""
        self._address = mask_secrets(address)
        self.title = f"MLflow at {self._address}"
        self._experiment_name = experiment
        self._course = course
        self._client = MlflowClient(tracking_uri=address)
        self._run = ""
        """Id of the run in MLflow; empty until what the server has was read, and again after a failure."""
        self._experiment = ""
        self._children: dict[str, _Child] = {}
        self._params: frozenset[str] = frozenset()
        self._tags: dict[str, str] = {}
        self._sent_executions = -1
        """Points of the course up to this number of executions are at the server."""

    def send(self) -> None:
        """Send the evaluations that have ended and the points of the course that will not change any more."""
        with self._connected():
            self._send_course(final=False)

    def finish(self) -> None:
        """Send all that is left, with the files of the run, and end the run in MLflow."""
        with self._connected():
            self._send_course(final=True)
            self._send_result()
            self._send_files()
            status = STATUS.get(self._course.status or "", "KILLED")
            self._client.set_tag(self._run, "mlestar.status", self._course.status or "killed")
            self._client.set_terminated(self._run, status, end_time=_milliseconds(self._course.last))

    def describe(self) -> str:
        if not self._address.startswith("http"):
            return f"{self.title}, run {self._run}"
        return f"MLflow: {self._address.rstrip('/')}/#/experiments/{self._experiment}/runs/{self._run}"

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Have the run at the server; after a failure what the server has is not known."""
        try:
            if not self._run:
                self._open()
            yield
        except BaseException:
            self._run = ""
            raise

    def _open(self) -> None:
        """Find the run at the server, or begin it, and read what the server has of it."""
        self._experiment = self._find_experiment()
        run = self._find_run() or self._begin_run()
        found = self._client.get_run(run)
        self._experiment = found.info.experiment_id
        self._params, self._tags = frozenset(found.data.params), dict(found.data.tags)
        steps = [metric.step for metric in self._client.get_metric_history(run, "model_calls")]
        self._sent_executions = max(steps, default=-1)
        self._children = dict(self._read_children(run))
        if found.info.status != "RUNNING":
            self._client.update_run(run, status="RUNNING")
        self._remember(run)
        self._run = run
        self._log(run, params=_new(run_params(self._course), self._params))

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment_name)
        return str(found.experiment_id if found else self._client.create_experiment(self._experiment_name, tags=KIND))

    def _find_run(self) -> str:
        """Return the id that the run folder has, or that of the run with our tag; empty where there is none."""
        recorded = _read_record(self._course).get(self._address, {}).get("run", "")
        if recorded and self._is_active(recorded):
            return str(recorded)
        tag = f"tags.`{THREAD}` = '{self._course.recorded.thread}'"
        found = self._client.search_runs([self._experiment], tag, ViewType.ACTIVE_ONLY, max_results=1)
        return str(found[0].info.run_id) if found else ""

    def _is_active(self, run: str) -> bool:
        try:
            return bool(self._client.get_run(run).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _begin_run(self) -> str:
        course = self._course
        tags = {
            THREAD: course.recorded.thread,
            "mlestar.run": course.folder.run_id,
            "mlestar.version": __version__,
            "mlestar.task": Path(course.recorded.task).name,
            "mlflow.source.name": "mlestar",
        }
        if course.recorded.forked_from:
            tags["mlestar.forked_from"] = course.recorded.forked_from
        began = _milliseconds(course.began)
        run = self._client.create_run(self._experiment, began, tags, run_name=course.folder.run_id)
        return str(run.info.run_id)

    def _remember(self, run: str) -> None:
        folder = self._course.folder
        record = _read_record(self._course)
        known = {"run": run, "experiment": self._experiment}
        if record.get(self._address) != known:
            folder.write_json(folder.path / RECORD, {"mlflow": {**record, self._address: known}})

    def _read_children(self, run: str) -> Iterator[tuple[str, _Child]]:
        token = None
        while True:
            condition = f"tags.`{PARENT}` = '{run}'"
            page = self._client.search_runs([self._experiment], condition, max_results=PAGE, page_token=token)
            for child in page:
                has_ended = RunStatus.is_terminated(RunStatus.from_string(child.info.status))
                ended = child.info.end_time or 0 if has_ended else 0
                has = frozenset(child.data.params), frozenset(child.data.metrics)
                yield child.data.tags.get(SOLUTION, ""), _Child(child.info.run_id, ended, *has)
            token = page.token
            if not token:
                return

    def _send_course(self, *, final: bool) -> None:
        for evaluation in list(self._course.evaluations.values()):
            self._send_evaluation(evaluation)
        points = sorted(self._course.points.values(), key=lambda point: point.executions)
        ready = [point for point in points if point.executions > self._sent_executions]
        ready = ready if final else [point for point in ready if point is not points[-1]]
        metrics = [
            Metric(name, value, _milliseconds(point.time), point.executions)
            for point in ready
            for name, value in point_metrics(point).items()
        ]
        self._log(self._run, metrics=metrics)
        self._sent_executions = max([self._sent_executions, *(point.executions for point in ready)])

    def _send_evaluation(self, evaluation: Evaluation) -> None:
        """Send an evaluation, or what became known of it; one that is repeated after a resume replaces the first."""
        child = self._children.get(evaluation.solution) or self._begin_child(evaluation)
        row, ended = self._find_row(evaluation.solution), _milliseconds(evaluation.ended)
        is_sent = child.ended >= ended
        params = _new(child_params(evaluation, row), child.params)
        metrics = child_metrics(evaluation, row)
        metrics = _new(metrics, child.metrics) if is_sent else metrics
        self._log(child.run, params=params, metrics=[Metric(*item, ended, 0) for item in metrics.items()])
        if not is_sent:
            self._send_texts(child.run, evaluation)
            status = "FINISHED" if evaluation.status == "ok" else "FAILED"
            self._client.set_terminated(child.run, status, end_time=ended)
        has = child.params.union(params), child.metrics.union(metrics)
        self._children[evaluation.solution] = _Child(child.run, max(ended, child.ended), *has)

    def _begin_child(self, evaluation: Evaluation) -> _Child:
        tags = {PARENT: self._run, SOLUTION: evaluation.solution, "mlflow.source.name": "mlestar"}
        began = _milliseconds(evaluation.began)
        run = self._client.create_run(self._experiment, began, tags, run_name=evaluation.solution)
        child = _Child(run.info.run_id, 0, frozenset(), frozenset())
        self._children[evaluation.solution] = child
        return child

    def _send_texts(self, run: str, evaluation: Evaluation) -> None:
        text = clean_text("\n\n".join(filter(None, (evaluation.title, evaluation.plan))))
        self._client.set_tag(run, "mlflow.note.content", text)
        self._client.set_tag(run, "mlestar.status", evaluation.standing or evaluation.status)
        if (script := self._course.script(evaluation)) is not None:
            self._client.log_text(run, script, "script.py")

    def _find_row(self, solution: str) -> Any:
        rows = self._course.result.solutions if self._course.result else ()
        return next((row for row in rows if row.id == solution), None)

    def _send_result(self) -> None:
        result = self._course.result
        if result is None:
            return
        known = {"task": result.task, "metric": result.metric, "direction": result.direction}
        known |= {"split": result.split.kind} if result.split else {}
        time, step = _milliseconds(self._course.last), result.spend.executions
        metrics = [Metric(name, value, time, step) for name, value in final_metrics(result).items()]
        self._log(self._run, params=_new(known, self._params), metrics=metrics)
        self._client.set_tag(self._run, "mlestar.winner", result.winner or "")
        score = result.score
        scores = {"fresh": (score.fresh, score.fresh_se), "holdout": (score.holdout, score.holdout_se)}
        lines = [f"{result.task}: {result.metric}, {result.direction}", f"winner {result.winner or '-'}"]
        lines += [f"{name} {format_score(*pair)}" for name, pair in scores.items() if pair[0] is not None]
        self._client.set_tag(self._run, "mlflow.note.content", clean_text("\n\n".join(lines)))

    def _send_files(self) -> None:
        folder = self._course.folder
        for path in (folder.report, folder.result, folder.solution, folder.submission):
            if path.is_file() and not path.is_symlink():
                self._client.log_artifact(self._run, str(path))
        with tempfile.TemporaryDirectory() as place:
            model = exported_model(self._course, Path(place), self._tags.get(MODEL, ""))
            if model is not None:
                self._client.log_artifacts(self._run, str(model.folder), "model")
                self._client.set_tag(self._run, MODEL, model.version)

    def _log(self, run: str, *, params: Mapping[str, object] | None = None, metrics: Iterable[Metric] = ()) -> None:
        texts = [Param(name, clean_text(str(value))[:MAX_TEXT]) for name, value in (params or {}).items()]
        for start in range(0, len(texts), BATCH):
            self._client.log_batch(run, params=texts[start : start + BATCH])
        numbers = list(metrics)
        for start in range(0, len(numbers), BATCH):
            self._client.log_batch(run, metrics=numbers[start : start + BATCH])


def _new(values: Mapping[str, object], known: frozenset[str]) -> dict[str, Any]:
    """Return the values that the server does not have: a parameter can never change."""
    return {name: value for name, value in values.items() if name not in known}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _read_record(course: Course) -> dict[str, dict[str, str]]:
    """Return what the run folder has about runs in MLflow, by the address of the server."""
    try:
        record = json.loads(read_regular(course.folder.path / RECORD))["mlflow"]
        return {str(address): dict(known) for address, known in record.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
