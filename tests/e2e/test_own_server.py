"""A server with models of its own that looks at its pictures: what the editor then offers, and what it says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import expect
from safetensors.numpy import save_file

from e2e.editor import Editor
from e2e.serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("own")
    colours = base / "models" / "wildcards" / "deep" / "colours.txt"
    colours.parent.mkdir(parents=True)
    colours.write_text("crimson\nazure\n")
    (base / "models" / "embeddings").mkdir()
    save_file({"emb_params": np.zeros((2, 7), np.float32)}, base / "models" / "embeddings" / "Red Fox.safetensors")
    with Server(base / "data", "--models", str(base / "models"), "--safety", "withhold") as running:
        yield running


def test_a_textual_inversion_is_completed_and_taught(editor: Editor) -> None:
    page = editor.page
    before = editor.document()
    prompt = editor.field("prompt", "text")
    prompt.fill("a fo")
    prompt.press("Control+Space")
    page.get_by_role("option", name="<red-fox>").click()
    expect(prompt).to_have_value("a <red-fox>")
    expect(editor.node("teach_word")).to_be_visible()
    assert {"model.text_encoder > teach_word.text_encoder", "teach_word.text_encoder > prompt.text_encoder"} <= (
        editor.links()
    )
    taught = editor.document()["nodes"]["teach_word"]["inputs"]
    assert (taught["source"], taught["word"]) == ("embeddings/Red Fox.safetensors", "<red-fox>")
    # what does not fit the model is said at once
    expect(editor.node("teach_word").locator(".row-problem").first).to_contain_text("vectors of width 7")

    negative = editor.field("negative", "text")
    negative.press("f")
    negative.press("Control+Space")
    page.get_by_role("option", name="<red-fox>", exact=False).first.click()
    assert "teach_word.text_encoder > negative.text_encoder" in editor.links()
    assert "teach_word_2" not in editor.document()["nodes"]
    page.keyboard.press("Escape")
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert editor.document() == before


def test_a_file_of_wildcards_is_completed_where_one_may_be_named(editor: Editor) -> None:
    page = editor.page
    editor.template("Surprise")
    prompt = editor.node("words").get_by_label("text", exact=True)
    prompt.fill("a {@")
    prompt.press("Control+Space")
    option = page.get_by_role("option", name="{@deep/colours.txt}")
    expect(option).to_contain_text("crimson, azure")
    option.click()
    prompt.press("End")
    page.keyboard.type(" cat")
    expect(prompt).to_have_value("a {@deep/colours.txt} cat")


def test_where_a_picture_is_held_back_its_place_says_why(editor: Editor) -> None:
    page = editor.page
    editor.node("decode").locator(".node-title").click()
    page.keyboard.press("i")
    page.get_by_role("checkbox", name="Show what it gives").check()
    assert editor.run()["state"] == "done"
    expect(editor.node("decode").locator(".node-picture")).to_contain_text("only behind its SafetyCheck")
    expect(editor.node("save").locator(".node-picture img")).to_be_visible()
