"""Make the pictures of the review app in the README, from a project after `make run`.

    make app                                             # in one shell
    python docs/images/app_screenshots.py LP_RUN ADSQ_RUN    # in another; needs chromium

The runs are identifiers of a confounded and of a clean run.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

APP = "http://127.0.0.1:8501"
HERE = Path(__file__).parent


def main(confounded: str, clean: str) -> None:
    """Visit the views and keep what a small laptop shows of them."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        keep(page, "overview", "")
        keep(page, "confounding", confounded)
        keep(page, "sensitivity", clean, "&mz=1400-1412")
        keep(page, "tissue", clean, scroll=130)
        keep(page, "decision", clean, scroll=330)
        browser.close()


def keep(page: Page, view: str, run: str, more: str = "", *, scroll: int = 0) -> None:
    """Write one picture with few colours, so that the repository stays small."""
    page.goto(f"{APP}/?view={view}&run={run}{more}" if run else APP)
    page.wait_for_timeout(6000)
    page.mouse.move(640, 500)
    page.mouse.wheel(0, scroll)
    page.mouse.move(1279, 799)
    page.wait_for_timeout(1500)
    taken = Image.open(io.BytesIO(page.screenshot()))
    few = taken.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
    few.save(HERE / f"app-{view}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
