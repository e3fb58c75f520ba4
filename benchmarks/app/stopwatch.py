"""Seconds from a click to the last change of the page, in a real browser."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import which

from playwright.sync_api import Locator, Page, sync_playwright

#: Seconds without a change of the page after which it counts as drawn.
_QUIET = 0.9
_WATCH = """
window.__last = performance.now();
// What lies inside a canvas, and what is announced to screen readers, is never painted.
const seen = (m) => !(m.type === 'childList' ? m.target : m.target.parentElement)
  ?.closest('canvas, [data-live-announcer]');
new MutationObserver((all) => { if (all.some(seen)) window.__last = performance.now(); })
  .observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
"""
_STATE = """() => [
    document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState,
    (performance.now() - window.__last) / 1000,
    (performance.timeOrigin + window.__last) / 1000,
]"""
_PLACE_OF_POINT = """(share) => {
    const plot = document.querySelector('.js-plotly-plot');
    const traces = plot._fullData.filter(t => t.customdata && t.mode === 'markers');
    const one = traces[traces.length - 1];
    const at = Math.floor(share * one.x.length);
    const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
    return [box.x + xaxis._offset + xaxis.d2p(one.x[at]),
            box.y + yaxis._offset + yaxis.d2p(one.y[at])];
}"""


@dataclass(frozen=True)
class Stopwatch:
    """A page, and how long what was done on it took.

    Parameters
    ----------
    page : Page
        The page.
    times : dict of str to list of float
        Seconds of each thing done, one a round.
    """

    page: Page
    times: dict[str, list[float]]

    def note(self, what: str, act: Callable[[], object]) -> None:
        """Time an action under a name."""
        self.times.setdefault(what, []).append(self.timed(act))
        print(f"{self.times[what][-1]:6.2f} s  {what}", file=sys.stderr, flush=True)

    def timed(self, act: Callable[[], object]) -> float:
        """Seconds from an action to the last change of the page it leads to."""
        started = time.time()
        act()
        while True:
            self.page.wait_for_timeout(50)
            state, still, changed = self.page.evaluate(_STATE)
            if state == "notRunning" and still > _QUIET:
                return max(float(changed) - started, 0.0)
            if time.time() - started > 60:
                raise SystemExit("the page does not come to rest")

    def settle(self) -> None:
        """Wait until the page is still."""
        self.timed(lambda: None)

    def click_point(self, share: float) -> None:
        """Click a point of the first plot that answers, `share` of the way through its points."""
        self.page.evaluate(
            "document.querySelector('.js-plotly-plot').scrollIntoView({block: 'center'})"
        )
        self.page.mouse.move(*self.page.evaluate(_PLACE_OF_POINT, share))
        self.page.mouse.down()
        self.page.mouse.up()

    def choosing(self, box: Locator, option: str) -> Callable[[], object]:
        """Open a box and look for an option; what is returned takes it."""
        # The list of a box that has to be scrolled to closes again.
        box.scroll_into_view_if_needed()
        box.click()
        box.fill(option)
        self.page.get_by_role("option", name=option).first.wait_for()
        return lambda: box.press("Enter")


@contextmanager
def fresh_browser(times: dict[str, list[float]]) -> Iterator[Stopwatch]:
    """A browser that has loaded nothing yet."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        page.add_init_script(_WATCH)
        yield Stopwatch(page, times)
        browser.close()
