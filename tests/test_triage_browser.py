"""The triage page in a real browser: by keys alone, from the first look to a refitted model."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, Request, sync_playwright
from tests.triage import ALIKE, ANOMALIES

from alarmnet.cli import main
from alarmnet.loop.page.app import App
from alarmnet.loop.page.server import listen, server_of
from alarmnet.loop.page.starting import guarded

Open = Callable[[Path | str], AbstractContextManager[App]]

CHROMIUM = shutil.which("chromium")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
SIZES = {"laptop": (1366, 768), "desk": (1920, 1080), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (on Debian: apt-get install chromium)")
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def served(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """A page behind a port, and the address that the command would print."""
    with opened(tmp_path_factory.mktemp("answers") / "answers.sqlite") as app:
        taken = listen("127.0.0.1", 0)
        guard, address = guarded(app, "127.0.0.1", taken)
        server = server_of(guard)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        yield app, address
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def opened_page(
    browser: Browser, address: str, size: str, *, forgiven: str = "-", **options: Any
) -> Iterator[Page]:
    """A page of that size; it must not complain of anything else than `forgiven`, and talks to its server alone."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    own = address.partition("?")[0]

    def watch(request: Request) -> None:
        if not request.url.startswith((own, "data:")):
            complaints.append(request.url)

    page.on("request", watch)
    page.goto(address)
    yield page
    context.close()
    assert [words for words in complaints if forgiven not in words] == []


def key_of(page: Page) -> str:
    return page.locator("#row article").get_attribute("data-key") or ""


def press(page: Page, key: str, *, changes: bool = True) -> None:
    """Press a key, and wait until the next row is there."""
    before = key_of(page)
    page.keyboard.press(key)
    if changes:
        page.wait_for_function(
            "key => document.querySelector('#row article').dataset.key !== key", arg=before
        )


def answer(page: Page) -> str:
    """Answer as what the row is; give its key."""
    key = key_of(page)
    press(page, "a" if int(key.partition("-")[2]) < ANOMALIES else "n")
    return key


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_session_by_keys(
    browser: Browser, served: tuple[App, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, address = served
    desk = app._desk
    with opened_page(browser, address, "laptop", forgiven="503", accept_downloads=True) as page:
        assert "token" not in page.url
        seen = [answer(page) for _ in range(20)]
        until(lambda: desk.worker.change is not None)
        page.wait_for_selector("#side .change")
        press(page, "/", changes=False)
        page.keyboard.type("not sure what this is, a n u z")
        page.keyboard.press("Enter")
        page.keyboard.press("1")
        noted = key_of(page)
        press(page, "u")
        event = desk.worker.answers[noted]
        assert (event.verdict, event.reason, event.note) == (
            "unsure",
            "scan",
            "not sure what this is, a n u z",
        )
        press(page, "z")
        assert key_of(page) == noted
        assert noted not in desk.worker.answers
        seen.append(answer(page))
        # a usual row: those like it are still waiting
        page.goto(f"{page.url.partition('?')[0]}?row=r-{ALIKE}")
        for again in (True, False):
            before = set(desk.worker.answers)
            press(page, "g", changes=False)
            page.wait_for_selector("#alike[open]")
            alike = page.locator("#alike tbody tr").count()
            assert alike >= 3
            press(page, "n")
            together = set(desk.worker.answers) - before
            assert len(together) == alike + 1
            assert {desk.worker.answers[key].verdict for key in together} == {"normal"}
            if again:
                press(page, "z")
                assert key_of(page) == f"r-{ALIKE}"
                assert set(desk.worker.answers) == before
        press(page, "ArrowRight")
        passed = key_of(page)
        press(page, "ArrowLeft")
        press(page, "ArrowRight")
        assert key_of(page) == passed
        while len(desk.worker.answers) < 60:
            answer(page)
        page.keyboard.press("r")
        page.wait_for_function("() => document.querySelector('#said').textContent !== ''")
        assert page.locator("#looks").inner_text() == "60"
        # the history changes an answer
        page.get_by_role("link", name="History").click()
        page.wait_for_url("**/history*")
        changed = seen[0]
        rows = page.locator(f'tr[data-key="{changed}"] select')
        with page.expect_navigation():
            rows.first.select_option("unsure")
        assert desk.worker.answers[changed].verdict == "unsure"
        page.get_by_role("link", name="Export").click()
        for name in ("labelled.csv", "triage.alarmnet"):
            with page.expect_download() as download:
                page.get_by_role("link", name=name).click()
            download.value.save_as(tmp_path / name)
        page.wait_for_function("() => document.querySelector('#learned').textContent.includes('learned all')")
        assert page.locator("#said").inner_text() == "triage.alarmnet is made"
        with monkeypatch.context() as patch, page.expect_response("**/export/report.html"):
            patch.setattr(desk.worker, "learn_all", lambda seconds: False)
            page.get_by_role("link", name="report.html").click()
            page.wait_for_selector("#said.alarm")
            assert "the model has not yet learned" in page.locator("#said").inner_text()
    command = ["refit", str(tmp_path / "triage.alarmnet"), str(tmp_path / "labelled.csv"), "--json"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    counts = desk.store.counts()
    assert f'"anomaly": {counts["anomaly"]}' in result.output
    assert f'"normal": {counts["normal"]}' in result.output


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [*SIZES])
def test_pages_are_accessible(browser: Browser, served: tuple[App, str], size: str, scheme: str) -> None:
    _, address = served
    with opened_page(browser, address, size, color_scheme=scheme, bypass_csp=True) as page:
        press(page, "n")
        own = page.url
        for place in ("", "?", "history", "export"):
            if place == "?":
                page.keyboard.press("?")
                page.wait_for_selector("#help[open]")
            elif place:
                page.goto(f"{own}{place}")
            found = Axe().run(page).response["violations"]
            serious = [
                (one["id"], node["html"])
                for one in found
                if one["impact"] in ("serious", "critical")
                for node in one["nodes"]
            ]
            assert serious == [], page.url
            wide = page.evaluate(
                "[document.documentElement, ...document.querySelectorAll('.sheet .scroll')]"
                ".some(part => part.scrollWidth > part.clientWidth)"
            )
            assert not wide, f"{page.url} scrolls sideways"


@pytest.mark.parametrize("size", ["laptop", "desk"])
def test_all_that_decides_is_in_view(browser: Browser, served: tuple[App, str], size: str) -> None:
    _, address = served
    _, height = SIZES[size]
    with opened_page(browser, address, size) as page:
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        places = []
        for key in ("n", "a"):
            for wanted in (
                ".values li",
                ".why .bars li",
                ".sentence",
                "[data-verdict=anomaly]",
                "[data-verdict=normal]",
            ):
                box = page.locator(wanted).first.bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= height, wanted
            places.append(
                page.locator(".actions button").evaluate_all(
                    "all => all.map(b => b.getBoundingClientRect().x)"
                )
            )
            press(page, key)
        box = page.locator(".pairs tbody tr").last.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height, "the nearest anomaly"
        assert places[0] == places[1], "buttons do not move"


def test_cells_run_nothing(browser: Browser, served: tuple[App, str]) -> None:
    _, address = served
    with opened_page(browser, address, "laptop") as page:
        page.goto(f"{page.url}?row=r-11")
        assert "owned" not in page.title()
        assert page.locator("#row img").count() == 0
        assert "<img src=x" in page.locator(".values").inner_text()


def test_what_the_server_did_not_confirm_is_not_shown_as_saved(
    browser: Browser, served: tuple[App, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, address = served
    with opened_page(browser, address, "laptop", forgiven="Failed to load resource") as page:
        key = key_of(page)
        tries: list[str] = []

        def fails(times: int) -> Callable[[Any], None]:
            def handle(route: Any) -> None:
                tries.append(route.request.headers["idempotency-key"])
                if len(tries) <= times:
                    route.abort()
                else:
                    route.continue_()

            return handle

        page.route("**/answer", fails(2))
        page.keyboard.press("u")
        page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Waiting')")
        assert key_of(page) == key
        assert key not in app._desk.worker.answers
        page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Saved')")
        assert len(set(tries)) == 1
        assert len(app._desk.store.history(row=key)) == 1
        page.unroute("**/answer")
        tries.clear()
        page.route("**/move", fails(1))
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Waiting')")
        page.wait_for_function("() => document.querySelector('#said').textContent === ''")
        page.context.clear_cookies()
        page.keyboard.press("n")
        page.wait_for_function("() => document.querySelector('#said').textContent.includes('was restarted')")
