"""The editor under fingers: pan, pinch, choose, connect and change a value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from e2e.editor import Editor
from e2e.serving import Server

Point = tuple[float, float]


class Fingers:
    """One finger or more on the screen. Playwright itself only taps."""

    def __init__(self, editor: Editor) -> None:
        self.page = editor.page
        self._session: CDPSession = editor.page.context.new_cdp_session(editor.page)

    def _send(self, kind: str, points: list[Point]) -> None:
        at = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def move(self, starts: list[Point], ends: list[Point], steps: int = 8) -> None:
        self._send("touchStart", starts)
        for step in range(1, steps + 1):
            share = step / steps
            self._send(
                "touchMove",
                [
                    (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
                    for a, b in zip(starts, ends, strict=True)
                ],
            )
        self._send("touchEnd", [])

    def rest(self, at: Point) -> None:
        """Hold a finger there until a menu opens."""
        self._send("touchStart", [at])
        expect(self.page.get_by_role("option").first).to_be_visible()
        self._send("touchEnd", [])

    def tap(self, at: Point) -> None:
        self.page.touchscreen.tap(*at)


@pytest.fixture
def tablet(browser: Browser, server: Server) -> Iterator[Editor]:
    context = browser.new_context(
        viewport={"width": 1180, "height": 820}, reduced_motion="reduce", has_touch=True, is_mobile=True
    )
    context.add_init_script("localStorage.setItem('nodegraph.toured', 'yes')")
    opened = Editor(context.new_page(), server)
    opened.open()
    yield opened
    context.close()
    assert opened.errors == []


def test_a_finger_pans_and_two_zoom(tablet: Editor) -> None:
    fingers = Fingers(tablet)
    before = tablet.spot(tablet.node("sample"))
    fingers.move([(500, 120)], [(560, 220)])
    panned = tablet.spot(tablet.node("sample"))
    assert abs(panned[0] - before[0] - 60) < 12
    assert abs(panned[1] - before[1] - 100) < 12
    width = tablet.node("sample").bounding_box()
    fingers.move([(300, 120), (380, 120)], [(260, 120), (420, 120)])
    wider = tablet.node("sample").bounding_box()
    assert width is not None
    assert wider is not None
    assert wider["width"] > width["width"] * 1.5


def test_taps_choose_connect_and_change_values(tablet: Editor) -> None:
    page, fingers = tablet.page, Fingers(tablet)
    fingers.tap(tablet.spot(tablet.node("decode").locator(".node-title")))
    expect(tablet.node("decode").locator(".node")).to_contain_class("selected")
    x, y = tablet.spot(tablet.node("decode").locator(".node-title"))
    fingers.move([(x, y)], [(x, y + 80)])
    assert tablet.spot(tablet.node("decode").locator(".node-title"))[1] > y + 40

    assert "decode.image > save.image" not in tablet.links()
    fingers.tap(tablet.spot(tablet.output("decode", "image")))
    fingers.tap(tablet.spot(tablet.input("save", "image")))
    expect(page.get_by_label("Link from decode.image to save.image", exact=True)).to_have_count(1)

    fingers.rest(tablet.spot(tablet.node("decode").locator(".node-title")))
    page.get_by_role("option", name="Bypass").tap()
    assert tablet.document()["nodes"]["decode"]["mode"] == "bypass"

    fingers.tap(tablet.spot(tablet.node("sample").get_by_role("button", name="sampler: dpmpp_2m")))
    page.get_by_role("option", name="heun", exact=True).tap()
    assert tablet.document()["nodes"]["sample"]["inputs"]["sampler"] == "heun"
