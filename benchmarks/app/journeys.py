"""What is clicked, view by view: each interaction is named and timed by `Stopwatch.note`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.app.stopwatch import Stopwatch
from playwright.sync_api import Locator


@dataclass(frozen=True)
class Project:
    """Where the app is, and the two runs at full size.

    Parameters
    ----------
    address : str
        Of the server.
    large, beside : str
        Identifiers of runs of one task.
    """

    address: str
    large: str
    beside: str

    def link(self, view: str) -> str:
        """Address of a view of the large run."""
        return f"{self.address}/?run={self.large}&view={view}"


def overview(watch: Stopwatch, project: Project) -> None:
    """The list of all runs."""
    page = watch.page
    for what in ("fresh server and browser", "loaded again"):
        watch.note(f"first view, {what}", lambda: page.goto(project.address))
    time.sleep(11)  # the list of runs is read again after ten seconds
    watch.note("first view, runs read again", lambda: page.goto(project.address))
    name = page.get_by_label("Name")
    name.fill("LP iso")
    watch.note("overview: filter by name", lambda: name.press("Tab"))
    watch.note("overview: another order", _taking(watch, "Order", 2))
    watch.note("overview: pick a run", lambda: page.mouse.click(*_left_of_table(watch)))


def sensitivity(watch: Stopwatch, project: Project) -> None:
    """The signed spectrum and ion images."""
    page = watch.page
    watch.note("sensitivity: opened", lambda: page.goto(project.link("sensitivity")))
    for button in ("Zoom in", "Right", "Whole"):
        watch.note(f"sensitivity: {button.lower()}", _button(watch, button).click)
    watch.note("sensitivity: single folds", page.get_by_text("Single folds").click)
    page.get_by_text("Click for the ion image").click()
    watch.settle()
    watch.note("sensitivity: ion image of a point", lambda: watch.click_point(0.4))
    watch.note("sensitivity: ion image of another", lambda: watch.click_point(0.6))
    mz = page.get_by_label("m/z", exact=True)
    mz.fill("1534.7")
    watch.note("sensitivity: an m/z looked for", lambda: mz.press("Enter"))
    watch.note("sensitivity: of the probability", page.get_by_text("probability", exact=True).click)


def confounding(watch: Stopwatch, project: Project) -> None:
    """The exhibits of the audit."""
    watch.note("confounding: opened", lambda: watch.page.goto(project.link("confounding")))
    _openings(
        watch, "confounding", "What tells the TMA", "In tables, each", "What else goes with the"
    )
    watch.note("confounding: another run", _taking(watch, "Run", 1))


def tissue(watch: Stopwatch, project: Project) -> None:
    """The map."""
    page = watch.page
    watch.note("tissue: opened", lambda: page.goto(project.link("tissue")))
    box = _box(watch, "Map")
    watch.note("tissue: probability", watch.choosing(box, "Probability"))
    watch.note("tissue: first ion image", watch.choosing(box, "Ion image"))
    mz = page.get_by_label("m/z", exact=True)
    mz.fill("1534.7")
    watch.note("tissue: next ion image", lambda: mz.press("Enter"))
    watch.note("tissue: a core from the box", watch.choosing(_box(watch, "Core"), "3-"))
    watch.note("tissue: another core, clicked", lambda: watch.click_point(0.3))
    watch.note("tissue: and another", lambda: watch.click_point(0.7))
    watch.note("tissue: all TMAs at once", watch.choosing(_box(watch, "TMA"), "All TMAs"))
    watch.note("tissue: a core of all TMAs, clicked", lambda: watch.click_point(0.5))


def menu(watch: Stopwatch, project: Project) -> None:
    """From view to view, twice: the first time what a view shows may have to be made."""
    watch.page.goto(project.link("overview"))
    watch.settle()
    time.sleep(3)  # a person looks at the list; meanwhile the browser loads what draws figures
    views = ("Sensitivity", "Confounding", "Decision", "Data", "Tissue", "Studies", "Overview")
    for turn in ("", ", again"):
        for view in views:
            link = watch.page.get_by_role("link", name=view, exact=True)
            watch.note(f"menu: to {view}{turn}", link.click)


def compare(watch: Stopwatch, project: Project) -> None:
    """Two runs side by side."""
    both = f"{project.address}/?run={project.large},{project.beside}&view=compare"
    watch.note("compare: two large runs opened", lambda: watch.page.goto(both))
    watch.note("compare: another reference", _taking(watch, "Reference", 1))
    watch.note("compare: another metric", _taking(watch, "Metric", 2))
    low = watch.page.get_by_label("m/z from")
    low.fill("1500")
    watch.note("compare: profiles from another m/z", lambda: low.press("Tab"))
    stacked = watch.page.get_by_text("one above the other", exact=True)
    watch.note("compare: profiles one above the other", stacked.click)
    _openings(watch, "compare", "Every fold")


def studies(watch: Stopwatch, project: Project) -> None:
    """Studies of a hundred trials."""
    watch.note("studies: opened", lambda: watch.page.goto(project.link("studies")))
    for figure in ("Importances", "Parallel coordinates", "Slices", "Timeline"):
        act = watch.page.get_by_text(figure, exact=True).click
        watch.note(f"studies: {figure.lower()}", act)
    watch.note("studies: another outer fold", _taking(watch, "Outer fold", 1))
    watch.note("studies: the first again", _taking(watch, "Outer fold", 0))


def data(watch: Stopwatch, project: Project) -> None:
    """The project's data."""
    page = watch.page
    watch.note("data: opened", lambda: page.goto(project.link("cohort")))
    _part(watch, "Quality")
    _part(watch, "Mean spectra")
    watch.note("data: raw mean spectra", page.get_by_text("raw", exact=True).click)
    page.get_by_role("slider").first.focus()
    watch.note("data: mean spectra, m/z moved", lambda: page.keyboard.press("ArrowRight"))
    _part(watch, "Classes and TMAs")
    _part(watch, "Folds")
    watch.note("data: another repeat", _taking(watch, "Repeat", 1))
    _part(watch, "Preprocessing")
    watch.note("data: another core", _taking(watch, "Core", 3))
    watch.note("data: another spot", _taking(watch, "Spot", 2))
    low = page.get_by_label("Zoom from m/z")
    low.fill("1000")
    watch.note("data: another zoom", lambda: low.press("Tab"))
    _part(watch, "Versions")
    _part(watch, "Cohort")


def decision(watch: Stopwatch, project: Project) -> None:
    """A decision, recorded."""
    page = watch.page
    watch.note("decision: opened", lambda: page.goto(project.link("decision")))
    page.get_by_label("Reviewer").fill("Dr. Who")
    page.get_by_text("Needs work", exact=True).click()
    page.get_by_label("Comment").fill("Measure the classes on one TMA.")
    watch.settle()
    watch.note("decision: recorded", _button(watch, "Record the decision").click)


JOURNEYS = (
    overview,
    sensitivity,
    confounding,
    tissue,
    menu,
    compare,
    studies,
    data,
    decision,
)


def _part(watch: Stopwatch, name: str) -> None:
    act = watch.page.get_by_text(name, exact=True).first.click
    watch.note(f"data: {name}", act)


def _openings(watch: Stopwatch, view: str, *texts: str) -> None:
    for text in texts:
        found = watch.page.get_by_text(text).first
        if found.count():
            watch.note(f"{view}: fold {text!r} opened", found.click)


def _button(watch: Stopwatch, name: str) -> Locator:
    return watch.page.get_by_role("button", name=name)


def _box(watch: Stopwatch, name: str) -> Locator:
    return watch.page.get_by_role("combobox", name=name)


def _taking(watch: Stopwatch, name: str, at: int) -> Callable[[], object]:
    """Open a box; what is returned takes the option at a place of its list."""
    box = _box(watch, name).first
    box.scroll_into_view_if_needed()
    box.click()
    watch.page.get_by_role("option").nth(at).wait_for()
    text = watch.page.get_by_role("option").nth(at).inner_text()
    box.fill(text)
    watch.page.get_by_role("option", name=text).first.wait_for()
    return lambda: box.press("Enter")


def _left_of_table(watch: Stopwatch) -> tuple[float, float]:
    """The box that picks the first row of the table."""
    table = watch.page.get_by_test_id("stDataFrame").first.bounding_box()
    assert table is not None
    return table["x"] + 18, table["y"] + 52
