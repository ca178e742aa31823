"""A server of its own with the demo model, a real Chromium, and a page of the editor in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from e2e.editor import Editor
from e2e.serving import Server

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-features=LocalNetworkAccessChecks",  # pages that a test answers itself may open websockets
]  # fmt: skip
expect.set_options(timeout=20_000)  # nothing is slow here, but machines are
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import nodegraph

    if not (Path(nodegraph.__file__).parent / "server" / "static" / "index.html").is_file():
        pytest.skip("the editor is not built; run: make web")
    with Server(tmp_path_factory.mktemp("data")) as running:
        yield running


def chromium() -> str | None:
    """Where a Chromium of this machine is."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")  # while it is there, Playwright has an event loop running in this thread
def browser() -> Iterator[Browser]:
    found = chromium()
    if found is None:
        pytest.skip("there is no Chromium; run: make browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def editor(browser: Browser, server: Server) -> Iterator[Editor]:
    """The editor as somebody sees it who has taken the tour, with `txt2img` open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    context.add_init_script("localStorage.setItem('nodegraph.toured', 'yes')")
    page = context.new_page()
    opened = Editor(page, server)
    opened.open()
    yield opened
    context.close()
    assert opened.errors == []
    assert opened.undescribed() == []
