"""Finding competitions: the layout that `mlebench prepare` makes, and answers beside thresholds of medals."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlestar.bench.mlebench.grading import CompetitionAnswers
from mlestar.bench.mlebench.medals import Thresholds, read_leaderboard, read_medals, read_object
from mlestar.bench.mlebench.official import OfficialAnswers, official_answers
from mlestar.bench.mlebench.rules import Rules, read_rules, rules_of_task
from mlestar.bench.mlebench.tables import read_cells
from mlestar.bench.rows import TaskRow
from mlestar.bench.suite import SuiteTask
from mlestar.data.task import Task
from mlestar.errors import UserError, clean_text
from mlestar.files import read_regular, read_toml
from mlestar.metrics import get_metric

GRADE, MEDALS, LEADERBOARD, SUITE = "grade.json", "medals.json", "leaderboard.csv", "bench.toml"
_CLEANED = "cleaned"
"""Folder of pictures that are the answers."""
MAX_FLAW = 300
"""Characters of a flaw that are shown. Chosen by judgement; not measured."""
_FIELD = r"(?m)^\s+{}:\s*([^\s#]+)"
"""A field of a block in a competition's `config.yaml`."""


@dataclass(frozen=True)
class Competitions:
    """What a suite of prepared competitions holds."""

    tasks: tuple[SuiteTask, ...]
    problems: tuple[TaskRow, ...]
    """Competitions that cannot be graded, with the reason."""


def is_competition(folder: Path) -> bool:
    """Return whether a folder is a prepared competition."""
    return (folder / "prepared" / "public").is_dir() and (folder / "prepared" / "private").is_dir()


def find_competitions(
    suite: Path,
    *,
    only: Sequence[str] = (),
    descriptions: Path | None = None,
    flaws: Mapping[str, Sequence[str]] | None = None,
) -> Competitions:
    """Return the prepared competitions of a folder.

    Args:
        suite: a folder with `ID/prepared/public` and `ID/prepared/private`, and perhaps `ID/leaderboard.csv`,
            `ID/medals.json`, `ID/grade.json` and a `bench.toml`.
        only: ids; all when empty.
        descriptions: a folder with `ID/config.yaml` and `ID/leaderboard.csv`, as `mlebench/competitions` has; that of
            the installed package by default.
        flaws: known flaws of tasks by their ids, besides those in the files.
    """
    tasks: list[SuiteTask] = []
    problems: list[TaskRow] = []
    for folder in sorted(path for path in suite.iterdir() if is_competition(path)):
        if only and folder.name not in only:
            continue
        try:
            tasks.append(read_competition(folder, descriptions=descriptions, flaws=flaws))
        except UserError as error:
            known = read_flaws(folder.name, suite, [folder], flaws)
            problems.append(TaskRow(id=folder.name, flaws=known, problem=clean_text(str(error))))
    return Competitions(tuple(tasks), tuple(problems))


def read_competition(
    folder: Path, *, descriptions: Path | None = None, flaws: Mapping[str, Sequence[str]] | None = None
) -> SuiteTask:
    """Return a prepared competition with what grades it.

    Args:
        folder: of the competition, in that of the suite; its name is the id.
        descriptions: as for `find_competitions`.
        flaws: as for `find_competitions`.

    Raises:
        UserError: it cannot be graded.
    """
    described = descriptions or _installed()
    competition = _Competition(folder, None if described is None else described / folder.name)
    known = read_flaws(folder.name, folder.parent, [folder], flaws)
    return SuiteTask(folder.name, competition.public, competition.answers(), known)


def competition_answers(folder: Path) -> CompetitionAnswers | None:
    """Return the answers in a folder with `grade.json`, `medals.json`, and `answers.csv` or pictures in `cleaned/`.

    None where it has no `medals.json` or no `grade.json`.

    Raises:
        UserError: one of them cannot be read.
    """
    if not (folder / MEDALS).is_file() or not (folder / GRADE).is_file():
        return None
    rules, thresholds = read_rules(folder / GRADE), read_medals(folder / MEDALS)
    _check_direction(folder, rules, thresholds)
    pictures, table = folder / _CLEANED, folder / "answers.csv"
    file = pictures if pictures.is_dir() and not table.is_file() else table
    answers = CompetitionAnswers(file, rules, thresholds)
    answers.check()
    return answers


def read_flaws(
    task: str, suite: Path, folders: Sequence[Path], flaws: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """Return the known flaws of a task: `flaws` in a `medals.json`, `[flaws]` in the suite's `bench.toml`, and `flaws`.

    Args:
        task: its id.
        suite: the folder that may have a `bench.toml`.
        folders: may have a `medals.json`.
        flaws: others, by the ids of tasks.

    Raises:
        UserError: a file cannot be read.
    """
    lists: list[object] = [
        read_object(path).get("flaws") for path in (one / MEDALS for one in folders) if path.is_file()
    ]
    if (suite / SUITE).is_file():
        lists.append(_suite_flaws(suite / SUITE).get(task))
    lists.append((flaws or {}).get(task))
    lines = [
        clean_text(str(line))[:MAX_FLAW] for one in lists for line in (one if isinstance(one, list | tuple) else ())
    ]
    return tuple(dict.fromkeys(lines))


def _suite_flaws(path: Path) -> dict[str, object]:
    try:
        content = read_toml(path).get("flaws", {})
    except ValueError as error:
        msg = f"{path}: {error}"
        raise UserError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: [flaws] must be a table with a list of lines for each task"
        raise UserError(msg)
    return content


def _installed() -> Path | None:
    """Return the folder of competitions in an installed `mlebench`."""
    found = importlib.util.find_spec("mlebench")
    places = [] if found is None else list(found.submodule_search_locations or ())
    return Path(places[0]) / "competitions" if places else None


def _check_direction(folder: Path, rules: Rules, thresholds: Thresholds) -> None:
    if thresholds.direction != rules.direction:
        msg = f"{folder}: the leaderboard is to {thresholds.direction}, but {rules.metric.name} to {rules.direction}"
        raise UserError(msg)


@dataclass(frozen=True)
class _Competition:
    folder: Path
    description: Path | None
    """Folder with `config.yaml` and `leaderboard.csv`."""

    @property
    def public(self) -> Path:
        return self.folder / "prepared" / "public"

    @property
    def private(self) -> Path:
        return self.folder / "prepared" / "private"

    def answers(self) -> CompetitionAnswers | OfficialAnswers:
        """Return what grades the competition: MLE-bench's own code where it is installed and knows it.

        Raises:
            UserError: it cannot be graded.
        """
        try:
            own: CompetitionAnswers | UserError = self._own_answers()
        except UserError as error:
            own = error
        official = official_answers(self.folder, own if isinstance(own, CompetitionAnswers) else None)
        if official is not None:
            return official
        if isinstance(own, UserError):
            raise own
        return own

    def _own_answers(self) -> CompetitionAnswers:
        rules = self._rules()
        thresholds = self._thresholds()
        if thresholds is not None:
            _check_direction(self.folder, rules, thresholds)
        answers = CompetitionAnswers(self._answers_file(rules), rules, thresholds)
        answers.check()
        return answers

    def _rules(self) -> Rules:
        if path := self._file(GRADE):
            return read_rules(path)
        return rules_of_task(Task.load(self.public).spec, self._metric)

    @property
    def _metric(self) -> str:
        """The metric that the competition's configuration names, where it is one of the table."""
        name = self._config("name")
        try:
            return get_metric(name).name if name else ""
        except UserError:
            return ""

    def _thresholds(self) -> Thresholds | None:
        if path := self._file(MEDALS):
            return read_medals(path)
        if path := self._file(LEADERBOARD):
            return read_leaderboard(path)
        return None

    def _file(self, name: str) -> Path | None:
        places = (self.folder, self.folder / "prepared", self.private, self.description)
        paths = (place / name for place in places if place is not None)
        return next((path for path in paths if path.is_file()), None)

    def _answers_file(self, rules: Rules) -> Path:
        """Return the file in `prepared/private` that has the ids and the answers."""
        named = self._config("answers")
        if named and (self.private / Path(named).name).is_file():
            return self.private / Path(named).name
        wanted = [{rules.id_column, *rules.target}, {rules.id_column, *rules.prediction_columns}]
        tables = [path for path in sorted(self.private.glob("*.csv")) if _has_columns(path, wanted)]
        if len(tables) == 1:
            return tables[0]
        columns = ", ".join(sorted(wanted[0]))
        msg = f"{self.private}: one table must have the columns {columns}, but {len(tables) or 'none'} have them"
        raise UserError(msg)

    def _config(self, name: str) -> str:
        """Return a field in a block of `config.yaml`, such as `dataset` and `grader`; empty without it."""
        return "" if (match := re.search(_FIELD.format(name), self._config_text)) is None else match[1].strip("'\"")

    @cached_property
    def _config_text(self) -> str:
        path = None if self.description is None else self.description / "config.yaml"
        return read_regular(path).decode(errors="replace") if path is not None and path.is_file() else ""


def _has_columns(path: Path, wanted: Sequence[set[str]]) -> bool:
    try:
        columns = set(read_cells(path, rows=0).columns)
    except (OSError, ValueError):
        return False
    return any(names <= columns for names in wanted)
