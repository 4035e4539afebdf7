"""As a person would: Chromium opens the dashboard of a finished and of a running study, and the
report, clicks a Pareto point, and looks at what is there. Needs Debian's packages chromium and
chromium-driver."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from paretrain.shell import command_line
from search.study.snapshot import read_snapshot
from tests.forked import Forked
from tests.harness import NAME, SMALL, STUDY, run_process, succeed_in

DESK, PHONE = (1280, 900), (390, 844)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.slow  # to begin the browser takes as long as many tests

Browser = webdriver.Chrome
T = TypeVar("T")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One window for all tests. With CI set, its absence is a failure."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "needs chromium and chromedriver (Debian: chromium, chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture(scope="module")
def report(storage: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of the finished study."""
    from search.report import main

    folder = tmp_path_factory.mktemp("report")
    succeed_in(folder, main, *STUDY, "--storage", storage, "--out", "report.html")
    return (folder / "report.html").as_uri()


@contextmanager
def dashboard(browser: Browser, storage: str) -> Iterator[str]:
    """The address of the study's page. Nothing on it may complain."""
    process = Forked("search.dashboard", "--storage", storage)
    try:
        yield process.stdout.readline().split()[1]
        assert complaints(browser) == []
    finally:
        browser.get("about:blank")  # else the page goes on to ask
        complaints(browser)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0 and "of the time" in said and "cannot draw" not in said, said


def page(address: str) -> str:
    """The address without the token, for a browser that has been let in."""
    return address.partition("?")[0]


def open_at(browser: Browser, address: str, size: tuple[int, int], scheme: str = "light") -> None:
    """As on a screen of that size, and a system of that colour scheme."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)


def until(browser: Browser, seen: Callable[[], T], what: str, seconds: float = 60) -> T:
    """Waits for something to be seen; pages are drawn anew meanwhile."""
    ignored = (NoSuchElementException, StaleElementReferenceException)
    waiting = WebDriverWait(browser, seconds, 0.2, ignored)
    return waiting.until(lambda _: seen(), f"no {what} in {browser.current_url}")


def text(browser: Browser) -> str:
    """All that is visible."""
    return browser.find_element(By.TAG_NAME, "body").text


def complaints(browser: Browser) -> list[str]:
    """Errors on the console since the last call."""
    lines = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [line["message"] for line in lines if line["level"] == "SEVERE"]


def titles(browser: Browser) -> list[str]:
    """Of figures, in the order in which people read them: row by row."""
    found = browser.find_elements(By.CSS_SELECTOR, ".gtitle")
    placed = [(round(e.location["y"] / 50), e.location["x"], e.text) for e in found]
    return [text for *_, text in sorted(placed)]


def click(browser: Browser, element: WebElement) -> None:
    """With the pointer, as plotly hears a click only after the pointer has moved there."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    ActionChains(browser).move_to_element(element).pause(0.3).click().perform()


def front_points(browser: Browser, figure: str) -> list[WebElement]:
    """The points of the front in our figure, smallest network first."""
    lines = browser.find_elements(By.CSS_SELECTOR, f"{figure} .trace")
    front = next(line for line in lines if line.find_elements(By.CSS_SELECTOR, ".js-line"))
    return front.find_elements(By.CSS_SELECTOR, ".points path")


def at(browser: Browser, number: int) -> bool:
    """Whether the page of that trial is open."""
    return browser.current_url.endswith(f"/trials?numbers={number}")


def names_trial(picked: WebElement, number: int) -> bool:
    """Whether the box below a figure has commands for that trial."""
    return f"--trial {number}\n" in picked.text


OWN = ["Accuracy against size", "Learning curves", "Growth of the front (hypervolume)"]
OWN += ["Where the budget went"]


def test_the_dashboard_of_a_finished_study(browser: Browser, storage: str) -> None:
    seen = read_snapshot(storage, NAME)
    best = seen.front[-1]
    with dashboard(browser, storage) as address:
        open_at(browser, address, DESK)
        until(browser, lambda: set(OWN) <= set(titles(browser)), "figures of ours")
        shown = [title for title in titles(browser) if title in OWN]
        assert shown == OWN
        assert not browser.find_element(By.ID, "graph-hyperparameter-importances").is_displayed(), (
            "Optuna's importances beside ours"
        )
        # A click on a point of the front leads to its trial, in our figure and in Optuna's.
        ours, theirs = '[id="user-defined-plot:pareto"]', "#graph-pareto-front"
        for place, record in enumerate(seen.front):
            point = front_points(browser, ours)[place]
            click(browser, point)
            until(browser, partial(at, browser, record.number), "page of the trial")
            browser.back()
            until(browser, lambda: set(OWN) <= set(titles(browser)), "figures of ours")
        points = browser.find_elements(By.CSS_SELECTOR, f"{theirs} .points path")
        assert len(points) == len(seen.finished)
        click(browser, points[-1])
        until(browser, lambda: "/trials" in browser.current_url, "page of a trial")
        width = "return document.documentElement.scrollWidth"
        until(browser, lambda: "Classes" in text(browser), "page of a trial")
        assert browser.execute_script(width) <= DESK[0], "a trial's page scrolls sideways"
        number = int(re.findall(r"numbers=(\d+)", browser.current_url)[0])
        until(browser, lambda: f"trial-{number}.yaml" in text(browser), "note of the trial")
        assert f"Trial {number}" in text(browser) and "Classes" in text(browser)
        picture = until(
            browser, lambda: browser.find_element(By.CSS_SELECTOR, "img[src*='artifacts']"), "card"
        )
        until(browser, lambda: picture.get_property("naturalWidth"), "picture on the card")
        open_at(browser, f"{page(address)}/note", DESK)
        until(browser, lambda: f"{best.val_acc:.2%}" in text(browser), "front in the note")
        assert "No search is running." in text(browser) and "search.export" in text(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_have_the_colours_of_the_page(browser: Browser, storage: str, scheme: str) -> None:
    def colour(element: WebElement, what: str) -> list[str]:
        return re.findall(r"[\d.]+", element.value_of_css_property(what))

    with dashboard(browser, storage) as address:
        open_at(browser, address, DESK, scheme)
        until(browser, lambda: set(OWN) <= set(titles(browser)), "figures of ours")
        figure = browser.find_element(By.CSS_SELECTOR, "[id^='user-defined-plot:pareto']")
        ink = colour(figure, "color")[:3]
        assert ink == ["0"] * 3 if scheme == "light" else ["255"] * 3
        for kind in (".gtitle", ".xtick text", ".legendtext"):
            shown = figure.find_element(By.CSS_SELECTOR, kind)
            assert colour(shown, "fill")[:3] == ink, kind
        for kind, what in ((".main-svg", "background-color"), (".legend .bg", "fill")):
            shown = figure.find_element(By.CSS_SELECTOR, kind)
            assert colour(shown, what) == ["0"] * 4, kind


def test_the_dashboard_of_a_running_study(browser: Browser, tmp_path: Path) -> None:
    storage = str(tmp_path / "studies.db")
    options = [*SMALL, "--per-class", "40", "--epochs", "3", "--storage", storage, "--trials"]

    def ended() -> int:
        return sum(trial.state.is_finished() for trial in read_snapshot(storage, NAME).trials)

    search = Forked("search.run", *options, "500")
    try:
        deadline = time.monotonic() + 120
        while not Path(storage).exists() or "vgg" not in names(storage) or ended() < 1:
            assert search.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        with dashboard(browser, storage) as address:
            open_at(browser, address, DESK)
            until(browser, lambda: set(OWN) <= set(titles(browser)), "figures of ours")
            open_at(browser, f"{page(address)}/note", DESK)
            until(browser, lambda: "The search is running." in text(browser), "status")
            before = ended()
        until(browser, lambda: ended() > before, "progress of the search")
        assert search.poll() is None
    finally:
        search.send_signal(signal.SIGINT)
        search.communicate(timeout=120)
    assert search.returncode == 130
    again = run_process(tmp_path, "search.run", *options, ended() + 1)
    assert again.code == 0, again.err


def names(storage: str) -> str:
    """Of the studies in a database that may be in the making."""
    from search.study.storage import open_storage

    return " ".join(study.study_name for study in open_storage(storage).get_all_studies())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_report(
    browser: Browser, storage: str, report: str, size: tuple[int, int], scheme: str
) -> None:
    snapshot = read_snapshot(storage, NAME)
    best = snapshot.front[-1]
    open_at(browser, report, size, scheme)
    assert [title for title in titles(browser) if title in OWN] == OWN
    assert f"#{best.number}" in text(browser) and f"{best.val_acc:.2%}" in text(browser)
    fits = "return document.documentElement.scrollWidth <= window.innerWidth"
    assert browser.execute_script(fits), "the page scrolls sideways"
    cut = "return [...document.querySelectorAll('pre')].some(e => e.scrollWidth > e.offsetWidth)"
    assert not browser.execute_script(cut), "a command is cut off"
    cut = cut.replace("pre", ".wide")
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert not browser.execute_script(cut), "a table scrolls sideways"
    assert browser.execute_script(fits), "the page scrolls sideways once unfolded"
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = false)")
    if size == DESK:
        high = browser.execute_script("return document.documentElement.scrollHeight")
        assert high < 3000
    copied = browser.execute_script(
        "getSelection().selectAllChildren(document.querySelector('pre'));"
        "return getSelection().toString()"
    )
    options = snapshot.handed_over().options
    assert command_line("search.confirm", *options) in copied.splitlines()
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")
    picked = browser.find_element(By.CLASS_NAME, "picked")
    for record, point in zip(snapshot.front, front_points(browser, "#pareto"), strict=True):
        click(browser, point)
        until(browser, partial(names_trial, picked, record.number), "clicked trial")
        assert picked.text.startswith(f"#{record.number} ")
        assert f": {record.val_acc:.2%}" in picked.text
    assert complaints(browser) == []
