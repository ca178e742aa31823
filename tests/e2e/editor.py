"""The editor as a person uses it: what there is to see and to press, by name."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from e2e.serving import Server


class Editor:
    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        self.asked: set[tuple[str, str]] = set()
        """Method and path of every request of the page to the API."""
        page.on("request", lambda request: self._asks(request.method, urlsplit(request.url).path))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "warning" else None)

    def _asks(self, method: str, path: str) -> None:
        if path.startswith("/api/"):
            self.asked.add((method.lower(), path))

    def undescribed(self) -> list[tuple[str, str]]:
        """The requests of this page that the server's OpenAPI document does not know."""
        known = [
            (method, re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$"))
            for path, item in self.server.get("/api/openapi.json")["paths"].items()
            for method in item
        ]
        return sorted(
            (method, path) for method, path in self.asked if not any(method == m and p.match(path) for m, p in known)
        )

    def open(self) -> None:
        self.page.goto(self.server.url)
        expect(self.page.locator(".react-flow__node").first).to_be_visible(timeout=30_000)

    def template(self, name: str) -> None:
        """Open a workflow from the list of templates."""
        self.page.keyboard.press("Control+Shift+O")
        self.page.get_by_role("combobox").fill(name)
        option = self.page.get_by_role("option").first
        expect(option).to_contain_text(name)
        option.click()
        expect(self.page.locator(".tab.active")).to_contain_text(name)

    def empty(self) -> None:
        self.page.get_by_role("button", name="New workflow").click()
        expect(self.page.get_by_text("An empty workflow")).to_be_visible()

    def node(self, id: str) -> Locator:
        return self.page.locator(f'.react-flow__node[data-id="{id}"]')

    def field(self, node: str, label: str) -> Locator:
        return self.node(node).get_by_label(label, exact=True)

    def output(self, node: str, port: str) -> Locator:
        return self.node(node).locator(f'.react-flow__handle.source[data-handleid="{port}"]')

    def input(self, node: str, port: str) -> Locator:
        return self.node(node).locator(f'.react-flow__handle.target[data-handleid="{port}"]')

    def spot(self, of: Locator) -> tuple[float, float]:
        """The middle of something on the page, once it stands still."""
        before, box = None, of.bounding_box()
        while box != before:
            self.page.wait_for_timeout(60)
            before, box = box, of.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], to: tuple[float, float], drop: bool = True) -> None:
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(start[0] + 3, start[1])  # the first move only says that something is dragged
        self.page.mouse.move((start[0] + to[0]) / 2, (start[1] + to[1]) / 2, steps=4)
        self.page.mouse.move(*to, steps=4)
        if drop:
            self.page.mouse.up()

    def connect(self, source: str, target: str) -> None:
        """Draw a link from an output to an input, both as `node.port`."""
        out, into = source.split("."), target.split(".")
        self.drag(self.spot(self.output(*out)), self.spot(self.input(*into)))
        expect(self.page.get_by_label(f"Link from {source} to {target}", exact=True)).to_have_count(1)

    def pick(self, text: str) -> None:
        """Type into the list that is open and take what it finds first."""
        self.page.get_by_role("combobox").fill(text)
        expect(self.page.get_by_role("option").first).to_contain_text(text, ignore_case=True)
        self.page.keyboard.press("Enter")

    def add(self, name: str, id: str) -> None:
        """Double-click the canvas and take a node from the list; its id will be `id`."""
        self.page.mouse.dblclick(*self.background())
        self.pick(name)
        expect(self.node(id)).to_be_focused()
        self.page.keyboard.press("Shift+1")

    def document(self) -> dict[str, Any]:
        """What the export dialog shows."""
        self.page.keyboard.press("Control+E")
        text = self.page.get_by_role("textbox", name="Document (JSON)").input_value()
        self.page.keyboard.press("Escape")
        document: dict[str, Any] = json.loads(text)
        return document

    def links(self) -> set[str]:
        """Every link of the document, as `node.port > node.port`."""
        found = set()
        for node, step in self.document()["nodes"].items():
            for port, value in step.get("inputs", {}).items():
                for link in value if isinstance(value, list) else [value]:
                    if isinstance(link, dict) and "$from" in link:
                        found.add(f"{link['$from']} > {node}.{port}")
        return found

    def press_run(self) -> str:
        """Press Run; the id of the job that this made."""
        with self.page.expect_response(lambda r: r.url.endswith("/api/jobs") and r.request.method == "POST") as answer:
            self.page.get_by_role("button", name="Run", exact=True).click()
        return str(answer.value.json()["id"])

    def run(self) -> dict[str, Any]:
        """Press Run and wait until it is over and shown; the job's record."""
        job = self.server.ended(self.press_run())
        expect(self.page.get_by_role("button", name="Stop")).to_have_count(0)
        return job

    def arrange(self) -> None:
        """Lay the graph out and show all of it."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Shift+L")
        self.page.wait_for_timeout(500)  # the layout is computed, and there is nothing to see when it is done
        self.page.keyboard.press("Shift+1")

    def background(self) -> tuple[float, float]:
        """A point of the canvas with nothing on it or near it, as far to the lower right as there is one."""
        x, y = self.page.evaluate(
            """() => {
                const box = document.querySelector('.canvas').getBoundingClientRect();
                const free = (x, y) => document.elementFromPoint(x, y)?.classList.contains('react-flow__pane');
                const near = [[0, 0], [24, 0], [-24, 0], [0, 24], [0, -24]];
                for (let y = box.bottom - 200; y > box.top + 40; y -= 40)
                    for (let x = box.right - 260; x > box.left + 40; x -= 40)
                        if (near.every(([dx, dy]) => free(x + dx, y + dy))) return [x, y];
                throw new Error('the canvas is full');
            }"""
        )
        return x, y
