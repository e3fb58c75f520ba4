"""The main ways through the app, in a real browser on a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from app_projects import BIN, VIEWS, command_in, own_project_in, run_ids
from browser import LAPTOP, TABLET, opened, served, settle, visit
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow

#: A row of a table is 35 pixels high, its head 36; the first column holds the boxes to pick rows.
_ROW, _HEAD, _BOX = 35, 36, 18


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, small_project: Path) -> Path:
    return own_project_in(tmp_path_factory.mktemp("journeys"), small_project)


@pytest.fixture(scope="module")
def address(project: Path) -> Iterator[str]:
    with served(project, project / "server.log") as address:
        yield address


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with opened(LAPTOP) as page:
        yield page


def pick(table: Locator, row: int) -> None:
    """Tick the box of a row; the table is a canvas."""
    table.click(position={"x": _BOX, "y": _HEAD + _ROW * row + _ROW // 2})


def client_of(project: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")


def choose(page: Page, label: str, text: str) -> None:
    page.get_by_role("radiogroup", name=label).get_by_text(text).click()


def test_two_runs_are_picked_and_compared(page: Page, address: str) -> None:
    visit(page, address)
    page.get_by_label("Name").fill("roc_lda")
    page.get_by_label("Name").press("Enter")
    settle(page)
    table = page.get_by_test_id("stDataFrame").first
    pick(table, 0)
    settle(page)
    pick(table, 1)
    settle(page)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile("/compare"))
    settle(page)
    assert re.search(r"run=[0-9a-f]{32}(?:%2C|,)[0-9a-f]{32}", page.url)
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    assert page.locator(".js-plotly-plot").count() >= 2
    assert not page.get_by_test_id("stAlertContentError").count()


def test_a_spectrum_is_zoomed_with_the_mouse_and_whole_again_by_keyboard(
    page: Page, address: str, project: Path
) -> None:
    visit(page, f"{address}/?view=sensitivity&run={run_ids(project)['LP roc_lda']}")
    whole = n_bins_shown(page)
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.40 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.45 * box["width"], middle, steps=8)
    page.mouse.up()
    page.wait_for_url(re.compile("mz="))
    settle(page)
    zoomed = n_bins_shown(page)
    assert zoomed < 0.12 * whole
    low, high = (float(end) for end in re.search(r"mz=([\d.]+)-([\d.]+)", page.url).groups())  # type: ignore[union-attr]
    assert 0 < high - low < 250
    page.get_by_role("button", name="Whole").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert n_bins_shown(page) == whole


def n_bins_shown(page: Page) -> int:
    found = re.search(r"([\d,]+) of [\d,]+ bins", page.inner_text('[data-testid="stMain"]'))
    assert found is not None
    return int(found[1].replace(",", ""))


def test_a_flagged_model_is_opened_and_its_approval_refused(
    page: Page, address: str, project: Path
) -> None:
    run_id = run_ids(project)["LP roc_lda"]
    visit(page, address)
    assert "flagged" in page.inner_text('[data-testid="stMain"]')
    page.get_by_label("Name").fill("LP roc_lda")
    page.get_by_label("Name").press("Enter")
    settle(page)
    pick(page.get_by_test_id("stDataFrame").first, 0)
    settle(page)
    page.get_by_role("button", name="Confounding").click()
    page.wait_for_url(re.compile("/confounding"))
    settle(page)
    assert run_id in page.url
    expect(page.locator(".verdict.confounded").first).to_be_visible()
    visit(page, f"{address}/?view=decision&run={run_id}")
    assert "cannot be approved" in page.inner_text('[data-testid="stMain"]')
    page.get_by_label("Reviewer").fill("Dr. <b>Grau</b>")
    choose(page, "Decision", "Approve")
    page.get_by_label("Comment").fill("It scores 1.000, <script>alert(1)</script> why not?")
    page.get_by_role("button", name="Record the decision").click()
    settle(page)
    assert page.get_by_test_id("stAlertContentError").count()
    tags = client_of(project).get_run(run_id).data.tags
    assert not any(name.startswith("review.decision") for name in tags)
    assert page.get_by_role("button", name="Promote").is_disabled()
    refused = command_in(project, str(BIN / "corespot"), "promote", run_id)
    assert refused.returncode == 1 and "confounded" in refused.stdout + refused.stderr


def test_a_clean_model_is_approved_and_promoted(page: Page, address: str, project: Path) -> None:
    run_id, client = run_ids(project)["ADSQ roc_lda"], client_of(project)
    visit(page, f"{address}/?view=decision&run={run_id}")
    assert page.get_by_role("button", name="Promote").is_disabled()
    page.get_by_label("Reviewer").fill("Dr. Grün <i>")
    choose(page, "Decision", "Approve")
    page.get_by_label("Comment").fill('Reads the planted markers; "sound" [x](http://e.org) 👍')
    page.get_by_role("button", name="Record the decision").click()
    settle(page)
    body = page.inner_text('[data-testid="stMain"]')
    assert 'Reads the planted markers; "sound" [x](http://e.org) 👍' in body
    assert "Dr. Grün <i>" in body
    kept = client.get_run(run_id).data.tags
    decisions = [json.loads(v) for k, v in kept.items() if k.startswith("review.decision.")]
    assert [one["decision"] for one in decisions] == ["approve"]
    assert kept["review.status"] == "approve"
    page.get_by_role("button", name="Promote").click()
    settle(page)
    page.get_by_role("button", name="Make it champion").click()
    settle(page)
    assert "is champion" in page.inner_text('[data-testid="stMain"]')
    models = client.search_registered_models()
    assert len(models) == 1
    champion = client.get_model_version_by_alias(models[0].name, "champion")
    assert champion.run_id == run_id
    passed = command_in(project, str(BIN / "corespot"), "review", "check")
    assert passed.returncode == 0, passed.stdout + passed.stderr


@pytest.mark.parametrize("size", [LAPTOP, TABLET], ids=["laptop", "tablet"])
def test_views_fit_their_window_and_reach_nobody_else(
    address: str, project: Path, size: tuple[int, int]
) -> None:
    ids = run_ids(project)
    asked: list[str] = []
    faults: list[str] = []
    with opened(size) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        for view in VIEWS:
            visit(page, f"{address}/?view={view}&run={ids['LP roc_lda']},{ids['ADSQ logistic']}")
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], view
            assert not page.get_by_test_id("stAlertContentError").count(), view
            assert not faults, view
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
