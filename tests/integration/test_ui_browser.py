"""The local page in a real browser: a run from its start to its end, and what other pages and hostile texts can do."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlestar.report import Result
from mlestar.store import Ledger, RunFolder
from tests.browser import browser
from tests.integration.ui_server import served
from tests.unit.scenario import count_rows, make_task
from tests.unit.ui_runs import write_paused, write_solved, write_working

WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")
PICTURES = "UI_PICTURES"
"""Variable that names a folder for pictures of every page."""
SMALL = {"outer_steps": "0", "retrieved_models": "2", "fresh_splits": "0", "baselines": "false", "trust": "true"}
RUN_SECONDS = 240
PAGES = {
    "runs": "/",
    "working": "/runs/works",
    "paused": "/runs/asks",
    "solved": "/runs/solved",
    "solution": "/runs/solved/solutions/t0.r1.1",
    "difference": "/runs/solved/diff?before=t0.c1&after=t0.r1.1",
    "compare": "/compare?run=solved&run=other",
    "new": "/new",
    "fork": "/runs/solved/fork?at=plan:t0.r1.1",
    "error": "/runs/none",
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve runs of every state, of which one works."""
    runs = tmp_path_factory.mktemp("page") / "runs"
    write_solved(runs, "solved")
    write_solved(runs, "other", 0.6)
    write_paused(runs, "asks")
    with write_working(runs, "works").lock(), served(runs) as printed:
        yield printed


class Visit:
    """A page with what it wrote to the console and what it asked for."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        """Enter by the address with the token."""
        self.page, self.base = context.new_page(), address.partition("/?")[0]
        self.written, self.asked = list[str](), list[str]()
        self.page.on("console", lambda message: self.written.append(message.text))
        self.page.on("pageerror", lambda error: self.written.append(str(error)))
        self.page.on("dialog", lambda dialog: self.written.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_url(f"{self.base}/")

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page


@contextmanager
def visiting(
    opened: Browser, address: str, width: int = 1440, scheme: str = "light", *, axe: bool = False
) -> Iterator[Visit]:
    """Yield a visit; axe is a script of another origin, which the policy of the page forbids."""
    context = opened.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light", bypass_csp=axe
    )
    try:
        yield Visit(context, address)
    finally:
        context.close()


@pytest.mark.timeout(900)
def test_a_run_is_started_answered_stopped_resumed_and_forked(opened: Browser, tmp_path: Path) -> None:
    task, runs = count_rows(make_task(tmp_path / "signs")), tmp_path / "runs"
    with served(runs, SMALL) as address, visiting(opened, address) as visit:
        page = visit.open("/new")
        page.get_by_label("Folder with a task").fill(str(task))
        page.get_by_label("Profile").select_option("quick")
        page.get_by_label("Model", exact=True).fill("offline")
        page.get_by_label("Runner").select_option("local")
        page.get_by_text("models", exact=True).click()
        page.locator("summary").click()
        page.get_by_label("Name of the run").fill("mine")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/runs/mine")
        expect(page.get_by_role("heading", name="The run asks")).to_be_visible(timeout=RUN_SECONDS * 1000)

        page.get_by_label("Edit", exact=True).check()
        editor = page.get_by_label("Your cards")
        editor.fill(editor.input_value().replace("# ", "# Changed ", 1))
        expect(page.locator(".difference .add")).to_contain_text("# Changed ")
        page.get_by_role("button", name="Send the answer").click()

        expect(page.locator("[data-part=now]")).to_contain_text(re.compile(r"of 2:00"), timeout=RUN_SECONDS * 1000)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".chip")).to_have_text("stopped", timeout=RUN_SECONDS * 1000)
        assert Result.read(runs / "mine/result.json").status == "stopped"
        page.get_by_role("button", name="Resume", exact=True).click()
        expect(page.locator(".chip")).to_have_text("solved", timeout=RUN_SECONDS * 1000)
        expect(page.locator("tr.winner")).to_be_visible()

        winner = Result.read(runs / "mine/result.json").winner
        page.get_by_role("link", name="Fork", exact=True).click()
        page.get_by_label("Decision").select_option(f"submission:{winner}")
        page.get_by_role("button", name="Choose").click()
        page.get_by_label("Reject", exact=True).check()
        page.get_by_role("button", name="Fork").click()
        page.wait_for_url("**/runs/mine-fork1")
        expect(page.locator(".chip")).to_have_text("solved", timeout=RUN_SECONDS * 1000)
        assert Result.read(runs / "mine-fork1/result.json").winner not in (None, winner)
        assert visit.written == []
    ledger = Ledger(RunFolder(runs, "mine").ledger)
    (answer,) = ledger.notes("answer")
    ledger.close()
    assert answer["action"] == "edit"
    assert [card["name"].startswith("Changed ") for card in answer["cards"]] == [True]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_are_accessible(opened: Browser, address: str, width: int, scheme: str) -> None:
    pictures, problems = os.environ.get(PICTURES), list[tuple[str, ...]]()
    with visiting(opened, address, width, scheme, axe=True) as visit:
        for name, path in PAGES.items():
            page = visit.open(path)
            page.wait_for_timeout(300)
            page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
            if pictures:
                page.screenshot(path=Path(pictures) / f"{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            found = Axe().run(page).response["violations"]
            problems += [(name, rule["id"], rule["nodes"][0]["html"][:200]) for rule in found]
    assert problems == []


def test_nothing_is_written_to_the_console_and_nothing_is_asked_of_others(opened: Browser, address: str) -> None:
    with visiting(opened, address) as visit:
        for path in PAGES.values():
            page = visit.open(path)
            page.wait_for_timeout(300)
            assert page.title() != "changed"
        assert [line for line in visit.written if "404" not in line] == []
        assert {asked.startswith(visit.base) for asked in visit.asked} == {True}


@pytest.mark.parametrize("name", ["runs", "paused", "solved", "new", "fork"])
def test_the_keyboard_reaches_every_control(opened: Browser, address: str, name: str) -> None:
    controls = (
        '[...document.querySelectorAll(\'a[href], button, summary, select, textarea, [tabindex="0"],'
        " input:not([type=hidden], [type=radio])')].filter(part => part.checkVisibility())"
    )
    with visiting(opened, address) as visit:
        page = visit.open(PAGES[name])
        page.evaluate(f"{controls}.forEach((part, place) => part.dataset.place = place)")
        count = page.evaluate(f"{controls}.length")
        reached = set()
        for _ in range(count + 15):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.dataset.place"))
        assert {str(place) for place in range(count)} <= reached
        assert count > 5


def test_the_report_is_shown_and_its_scripts_do_nothing(opened: Browser, address: str) -> None:
    with visiting(opened, address) as visit:
        page = visit.open("/runs/solved/report")
        assert page.get_by_text("the report").is_visible()
        assert page.title() == "report"
        assert page.evaluate("origin") == "null"


def test_a_page_says_when_its_server_has_ended(opened: Browser, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    server = ExitStack()
    address = server.enter_context(served(runs))
    with write_working(runs, "works").lock(), server, visiting(opened, address) as visit:
        page = visit.open("/runs/works")
        note = page.get_by_text("The server does not answer.")
        expect(page.locator("[data-part=best]")).to_contain_text("0.720")
        expect(note).to_be_hidden()
        server.close()
        expect(note).to_be_visible(timeout=20_000)


def test_a_wrong_token_shows_nothing(opened: Browser, address: str) -> None:
    context = opened.new_context()
    page = context.new_page()
    for path in (re.sub("token=.*", "token=wrong", address), address.partition("/?")[0] + "/runs/solved"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 403
        assert "solved" not in page.content()
    assert context.cookies() == []
    context.close()


class Other(BaseHTTPRequestHandler):
    """Another origin on this machine, with a page that tries to use the local page of whoever visits it."""

    target = ""

    def do_GET(self) -> None:
        page = f"""<!doctype html><title>other</title><iframe src="{self.target}/"></iframe>
        <form id="form" method="post" action="{self.target}/runs/works/stop" target="hidden"></form>
        <iframe name="hidden"></iframe><img src="{self.target}/static/icon.svg"><script>
        document.getElementById("form").submit();
        const send = (path, options) => fetch("{self.target}" + path, {{credentials: "include", ...options}})
            .then(answer => answer.text(), () => "refused");
        Promise.all([send("/runs/solved"), send("/runs/works/events"),
            send("/start", {{method: "POST", mode: "no-cors", body: new URLSearchParams({{folder: "/"}})}})])
            .then(answers => document.title = answers.join("|"));
        </script>"""
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_page_of_another_origin_reads_and_changes_nothing(opened: Browser, address: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with visiting(opened, address) as visit:
            visit.page.wait_for_load_state("networkidle")
            Other.target = visit.base
            answers: dict[str, int] = {}
            visit.page.on("response", lambda answer: answers.update({answer.url: answer.status}))
            visit.page.goto(f"http://127.0.0.1:{server.server_port}/")
            visit.page.wait_for_function("document.title !== 'other'", timeout=20_000)
            assert visit.page.title() == "refused|refused|refused"
            own = {url: status for url, status in answers.items() if url.startswith(visit.base)}
            assert {url: status for url, status in own.items() if status != 403} == {}
            assert f"{visit.base}/runs/works/stop" in own
            expect(visit.open("/runs/works").locator(".chip")).to_have_text("running")
    finally:
        server.shutdown()
        server.server_close()
