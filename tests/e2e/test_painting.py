"""Masks and sketches painted by hand, and what the run makes of them."""

from __future__ import annotations

import io

import numpy
from PIL import Image as Pillow
from playwright.sync_api import Locator, expect

from e2e.editor import Editor


def board(editor: Editor) -> tuple[Locator, tuple[float, float], float]:
    """The board, its middle, and the side of the picture on it."""
    found = editor.page.get_by_role("img", name="Drawing area")
    box = found.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return found, middle, min(box["width"], box["height"]) - 32


def covered(editor: Editor) -> float:
    return float(editor.page.get_by_text("% covered").inner_text().split()[0])


def pixels(content: bytes) -> numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]:
    return numpy.asarray(Pillow.open(io.BytesIO(content)).convert("RGB"))


def test_outside_of_a_painted_mask_an_inpainted_picture_stays_the_same(editor: Editor) -> None:
    page, server = editor.page, editor.server
    editor.template("Inpaint")
    editor.node("hole").get_by_role("button", name="Paint").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("0.0 % covered")).to_be_visible()
    _, (x, y), side = board(editor)
    editor.drag((x - side * 0.3, y - side * 0.2), (x + side * 0.1, y - side * 0.2))
    assert 2 < covered(editor) < 30
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    document = editor.document()
    mask = pixels(server.read("/api/uploads/" + document["nodes"]["hole"]["inputs"]["file"]))[..., 0]
    before = pixels(server.read("/api/uploads/" + document["nodes"]["picture"]["inputs"]["file"]))
    assert mask.shape == before.shape[:2]
    job = editor.run()
    assert job["state"] == "done", job
    (result,) = job["results"]
    after = pixels(server.read(f"/api/results/{result}/image"))
    outside, inside = mask == 0, mask == 255
    assert inside.any()
    assert outside.mean() > 0.7
    assert (after[outside] == before[outside]).all()
    assert (after[inside] != before[inside]).any()


def test_every_change_to_a_mask_is_undone_and_done_again(editor: Editor) -> None:
    page = editor.page
    editor.template("Inpaint")
    editor.node("hole").get_by_role("button", name="Paint").click()
    page.get_by_role("button", name="Clear").click()
    _, (x, y), side = board(editor)
    seen = [covered(editor)]

    def step(act: str) -> None:
        page.get_by_role("button", name=act, exact=True).click()
        seen.append(covered(editor))

    editor.drag((x - side * 0.2, y), (x + side * 0.2, y))
    seen.append(covered(editor))
    page.keyboard.press("e")
    editor.drag((x - side * 0.1, y), (x + side * 0.05, y))
    seen.append(covered(editor))
    page.keyboard.press("r")
    editor.drag((x - side * 0.4, y - side * 0.4), (x - side * 0.2, y - side * 0.2))
    seen.append(covered(editor))
    step("Grow")
    step("Shrink")
    step("Invert")
    assert seen[0] == 0 < seen[2] < seen[1] < seen[3] < seen[4]
    assert seen[6] > 50
    for known in reversed(seen[:-1]):
        page.keyboard.press("Control+z")
        assert covered(editor) == known
    for known in seen[1:]:
        page.keyboard.press("Control+y")
        assert covered(editor) == known


PEN = """([from, to, button, buttons]) => {
    const board = document.querySelector('.board');
    const tell = (type, [clientX, clientY], more) => board.dispatchEvent(new PointerEvent(type, {
        bubbles: true, cancelable: true, pointerId: 1, pointerType: 'pen', pressure: 0.5, clientX, clientY, ...more,
    }));
    tell('pointerdown', from, {button, buttons});
    for (const part of [0.25, 0.5, 0.75, 1])
        tell('pointermove', from.map((x, i) => x + (to[i] - x) * part), {button: -1, buttons});
    tell('pointerup', to, {button, buttons: 0, pressure: 0});
}"""


def test_the_other_end_of_a_pen_erases_whatever_its_tip_does(editor: Editor) -> None:
    page = editor.page
    editor.template("Inpaint")
    editor.node("hole").get_by_role("button", name="Paint").click()
    page.get_by_role("button", name="Clear").click()
    page.keyboard.press("Control+i")
    assert covered(editor) == 100
    _, (x, y), side = board(editor)
    line = [[x - side * 0.3, y], [x + side * 0.3, y]]
    seen = [100.0]
    for tool in ("b", "r"):
        page.keyboard.press(tool)
        page.evaluate(PEN, [*line, 5, 32])
        seen.append(covered(editor))
        line = [[a, b + side * 0.3] for a, b in line]
    assert seen[2] < seen[1] < seen[0]
    page.keyboard.press("b")
    page.evaluate(PEN, [[x - side * 0.3, y], [x + side * 0.3, y], 0, 1])
    assert seen[2] < covered(editor) < 100


def test_what_was_painted_is_not_lost_to_one_key(editor: Editor) -> None:
    page = editor.page
    editor.template("Image to image")
    editor.node("sketch").get_by_role("button", name="Sketch").click()
    dialog = page.get_by_role("dialog", name="Sketch")
    _, (x, y), side = board(editor)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)  # nothing was drawn
    editor.node("sketch").get_by_role("button", name="Sketch").click()
    dialog.get_by_role("button", name="Clear").click()
    editor.drag((x - side * 0.3, y), (x + side * 0.3, y))
    page.keyboard.press("e")
    editor.drag((x, y - side * 0.2), (x, y + side * 0.2))
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("button", name="Discard it?")).to_be_visible()
    dialog.get_by_role("button", name="Use this").click()
    expect(dialog).to_have_count(0)
    name = editor.document()["nodes"]["sketch"]["inputs"]["file"]
    drawn = Pillow.open(io.BytesIO(editor.server.read("/api/uploads/" + name)))
    assert drawn.getpixel((2, 2)) == drawn.getpixel((64, 64)) == (255, 255, 255, 255)  # paper, and not a hole
    assert drawn.getpixel((64 - 30, 64)) != (255, 255, 255, 255)


def test_a_mask_is_painted_on_what_a_node_gives(editor: Editor) -> None:
    page = editor.page
    editor.template("Inpaint")
    editor.node("hole").locator(".node-title").click()
    page.keyboard.press("Delete")
    editor.node("picture").locator(".node-title").click(button="right")
    page.get_by_role("option", name="Paint a mask on the picture").click()
    _, (x, y), side = board(editor)
    editor.drag((x - side * 0.2, y), (x + side * 0.2, y))
    painted = covered(editor)
    page.get_by_role("button", name="Use this").click()
    expect(editor.node("mask")).to_be_visible()
    assert {"mask.mask > encode.mask", "mask.mask > blend.mask"} <= editor.links()
    editor.node("picture").locator(".node-title").click()
    page.keyboard.press("i")
    page.get_by_role("button", name="Paint a mask: image").click()
    expect(page.get_by_text(f"{painted} % covered")).to_be_visible()  # the same mask again


def test_a_rectangle_is_given_by_numbers_without_a_pointer(editor: Editor) -> None:
    page = editor.page
    editor.template("Inpaint")
    editor.node("hole").get_by_role("button", name="Paint").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Clear").press("Enter")
    for name, value in {"Left": "0", "Top": "0", "Width": "64", "Height": "128"}.items():
        page.get_by_role("spinbutton", name=name).fill(value)
    page.get_by_role("button", name="Add rectangle").press("Enter")
    assert covered(editor) == 50
    page.get_by_role("button", name="Use this").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    mask = pixels(editor.server.read("/api/uploads/" + editor.document()["nodes"]["hole"]["inputs"]["file"]))
    assert (mask[:, :64] == 255).all()
    assert (mask[:, 64:] == 0).all()


def test_a_sketch_becomes_the_picture_that_is_started_from(editor: Editor) -> None:
    page = editor.page
    editor.template("Image to image")
    editor.node("sketch").get_by_role("button", name="Sketch").click()
    page.get_by_role("radio", name="#e5484d").check(force=True)
    _, (x, y), side = board(editor)
    editor.drag((x - side * 0.3, y), (x + side * 0.3, y))
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    name = editor.document()["nodes"]["sketch"]["inputs"]["file"]
    sketch = pixels(editor.server.read("/api/uploads/" + name))
    assert (sketch == (0xE5, 0x48, 0x4D)).all(axis=-1).mean() > 0.01
    job = editor.run()
    assert job["state"] == "done", job


def test_boxes_with_prompts_are_drawn_moved_and_resized(editor: Editor) -> None:
    page = editor.page
    editor.template("Layout to picture")
    editor.node("layout").get_by_role("button", name="Draw the boxes").click()
    dialog = page.get_by_role("dialog", name="Prompts in boxes")
    stage = dialog.locator(".boxes-stage").bounding_box()
    assert stage is not None
    left, top, side = stage["x"], stage["y"], stage["width"]
    assert abs(side - stage["height"]) < 1

    editor.drag((left + 0.1 * side, top + 0.6 * side), (left + 0.4 * side, top + 0.9 * side))
    expect(dialog.get_by_role("textbox", name="Prompt of box 4")).to_be_focused()
    page.keyboard.type("a fox")
    box = dialog.get_by_role("button", name="Box 4: a fox", exact=True)
    editor.drag((left + 0.25 * side, top + 0.75 * side), (left + 0.15 * side, top + 0.8 * side))
    corner = [left + 0.3 * side, top + 0.95 * side]
    page.wait_for_function("([x, y]) => document.elementFromPoint(x, y)?.dataset.corner === 'se'", arg=corner)
    editor.drag((corner[0], corner[1]), (left + 0.5 * side, top + 1.2 * side))
    box.press("ArrowUp")
    box.press("Shift+ArrowLeft")
    dialog.get_by_role("group", name="Box 4: a fox").get_by_label("Weight").fill("2")
    dialog.get_by_role("button", name="Remove box 2").click()
    dialog.get_by_role("button", name="Use this").click()

    lines = editor.document()["nodes"]["layout"]["inputs"]["boxes"].split("\n")
    assert lines == [
        "0 0 0.5 0.5: a cat on a blue background",
        "0.5 0.5 0.5 0.5: an apple on a blue background",
        "0 0.64 0.49 0.35 2: a fox",
    ]
    page.locator(".react-flow__pane").click(position={"x": 8, "y": 300})
    page.keyboard.press("Control+z")
    assert editor.document()["nodes"]["layout"]["inputs"]["boxes"].count("\n") == 2


def test_a_picture_is_taken_with_the_camera(editor: Editor) -> None:
    page = editor.page
    editor.template("Image to image")
    before = editor.document()["nodes"]["sketch"]["inputs"]["file"]
    editor.node("sketch").get_by_role("button", name="Take a picture").click()
    dialog = page.get_by_role("dialog", name="Take a picture")
    expect(dialog.get_by_role("button", name="Take it")).to_be_enabled()
    dialog.get_by_role("button", name="Take it").click()
    expect(dialog).to_have_count(0)
    taken = editor.document()["nodes"]["sketch"]["inputs"]["file"]
    assert taken != before
    seen = pixels(editor.server.read(f"/api/uploads/{taken}"))
    assert seen[..., 1].mean() > 2 * seen[..., 0].mean()  # Chromium's own camera shows green


def test_a_camera_that_is_not_there_is_said(editor: Editor) -> None:
    page = editor.page
    absent = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError') }"
    page.evaluate("() => { " + absent + " }")
    editor.template("Image to image")
    editor.node("sketch").get_by_role("button", name="Take a picture").click()
    expect(page.get_by_role("alert")).to_have_text("There is no camera.")
    expect(page.get_by_role("button", name="Take it")).to_be_disabled()
