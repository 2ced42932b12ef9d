"""The report in a real browser: on phones and screens, in light and dark, with the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from mlestar.report import Result
from mlestar.report.page import render_page
from mlestar.state import Brief
from tests.browser import browser
from tests.unit.report_pages import HOSTILE, full_result, make_media, scripts_of

WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def report(tmp_path: Path, brief: Brief) -> Path:
    """Write the page of a run with every section, with hostile and long texts."""
    return write_page(tmp_path, brief, full_result())


def write_page(folder: Path, brief: Brief, result: Result, running_at: str = "") -> Path:
    path, settings = folder / "report.html", {"model": HOSTILE}
    page = render_page(result, brief, scripts_of(result), settings, make_media(), running_at=running_at)
    path.write_text(page, encoding="utf-8")
    return path


def unfinished(kind: Literal["audio", "text"]) -> Result:
    """Return what a run has reached that is not finished, and examples, which only finished runs have."""
    return full_result(kind).model_copy(update={"status": "stopped", "importance": None, "outcome": None})


def open_page(
    opened: Browser, report: Path, width: int, scheme: str, *, bypass: bool = True
) -> tuple[Page, list[str], list[str]]:
    """Return the opened page, what it wrote to the console, and the addresses that it asked for."""
    # Axe is a script, which the page itself forbids.
    context = opened.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=bypass,
    )
    page, written, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: written.append(message.text))
    page.on("pageerror", lambda error: written.append(str(error)))
    page.on("dialog", lambda dialog: written.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    return page, written, asked


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_fits_asks_for_nothing_and_is_accessible(
    opened: Browser, report: Path, width: int, scheme: str
) -> None:
    page, written, asked = open_page(opened, report, width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert written == []
    assert [address for address in asked if not address.startswith("data:")] == [report.as_uri()]
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


@pytest.mark.parametrize(("kind", "width", "scheme"), [("audio", 390, "dark"), ("text", 1440, "light")])
def test_a_page_of_a_run_at_work_fits_asks_for_nothing_and_is_accessible(
    opened: Browser, tmp_path: Path, brief: Brief, kind: Literal["audio", "text"], width: int, scheme: str
) -> None:
    path = write_page(tmp_path, brief, unfinished(kind), "2026-01-31 14:25:01 UTC")
    page, written, asked = open_page(opened, path, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert written == []
    assert [address for address in asked if not address.startswith("data:")] == [path.as_uri()]
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


def test_pictures_and_clips_are_loaded(opened: Browser, tmp_path: Path, brief: Brief, report: Path) -> None:
    page, _, _ = open_page(opened, report, 1440, "light", bypass=False)
    assert page.evaluate("[...document.images].map(image => image.naturalWidth)") == [120, 120, 120]
    clips = write_page(tmp_path, brief, unfinished("audio"))
    page, written, _ = open_page(opened, clips, 1440, "light", bypass=False)
    page.wait_for_function("[...document.querySelectorAll('audio')].every(clip => clip.readyState > 0)")
    assert page.evaluate("document.querySelector('audio').duration") == 0.5
    assert written == []


def test_the_keyboard_reaches_every_control(opened: Browser, report: Path) -> None:
    page, _, _ = open_page(opened, report, 1440, "light")
    shown = (
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter(part => part.checkVisibility())"
    )
    page.evaluate(f"{shown}.forEach((part, place) => part.dataset.place = place)")
    count = page.evaluate(f"{shown}.length")
    reached = set()
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.place"))
    assert {str(place) for place in range(count)} <= reached
    assert count > 10


def test_a_dot_of_the_lineage_leads_to_its_solution(opened: Browser, report: Path) -> None:
    page, _, _ = open_page(opened, report, 1440, "light")
    page.locator("figure[aria-label='lineage of the solutions'] .wide a").first.click()
    assert page.url.startswith(f"{report.as_uri()}#solution-")
    assert page.evaluate("document.querySelector(':target').tagName") == "TR"
