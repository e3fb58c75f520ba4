"""Time the review app on a generated project, in a real browser.

    python benchmarks/app/measure.py OUT [--rounds 3]

OUT is what `large_project.py` made. A time goes from the click, or the key that takes a choice, to
the last change of the page, drawing included; the figure is the median of the rounds. Needs
chromium and the dev dependencies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from corespot.tracking.reading import find_runs, reading_client

ROOT = Path(__file__).resolve().parents[2]
#: Seconds without a change of the page after which it counts as drawn.
_QUIET = 0.9
_WATCH = """
window.__last = performance.now();
new MutationObserver(() => { window.__last = performance.now(); })
  .observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
"""


def main() -> None:
    """Serve, visit, click, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    project = given.project.resolve()
    runs = find_runs(reading_client(f"sqlite:///{project}/mlruns/mlflow.db"))
    large, beside = runs[0].run_id, runs[1].run_id
    times: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        one_round(project, large, beside, times)
    for what, seconds in times.items():
        print(f"| {what} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")


def one_round(project: Path, large: str, beside: str, times: dict[str, list[float]]) -> None:
    """One server, one fresh browser, every interaction once."""

    def note(what: str, page: Page, act: Callable[[], object]) -> None:
        times.setdefault(what, []).append(timed(page, act))
        print(f"{times[what][-1]:6.2f} s  {what}", file=sys.stderr)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "app.serve", "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(address)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(60_000)
            page.add_init_script(_WATCH)
            note("first view, fresh server and browser", page, lambda: page.goto(address))
            note("first view, loaded again", page, lambda: page.goto(address))
            time.sleep(11)  # the list of runs is read again after ten seconds
            note("first view, runs read again", page, lambda: page.goto(address))
            name = page.get_by_label("Name")
            name.fill("LP iso")
            note("overview: filter by name", page, lambda: name.press("Tab"))
            link = f"{address}/?run={large}&view="
            note("sensitivity: opened", page, lambda: page.goto(link + "sensitivity"))
            for button in ("Zoom in", "Right", "Whole"):
                act = page.get_by_role("button", name=button).click
                note(f"sensitivity: {button.lower()}", page, act)
            page.get_by_text("Click for the ion image").click()
            settle(page)
            note("sensitivity: ion image of a point", page, lambda: click_point(page, 0.4))
            note("sensitivity: ion image of another", page, lambda: click_point(page, 0.6))
            note("confounding: opened", page, lambda: page.goto(link + "confounding"))
            note("tissue: opened", page, lambda: page.goto(link + "tissue"))
            box = page.get_by_role("combobox", name="Map")
            note("tissue: probability", page, choosing(page, box, "Probability"))
            note("tissue: first ion image", page, choosing(page, box, "Ion image"))
            mz = page.get_by_label("m/z", exact=True)
            mz.fill("1534.7")
            note("tissue: next ion image", page, lambda: mz.press("Enter"))
            core = page.get_by_role("combobox", name="Core")
            note("tissue: a core from the box", page, choosing(page, core, "3-"))
            note("tissue: another core, clicked", page, lambda: click_point(page, 0.3))
            note("tissue: and another", page, lambda: click_point(page, 0.7))
            tma = page.get_by_role("combobox", name="TMA")
            note("tissue: all TMAs at once", page, choosing(page, tma, "All TMAs"))
            note("tissue: a core of all TMAs, clicked", page, lambda: click_point(page, 0.5))
            for view in ("Sensitivity", "Confounding", "Data", "Tissue", "Overview"):
                link_to = page.get_by_role("link", name=view, exact=True)
                note(f"menu: to {view}", page, link_to.click)
            both = f"{address}/?run={large},{beside}&view=compare"
            note("compare: two runs opened", page, lambda: page.goto(both))
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def click_point(page: Page, share: float) -> None:
    """Click a point of the first plot that answers, `share` of the way through its points."""
    page.evaluate("document.querySelector('.js-plotly-plot').scrollIntoView({block: 'center'})")
    x, y = page.evaluate(
        """(share) => {
            const plot = document.querySelector('.js-plotly-plot');
            const traces = plot._fullData.filter(t => t.customdata && t.mode === 'markers');
            const one = traces[traces.length - 1];
            const at = Math.floor(share * one.x.length);
            const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.d2p(one.x[at]),
                    box.y + yaxis._offset + yaxis.d2p(one.y[at])];
        }""",
        share,
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.up()


def settle(page: Page) -> None:
    """Wait until the page is still."""
    timed(page, lambda: None)


def choosing(page: Page, box: Locator, option: str) -> Callable[[], object]:
    """Open a box and look for an option; what is returned takes it."""
    # The list of a box that has to be scrolled to closes again.
    box.scroll_into_view_if_needed()
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).first.wait_for()
    return lambda: box.press("Enter")


def timed(page: Page, act: Callable[[], object]) -> float:
    """Seconds from an action to the last change of the page it leads to."""
    started = time.time()
    act()
    while True:
        page.wait_for_timeout(50)
        state = page.evaluate(
            """() => [
                document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState,
                (performance.now() - window.__last) / 1000,
                (performance.timeOrigin + window.__last) / 1000,
            ]"""
        )
        if state[0] == "notRunning" and state[1] > _QUIET:
            return max(float(state[2]) - started, 0.0)
        if time.time() - started > 60:
            raise SystemExit("the page does not come to rest")


def wait_for(address: str) -> None:
    """Wait until the server answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the app did not come up")


if __name__ == "__main__":
    main()
