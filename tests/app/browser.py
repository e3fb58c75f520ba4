"""A real browser on a real server: chromium, driven from Python, on loopback only."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_projects import environment
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as BrowserTimeout

#: What the size of a small laptop, and of a tablet held upright, leaves a page.
LAPTOP, TABLET = (1280, 800), (820, 1100)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Path of a chromium; skips where there is none."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("no chromium here; `apt-get install chromium` brings one")


@contextmanager
def served(project: Path, log: Path) -> Iterator[str]:
    """Address of the app on a project; the server is ended afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "app.serve", "--port", str(port)],
            cwd=project,
            env=environment(project),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(f"{address}/_stcore/health", server, log)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def opened(size: tuple[int, int] = LAPTOP) -> Iterator[Page]:
    """A page of a fresh browser, which knows nothing of other pages."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def settle(page: Page) -> None:
    """Wait until the page has been run through and drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-connection-state="CONNECTED"]')
    # One run may follow another, as when the router goes on to a view: it has to stay still.
    still = 0
    for _ in range(400):
        page.wait_for_timeout(100)
        app = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        waiting = page.locator('[data-testid="stSkeleton"], [data-testid="stSpinner"]')
        still = still + 1 if app.count() and not waiting.count() else 0
        if still == 7:
            return
    pytest.fail(f"the page does not come to rest:\n{page.inner_text('body')[:2000]}")


def visit(page: Page, address: str) -> None:
    """Open an address and wait until it is drawn; fails where the page shows a traceback."""
    page.goto(address)
    settle(page)
    assert not page.locator('[data-testid="stException"]').count(), page.inner_text("body")


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            pytest.fail(f"the app ended:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the app did not come up:\n{log.read_text()[-3000:]}")


__all__ = ["LAPTOP", "TABLET", "BrowserTimeout", "opened", "served", "settle", "visit"]
