"""The local page without a server: who may use it, what it shows of runs, and what its forms become."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mlestar.errors import UserError
from mlestar.state import Answer
from mlestar.ui.forms import Form, answer_order, read_cards, read_settings_lines, start_order
from mlestar.ui.guard import POLICY, REPORT_POLICY, Access
from mlestar.ui.live import Followed, draw_scores
from mlestar.ui.processes import Processes, find_command, is_command
from mlestar.ui.server import make_app
from mlestar.ui.site import Site, describe_question
from tests.unit.ui_runs import CARD, CODE, MARKUP, QUESTIONS, write_paused, write_solved, write_working

ACCESS = Access(8000)
OWN = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "runs"
    write_solved(folder, "solved")
    write_solved(folder, "other", 0.6)
    write_paused(folder, "asks")
    write_working(folder, "unfinished")
    return folder


@pytest.fixture
async def client(runs: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has entered."""
    transport = httpx.ASGITransport(make_app(Site(Processes(runs)), ACCESS))
    cookies = {ACCESS.cookie: ACCESS.session}
    async with httpx.AsyncClient(transport=transport, base_url=OWN, cookies=cookies) as opened:
        yield opened


async def test_the_token_of_the_address_is_exchanged_for_a_cookie(client: httpx.AsyncClient) -> None:
    client.cookies.clear()
    assert (await client.get("/")).status_code == 403
    assert (await client.get("/?token=wrong")).status_code == 403
    entered = await client.get(ACCESS.address)
    kept = entered.headers["set-cookie"]
    assert "httponly" in kept.lower()
    assert "samesite=strict" in kept.lower()
    assert ACCESS.token not in kept + entered.text
    assert entered.headers["referrer-policy"] == "no-referrer"
    assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1:8001", "127.0.0.1", ""])
async def test_another_host_is_refused(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "solved" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "http://localhost:8000"},
        {"origin": OWN, "sec-fetch-site": "cross-site"},
        {"origin": OWN, "sec-fetch-site": "same-site"},
        {"origin": OWN, "sec-fetch-site": "none"},
    ],
)
@pytest.mark.parametrize("path", ["/start", "/runs/asks/answer", "/runs/asks/stop", "/difference"])
async def test_a_change_that_another_page_sends_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], path: str
) -> None:
    answer = await client.post(path, data={"folder": "/"}, headers=headers)
    assert answer.status_code == 403
    assert "page" in answer.text


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_a_page_of_another_origin_reads_nothing(client: httpx.AsyncClient, site: str) -> None:
    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
        assert (await client.get("/runs/solved", headers=headers)).status_code == 403


async def test_every_answer_has_a_strict_policy(client: httpx.AsyncClient) -> None:
    for path in ("/", "/runs/solved", "/static/live.js", "/runs/none", "/?token=wrong"):
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "unsafe" not in POLICY
    report = await client.get("/runs/solved/report")
    assert report.headers["content-security-policy"] == REPORT_POLICY
    assert "script-src" not in REPORT_POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs/solved",
        "/runs/asks",
        "/runs/unfinished",
        "/runs/solved/solutions/t0.r1.1",
        "/runs/solved/solutions/t0.c2",
        "/runs/solved/diff?before=t0.c1&after=t0.r1.1",
        "/compare?run=solved&run=other",
        "/runs/solved/fork?at=plan:t0.r1.1",
        f"/new?folder={MARKUP}",
    ],
)
async def test_texts_of_scripts_and_models_are_escaped(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert "<img" not in page.text
    assert "<script>" not in page.text
    assert "\x1b" not in page.text
    assert not re.search(r"\son\w+=(?!alert)", page.text.replace("&lt;img src=x onerror=", ""))
    assert " style=" not in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"solved", "other", "asks", "unfinished"}),
        ("status=paused", {"asks"}),
        ("text=OTH", {"other"}),
        ("text=score>0.71", set()),
        ("text=score>0.6", {"solved", "other"}),
        ("text=status=solved&status=solved", {"solved", "other"}),
        ("text=score>", set()),
        ("sort=nonsense", {"solved", "other", "asks", "unfinished"}),
    ],
)
async def test_runs_are_found_by_name_state_and_condition(
    client: httpx.AsyncClient, query: str, shown: set[str]
) -> None:
    page = await client.get(f"/?{query}")
    assert set(re.findall(r'href="/runs/([\w-]+)"', page.text)) == shown


async def test_runs_are_sorted(client: httpx.AsyncClient) -> None:
    page = await client.get("/?sort=run&part=rows")
    assert re.findall(r'href="/runs/([\w-]+)"', page.text) == ["asks", "other", "solved", "unfinished"]
    assert "$0.31" in page.text
    assert "0.700 ± 0.020" in page.text


async def test_a_run_shows_its_state_and_what_can_be_done(client: httpx.AsyncClient) -> None:
    solved, asks = await client.get("/runs/solved"), await client.get("/runs/asks")
    assert '<span class="chip good">solved</span>' in solved.text
    assert "/runs/solved/report" in solved.text
    assert "/runs/solved/resume" not in solved.text
    assert all(question.id in asks.text for question in QUESTIONS)
    assert "/runs/asks/report" not in asks.text
    unfinished = await client.get("/runs/unfinished")
    assert "Nothing runs now" not in unfinished.text
    assert "/runs/unfinished/resume" in unfinished.text


async def test_a_run_of_another_process_is_followed(client: httpx.AsyncClient, runs: Path) -> None:
    with write_working(runs, "unfinished").lock():
        page = (await client.get("/runs/unfinished")).text
    assert '<span class="chip live">running</span>' in page
    assert "block 1 of 2, plan 2 of 3" in page
    assert "of 10:00" in page
    assert "asking the planner" in page
    assert "0.720 ± 0.020" in page
    assert "$1.31" in page
    assert "Another program works on this run" in page


@pytest.mark.parametrize("path", ["/runs/none", "/runs/.hidden", "/static/site.py", "/runs/solved/report.html"])
async def test_what_does_not_exist_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_a_report_that_is_a_link_is_not_shown(client: httpx.AsyncClient, runs: Path) -> None:
    folder = write_paused(runs, "linked")
    folder.report.symlink_to(folder.settings)
    answer = await client.get("/runs/linked/report")
    (folder.settings).unlink()
    assert answer.status_code == 400
    assert "quick" not in answer.text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "folder: give the path"),
        ({"folder": "/no/such/place"}, "there is no /no/such/place"),
        ({"folder": "/", "profile": "huge"}, "profile"),
        ({"folder": "/", "max_usd": "much"}, "max_usd"),
        ({"folder": "/", "runner": "nowhere"}, "runner"),
        ({"folder": "/", "run_id": "../out"}, "run id"),
        ({"folder": "/", "run_id": "solved"}, "run solved exists"),
        ({"folder": "/", "review": "nothing"}, "review"),
    ],
)
async def test_a_form_that_cannot_be_used_is_shown_again(
    client: httpx.AsyncClient, fields: dict[str, str], message: str
) -> None:
    page = await client.post("/start", data={"goal": "kept <b>", **fields}, headers={"origin": OWN})
    assert page.status_code == 400
    assert message in page.text
    assert "kept &lt;b&gt;" in page.text
    assert 'role="alert"' in page.text


async def test_an_answer_without_its_text_is_asked_for_again(client: httpx.AsyncClient) -> None:
    data = {"question": "plan:t1.r1.1", "action-0": "edit", "text-0": " "}
    page = await client.post("/runs/asks/answer", data=data, headers={"origin": OWN})
    assert page.status_code == 400
    assert "to edit, write the text" in page.text
    other = await client.post("/runs/asks/answer", data={"question": "plan:t9"}, headers={"origin": OWN})
    assert "does not ask plan:t9 any more" in other.text


async def test_a_difference_is_shown_escaped(client: httpx.AsyncClient) -> None:
    data = {"before": "a\r\nb", "after": f"a\n{MARKUP}"}
    text = (await client.post("/difference", data=data, headers={"origin": OWN})).text
    assert text.count('class="del"') == text.count('class="add"') == 1
    assert "&lt;img" in text


def test_a_start_form_becomes_an_order(tmp_path: Path) -> None:
    form = Form(
        [("folder", str(tmp_path)), ("profile", "quick"), ("max_usd", ""), ("review", "plan"), ("review", "block")]
    )
    order = start_order(form, tmp_path / "runs")
    assert order.task == str(tmp_path)
    assert order.settings == {"profile": "quick", "review": ["plan", "block"]}
    assert start_order(form, tmp_path / "runs", [order.run_id]).run_id != order.run_id


def test_nothing_is_approved_because_another_question_is_answered() -> None:
    several = [describe_question(question, 0, alone=False) for question in QUESTIONS[:5]]
    assert [question["chosen"] for question in several] == [""] * 5
    alone = [describe_question(question, 0, alone=True) for question in QUESTIONS[:5]]
    assert [question["chosen"] for question in alone] == ["approve"] * 4 + [""]


def test_answers_become_those_of_a_file(runs: Path) -> None:
    folder = write_paused(runs, "asks")
    proposed = describe_question(QUESTIONS[0], 0)["proposed"]
    pairs = [("question", question.id) for question in QUESTIONS]
    pairs += [("action-0", "edit"), ("text-0", proposed.replace("Leaf-wise", "Depth-wise"))]
    pairs += [("action-1", "approve"), ("text-1", "is not used"), ("action-2", "")]
    pairs += [("action-3", "replace"), ("other-3", "t0.c2"), ("action-4", "reject"), ("text-5", "A plan.")]
    answers = answer_order(Form(pairs), folder, QUESTIONS).answers
    models = answers["models:t0"]
    assert isinstance(models, Answer)
    assert models.cards[0].description == "Depth-wise gradient boosting."
    assert models.cards[0].name == CARD.name
    assert answers["ablation:t0.a1"] == Answer(action="approve")
    assert answers["submission:t0.c1"] == Answer(action="replace", text="t0.c2")
    assert answers["packages:torch"] == Answer(action="reject")
    assert answers["0123abcd"] == "A plan."
    assert "plan:t1.r1.1" not in answers


def test_cards_that_are_not_changed_are_no_answer(runs: Path) -> None:
    proposed = describe_question(QUESTIONS[0], 0)["proposed"]
    form = Form([("question", "models:t0"), ("action-0", "edit"), ("text-0", proposed)])
    with pytest.raises(UserError, match="no card is changed"):
        answer_order(form, write_paused(runs, "asks"), QUESTIONS)


def test_a_text_holds_several_cards() -> None:
    first, second = read_cards("# A\n\nfirst\n\n```python\nx = 1\n---\n```\n\n---\n\n# B\n\nlibraries: numpy\n")
    assert (first.name, first.description, second.name, second.libraries) == ("A", "first", "B", ("numpy",))
    assert "---" in first.example_code


def test_settings_of_a_fork_are_lines() -> None:
    assert read_settings_lines("outer_steps = 3\n\nmodels.planner=offline\nmodels.default=ask") == {
        "outer_steps": "3",
        "models": {"planner": "offline", "default": "ask"},
    }
    with pytest.raises(UserError, match="write name=value"):
        read_settings_lines("outer_steps")


async def test_a_fork_of_a_decision_begins_with_what_was_decided(client: httpx.AsyncClient) -> None:
    page = (await client.get("/runs/solved/fork?at=plan:t0.r1.1")).text
    assert "Try &lt;img" in page
    wrong = await client.post("/runs/solved/fork", data={"at": "plan:t7"}, headers={"origin": OWN})
    assert "has no decision" in wrong.text
    nothing = await client.post("/runs/solved/fork", data={"at": "settings"}, headers={"origin": OWN})
    assert "at least one setting" in nothing.text
    unknown = {"at": "settings", "settings": "no_such=1"}
    assert "no_such" in (await client.post("/runs/solved/fork", data=unknown, headers={"origin": OWN})).text


async def test_a_run_that_nothing_works_on_cannot_be_stopped(client: httpx.AsyncClient) -> None:
    answer = await client.post("/runs/solved/stop", headers={"origin": OWN})
    assert answer.status_code == 400
    assert "no process works on run solved" in answer.text


async def test_a_run_of_another_program_is_not_stopped_from_here(client: httpx.AsyncClient, runs: Path) -> None:
    folder = write_working(runs, "unfinished")
    with folder.lock():  # by this process, which is no command of ours
        assert find_command(folder) is None
        answer = await client.post("/runs/unfinished/stop", headers={"origin": OWN})
    assert "belongs to another program" in answer.text


def test_a_lock_that_names_another_process_stops_nothing(runs: Path) -> None:
    folder = write_working(runs, "unfinished")
    with folder.lock():
        (folder.path / ".lock").write_text("1")
        assert find_command(folder) is None


@pytest.mark.parametrize(
    ("line", "works_on_a_run"),
    [
        ("python -m mlestar.ui.process", True),
        ("python -m mlestar run task", True),
        ("/venv/bin/python /venv/bin/mlestar -v resume r", True),
        ("python /package/mlestar/__main__.py demo", True),
        ("python /venv/bin/mlestar mcp --root run", False),
        ("python /venv/bin/mlestar ui", False),
        ("python -m jupyter lab /home/mlestar/run", False),
        ("", False),
    ],
)
def test_commands_that_work_on_a_run_are_known(line: str, works_on_a_run: bool) -> None:
    assert is_command(line.split()) is works_on_a_run


def test_the_line_of_a_chart_is_the_best_so_far() -> None:
    chart = draw_scores([3.0, 2.0, 2.5, 1.0], "minimize")
    assert [first for _, _, first in chart.dots] == [True, True, False, True]
    heights = [y for _, y, _ in chart.dots]
    assert min(heights) == heights[3]
    assert (chart.low, chart.high) == ("3", "1")
    assert "best 1" in chart.text


def test_a_clock_of_a_run_that_ended_stands(runs: Path) -> None:
    folder = write_solved(runs, "solved")
    facts = Followed(folder).facts(None, is_working=False)
    assert facts.clock.until is not None
    assert facts.tracks == ()
    assert CODE not in repr(facts)
