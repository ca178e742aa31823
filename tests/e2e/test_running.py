"""Runs seen from the page: reloads and a server that goes away in the middle, the queue, two windows, files."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e.conftest import FLAGS, chromium
from e2e.editor import Editor
from e2e.serving import Server

LONG = 400
OVER = 120
"""Steps of a run that is waited for, but outlasts what is done meanwhile."""


def steps(editor: Editor, count: int) -> None:
    editor.field("sample", "steps").fill(str(count))
    editor.field("sample", "steps").press("Enter")


def long_run(editor: Editor, count: int = LONG) -> str:
    """Start a run of some seconds, and wait until it is under way."""
    steps(editor, count)
    editor.node("sample").get_by_role("button", name="New random number").click()
    job = editor.press_run()
    expect(editor.node("sample").locator(".node.running")).to_have_count(1, timeout=60_000)
    return job


def test_a_page_that_is_loaded_anew_catches_up_with_its_run(editor: Editor) -> None:
    job = long_run(editor, OVER)
    expect(editor.node("sample").locator(".node-picture img")).to_have_count(1)
    editor.page.reload()
    expect(editor.node("sample").locator(".node.running")).to_have_count(1)
    assert editor.server.ended(job)["state"] == "done"
    expect(editor.node("save").get_by_role("button", name="Picture of Save image")).to_be_visible()
    expect(editor.page.get_by_role("button", name="Stop")).to_have_count(0)


def test_a_run_is_stopped(editor: Editor) -> None:
    job = long_run(editor)
    editor.page.get_by_role("button", name="Stop").click()
    assert editor.server.ended(job)["state"] == "cancelled"
    expect(editor.page.get_by_role("status")).to_have_text("The run was cancelled")


@pytest.mark.timeout(600)  # the run begins anew where its last step was kept, and a machine may be busy
def test_a_run_outlives_its_server_and_the_page_finds_both_again(editor: Editor) -> None:
    job = long_run(editor, OVER)
    editor.server.restart()
    record = editor.server.ended(job, 400)
    assert record["state"] == "done", record
    expect(editor.node("save").get_by_role("button", name="Picture of Save image")).to_be_visible()
    editor.errors.clear()  # the browser's own words on the server that was away


def test_ctrl_and_a_click_run_only_to_what_is_selected(editor: Editor) -> None:
    page, run = editor.page, editor.page.get_by_role("button", name="Run", exact=True)
    run.click(modifiers=["ControlOrMeta"])
    expect(page.locator(".message")).to_contain_text("Select at least 1 node for this")
    editor.node("prompt").locator(".node-title").click()
    with page.expect_response(lambda r: r.url.endswith("/api/jobs") and r.request.method == "POST") as answer:
        run.click(modifiers=["ControlOrMeta"])
    assert editor.server.ended(answer.value.json()["id"])["targets"] == ["prompt"]


def test_what_did_not_change_is_shown_as_cached_and_not_run_again(editor: Editor) -> None:
    editor.run()
    expect(editor.node("decode").locator(".node.kept")).to_have_count(1)
    job = editor.run()
    states = {id: node["state"] for id, node in job["nodes"].items()}
    assert states["save"] == "done"
    assert "sample" not in states
    look(editor, "sample", "latent", 16)  # although this run did not need it


def test_an_output_that_nothing_made_yet_is_made_for_the_look(editor: Editor) -> None:
    editor.field("prompt", "text").fill("a lamp on a grey background")
    look(editor, "decode", "image", 128)
    job = editor.server.latest_job()
    assert job["targets"] == ["decode"]
    assert "save" not in job["nodes"]


def look(editor: Editor, node: str, port: str, width: int) -> None:
    """Look at an output in the panel of its node: a picture so wide."""
    page = editor.page
    editor.node(node).locator(".node-title").click()
    if not page.get_by_role("heading", name="Outputs").is_visible():
        page.keyboard.press("i")
    page.get_by_role("button", name=f"Look: {port}").click()
    picture = page.get_by_role("dialog").get_by_role("img")
    expect(picture).to_have_js_property("naturalWidth", width, timeout=60_000)
    page.keyboard.press("Escape")


def test_what_grows_in_a_run_lies_over_nothing(editor: Editor) -> None:
    long_run(editor)
    expect(editor.node("sample").locator(".node-picture img")).to_be_visible(timeout=60_000)
    boxes = editor.page.locator(".react-flow__node .node").evaluate_all(
        "nodes => nodes.map(n => n.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    editor.page.get_by_role("button", name="Stop").click()
    assert len(boxes) == 8
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_what_a_node_gives_is_looked_at_on_the_node(editor: Editor) -> None:
    editor.node("sample").get_by_role("button", name="New random number").click()
    editor.run()
    editor.node("decode").locator(".node-title").click()
    editor.page.keyboard.press("i")
    editor.page.get_by_role("checkbox", name="Show what it gives").check()
    picture = editor.node("decode").get_by_role("button", name="Picture of Decode").locator("img")
    expect(picture).to_have_js_property("naturalWidth", 128)
    picture.click()
    expect(editor.page.get_by_role("dialog", name="Picture of Decode")).to_be_visible()
    editor.page.keyboard.press("Escape")
    look(editor, "sample", "latent", 16)


def test_the_queue_is_held_put_in_order_and_let_go(editor: Editor) -> None:
    page = editor.page
    steps(editor, 2)
    editor.node("sample").locator(".node-title").click()
    page.keyboard.press("q")
    queue = page.get_by_role("complementary")
    queue.get_by_role("button", name="Pause the queue").click()
    expect(queue.get_by_text("The queue is paused.")).to_be_visible()
    jobs = []
    for _ in range(3):
        editor.node("sample").get_by_role("button", name="New random number").click()
        jobs.append(editor.press_run())
    expect(queue.get_by_role("button", name="Sooner")).to_have_count(3)
    queue.get_by_role("button", name="Sooner").nth(2).click()
    expect(queue.locator(".job.pending .job-name").nth(1)).to_have_attribute("aria-pressed", "true")
    queue.get_by_role("button", name="Cancel").nth(2).click()
    expect(queue.get_by_role("button", name="Sooner")).to_have_count(2)
    queue.get_by_role("button", name="Run again").first.click()
    expect(queue.get_by_role("button", name="Sooner")).to_have_count(3)
    again = editor.server.latest_job()["id"]
    queue.get_by_role("button", name="Go on").click()
    assert editor.server.ended(jobs[1])["state"] == "cancelled"
    started = [editor.server.ended(job)["started"] for job in (jobs[0], jobs[2], again)]
    assert started == sorted(started)


def test_a_change_runs_by_itself_while_that_is_asked_for(editor: Editor) -> None:
    page = editor.page
    editor.run()
    page.keyboard.press("Alt+r")
    before = editor.server.latest_job()["id"]
    editor.field("prompt", "text").fill("a moon on a black background")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    job = editor.server.latest_job()["id"]
    assert job != before
    record = editor.server.ended(job)
    assert record["document"]["nodes"]["prompt"]["inputs"]["text"] == "a moon on a black background"
    page.wait_for_timeout(1500)
    assert editor.server.latest_job()["id"] == job


def test_two_windows_keep_their_own_documents(browser: Browser, editor: Editor) -> None:
    other = editor.page.context.new_page()
    beside = Editor(other, editor.server)
    beside.open()
    beside.template("Upscale")
    editor.field("prompt", "text").fill("a yellow star")
    editor.page.wait_for_timeout(600)
    for page in (editor.page, other):
        page.reload()
    expect(editor.field("prompt", "text")).to_have_value("a yellow star")
    expect(other.locator(".tab.active")).to_contain_text("Upscale")
    expect(editor.page.locator(".tab")).to_have_count(1)


def test_what_was_typed_a_second_before_the_browser_was_killed_is_there(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    def opened() -> Editor:
        context = browser.browser_type.launch_persistent_context(tmp_path, executable_path=chromium(), args=FLAGS)
        context.add_init_script("localStorage.setItem('nodegraph.toured', 'yes')")
        editor = Editor(context.pages[0], server)
        editor.open()
        return editor

    before = opened()
    before.field("prompt", "text").fill("a whale on a green background")
    before.page.wait_for_timeout(1000)
    subprocess.run(["pkill", "-9", "-f", f"user-data-dir={tmp_path}"], check=True)
    after = opened()
    expect(after.field("prompt", "text")).to_have_value("a whale on a green background")
    after.page.context.close()


def test_a_picture_dropped_on_the_canvas_opens_what_made_it(editor: Editor, server: Server) -> None:
    editor.field("prompt", "text").fill("a red cross on a white background")
    (result,) = editor.run()["results"]
    content = server.read(f"/api/results/{result}/image")
    editor.empty()
    editor.page.evaluate(
        """async ([bytes]) => {
            const file = new File([new Uint8Array(bytes)], "picture.png", {type: "image/png"});
            const carried = new DataTransfer();
            carried.items.add(file);
            const pane = document.querySelector(".react-flow__pane");
            const event = {bubbles: true, cancelable: true, dataTransfer: carried, clientX: 300, clientY: 300};
            pane.dispatchEvent(new DragEvent("drop", event));
        }""",
        [list(content)],
    )
    expect(editor.field("prompt", "text")).to_have_value("a red cross on a white background")


def test_a_workflow_is_saved_with_versions(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("Control+s")
    page.get_by_role("textbox", name="Name", exact=True).fill("My picture")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved my_picture, version 1")).to_be_visible()
    expect(page.get_by_label("not saved")).to_have_count(0)
    editor.field("sample", "steps").fill("5")
    editor.field("sample", "steps").press("Enter")
    expect(page.get_by_label("not saved")).to_have_count(1)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved my_picture, version 2")).to_be_visible()
    assert (
        editor.server.get("/api/workflows/my_picture?version=1")["document"]["nodes"]["sample"]["inputs"]["steps"] == 20
    )
    assert editor.server.get("/api/workflows/my_picture")["document"]["nodes"]["sample"]["inputs"]["steps"] == 5


def test_a_sweep_from_a_field_fills_its_grid(editor: Editor) -> None:
    page = editor.page
    steps(editor, 2)
    editor.field("sample", "cfg").click(button="right")
    page.get_by_role("option", name="Sweep this…").click()
    dialog = page.get_by_role("dialog", name="Sweep")
    values = dialog.get_by_role("textbox", name="Values of Guidance (Sample)")
    expect(values).to_have_value("3, 4, 5")
    values.fill("5..2")
    expect(dialog.get_by_role("status")).to_contain_text("counts from low to high")
    expect(dialog.get_by_role("button", name="Run")).to_be_disabled()
    values.fill("2, 6")
    dialog.get_by_role("combobox", name="Downwards").select_option(label="Prompt (Encode prompt)")
    dialog.get_by_role("textbox", name="Values of Prompt (Encode prompt)").fill("a {cat|dog}\na fox")
    expect(dialog.get_by_role("status")).to_have_text("6 runs")
    dialog.get_by_role("button", name="Run").click()

    grid = page.get_by_role("dialog", name="Text to image: cfg × prompt")
    expect(grid.get_by_role("status")).to_have_text("6 of 6 done", timeout=90_000)
    expect(grid.get_by_role("rowheader")).to_have_text(["a cat", "a dog", "a fox"])
    expect(grid.locator(".sweep-cell.done img")).to_have_count(6)
    grid.get_by_role("button", name="cfg = 6, prompt = a dog: done").click()
    grid.get_by_role("button", name="Use these values").click()
    page.keyboard.press("Escape")
    inputs = {id: step["inputs"] for id, step in editor.document()["nodes"].items()}
    assert (inputs["sample"]["cfg"], inputs["prompt"]["text"]) == (6, "a dog")
    page.locator(".react-flow__pane").click(position={"x": 8, "y": 300})
    page.keyboard.press("q")
    expect(page.locator(".job", has_text="cfg 6, prompt a dog")).to_have_count(1)
    page.keyboard.press("Control+z")
    assert editor.document()["nodes"]["sample"]["inputs"]["cfg"] == 4

    page.reload()
    expect(editor.node("sample")).to_be_visible()
    page.keyboard.press("Shift+S")
    page.get_by_role("dialog", name="Sweep").get_by_role("button", name="Show").first.click()
    expect(page.locator(".sweep-cell.done img")).to_have_count(6)
