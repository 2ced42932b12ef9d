"""First scripts of the offline engineer alone, one for each model of its recipe, graded on answers they never had.

    python -m benchmarks.recipes SUITE [--only ID ...] [--models lightgbm linear ...] [--peers flaml]
                                 [--peer-seconds 20] [--seconds 120] [--work DIR]

SUITE has `tasks/ID` and `answers/ID`, as `made_tables`, `made_series`, `made_texts` and `made_pairs` write them. Every
script runs as plain `python` on one thread; these scripts come from the templates of this package, not from a model.
Two plain models of scikit-learn (`boosting`: histogram gradient boosting, `regression`: ridge or logistic regression)
and the peers of `mlestar bench` are graded beside them, each on one CPU.

Prints a row for each task and tool: score with its standard error, seconds of CPU, lines of the script, the score
that the script gave itself, and its difference from the better one of the plain models and from each peer in paired
standard errors, positive where the script is better. Then wins, ties and losses of each model. The limit of a peer is
one of the clock: where other programs are running, its CPU time says how much it had.

What has been run is not run again unless the script, the task or the time limit differs.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from signal import SIGKILL, SIGXCPU
from typing import Protocol

from benchmarks.standings import describe, standings
from mlestar.agents.roles import ROLES
from mlestar.agents.script import reported_score
from mlestar.bench.contents import fingerprint
from mlestar.bench.find import find_suite
from mlestar.bench.logs import last_line
from mlestar.bench.made_with import ANSWERS, TASK
from mlestar.bench.pairs import pair_rows
from mlestar.bench.peers import find_peers
from mlestar.bench.peers.columns import UnhandledDataError
from mlestar.bench.peers.library import load_task, prepare, save
from mlestar.bench.peers.process import SCRIPTS
from mlestar.bench.rows import BenchRow, RowStatus
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome, Tool
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation import infer_split
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics.precision import round_score
from mlestar.metrics.spec import sign
from mlestar.offline.facts import Facts
from mlestar.offline.kinds import find_kind, usable_models
from mlestar.offline.recipe import Kind
from mlestar.prompts import Prompts
from mlestar.runners.variables import thread_variables
from mlestar.state import Brief, ModelCard, StepFacts

PLAIN = ("boosting", "regression")
LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy", "lightgbm", "catboost", "xgboost")
PLAIN_CODE = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from peer_models import sklearn_model
from peer_models.tables import read_tables, write_predictions
folder = Path(sys.argv[2])
tables = read_tables(folder)
features = sklearn_model.Features(tables, sparse=sys.argv[3] == "regression")
predict = sklearn_model.fit(tables, features, None, shallow=False)
write_predictions(tables, predict, folder / "predictions.csv")
"""
"""Fits one of the models of the peer `sklearn`, whatever the data."""
_PATIENCE = 5.0
"""Chosen by judgement; not measured."""
HEAD = ("task", "metric", "tool", "score", "seconds", "lines", "own score", "against plain", "against peers")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int | None
    """None where it was killed, at its limit or for want of memory."""
    cpu_seconds: float


class Solver(Protocol):
    """Something that is graded: a script, a plain model or a peer."""

    name: str
    made_with: str
    """What its submission depends on, besides the task."""
    lines: int

    def run(self, task: SuiteTask, folder: Path) -> Outcome:
        """Solve a task in a folder of its own; `seconds` of the outcome are those of CPU."""


@dataclass(frozen=True)
class Script:
    """A first script."""

    name: str
    code: str
    seconds: float

    @property
    def made_with(self) -> str:
        return f"{self.seconds} {self.code}"

    @property
    def lines(self) -> int:
        return len(self.code.splitlines())

    def run(self, task: SuiteTask, folder: Path) -> Outcome:
        (folder / "input").symlink_to(Task.load(task.folder).input)
        (folder / "main.py").write_text(self.code, encoding="utf-8")
        ended = run_measured([sys.executable, "main.py"], folder, self.seconds)
        return outcome_of(ended, folder, folder / "submission.csv")


@dataclass(frozen=True)
class PlainModel:
    """A model of scikit-learn with its defaults."""

    name: str
    seconds: float
    lines: int = 0

    @property
    def made_with(self) -> str:
        return f"{self.name} {self.seconds}"

    def run(self, task: SuiteTask, folder: Path) -> Outcome:
        tables, submission = folder / "tables", folder / "submission.csv"
        try:
            prepared = prepare(load_task(task, tables), tables, seed=0, seconds=self.seconds, cpus=1)
            command = [sys.executable, "-c", PLAIN_CODE, str(SCRIPTS), str(tables), self.name]
            ended = run_measured(command, folder, self.seconds)
            if ended.status == 0:
                save(prepared, tables / "predictions.csv", submission)
        except (UserError, UnhandledDataError) as error:
            return Outcome("unavailable", 0.0, first_line(str(error)))
        except SubmissionError as error:
            return Outcome("failed", 0.0, first_line(str(error)))
        return outcome_of(ended, folder, submission)


@dataclass(frozen=True)
class Peer:
    """A peer of `mlestar bench`."""

    tool: Tool
    lines: int = 0

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def made_with(self) -> str:
        return str(dict(self.tool.settings))

    def run(self, task: SuiteTask, folder: Path) -> Outcome:
        before = _children_seconds()
        outcome = self.tool.run(task, 0, folder)
        return replace(outcome, seconds=_children_seconds() - before)


def _children_seconds() -> float:
    """Return the CPU time of all processes that this one has started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_measured(command: Sequence[str], folder: Path, seconds: float) -> Ended:
    """Run a command on one thread in a folder, with its output in `log.txt`, and return the CPU time that it took.

    Its limit is one of CPU time, since other programs may be running; by the clock it has `_PATIENCE` times as long.
    """
    variables = {**os.environ, **thread_variables(1), "PYTHONHASHSEED": "0"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 5))
        timer = threading.Timer(_PATIENCE * seconds, os.killpg, (process.pid, SIGKILL))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    timed_out = process.returncode in (-SIGXCPU, -SIGKILL)
    return Ended(None if timed_out else process.returncode, usage.ru_utime + usage.ru_stime)


def outcome_of(ended: Ended, folder: Path, submission: Path) -> Outcome:
    if ended.status is None:
        return Outcome("timeout", ended.cpu_seconds, "it was killed at its limit, or for want of memory")
    if ended.status:
        return Outcome("failed", ended.cpu_seconds, last_line(folder / "log.txt"))
    if not submission.is_file():
        return Outcome("no_solution", ended.cpu_seconds, "it wrote no submission.csv")
    return Outcome("graded", ended.cpu_seconds, submission=submission)


def read_facts(folder: Path, seconds: float) -> Facts:
    """Return what the prompt for a first script says of a task folder."""
    task = Task.load(folder)
    brief = Brief(
        spec=task.spec,
        description=task.description,
        statistics=task.statistics,
        split=infer_split(task),
        python="3.11",
        packages=dict.fromkeys(LIBRARIES, "1"),
        image="",
        cpus=1,
        memory_mb=4096,
        gpu="",
        seconds=seconds,
        subsample_rows=30_000,
        seed=0,
    )
    card, role = ModelCard(name="model"), ROLES["initializer"]
    values: dict[str, object] = {"brief": brief, "facts": StepFacts(), "track": 0, "attempt": 0, "refusal": ""}
    return Facts.read(Prompts().render(role.prompt, role="initializer", card=card, measured=None, **values))


def write_scripts(folder: Path, models: Sequence[str], seconds: float) -> Iterator[Script]:
    """Yield a first script for every usable model, or for those that are named."""
    facts = read_facts(folder, seconds)
    kind: Kind | None = find_kind(facts)
    for model in usable_models(kind, facts) if kind else ():
        if not models or model.name in models:
            assert kind is not None
            yield Script(model.name, kind.write_script(facts, model, model.name), seconds)


def solve(task: SuiteTask, solver: Solver, work: Path) -> BenchRow:
    """Return the row of a tool on a task; it runs only where it has not run before."""
    marks = {TASK: task.contents or fingerprint(task.folder), ANSWERS: task.answers_contents}
    digest = sha256("\0".join((solver.made_with, *marks.values())).encode()).hexdigest()[:12]
    folder = (work / task.id / f"{solver.name}-{digest}").absolute()
    stored = folder / "row.json"
    if stored.is_file():
        return BenchRow.model_validate_json(stored.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input").unlink(missing_ok=True)
    outcome = solver.run(task, folder)
    graded = task.answers.grade(outcome.submission) if outcome.submission else None
    status: RowStatus = "invalid" if graded is not None and graded.score is None else outcome.status
    row = BenchRow(
        task=task.id,
        tool=solver.name,
        seed=0,
        status=status,
        reason=(graded.problem if graded else "") or outcome.reason,
        metric=task.answers.metric,
        direction=task.answers.direction,
        reported=reported_score((folder / "log.txt").read_text(encoding="utf-8", errors="replace"))
        if isinstance(solver, Script)
        else None,
        seconds=outcome.seconds,
        made_with={**marks, "lines": str(solver.lines)},
        **({"graded": graded} if graded else {}),
    )
    stored.write_text(row.model_dump_json(), encoding="utf-8")
    return row


def better_plain(rows: Sequence[BenchRow]) -> BenchRow | None:
    """Return the row of the plain model with the better score, which is chosen on the answers, in its favour."""
    scored = [row for row in rows if row.tool in PLAIN and row.graded.score is not None]
    if not scored:
        return None
    best = max(scored, key=lambda row: sign(row.direction) * (row.graded.score or 0.0))
    return best.model_copy(update={"tool": "plain"})


def errors_apart(first: BenchRow, second: BenchRow) -> str:
    """Return by how many paired standard errors the second row is better than the first."""
    pairs = pair_rows([first], [second]).found
    if not pairs or pairs[0].difference is None:
        return "-"
    return f"{pairs[0].difference / pairs[0].row_error:+.1f}" if pairs[0].row_error else f"{pairs[0].difference:+.3g}"


def format_row(row: BenchRow, others: Sequence[BenchRow]) -> str:
    error = row.graded.standard_error
    shown = row.status if row.graded.score is None else f"{round_score(row.graded.score, error):g}"
    shown += f" ± {error:.2g}" if error else ""
    plain = better_plain(others)
    peers = [f"{errors_apart(other, row)} {other.tool}" for other in others if other.tool not in PLAIN]
    cells = [row.task, row.metric, row.tool, shown, f"{row.seconds:.1f}", row.made_with["lines"]]
    cells += ["-" if row.reported is None else f"{row.reported:.5g}"]
    cells += [errors_apart(plain, row) if plain and row not in others else "-"]
    cells += [", ".join(peers) if peers and row not in others else "-"]
    return f"| {' | '.join(cells)} |" + (f" {row.reason}" if row.reason else "")


def print_summary(rows: Sequence[BenchRow], baselines: Sequence[str]) -> None:
    """Print wins, ties and losses of each model against the better plain one and each peer."""
    tasks = dict.fromkeys(row.task for row in rows)
    plain = [better_plain([row for row in rows if row.task == task]) for task in tasks]
    others = [*[row for row in plain if row], *[row for row in rows if row.tool in baselines]]
    for tool in dict.fromkeys(row.tool for row in rows if row.tool not in baselines):
        own = [row for row in rows if row.tool == tool]
        for other in dict.fromkeys(row.tool for row in others if row.tool == "plain" or row.tool not in PLAIN):
            found = standings([row for row in others if row.tool == other], own)
            print(f"\n{tool} against {other}: " + "\n".join(describe(found)))


def main() -> None:
    options = parse_options()
    baselines: list[Solver] = [PlainModel(name, options.seconds) for name in PLAIN]
    baselines += [Peer(tool) for tool in find_peers(options.peers, (), seconds=options.peer_seconds, cpus=1)]
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    rows: list[BenchRow] = []
    for task in find_suite(options.suite, only=options.only).tasks:
        others = [solve(task, solver, options.work) for solver in baselines]
        rows += others
        for row in others:
            print(format_row(row, others), flush=True)
        for script in write_scripts(task.folder, options.models, options.seconds):
            rows.append(solve(task, script, options.work))
            print(format_row(rows[-1], others), flush=True)
    print_summary(rows, [solver.name for solver in baselines])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, metavar="SUITE")
    parser.add_argument("--only", nargs="*", default=[], metavar="ID")
    parser.add_argument("--models", nargs="*", default=[], help="of the recipe; all by default")
    parser.add_argument("--peers", nargs="*", default=[], help="of `mlestar bench`, such as flaml")
    parser.add_argument("--peer-seconds", type=float, default=20.0)
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="CPU limit of a script; 120, as quick has by the clock"
    )
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mlestar-recipes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
