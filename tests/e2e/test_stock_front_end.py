"""ComfyUI's own front end, as it is published, on our API: it opens, shows its graph, runs it and shows the picture."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, Route

from e2e.serving import Server

PATIENCE = 120_000
"""Milliseconds."""
OURS = ("/api/", "/internal/")
SET = """([type, name, value]) => {
    for (const node of app.graph.nodes)
        if (node.type === type) for (const widget of node.widgets) if (widget.name === name) widget.value = value
}"""
SHOWN = "app.graph.nodes.some((node) => node.type === 'SaveImage' && node.imgs?.length && node.imgs[0].naturalWidth)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own: our editor need not be built."""
    with Server(tmp_path_factory.mktemp("front") / "data") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The front end's files where our editor's would be, and nothing from elsewhere."""
    static = Path(str(resources.files("comfyui_frontend_package"))) / "static"
    assert (static / "index.html").is_file()

    def answer(route: Route) -> None:
        path = unquote(urlparse(route.request.url).path)
        file = static / (path.lstrip("/") or "index.html")
        if not route.request.url.startswith(server.url):
            route.abort()
        elif path.startswith(OURS):
            route.continue_()
        elif file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            route.fulfill(path=file, content_type=kind)
        else:
            route.fulfill(status=404, body="")

    settled = json.dumps({"Comfy.TutorialCompleted": True}).encode()  # else it begins with a list of templates
    urlopen(Request(f"{server.url}/api/settings", data=settled, method="POST"), timeout=30).close()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.route("**/*", answer)
    yield context.new_page()
    context.close()


@pytest.mark.timeout(360)  # of megabytes of scripts, beside whatever else the machine does
def test_it_opens_runs_its_graph_and_shows_the_picture(page: Page, server: Server) -> None:
    refused: list[str] = []
    page.on(
        "response", lambda r: refused.append(f"{r.status} {r.url}") if r.status >= 400 and "/api/" in r.url else None
    )
    page.goto(server.url, timeout=PATIENCE)
    page.wait_for_function("window.app?.graph?.nodes?.length === 7", timeout=PATIENCE)
    types = page.evaluate("app.graph.nodes.map((node) => node.type)")
    assert {"CheckpointLoaderSimple", "KSampler", "SaveImage"} <= set(types)
    for each in (
        ["CheckpointLoaderSimple", "ckpt_name", "demo"], ["KSampler", "steps", 3], ["KSampler", "seed", 7],
        ["EmptyLatentImage", "width", 64], ["EmptyLatentImage", "height", 64],
    ):  # fmt: skip
        page.evaluate(SET, each)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("Object.keys(app.nodeOutputs ?? {}).length > 0", timeout=PATIENCE)
    page.locator("canvas#graph-canvas").focus()
    page.keyboard.press(".")  # brings the whole graph into view: pictures are loaded when they are drawn
    page.wait_for_function(SHOWN, timeout=PATIENCE)
    assert page.evaluate("app.graph.nodes.find((node) => node.type === 'SaveImage').imgs[0].naturalWidth") == 64
    (job,) = server.get("/api/jobs?limit=1")["jobs"]
    assert job["state"] == "done"
    told: dict[str, Any] = server.get("/history?max_items=1")
    (run,) = told.values()
    assert run["prompt"][2]["3"]["inputs"]["seed"] == 7
    # Files of a user who has saved none yet
    assert [each for each in refused if "/userdata/" not in each] == []


def test_it_keeps_its_settings_and_files(server: Server) -> None:
    def ask(method: str, path: str, body: bytes | None = None) -> Any:
        with urlopen(Request(server.url + path, data=body, method=method), timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    ask("POST", "/api/settings/Comfy.Locale", b'"de"')
    assert ask("GET", "/api/settings")["Comfy.Locale"] == "de"
    told = ask("POST", "/api/userdata/workflows%2Fmine.json?overwrite=false&full_info=true", b'{"nodes": []}')
    assert (told["path"], told["size"]) == ("workflows/mine.json", 13)
    ask("POST", "/api/userdata/workflows%2Fmine.json/move/workflows%2Fdeep%2Fother.json", b"")
    assert ask("GET", "/api/userdata?dir=workflows&recurse=true&split=false&full_info=false") == ["deep/other.json"]
    assert ask("GET", "/api/userdata?dir=workflows") == []
    server.restart()
    assert ask("GET", "/api/userdata/workflows%2Fdeep%2Fother.json") == {"nodes": []}
    assert ask("GET", "/api/v2/userdata?path=workflows") == [
        {"name": "deep", "path": "workflows/deep", "type": "directory"}
    ]
    ask("DELETE", "/api/userdata/workflows%2Fdeep%2Fother.json")
    for method, path, status in (
        ("GET", "/api/userdata/workflows%2Fdeep%2Fother.json", 404),
        ("DELETE", "/api/userdata/nothing", 404),
        ("POST", "/api/userdata/..%2F..%2Fetc%2Fpasswd", 400),
        ("POST", "/api/settings", 400),
    ):
        with pytest.raises(OSError, match=str(status)):
            ask(method, path, b"{" if method == "POST" else None)
