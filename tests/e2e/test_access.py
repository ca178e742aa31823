"""The editor for everyone: no violation that axe finds in any view, two languages, keys of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from e2e.editor import Editor
from e2e.serving import Server

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SETTLED = """async () => {
    const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await drawn();
    await Promise.allSettled(document.getAnimations().map((one) => one.finished));
    await drawn();
}"""
RULES: dict[str, dict[str, Any]] = {
    "dark": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "light": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},  # all that depends on colours
}


class Looker:
    """Asks axe about what the page shows, dark and light, and keeps what it finds."""

    def __init__(self, editor: Editor) -> None:
        self.editor, self.page = editor, editor.page
        self.found: dict[str, list[str]] = {}

    def look(self, at: str) -> None:
        """Ask axe. The graph is at 100 %: how small its controls are further out is the reader's own choice."""
        if self.page.locator(".canvas").count() and not self.page.get_by_role("dialog").count():
            self.page.keyboard.press("Shift+0")
        scheme: Literal["dark", "light"]
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for _ in range(4):  # what is wrong stays so; a colour of the scheme before may be seen once
                self.page.evaluate(SETTLED)
                if not (found := self._violations(RULES[scheme])):
                    break
                self.page.wait_for_timeout(250)
            else:
                self.found[f"{at}, {scheme}"] = found

    def dialog(self, at: str) -> None:
        """Ask axe about the dialog that is opening, and close it."""
        expect(self.page.get_by_role("dialog")).to_be_visible()
        self.look(at)
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def _violations(self, rules: dict[str, Any]) -> list[str]:
        # the page forbids scripts from elsewhere, so axe comes in as an expression
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        return [
            f"{v['id']}: {n['failureSummary']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"][:4]
        ]


@pytest.fixture
def looker(browser: Browser, server: Server) -> Iterator[Looker]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    looker = Looker(Editor(page, server))
    looker.editor.open()
    page.get_by_role("button", name="Next").hover()
    looker.dialog("tour")
    yield looker
    context.close()
    assert looker.found == {}


@pytest.mark.timeout(360)  # axe takes its time, thirty times
def test_axe_finds_nothing_in_any_view(looker: Looker) -> None:
    editor, page = looker.editor, looker.page
    editor.run()
    looker.look("graph with results")
    editor.node("sample").locator(".node-title").click()
    for panel in ("Node", "Queue", "Problems"):
        page.get_by_role("complementary").get_by_role("button", name=panel, exact=True).click()
        looker.look(f"panel {panel}")
    for key, name in {"Control+b": "bypassed", "m": "muted"}.items():
        page.keyboard.press(key)
        expect(editor.node("sample").locator(".node-state")).to_have_text(name.capitalize())
        looker.look(name)
    page.keyboard.press("m")
    page.keyboard.press("Control+g")
    page.locator(".react-flow__pane").click(position={"x": 300, "y": 6})
    page.keyboard.press("n")
    editor.node("sample").get_by_role("button", name="sampler: dpmpp_2m").click()
    looker.look("choices, a note and a frame")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    looker.look("menu")
    page.keyboard.press("Escape")
    switch = page.get_by_role("navigation", name="View")
    switch.get_by_role("button", name="App").click()
    looker.look("app")
    switch.get_by_role("button", name="Gallery").click()
    pictures = page.get_by_role("list", name="Pictures")
    expect(pictures.get_by_role("listitem").first).to_be_visible()
    looker.look("gallery")
    page.set_viewport_size({"width": 640, "height": 380})  # as at 200 % zoom
    page.keyboard.press("Shift+S")
    run = page.get_by_role("dialog").get_by_role("button", name="Run")
    expect(run).to_be_visible()
    expect(run).not_to_be_in_viewport(ratio=1)
    page.mouse.move(320, 100)
    page.mouse.wheel(0, 500)
    expect(run).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    switch.get_by_role("button", name="Graph").click()
    looker.look("narrow")
    page.set_viewport_size({"width": 1440, "height": 900})
    switch.get_by_role("button", name="Gallery").click()
    pictures.get_by_role("button").first.click()
    looker.dialog("one picture")
    switch.get_by_role("button", name="Graph").click()
    editor.node("prompt").locator(".node-title").click()
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="1 problem")).to_be_visible()
    looker.look("a problem")
    editor.empty()
    looker.look("empty")


@pytest.mark.timeout(360)
def test_axe_finds_nothing_in_any_dialog(looker: Looker) -> None:
    editor, page = looker.editor, looker.page
    for key, name in {
        "Space": "palette", "Control+K": "commands", "?": "help", "Control+Shift+O": "templates",
        "Control+E": "export", "Control+F": "find",
    }.items():  # fmt: skip
        page.keyboard.press(key)
        looker.dialog(name)
    editor.node("sample").locator(".node-title").click()
    for key, name in {"c": "connect", "l": "lead"}.items():
        page.keyboard.press(key)
        looker.dialog(name)
    page.keyboard.press("Control+Shift+S")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_focused()
    looker.look("save as")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("Saved")
    page.keyboard.press("Control+K")
    editor.pick("Versions")
    expect(page.get_by_role("button", name="Compare: version 1")).to_be_visible()
    looker.dialog("versions")
    page.keyboard.press("Shift+S")
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("1 run")
    looker.look("sweep")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(page.locator(".sweep-cell.done img")).to_have_count(1, timeout=90_000)
    looker.dialog("grid")
    page.get_by_role("complementary").get_by_role("button", name="Picture 1", exact=True).click()
    looker.dialog("picture")

    for template, node, button in (
        ("Inpaint", "hole", "Paint"),
        ("Image to image", "sketch", "Sketch"),
        ("Image to image", "sketch", "Take a picture"),
        ("Layout to picture", "layout", "Draw the boxes"),
    ):
        editor.template(template)
        editor.node(node).get_by_role("button", name=button).click()
        looker.dialog(button)


def test_the_arrows_walk_from_node_to_node_and_shift_moves_them(editor: Editor) -> None:
    keys = editor.page.keyboard
    editor.page.locator(".react-flow__pane").click(position={"x": 300, "y": 6})
    keys.press("ArrowRight")
    expect(editor.node("model")).to_be_focused()
    for node in ("prompt", "sample", "enlarge"):
        keys.press("ArrowRight")
        expect(editor.node(node)).to_be_focused()
    keys.press("ArrowLeft")
    expect(editor.node("sample")).to_be_focused()
    keys.press("ArrowDown")
    expect(editor.node("decode")).to_be_focused()
    before = editor.document()["layout"]["nodes"]["decode"]
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowDown")
    after = editor.document()["layout"]["nodes"]["decode"]
    assert after == [before[0], before[1] + 24]
    keys.press("Control+z")
    assert editor.document()["layout"]["nodes"]["decode"] == before


def test_the_editor_speaks_german_where_the_browser_does_and_english_when_asked(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="de-DE", reduced_motion="reduce")
    page = context.new_page()
    editor = Editor(page, server)
    editor.open()
    expect(page.get_by_role("dialog", name="Eine kurze Führung")).to_be_visible()
    page.get_by_role("button", name="Überspringen").click()
    expect(page.get_by_role("button", name="Ausführen", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    start, to = editor.spot(editor.output("model", "vae")), editor.spot(editor.input("sample", "model"))
    editor.drag(start, to, drop=False)
    expect(page.locator(".refusal")).to_have_text("sample.model: braucht Model, aber model.vae gibt Vae")
    page.mouse.up()
    expect(editor.field("empty", "Breite")).to_have_value("128")
    editor.field("empty", "Breite").fill("0")
    editor.field("empty", "Breite").press("Enter")
    editor.node("sample").locator(".node-title").click()
    page.keyboard.press("Delete")
    page.keyboard.press("p")
    problem = page.get_by_role("complementary").get_by_text("decode.latent")
    expect(problem.locator("..")).to_have_text(
        "decode.latent braucht Latent; einen Ausgang vom Typ Latent damit verbinden"
    )
    page.mouse.dblclick(*editor.background())
    page.get_by_role("combobox").fill("entrauschen")
    expect(page.get_by_role("option").first).to_contain_text("Bild erzeugen")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menü").click()
    page.get_by_role("radio", name="English").click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    context.close()
    assert editor.errors == []


def test_keys_are_given_to_other_commands_and_back(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    sheet.get_by_role("button", name="Change the keys of Align left edges", exact=True).click()
    page.keyboard.press("ArrowLeft")
    expect(sheet.get_by_role("status")).to_contain_text("needed for walking")
    sheet.get_by_role("button", name="Change the keys of Align left edges", exact=True).click()
    page.keyboard.press("n")
    expect(sheet.get_by_role("status")).to_contain_text("N was for “Add a note”")
    expect(sheet.get_by_role("button", name="Change the keys of Align left edges: N")).to_be_visible()
    page.keyboard.press("Escape")

    page.reload()
    expect(editor.node("sample")).to_be_visible()
    page.keyboard.press("Control+a")
    page.keyboard.press("n")
    document = editor.document()
    assert "notes" not in document["layout"]
    assert len({at[0] for at in document["layout"]["nodes"].values()}) == 1

    page.keyboard.press("?")
    sheet.get_by_role("button", name="All as they come").click()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("textbox", name="Note")).to_be_visible()
