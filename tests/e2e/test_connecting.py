"""Links drawn by hand: what fits, what does not and why, and what a drop on the canvas offers."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from e2e.editor import Editor


def test_txt2img_is_built_from_nothing_by_dragging_from_ports(editor: Editor) -> None:
    page = editor.page
    editor.empty()
    page.mouse.dblclick(300, 300)
    editor.pick("Load model")
    expect(editor.node("load_model")).to_be_visible()

    def pull(port: Locator, type: str) -> None:
        """Draw a link from a port to where nothing is, and take a node from the list that opens."""
        start = editor.spot(port)
        editor.drag(start, (start[0], 80))
        editor.pick(type)
        editor.arrange()

    editor.arrange()
    pull(editor.output("load_model", "text_encoder"), "Encode prompt")
    pull(editor.output("encode_prompt", "conditioning"), "Sample")
    editor.connect("load_model.model", "sample.model")
    pull(editor.input("sample", "latent"), "Empty latent")
    pull(editor.output("sample", "latent"), "Decode")
    editor.connect("load_model.vae", "decode.vae")
    pull(editor.output("decode", "image"), "Save image")

    assert editor.links() == {
        "load_model.text_encoder > encode_prompt.text_encoder",
        "encode_prompt.conditioning > sample.positive",
        "load_model.model > sample.model",
        "empty_latent.latent > sample.latent",
        "sample.latent > decode.latent",
        "load_model.vae > decode.vae",
        "decode.image > save_image.image",
    }
    editor.field("encode_prompt", "text").fill("a cat on a blue background")
    for size in ("width", "height"):
        editor.field("empty_latent", size).fill("64")
        editor.field("empty_latent", size).press("Enter")
    job = editor.run()
    assert job["state"] == "done", job
    assert len(job["results"]) == 1


def test_nodes_are_found_by_what_comfyui_calls_them_and_ours_come_first(editor: Editor) -> None:
    page = editor.page
    page.mouse.dblclick(*editor.background())
    first = page.get_by_role("option").first
    for query, title in {
        "ksampler": "Sample", "load checkpoint": "Load model", "clip text encode": "Encode prompt",
        "lora": "Apply LoRA", "conc cond": "Concatenate prompts", "ControlNetApplyAdvanced": "ControlNetApplyAdvanced",
    }.items():  # fmt: skip
        page.get_by_role("combobox").fill(query)
        expect(first).to_contain_text(title)


def test_a_link_that_does_not_fit_says_why_before_it_is_let_go(editor: Editor) -> None:
    before = editor.links()
    start, to = editor.spot(editor.output("model", "vae")), editor.spot(editor.input("sample", "model"))
    editor.drag(start, to, drop=False)
    expect(editor.page.locator(".refusal")).to_have_text("sample.model: needs Model, but model.vae gives Vae")
    editor.page.mouse.up()
    expect(editor.page.locator(".refusal")).to_have_count(0)
    assert editor.links() == before


def test_a_circle_is_refused_with_its_path(editor: Editor) -> None:
    before = editor.links()
    editor.add("Resize", "resize")
    editor.arrange()
    editor.connect("decode.image", "resize.image")
    start, to = editor.spot(editor.output("resize", "image")), editor.spot(editor.input("resize", "image"))
    editor.drag(start, to, drop=False)
    expect(editor.page.locator(".refusal")).to_have_text("a node cannot feed itself")
    editor.page.mouse.up()
    assert editor.links() == {*before, "decode.image > resize.image"}


def test_ports_that_do_not_take_the_link_fade(editor: Editor) -> None:
    start = editor.spot(editor.output("model", "vae"))
    editor.drag(start, (start[0] + 30, start[1] + 200), drop=False)
    coloured = "all => all.filter((port) => getComputedStyle(port).getPropertyValue('--link-chroma') !== '0').length"
    assert editor.page.locator(".port").evaluate_all(coloured) == 2
    assert editor.output("model", "vae").evaluate_all(coloured) == 1
    assert editor.input("decode", "vae").evaluate_all(coloured) == 1
    editor.page.mouse.up()
    editor.page.keyboard.press("Escape")


def test_a_loose_node_dropped_on_a_link_is_put_into_it(editor: Editor) -> None:
    page = editor.page
    editor.add("Resize", "resize")
    out, into = editor.spot(editor.output("enlarge", "image")), editor.spot(editor.input("save", "image"))
    head = editor.node("resize").locator(".node-title")
    editor.drag(editor.spot(head), ((out[0] + into[0]) / 2, (out[1] + into[1]) / 2))
    links = editor.links()
    assert {"enlarge.image > resize.image", "resize.image > save.image"} <= links
    assert "enlarge.image > save.image" not in links

    page.keyboard.press("Escape")
    editor.node("resize").locator(".node-title").click()
    page.keyboard.press("Control+Delete")
    assert "enlarge.image > save.image" in editor.links()


def test_a_link_taken_by_its_end_is_dropped_elsewhere_or_gone(editor: Editor) -> None:
    x, y = editor.spot(editor.input("save", "image"))
    editor.drag((x - 12, y), editor.background())
    assert "enlarge.image > save.image" not in editor.links()
    editor.page.keyboard.press("Control+Z")
    assert "enlarge.image > save.image" in editor.links()


def test_a_link_let_go_on_the_body_of_a_node_goes_to_its_best_port(editor: Editor) -> None:
    page = editor.page
    body = editor.spot(editor.node("save").locator(".node-title"))
    start = editor.spot(editor.output("decode", "image"))
    editor.drag(start, body, drop=False)
    expect(page.locator(".snapped")).to_have_count(1)
    page.mouse.up()
    expect(page.get_by_label("Link from decode.image to save.image", exact=True)).to_have_count(1)

    before = editor.links()
    editor.drag(editor.spot(editor.output("model", "vae")), body)
    expect(page.get_by_text("save has no port that takes or gives Vae")).to_be_visible()
    assert editor.links() == before


def test_shift_takes_every_link_of_an_output_to_another(editor: Editor) -> None:
    page = editor.page
    before = editor.links()
    page.keyboard.down("Shift")
    start, wrong = editor.spot(editor.output("model", "text_encoder")), editor.spot(editor.output("model", "vae"))
    editor.drag(start, wrong, drop=False)
    expect(page.locator(".link.pulled")).to_have_count(2)
    expect(page.locator(".refusal")).to_contain_text("needs TextEncoder, but model.vae gives Vae")
    page.mouse.up()
    page.keyboard.up("Shift")
    assert editor.links() == before

    page.keyboard.press("Escape")
    editor.node("model").locator(".node-title").click()
    page.keyboard.press("Control+D")
    expect(editor.node("model_2")).to_be_visible()
    editor.arrange()
    start, to = (editor.spot(editor.output(node, "text_encoder")) for node in ("model", "model_2"))
    page.keyboard.down("Shift")
    editor.drag(start, to)
    page.keyboard.up("Shift")
    moved = {link.replace("model.text_encoder", "model_2.text_encoder") for link in before}
    assert editor.links() == moved != before
    page.keyboard.press("Control+Z")
    assert editor.links() == before


def test_with_alt_too_links_are_copied_to_inputs_that_take_several(editor: Editor) -> None:
    page = editor.page
    editor.add("Join images", "join_images")
    editor.arrange()
    editor.connect("decode.image", "join_images.images")
    before = editor.links()
    start, to = (editor.spot(editor.output(node, "image")) for node in ("decode", "enlarge"))
    page.keyboard.press("Escape")
    page.keyboard.down("Shift")
    page.keyboard.down("Alt")
    editor.drag(start, to)
    editor.drag(editor.spot(editor.output("model", "vae")), editor.background())
    page.keyboard.up("Alt")
    page.keyboard.up("Shift")
    expect(page.get_by_text("Each of these inputs takes one link")).to_be_visible()
    assert editor.links() == {*before, "enlarge.image > join_images.images"}


def test_two_ports_pressed_one_after_the_other_are_linked(editor: Editor) -> None:
    page = editor.page
    editor.output("decode", "image").click()
    expect(page.locator(".canvas style")).to_have_count(1)
    page.mouse.click(*editor.background())
    expect(page.locator(".canvas style")).to_have_count(0)
    editor.output("model", "vae").click()
    editor.input("sample", "model").click()
    expect(page.get_by_text("sample.model: needs Model, but model.vae gives Vae").first).to_be_visible()
    editor.output("decode", "image").click()
    editor.input("save", "image").click()
    expect(page.get_by_label("Link from decode.image to save.image", exact=True)).to_have_count(1)
