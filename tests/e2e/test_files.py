"""Files that come and go: what is dropped on the window, and what is exported."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from e2e.editor import Editor
from interop.wirings import IMG2IMG
from nodegraph.carrier import read_document

DROP = """([data, name]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, {type: "image/png"}));
    const at = document.querySelector(".react-flow__pane");
    const {left, top} = at.getBoundingClientRect();
    for (const kind of ["dragover", "drop"]) {
        const more = {dataTransfer: transfer, bubbles: true, cancelable: true, clientX: left + 300, clientY: top + 300};
        at.dispatchEvent(new DragEvent(kind, more));
    }
}"""


def drop(editor: Editor, data: bytes, name: str) -> None:
    editor.page.evaluate(DROP, [base64.b64encode(data).decode(), name])


def picture(**texts: str) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (64, 64), "teal").save(file, "png", pnginfo=info)
    return file.getvalue()


def test_a_picture_of_comfyui_opens_as_a_workflow_and_says_what_was_not_carried(editor: Editor) -> None:
    drop(editor, picture(prompt=json.dumps(IMG2IMG)), "comfy.png")
    expect(editor.page.locator(".tab")).to_have_count(2)
    types = {step["type"] for step in editor.document()["nodes"].values()}
    assert {"LoadModel@1", "Sample@1", "LoadImage@1"} <= types
    expect(editor.page.locator(".message")).to_contain_text("Not everything could be carried over")


def test_a_picture_without_a_workflow_becomes_an_input(editor: Editor) -> None:
    drop(editor, picture(), "plain.png")
    expect(editor.node("load_image")).to_be_visible()
    expect(editor.page.locator(".tab")).to_have_count(1)


def test_the_exported_picture_of_a_graph_carries_it(editor: Editor, tmp_path: Path) -> None:
    page = editor.page
    before = editor.document()
    page.keyboard.press("Control+E")
    page.get_by_role("radio", name="Picture of the graph (PNG)").check(force=True)
    expect(page.get_by_role("img", name="Graph of the workflow")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix == ".png"
    assert json.loads(read_document(file)) == before
    with Image.open(file) as made:
        assert made.width > made.height > 500
    page.keyboard.press("Escape")
    drop(editor, file.read_bytes(), "graph.png")
    expect(page.locator(".tab")).to_have_count(2)
    assert editor.document()["nodes"] == before["nodes"]
