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
from interop.kinds import FILES
from interop.wirings import IMG2IMG
from nodegraph.carrier import read_document

DROP = """([data, name]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    const kinds = {json: "application/json", txt: "text/plain", webp: "image/webp"};
    transfer.items.add(new File([bytes], name, {type: kinds[name.split(".").pop()] ?? "image/png"}));
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
    message = editor.page.locator(".message")
    expect(message).to_contain_text("Not everything could be carried over: 1 note")
    message.get_by_role("button", name="Show").click()
    note = editor.page.get_by_role("complementary").get_by_role("button").filter(has_text="v1-5-pruned-emaonly")
    note.first.click()
    expect(editor.node("checkpoint_loader_simple_14").locator(".node")).to_contain_class("selected")
    editor.page.get_by_role("button", name="Forget these").click()


def test_every_kind_of_their_files_opens_where_it_is_dropped(editor: Editor) -> None:
    for count, (name, data) in enumerate(FILES.items(), 2):
        drop(editor, data, name)
        expect(editor.page.locator(".tab")).to_have_count(count)
        sampled = [step for step in editor.document()["nodes"].values() if step["type"] == "Sample@1"]
        assert [step["inputs"]["seed"] for step in sampled] == [7], name
        expect(editor.page.locator(".message")).to_have_count(0)


def test_a_picture_without_a_workflow_becomes_an_input(editor: Editor) -> None:
    drop(editor, picture(), "plain.png")
    expect(editor.node("load_image")).to_be_visible()
    expect(editor.page.locator(".tab")).to_have_count(1)


def test_a_result_is_dragged_into_the_graph(editor: Editor) -> None:
    page = editor.page
    (result,) = editor.run()["results"]
    page.get_by_role("button", name="Picture 1", exact=True).locator("img").drag_to(
        page.locator(".react-flow__pane"), target_position={"x": 120, "y": 620}
    )
    expect(editor.node("load_image")).to_be_visible()
    name = editor.document()["nodes"]["load_image"]["inputs"]["file"]
    places = (f"/api/uploads/{name}", f"/api/results/{result}/image")
    used, made = (Image.open(io.BytesIO(editor.server.read(place))).convert("RGB") for place in places)
    assert used.tobytes() == made.tobytes()


def test_a_workflow_of_others_is_pasted_as_text_and_a_picture_as_an_input(editor: Editor) -> None:
    page = editor.page
    page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps(IMG2IMG))
    page.keyboard.press("Control+v")
    expect(page.locator(".tab")).to_have_count(2)
    assert "k_sampler_3" in editor.document()["nodes"]
    page.get_by_role("button", name="Text to image", exact=True).click()
    page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(32, 32);
            canvas.getContext("2d").fillRect(0, 0, 16, 16);
            const png = await canvas.convertToBlob();
            await navigator.clipboard.write([new ClipboardItem({"image/png": png})]);
        }"""
    )
    page.keyboard.press("Escape")
    page.keyboard.press("Control+v")
    expect(editor.node("load_image")).to_be_visible()


def test_the_exported_picture_of_a_graph_carries_it(editor: Editor, tmp_path: Path) -> None:
    page = editor.page
    before = editor.document()
    page.keyboard.press("Control+E")
    page.get_by_role("radio", name="Picture (PNG)").check(force=True)
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


def test_a_version_is_compared_with_what_is_open(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("Control+Shift+S")
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("to compare")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".message")).to_contain_text("Saved to_compare, version 1")
    editor.field("sample", "steps").fill("7")
    editor.field("sample", "steps").press("Enter")
    editor.node("negative").locator(".node-title").click()
    page.keyboard.press("Delete")
    editor.add("Resize", "resize")

    page.keyboard.press("Control+K")
    editor.pick("Versions")
    page.get_by_role("button", name="Compare: version 1").click()
    compared = page.get_by_role("region", name="Compared with version 1")
    expect(compared.locator(".added")).to_have_text(["resize: new"])
    expect(compared.locator(".removed")).to_have_text(["negative: gone"])
    expect(compared.locator(".changed")).to_contain_text("steps 20 → 7")
    expect(editor.node("resize").locator(".node")).to_contain_class("added")
    expect(editor.node("sample").locator(".node")).to_contain_class("changed")
    expect(page.locator(".ghost.removed")).to_have_text("Negative prompt")
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("Control+z")
    expect(compared).to_contain_text("Nothing differs.")
    compared.get_by_role("button", name="End the comparison").click()
    expect(compared).to_have_count(0)


def test_what_does_not_fit_in_a_file_is_mended_at_a_press(editor: Editor) -> None:
    page = editor.page
    document = editor.document()
    document["nodes"]["save"]["inputs"]["image"] = {"$from": "sample.latent"}
    document["nodes"]["enlarge"]["type"] = "Upscal@1"
    drop(editor, json.dumps(document).encode(), "workflow.json")
    expect(page.locator(".tab")).to_have_count(2)
    page.get_by_role("button", name="2 problems").click()
    page.get_by_role("button", name="Use Upscale", exact=True).click()
    page.get_by_role("button", name="Put Decode in between").click()
    expect(page.get_by_role("button", name="1 problem")).to_be_visible()
    assert {"sample.latent > decode_2.latent", "decode_2.image > save.image"} <= editor.links()
