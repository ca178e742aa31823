"""Somebody who has never seen the editor: opens it, runs, changes the prompt, runs, finds the picture again."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from e2e.editor import Editor
from e2e.serving import Server


def test_the_way_of_a_newcomer(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    editor = Editor(page, server)
    editor.open()

    tour = page.get_by_role("dialog", name="A short tour")
    for _ in range(3):
        tour.get_by_role("button", name="Next").click()
    tour.get_by_role("button", name="Start").click()
    expect(tour).to_have_count(0)

    editor.run()
    picture = editor.node("save").get_by_role("button", name="Picture of Save image")
    expect(picture.locator("img")).to_have_js_property("complete", True)
    assert picture.locator("img").evaluate("image => image.naturalWidth") > 0

    prompt = editor.node("prompt").get_by_label("text", exact=True)
    prompt.fill("an apple on a white background")
    job = editor.run()
    assert job["document"]["nodes"]["prompt"]["inputs"]["text"] == "an apple on a white background"

    page.get_by_role("button", name="Gallery").click()
    page.get_by_role("searchbox").fill("apple white")
    found = page.get_by_role("list", name="Pictures").get_by_role("button", name="an apple on a white background")
    expect(found).to_have_count(1)
    found.click()
    expect(page.get_by_role("heading", name="an apple on a white background")).to_be_visible()

    page.get_by_role("button", name="Open its workflow").click()
    expect(editor.node("prompt").get_by_label("text", exact=True)).to_have_value("an apple on a white background")

    page.reload()
    expect(page.locator(".tab")).to_have_count(2)
    assert editor.errors == []
    context.close()
