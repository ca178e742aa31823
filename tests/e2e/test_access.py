"""The editor for everyone: no violation that axe finds in any view, and everything by keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.editor import Editor
from e2e.serving import Server

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    # the page forbids scripts from elsewhere, so axe comes in as an expression
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [f"{v['id']}: {v['help']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"][:4]]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing(browser: Browser, server: Server, scheme: Literal["dark", "light"]) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce", color_scheme=scheme, bypass_csp=True
    )
    context.add_init_script("localStorage.setItem('nodegraph.toured', 'yes')")
    page = context.new_page()
    editor = Editor(page, server)
    editor.open()
    editor.run()
    seen: dict[str, list[str]] = {}

    def look(at: str) -> None:
        """Ask axe. The graph is at 100 %: how small its controls are further out is the reader's own choice."""
        if page.locator(".canvas").count() and not page.get_by_role("dialog").count():
            page.keyboard.press("Shift+0")
        page.wait_for_timeout(150)
        if found := violations(page):
            seen[at] = found

    look("graph with results")
    editor.node("sample").locator(".node-title").click()
    for panel in ("Node", "Queue", "Problems"):
        page.get_by_role("complementary").get_by_role("button", name=panel, exact=True).click()
        look(f"panel {panel}")
    for key, name in {"Control+b": "bypassed", "m": "muted"}.items():
        page.keyboard.press(key)
        expect(editor.node("sample").locator(".node-state")).to_have_text(name.capitalize())
        look(name)
    page.keyboard.press("m")
    page.locator(".react-flow__pane").click(position={"x": 300, "y": 6})
    for key, name in {
        "Space": "palette", "Control+K": "commands", "?": "help", "Control+Shift+O": "templates",
        "Control+Shift+S": "save as", "Control+E": "export", "Control+F": "find",
        "Shift+S": "sweep",
    }.items():  # fmt: skip
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        look(name)
        page.keyboard.press("Escape")
    editor.node("sample").get_by_role("button", name="sampler: dpmpp_2m").click()
    look("choices")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    look("menu")
    page.keyboard.press("Escape")
    switch = page.get_by_role("navigation", name="View")
    switch.get_by_role("button", name="App").click()
    look("app")
    switch.get_by_role("button", name="Gallery").click()
    expect(page.get_by_role("list", name="Pictures").get_by_role("listitem").first).to_be_visible()
    look("gallery")
    page.get_by_role("list", name="Pictures").get_by_role("button").first.click()
    look("one picture")
    page.keyboard.press("Escape")
    switch.get_by_role("button", name="Graph").click()
    editor.template("Inpaint")
    editor.node("hole").locator(".node-title").click()
    page.keyboard.press("Shift+2")
    editor.node("hole").get_by_role("button", name="Paint").click()
    expect(page.get_by_role("img", name="Drawing area")).to_be_visible()
    look("mask")
    page.keyboard.press("Escape")
    editor.empty()
    look("empty")
    context.close()
    assert seen == {}


def test_a_picture_is_made_by_keyboard_alone(editor: Editor) -> None:
    page, keys = editor.page, editor.page.keyboard

    def focused(id: str) -> None:
        expect(editor.node(id)).to_be_focused()

    def add(name: str, id: str) -> None:
        keys.press("Space")
        editor.pick(name)
        focused(id)

    def connect(text: str) -> None:
        keys.press("c")
        page.get_by_role("combobox").fill(text)
        expect(page.get_by_role("option").first).to_be_visible()
        keys.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)

    keys.press("Alt+n")
    expect(page.get_by_text("An empty workflow")).to_be_visible()
    add("Load model", "load_model")
    add("Encode prompt", "encode_prompt")
    connect("text_encoder load_model")
    keys.press("Enter")  # into the first field
    expect(editor.field("encode_prompt", "text")).to_be_focused()
    keys.type("an apple on a green background")
    keys.press("Escape")
    focused("encode_prompt")
    add("Empty latent", "empty_latent")
    keys.press("Enter")
    for size in ("64", "64"):
        keys.press("Control+a")
        keys.type(size)
        keys.press("Enter")
        keys.press("Tab")
        while page.evaluate("document.activeElement.role !== 'spinbutton'"):
            keys.press("Tab")
    keys.press("Escape")
    focused("empty_latent")
    add("Sample", "sample")
    for text in ("load_model.model", "positive encode_prompt", "latent empty_latent"):
        connect(text)
    add("Decode", "decode")
    for text in ("load_model.vae", "latent sample.latent"):
        connect(text)
    add("Save image", "save_image")
    connect("decode.image")
    keys.press("Shift+L")
    with page.expect_response(lambda r: r.url.endswith("/api/jobs") and r.request.method == "POST") as answer:
        keys.press("Control+Enter")
    job = editor.server.ended(answer.value.json()["id"])
    assert job["state"] == "done", job
    assert job["document"]["nodes"]["empty_latent"]["inputs"] == {"width": 64, "height": 64, "batch": 1}
    assert job["document"]["nodes"]["encode_prompt"]["inputs"]["text"] == "an apple on a green background"

    keys.press("3")
    expect(page.get_by_role("searchbox")).to_be_visible()
    keys.press("1")


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


def test_a_problem_is_reached_by_a_key_and_said(editor: Editor) -> None:
    page = editor.page
    editor.node("prompt").locator(".node-title").click()
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="1 problem")).to_be_visible()
    page.keyboard.press("F8")
    expect(editor.node("sample")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("needs Conditioning")


def test_what_is_undone_is_said(editor: Editor) -> None:
    editor.node("save").locator(".node-title").click()
    editor.page.keyboard.press("Delete")
    editor.page.keyboard.press("Control+z")
    expect(editor.page.get_by_role("status")).to_have_text("Undone: delete")


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
