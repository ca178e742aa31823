"""Edits of the graph: undo of everything, copies, subgraphs, and nodes seen from afar."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from e2e.editor import Editor


def test_twenty_mixed_steps_undone_give_the_same_document(editor: Editor) -> None:
    page = editor.page
    before = editor.document()

    def chosen(id: str) -> None:
        page.keyboard.press("Escape")
        editor.node(id).locator(".node-title").click()

    editor.field("sample", "steps").fill("30*2")  # 1
    editor.field("sample", "steps").press("Enter")
    editor.field("sample", "cfg").press("ArrowUp")  # 2
    editor.field("prompt", "text").fill("a dog")  # 3
    editor.node("sample").get_by_role("button", name="sampler: dpmpp_2m").click()  # 4
    page.get_by_role("combobox", name="sampler").fill("heun")
    page.keyboard.press("Enter")
    editor.node("sample").get_by_role("button", name="New random number").click()  # 5
    x, y = editor.spot(editor.node("save").locator(".node-title"))
    editor.drag((x, y), (x + 40, y + 60))  # 6
    chosen("decode")
    page.keyboard.press("Alt+c")  # 7
    page.keyboard.press("Alt+c")  # 8
    page.keyboard.press("Control+d")  # 9
    page.keyboard.press("Delete")  # 10
    chosen("enlarge")
    page.keyboard.press("Control+Delete")  # 11
    editor.add("Resize", "resize")  # 12
    editor.connect("decode.image", "resize.image")  # 13
    page.keyboard.press("Shift+ArrowLeft")  # 14
    chosen("prompt")
    page.keyboard.press("Control+g")  # 15
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")  # 16
    page.keyboard.press("Control+Shift+e")  # 17
    page.keyboard.press("Control+Shift+u")  # 18
    page.keyboard.press("Control+a")
    page.keyboard.press("Shift+L")  # 19
    page.wait_for_timeout(600)  # the layout is made elsewhere
    page.keyboard.press("Escape")
    page.keyboard.press("n")  # 20
    after = editor.document()
    assert after != before
    assert after["nodes"]["sample"]["inputs"]["steps"] == 60
    assert after["nodes"]["sample"]["inputs"]["sampler"] == "heun"

    page.locator(".react-flow__pane").click(position={"x": 8, "y": 300})
    for _ in range(20):
        page.keyboard.press("Control+z")
    assert editor.document() == before
    for _ in range(20):
        page.keyboard.press("Control+Shift+z")
    assert editor.document() == after


def test_copies_go_from_one_tab_to_another_as_text(editor: Editor) -> None:
    page = editor.page
    editor.node("sample").locator(".node-title").click()
    page.keyboard.press("Control+c")
    editor.empty()
    page.keyboard.press("Control+v")
    expect(editor.node("sample")).to_be_visible()
    assert editor.document()["nodes"]["sample"]["inputs"]["steps"] == 20
    assert editor.links() == set()


def test_a_subgraph_is_entered_changed_and_left_and_still_runs(editor: Editor) -> None:
    page = editor.page
    for id in ("prompt", "sample"):
        editor.node(id).locator(".node-title").click(modifiers=["Shift"])
    page.keyboard.press("Control+Shift+e")
    expect(editor.node("subgraph")).to_be_visible()
    document = editor.document()
    assert sorted(document["definitions"]["subgraph"]["nodes"]) == ["prompt", "sample"]
    assert document["inputs"]["prompt"]["to"] == ["subgraph.prompt"]

    editor.node("subgraph").get_by_role("button", name="Open this subgraph").click()
    expect(page.get_by_role("navigation", name="Subgraphs")).to_contain_text("subgraph")
    expect(editor.node("sample")).to_be_visible()
    expect(editor.node("sample").locator(".row-fed", has_text="steps")).to_contain_text("from outside")
    editor.node("sample").get_by_role("button", name="sampler: dpmpp_2m").press("ArrowDown")
    page.get_by_role("button", name="Workflow", exact=True).click()
    assert editor.document()["definitions"]["subgraph"]["nodes"]["sample"]["inputs"]["sampler"] == "dpmpp_2m_sde"
    job = editor.run()
    assert job["state"] == "done", job
    assert "subgraph/sample" in job["nodes"]


def test_a_bypassed_node_lets_through_and_a_muted_one_stops_what_needs_it(editor: Editor) -> None:
    page = editor.page
    editor.node("enlarge").locator(".node-title").click(button="right")
    page.get_by_role("option", name="Bypass").click()
    expect(editor.node("enlarge").locator(".node-state")).to_have_text("Bypassed")
    assert editor.document()["nodes"]["enlarge"]["mode"] == "bypass"
    job = editor.run()
    assert (job["state"], "enlarge" in job["nodes"]) == ("done", False), job
    saved = editor.server.get("/api/results?limit=1")["results"][0]
    assert (saved["job"], saved["width"]) == (job["id"], 128)

    page.keyboard.press("Control+b")
    page.keyboard.press("m")
    expect(editor.node("enlarge").locator(".node-state")).to_have_text("Muted")
    expect(editor.node("save").locator(".node-state")).to_have_text("not running")
    editor.node("save").locator(".node-title").click()
    page.keyboard.press("i")
    expect(page.locator(".about")).to_contain_text("does not run: needs enlarge, which is muted")
    page.get_by_role("radio", name="Muted").press("ArrowLeft")
    assert editor.document()["nodes"]["save"]["mode"] == "bypass"


def test_a_graph_seen_from_afar_keeps_its_nodes_and_lets_them_be_chosen(editor: Editor) -> None:
    page = editor.page
    spot = editor.spot(editor.node("sample"))
    page.mouse.move(*spot)
    for _ in range(12):
        page.mouse.wheel(0, 240)
        if page.locator(".is-far").count():
            break
    expect(page.locator(".is-far")).to_have_count(1)
    expect(page.locator(".react-flow__node")).to_have_count(0)
    page.mouse.dblclick(*spot)
    expect(editor.node("sample")).to_be_visible()


def test_a_double_click_on_a_head_selects_the_chain_or_names_the_node(editor: Editor) -> None:
    page = editor.page
    editor.node("prompt").locator(".node-head").dblclick(position={"x": 170, "y": 15})
    expect(page.locator(".node.selected")).to_have_count(6)  # neither what else feeds the sampler nor the size
    assert not editor.node("negative").locator(".node.selected").count()
    editor.node("decode").locator(".node-title").click()
    expect(page.locator(".node.selected")).to_have_count(1)
    editor.node("prompt").locator(".node-title").dblclick()
    expect(page.get_by_label("Title", exact=True)).to_be_focused()
    page.keyboard.type("Owl")
    page.keyboard.press("Enter")
    expect(editor.node("prompt")).to_be_focused()
    expect(editor.node("prompt").locator(".node-title")).to_have_text("Owl")


@pytest.mark.parametrize(("delta", "chosen", "zooms"), [(100, "", True), (12, "", False), (12, "zoom", True)])
def test_a_pad_moves_the_graph_and_a_wheel_zooms_unless_one_was_chosen(
    editor: Editor, delta: int, chosen: str, zooms: bool
) -> None:
    page, view = editor.page, editor.page.locator(".react-flow__viewport")
    if chosen:
        page.evaluate("chosen => localStorage.setItem('nodegraph.wheel', chosen)", chosen)
        page.reload()
    pane = page.locator(".react-flow__pane")
    editor.spot(pane)
    before = str(view.get_attribute("style"))
    for _ in range(2):  # the driver's own turns are whole notches of a wheel, however far they go
        pane.dispatch_event("wheel", {"deltaY": delta, "clientX": 400, "clientY": 400})
    expect(view).not_to_have_attribute("style", before)
    scale = re.compile(r"scale\(.+\)").search(before)
    assert scale is not None
    assert (scale[0] not in str(view.get_attribute("style"))) == zooms


def test_links_are_led_and_cut_and_copies_dragged(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("f")
    half = """path => {
        const at = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
        return [at.x, at.y];
    }"""
    link = page.get_by_label("Link from enlarge.image to save.image", exact=True).locator("path.link")
    x, y = link.evaluate(half)
    page.mouse.dblclick(x, y)
    point = page.get_by_label("Point of the link from enlarge.image to save.image", exact=True)
    expect(point).to_be_visible()
    editor.drag(editor.spot(point), (x + 10, y - 90))
    name = "enlarge.image>save.image"
    (before,) = editor.document()["layout"]["reroutes"][name]
    page.keyboard.press("Shift+ArrowUp")
    (after,) = editor.document()["layout"]["reroutes"][name]
    assert after == [before[0], before[1] - 12]
    page.keyboard.press("Delete")
    assert "reroutes" not in editor.document()["layout"]

    x, y = editor.spot(editor.node("decode").locator(".node-title"))
    places = editor.document()["layout"]["nodes"]
    page.keyboard.down("Alt")
    editor.drag((x, y), (x - 260, y + 80))
    page.keyboard.up("Alt")
    expect(editor.node("decode_2")).to_be_visible()
    document = editor.document()
    assert {id: at for id, at in document["layout"]["nodes"].items() if id in places} == places
    assert document["nodes"]["decode_2"]["inputs"] == document["nodes"]["decode"]["inputs"]

    link = page.get_by_label("Link from decode.image to enlarge.image", exact=True).locator("path.link")
    x, y = link.evaluate(half)
    page.keyboard.down("Control")
    page.keyboard.down("Shift")
    editor.drag((x - 20, y), (x + 20, y))
    page.keyboard.up("Shift")
    page.keyboard.up("Control")
    expect(link).to_have_count(0)
    assert "decode.image > enlarge.image" not in editor.links()
    page.keyboard.press("Control+z")
    expect(link).to_have_count(1)


def test_a_dragged_node_is_held_in_line_with_another(editor: Editor) -> None:
    page = editor.page
    places = editor.document()["layout"]["nodes"]
    x, y = editor.spot(editor.node("save").locator(".node-title"))
    other = editor.spot(editor.node("sample").locator(".node-title"))
    editor.drag((x, y), (x + 30, other[1] + 2), drop=False)
    expect(page.locator(".guide").first).to_be_attached()
    page.mouse.up()
    expect(page.locator(".guide")).to_have_count(0)
    after = editor.document()["layout"]["nodes"]
    assert after["save"][1] == places["sample"][1]


def test_numbers_are_dragged(editor: Editor) -> None:
    x, y = editor.spot(editor.field("sample", "steps"))
    editor.drag((x - 60, y), (x - 60 + 90, y))
    steps = editor.document()["nodes"]["sample"]["inputs"]["steps"]
    assert 20 < steps < 60
    editor.page.keyboard.press("Control+z")
    assert editor.document()["nodes"]["sample"]["inputs"]["steps"] == 20
    x, y = editor.spot(editor.field("sample", "cfg"))
    editor.page.keyboard.down("Shift")  # which selects where there is no field
    editor.drag((x, y), (x + 60, y))
    editor.page.keyboard.up("Shift")
    assert 4 < editor.document()["nodes"]["sample"]["inputs"]["cfg"] < 5


def test_keys_undo_where_they_are_pressed(editor: Editor) -> None:
    steps, prompt = editor.field("sample", "steps"), editor.field("prompt", "text")
    steps.focus()
    steps.press("ArrowUp")
    expect(steps).to_have_value("21")
    steps.press("Control+z")
    expect(steps).to_have_value("20")
    prompt.fill("a dog")
    prompt.press("Control+ArrowUp")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a (dog:1.2)")
    prompt.press("Control+z")
    expect(prompt).to_have_value("a (dog:1.1)")
    assert editor.document()["nodes"]["prompt"]["inputs"]["text"] == "a (dog:1.1)"


def test_a_problem_is_on_its_port_and_the_list_leads_to_it(editor: Editor) -> None:
    page = editor.page
    editor.field("empty", "width").fill("63")
    editor.node("prompt").locator(".node-title").click()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="problem").click()
    line = page.get_by_role("complementary").get_by_role("button", name="sample.positive")
    expect(line).to_contain_text("needs Conditioning")
    expect(editor.node("sample").locator(".row-problem")).to_have_count(1)
    line.click()
    expect(editor.node("sample").locator(".node.selected")).to_have_count(1)
    page.get_by_role("button", name="Add a node that gives Conditioning").click()
    editor.pick("Encode prompt")
    assert "encode_prompt.conditioning > sample.positive" in editor.links()


def test_what_is_exposed_is_the_form_of_the_app(editor: Editor) -> None:
    page = editor.page
    editor.node("sample").locator(".node-title").click()
    page.keyboard.press("i")
    page.get_by_role("button", name="Show in the app: sampler").click()
    page.get_by_role("navigation", name="View").get_by_role("button", name="App").click()
    form = page.get_by_role("region", name="App")
    expect(form.get_by_role("button", name="Sampler: dpmpp_2m")).to_be_visible()
    form.get_by_label("Prompt", exact=True).fill("a red apple")
    form.get_by_role("button", name="Hide from the app: Sampler").click()
    document = editor.document()
    assert document["nodes"]["prompt"]["inputs"]["text"] == "a red apple"
    assert "sampler" not in document["inputs"]


def test_a_word_of_a_prompt_is_completed(editor: Editor) -> None:
    page = editor.page
    prompt = editor.field("prompt", "text")
    prompt.fill("a dog on a zigg")
    prompt.press("Control+Space")
    expect(page.get_by_role("dialog", name="Complete the word")).to_have_count(0)
    editor.field("negative", "text").fill("a blurred ziggurat")
    prompt.press("Control+Space")
    page.get_by_role("option", name="ziggurat", exact=True).click()
    expect(prompt).to_be_focused()
    page.keyboard.type(", red")
    expect(prompt).to_have_value("a dog on a ziggurat, red")


def test_a_link_is_led_by_keyboard(editor: Editor) -> None:
    page = editor.page
    editor.node("sample").locator(".node-title").click()
    page.keyboard.press("l")
    editor.pick("empty.latent")
    point = page.get_by_label("Point of the link from empty.latent to sample.latent", exact=True)
    expect(point).to_be_focused()
    name = "empty.latent>sample.latent"
    ((x, y),) = editor.document()["layout"]["reroutes"][name]
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    assert editor.document()["layout"]["reroutes"][name] == [[x + 12, y - 12]]
    page.keyboard.press("Delete")
    assert "reroutes" not in editor.document()["layout"]


def test_a_dragged_copy_of_a_frame_has_what_lies_in_it(editor: Editor) -> None:
    page = editor.page
    editor.node("decode").locator(".node-title").click()
    page.keyboard.press("Control+g")
    frame = page.locator(".react-flow__node-group")
    editor.spot(frame)
    box = frame.bounding_box()
    assert box is not None
    x, y = box["x"] + 8, box["y"] + box["height"] - 5  # no link lies there
    before = editor.document()
    page.keyboard.down("Alt")
    editor.drag((x, y), (x - 290, y + 60))
    page.keyboard.up("Alt")
    expect(frame).to_have_count(2)
    document = editor.document()
    assert set(document["nodes"]) == {*before["nodes"], "decode_2"}
    assert document["nodes"]["decode_2"]["inputs"] == before["nodes"]["decode"]["inputs"]
    first, second = document["layout"]["groups"]
    nodes = document["layout"]["nodes"]
    assert first == before["layout"]["groups"][0]
    moved = [b - a for a, b in zip(first["at"], second["at"], strict=True)]
    assert [b - a for a, b in zip(nodes["decode"], nodes["decode_2"], strict=True)] == moved
    page.keyboard.press("Control+z")
    expect(frame).to_have_count(1)
    assert editor.document() == before
