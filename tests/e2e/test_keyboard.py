"""Twelve tasks that somebody does who has no pointer; and what is said to those who do not see."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.editor import Editor


class Hands:
    """Somebody at the keyboard of an editor."""

    def __init__(self, editor: Editor) -> None:
        self.editor, self.page, self.press, self.type = (
            editor, editor.page, editor.page.keyboard.press, editor.page.keyboard.type,
        )  # fmt: skip
        self.page.evaluate(
            """() => {
                window.pointed = 0;
                for (const kind of ['pointerdown', 'mousedown', 'touchstart'])
                    addEventListener(kind, () => pointed++, true);
            }"""
        )

    def go(self, id: str) -> None:
        """Find a node and have the focus on it."""
        self.press("Control+f")
        self.editor.pick(id)
        expect(self.editor.node(id)).to_be_focused()

    def tab(self, to: str, most: int = 60) -> None:
        """Press Tab until the focus is on what a selector of CSS names."""
        for _ in range(most):
            if self.page.evaluate("to => document.activeElement.matches(to)", to):
                return
            self.press("Tab")
        raise AssertionError(f"the focus does not come to {to}")

    def said(self, words: str) -> None:
        expect(self.page.get_by_role("status").first).to_contain_text(words)


def adds_nodes(hands: Hands) -> None:
    hands.press("Alt+n")
    expect(hands.page.get_by_text("An empty workflow")).to_be_visible()
    for name in ("Load model", "Encode prompt", "Empty latent", "Sample", "Decode", "Save image"):
        hands.press("Space")
        hands.editor.pick(name)
        expect(hands.editor.node(name.lower().replace(" ", "_"))).to_be_focused()


def connects_them(hands: Hands) -> None:
    for node, texts in {
        "encode_prompt": ["text_encoder load_model"],
        "sample": ["load_model.model", "positive encode_prompt", "latent empty_latent"],
        "decode": ["load_model.vae", "latent sample.latent"],
        "save_image": ["decode.image"],
    }.items():
        hands.go(node)
        for text in texts:
            hands.press("c")
            hands.page.get_by_role("combobox").fill(text)
            expect(hands.page.get_by_role("option").first).to_be_visible()
            hands.press("Enter")
            expect(hands.page.get_by_role("dialog")).to_have_count(0)
    assert len(hands.editor.links()) == 7


def writes_and_weights_a_prompt(hands: Hands) -> None:
    hands.go("encode_prompt")
    hands.press("Enter")  # into the first field
    expect(hands.editor.field("encode_prompt", "text")).to_be_focused()
    hands.type("a green apple")
    hands.press("Control+ArrowUp")
    expect(hands.editor.field("encode_prompt", "text")).to_have_value("a green (apple:1.1)")
    hands.press("Escape")
    expect(hands.editor.node("encode_prompt")).to_be_focused()


def types_numbers(hands: Hands) -> None:
    for node, field, text in (
        ("empty_latent", "width", "32*2"),
        ("empty_latent", "height", "64"),
        ("sample", "steps", "2"),
    ):
        hands.go(node)
        hands.press("Enter")
        hands.tab(f'.react-flow__node[data-id="{node}"] input[aria-label="{field}"]')
        hands.press("Control+a")
        hands.type(text)
        hands.press("Enter")
    nodes = hands.editor.document()["nodes"]
    assert (nodes["empty_latent"]["inputs"]["width"], nodes["empty_latent"]["inputs"]["height"]) == (64, 64)


def arranges_walks_and_moves(hands: Hands) -> None:
    hands.press("Escape")
    hands.press("Shift+L")
    hands.go("sample")
    hands.press("ArrowRight")
    expect(hands.editor.node("decode")).to_be_focused()
    x, y = hands.editor.document()["layout"]["nodes"]["decode"]
    hands.press("Shift+ArrowDown")
    hands.press("Shift+ArrowRight")
    assert hands.editor.document()["layout"]["nodes"]["decode"] == [x + 12, y + 12]


def runs_it(hands: Hands) -> None:
    with hands.page.expect_response(lambda r: r.url.endswith("/api/jobs") and r.request.method == "POST") as answer:
        hands.press("Control+Enter")
    job = hands.editor.server.ended(answer.value.json()["id"])
    assert job["state"] == "done", job
    assert job["document"]["nodes"]["encode_prompt"]["inputs"]["text"] == "a green (apple:1.1)"


def finds_and_stars_its_picture(hands: Hands) -> None:
    hands.press("3")
    hands.tab('input[type="search"]')
    hands.type("green apple")
    pictures = hands.page.get_by_role("list", name="Pictures").get_by_role("listitem")
    expect(pictures).to_have_count(1)
    hands.tab(".gallery-picture")
    hands.press("Enter")
    dialog = hands.page.get_by_role("dialog")
    hands.tab(".single button[aria-pressed]")
    hands.press("Enter")
    expect(dialog.get_by_role("button", name="Remove the star")).to_be_visible()
    hands.press("Escape")
    expect(dialog).to_have_count(0)
    hands.press("1")


def undoes_and_does_again(hands: Hands) -> None:
    hands.go("decode")
    hands.press("Alt+c")
    hands.press("Control+z")
    hands.said("Undone: collapse")
    hands.press("Control+y")
    hands.said("Redone: collapse")
    hands.press("Control+z")


def bypasses_a_node(hands: Hands) -> None:
    hands.go("sample")
    state = hands.editor.node("sample").locator(".node-state")
    hands.press("Control+b")
    expect(state).to_have_text("Bypassed")
    hands.press("Control+b")
    expect(state).not_to_have_text("Bypassed")


def makes_enters_and_unfolds_a_subgraph(hands: Hands) -> None:
    before = set(hands.editor.document()["nodes"])
    hands.go("decode")
    hands.press("Alt+ArrowRight")  # and what it feeds
    hands.press("Control+Shift+e")
    hands.go("subgraph")
    hands.press("Enter")
    inside = hands.page.get_by_role("navigation", name="Subgraphs")
    expect(inside).to_contain_text("subgraph")
    hands.press("Escape")
    expect(inside).to_have_count(0)
    hands.press("Control+Shift+u")
    assert set(hands.editor.document()["nodes"]) == before


def finds_a_problem_and_mends_it(hands: Hands) -> None:
    hands.go("encode_prompt")
    hands.press("Delete")
    problem = hands.page.get_by_role("button", name="1 problem")
    expect(problem).to_be_visible()
    hands.press("F8")
    expect(hands.editor.node("sample")).to_be_focused()
    hands.said("needs Conditioning")
    hands.press("Control+z")
    expect(problem).to_have_count(0)


def saves_opens_and_deletes_it(hands: Hands) -> None:
    page = hands.page
    hands.press("Control+s")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_focused()
    hands.type("By hand")
    hands.press("Enter")
    expect(page.get_by_text("Saved by_hand, version 1")).to_be_visible()
    tabs = page.locator(".tab")
    count = tabs.count()
    hands.press("Control+Shift+O")
    hands.editor.pick("By hand")
    expect(tabs).to_have_count(count + 1)
    hands.press("Control+Shift+O")
    page.get_by_role("combobox").fill("By hand")
    expect(page.get_by_role("option").first).to_contain_text("By hand")
    hands.tab(".picker-detail .danger")
    hands.press("Enter")
    expect(page.get_by_role("button", name="Delete it for ever, with 1 version?")).to_be_focused()
    hands.press("Enter")
    expect(page.get_by_text("by_hand is deleted from the server")).to_be_visible()
    assert "by_hand" not in {w["name"] for w in hands.editor.server.get("/api/workflows")["workflows"]}


TASKS = (
    adds_nodes, connects_them, writes_and_weights_a_prompt, types_numbers, arranges_walks_and_moves, runs_it,
    finds_and_stars_its_picture, undoes_and_does_again, bypasses_a_node, makes_enters_and_unfolds_a_subgraph,
    finds_a_problem_and_mends_it, saves_opens_and_deletes_it,
)  # fmt: skip


@pytest.mark.timeout(600)  # twelve tests in one
def test_twelve_tasks_are_done_by_keyboard_alone(editor: Editor) -> None:
    hands = Hands(editor)
    for task in TASKS:
        task(hands)
    assert editor.page.evaluate("pointed") == 0
