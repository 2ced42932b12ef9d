"""The pages: what they show of runs, and what they start."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from mlestar.errors import OperatorError, UserError, clean_text
from mlestar.llm.external import ModelCall
from mlestar.metrics.spec import NOT_BLIND
from mlestar.nodes.review import ACTIONS
from mlestar.report.comparing import compare_runs, describe_run
from mlestar.report.differences import changed_lines, difference, find_pair, read_script
from mlestar.report.lineage import find_solution, origin_of, tree
from mlestar.report.ranking import rank
from mlestar.report.representation import baseline_lines, score_lines
from mlestar.report.result import Result, read_result
from mlestar.report.runs import ListedRun, filter_runs, read_runs, sort_runs
from mlestar.runtime.answers import PERMISSION
from mlestar.session.questions import read_open_questions
from mlestar.session.review_words import ASKED, TEXTS, TITLES
from mlestar.settings import PROFILES, RUNNERS, Settings
from mlestar.settings.sources import read_layers
from mlestar.state import ModelCard, Question
from mlestar.store import RunFolder, read_decisions
from mlestar.ui.forms import (
    CAPS,
    REVIEW_POINTS,
    SETTINGS,
    Form,
    answer_order,
    fork_order,
    format_cards,
    read_form,
    resume_order,
    start_order,
)
from mlestar.ui.guard import REPORT_POLICY
from mlestar.ui.live import Followed
from mlestar.ui.pages import render, render_sections
from mlestar.ui.processes import Processes
from mlestar.ui.states import State, read_state

SECONDS = 1.0
"""Between two looks at a run whose page is open."""
BEAT = 15.0
"""Seconds after which an unchanged page is sent a comment, so that a closed one is noticed."""
BEST = 10
"""Solutions in the table of the best. Chosen by judgement."""
SORTS = {
    "-date": "newest first",
    "date": "oldest first",
    "score": "best score",
    "-minutes": "longest",
    "run": "name",
    "task": "task",
}


@dataclass
class Site:
    """The runs of one folder, as pages."""

    processes: Processes
    is_closing: Callable[[], bool] = lambda: False
    """Whether the server ends: pages that follow a run are closed then."""
    _followed: dict[str, Followed] = field(default_factory=dict)

    @property
    def runs_dir(self) -> Path:
        return self.processes.runs_dir

    def folder(self, run_id: str) -> RunFolder:
        """Return the folder of a run.

        Raises:
            HTTPException: there is no such run, and none of this name is being started.
        """
        try:
            folder = RunFolder(self.runs_dir, run_id)
        except UserError as error:
            raise HTTPException(404, "there is no such run") from error
        if not folder.settings.is_file() and not self.processes.knows(run_id):
            raise HTTPException(404, f"there is no run {run_id} in {self.runs_dir}")
        return folder

    def followed(self, folder: RunFolder) -> Followed:
        """Return what is known of the events of a run."""
        return self._followed.setdefault(folder.run_id, Followed(folder))

    # ---- the list of runs

    async def runs(self, request: Request) -> Response:
        query = request.query_params
        values = await asyncio.to_thread(self._list, query)
        template = "_rows.html" if query.get("part") == "rows" else "runs.html"
        return _page(template, **values)

    def _list(self, query: Mapping[str, str]) -> dict[str, Any]:
        sort, status, text = (query.get(name, "").strip() for name in ("sort", "status", "text"))
        sort = sort if sort in SORTS else "-date"
        every = read_runs(self.runs_dir)
        rows = [self._row(run) for run in sort_runs(every, [sort])]
        states = sorted({row["state"].name for row in rows})
        shown = [row for row in rows if status in ("", row["state"].name) and _matches(row["run"], text)]
        starting = [run_id for run_id in self.processes.working() if run_id not in {run.run for run in every}]
        return {
            "rows": shown,
            "starting": starting,
            "count": len(every),
            "states": states,
            "chosen": {"sort": sort, "status": status, "text": text},
            "sorts": SORTS,
            "folder": str(self.runs_dir.absolute()),
            "now": time.time(),
            "works": bool(starting) or any(row["state"].is_working for row in rows),
        }

    def _row(self, run: ListedRun) -> dict[str, Any]:
        """Return what the list shows of a run: of one that works, by its events."""
        folder = RunFolder(self.runs_dir, run.run)
        working = self.processes.is_working(run.run)
        state = read_state(folder, self.processes) if working else State(run.status, result=run.result)
        live = self.followed(folder).facts(None, is_working=working) if working or run.result is None else None
        return {"run": run, "state": state, "live": live}

    # ---- one run

    async def run(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        values = await asyncio.to_thread(self._describe, folder)
        return _page("run.html", **values, error="", form=Form())

    def _describe(self, folder: RunFolder) -> dict[str, Any]:
        state = read_state(folder, self.processes)
        facts = self.followed(folder).facts(state.result, is_working=state.is_working)
        now = time.time()
        result = state.result
        questions = self._questions(folder) if state.name == "paused" else []
        return {
            "run_id": folder.run_id,
            "state": state,
            "facts": facts,
            "now": now,
            "sections": render_sections(facts, now),
            "result": result,
            "questions": [describe_question(one, n, alone=len(questions) == 1) for n, one in enumerate(questions)],
            "has_report": folder.report.is_file(),
            "task": self._task(folder),
            "caps": CAPS,
            **(_describe_result(result) if result and not state.is_working else {"best": [], "branches": []}),
        }

    def _task(self, folder: RunFolder) -> str:
        try:
            return folder.read_settings().task
        except UserError:
            return ""

    def _questions(self, folder: RunFolder) -> list[Question | ModelCall]:
        try:
            return read_open_questions(folder)
        except OperatorError:
            return []

    async def events(self, request: Request) -> Response:
        """Stream the parts of a page that change, as server-sent events."""
        folder = self.folder(request.path_params["run_id"])
        return StreamingResponse(self._stream(folder), media_type="text/event-stream")

    async def _stream(self, folder: RunFolder) -> AsyncIterator[str]:
        sent: dict[str, str] = {}
        heard = time.monotonic()
        while not self.is_closing():
            now = await asyncio.to_thread(self._parts, folder)
            changed = {name: part for name, part in now.items() if sent.get(name) != part}
            if changed:
                sent, heard = now, time.monotonic()
                yield f"data: {json.dumps(changed)}\n\n"
            elif time.monotonic() - heard > BEAT:
                heard = time.monotonic()
                yield ": unchanged\n\n"
            await asyncio.sleep(SECONDS)

    def _parts(self, folder: RunFolder) -> dict[str, str]:
        state = read_state(folder, self.processes)
        facts = self.followed(folder).facts(state.result, is_working=state.is_working)
        return {**render_sections(facts, None), "state": state.name}

    async def solution(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        values = await asyncio.to_thread(self._solution, folder, request.path_params["solution"])
        return _page("solution.html", **values)

    def _solution(self, folder: RunFolder, name: str) -> dict[str, Any]:
        result = self._result(folder)
        row = find_solution(result, name)
        before = origin_of(row)
        try:
            script, problem = read_script(result, row), ""
        except UserError as error:
            script, problem = "", str(error)
        change = ""
        if before and script:
            try:
                change = difference(result, before, row.id)
            except UserError:
                change = ""
        parts = [*row.combines, *(f"{member.solution} {member.weight:.2f}" for member in row.members)]
        return {
            "result": result,
            "row": row,
            "before": before,
            "combines": ", ".join(parts),
            "scores": score_lines(row.score),
            "script": script,
            "problem": problem,
            "change": change,
            "others": [one.id for one in result.solutions if one.script and one.id != row.id],
        }

    async def diff(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        query = request.query_params
        values = await asyncio.to_thread(self._diff, folder, query.get("before", ""), query.get("after", ""))
        return _page("diff.html", **values)

    def _diff(self, folder: RunFolder, before: str, after: str) -> dict[str, Any]:
        result = self._result(folder)
        left, right = find_pair(result, before, after)
        names = [row.id for row in result.solutions if row.script]
        return {
            "result": result,
            "left": left,
            "right": right,
            "text": difference(result, left.id, right.id),
            "names": names,
        }

    def _result(self, folder: RunFolder) -> Result:
        return read_result(folder, check=False)

    async def report(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        text = await asyncio.to_thread(folder.read_own_text, folder.report)
        return HTMLResponse(text, headers={"content-security-policy": REPORT_POLICY})

    async def compare(self, request: Request) -> Response:
        names = request.query_params.getlist("run")
        values = await asyncio.to_thread(self._compare, names)
        return _page("compare.html", **values)

    def _compare(self, names: list[str]) -> dict[str, Any]:
        runs = [run.run for run in read_runs(self.runs_dir) if run.result is not None]
        values: dict[str, Any] = {"runs": runs[::-1], "names": names, "comparison": None, "error": ""}
        if len(names) != 2:
            values["error"] = "" if len(names) < 2 else "Choose two runs, not more."
            return values
        left, right = (self._result(self.folder(name)) for name in names)
        facts = [describe_run(result) for result in (left, right)]
        rows = [(name, *(fact[name] for fact in facts)) for name in facts[0]]
        shown = [row for row in rows if set(row[1:]) - {"", "-"}]
        values |= {"comparison": compare_runs(left, right), "rows": shown, "results": (left, right)}
        return {**values, "not_blind": NOT_BLIND}

    # ---- what changes something

    async def new(self, request: Request) -> Response:
        values = await asyncio.to_thread(self._new, Form(request.query_params.multi_items()))
        return _page("new.html", **values, error="")

    def _new(self, form: Form) -> dict[str, Any]:
        tasks = [RunFolder(self.runs_dir, run.run) for run in read_runs(self.runs_dir)[-20:]]
        known = list(dict.fromkeys(filter(None, map(self._task, reversed(tasks)))))
        defaults = read_layers({}).settings()
        return {
            "form": form,
            "tasks": [task for task in known if Path(task).exists()],
            "profiles": PROFILES,
            "runners": RUNNERS,
            "points": {point: ASKED[point] for point in REVIEW_POINTS},
            "defaults": defaults,
            "working_folder": str(Path.cwd()),
        }

    async def start(self, request: Request) -> Response:
        form = await read_form(request)
        try:
            order = await asyncio.to_thread(start_order, form, self.runs_dir, self.processes.working())
            await asyncio.to_thread(self.processes.start, order)
        except UserError as error:
            return _page("new.html", 400, **await asyncio.to_thread(self._new, form), error=str(error))
        return _to_run(order.run_id)

    async def answer(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        form = await read_form(request)
        questions = await asyncio.to_thread(self._questions, folder)
        return await self._order(folder, form, partial(answer_order, form, folder, questions))

    async def resume(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        form = await read_form(request)
        return await self._order(folder, form, partial(resume_order, form, folder))

    async def _order(self, folder: RunFolder, form: Form, make: Callable[[], Any]) -> Response:
        """Start a process for a run; what cannot be used is said on the page of the run, with what was written."""
        try:
            order = make()
            await asyncio.to_thread(self.processes.start, order)
        except UserError as error:
            values = await asyncio.to_thread(self._describe, folder)
            return _page("run.html", 400, **values, error=str(error), form=form)
        return _to_run(order.run_id)

    async def stop(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        await asyncio.to_thread(self.processes.stop, folder.run_id)
        return _to_run(folder.run_id)

    async def fork(self, request: Request) -> Response:
        folder = self.folder(request.path_params["run_id"])
        if request.method in ("GET", "HEAD"):
            at = request.query_params.get("at", "")
            return _page("fork.html", **await asyncio.to_thread(self._fork, folder, Form([("at", at)])), error="")
        form = await read_form(request)
        try:
            order = await asyncio.to_thread(self._fork_order, folder, form)
            await asyncio.to_thread(self.processes.start, order)
        except UserError as error:
            return _page("fork.html", 400, **await asyncio.to_thread(self._fork, folder, form), error=str(error))
        return _to_run(order.run_id)

    def _fork_order(self, folder: RunFolder, form: Form) -> Any:
        folder.check_forkable()
        order = fork_order(form, folder, read_decisions(folder.ledger), ACTIONS)
        Settings.resolve(folder.read_settings().settings).change(order.settings)
        return order

    def _fork(self, folder: RunFolder, form: Form) -> dict[str, Any]:
        decisions = read_decisions(folder.ledger)
        at = form.get("at")
        point = next((point for point in REVIEW_POINTS if at.startswith(f"{point}:")), None)
        chosen = at if at in (*decisions, SETTINGS) else ""
        return {
            "run_id": folder.run_id,
            "decisions": decisions,
            "at": chosen,
            "point": point,
            "asked": ASKED.get(point or "", ""),
            "actions": [action for action in ACTIONS[point] if action != "approve"] if point else [],
            "decided": self._decided(folder, at) if point and chosen else "",
            "form": form,
            "settings": folder.read_settings().settings,
        }

    def _decided(self, folder: RunFolder, decision: str) -> str:
        """Return what was decided, where the result of the run has it."""
        point, _, name = decision.partition(":")
        try:
            result = self._result(folder)
            if point == "submission":
                return read_script(result, find_solution(result, name))
            return find_solution(result, name).plan if point in ("plan", "ensemble") else ""
        except UserError:
            return ""

    async def difference(self, request: Request) -> Response:
        """Return how two texts of a form differ, as lines; nothing is kept."""
        form = await read_form(request)
        lines = await asyncio.to_thread(changed_lines, form.get("before"), form.get("after"), "proposed", "yours")
        return _page("_difference.html", text="\n".join(lines))


def describe_question(question: Question | ModelCall, number: int, *, alone: bool = True) -> dict[str, Any]:
    """Return what a page shows of a question, and what can be changed in an editor.

    Of several questions none is approved because another one is answered, and a permission is never given unasked.
    """
    if isinstance(question, ModelCall):
        return {"number": number, "id": question.id, "call": question, "problem": ""}
    proposal = dict(question.proposal)
    track, problem = proposal.pop("track", None), str(proposal.pop("problem", ""))
    cards = [ModelCard.model_validate(card) for card in proposal.pop("cards", ())]
    key = TEXTS.get(question.point, "")
    proposed = format_cards(cards) if question.point == "models" else str(proposal.pop(key, ""))
    return {
        "number": number,
        "id": question.id,
        "call": None,
        "point": question.point,
        "asked": ASKED.get(question.point, question.point),
        "track": track,
        "problem": problem,
        "cards": cards,
        "variants": proposal.pop("variants", None),
        "others": proposal.pop("others", ()),
        "parts": [(TITLES.get(name, name), _as_text(value)) for name, value in proposal.items()],
        "proposed": proposed,
        "what": "cards" if question.point == "models" else TITLES.get(key, key),
        "actions": question.actions,
        "chosen": "approve" if alone and question.actions != PERMISSION else "",
    }


def _as_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {item}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value)) or "none"
    return str(value)


def _describe_result(result: Result) -> dict[str, Any]:
    """Return what the page of a run shows of its result."""
    ranked = [(one.row, one.choosing) for one in rank(result) if one.choosing is not None]
    return {
        "scores": [*score_lines(result.score), *baseline_lines(result)],
        "best": ranked[:BEST],
        "branches": tree(result),
    }


def _matches(run: ListedRun, text: str) -> bool:
    """Return whether a run satisfies what a person wrote: a condition such as `score>0.8`, or a part of a name."""
    if not text:
        return True
    try:
        return bool(filter_runs([run], [text]))
    except UserError:
        return text.casefold() in f"{run.run} {run.task} {run.metric}".casefold()


def _page(template: str, status_code: int = 200, **values: Any) -> Response:
    return HTMLResponse(render(template, **values), status_code)


def _to_run(run_id: str) -> Response:
    return RedirectResponse(f"/runs/{run_id}", 303)


def error_page(status: int, message: str) -> Response:
    """Return the page of an error."""
    return _page("error.html", status, message=clean_text(message), status=status)
