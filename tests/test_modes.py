from __future__ import annotations

from typing import Any

import pytest

import toy
from harness import Bench, link, step
from nodegraph import Folders, InvalidWorkflow, Workflow, node
from nodegraph.keys import Digests, keys
from nodegraph.plan import compile

PICTURES: dict[str, Any] = {
    "p": step("Picture@1", value=3.0),
    "dark": step("Invert@1", image=link("p.image"), amount=5.0),
    "keep": step("Keep@1", image=link("dark.image")),
}


@node(version=1)
def tint(image: toy.Image, mask: toy.Mask | None = None, more: list[toy.Image] | None = None) -> toy.Image:
    """Tint."""
    return image


@node(version=1)
def settings(image: toy.Image, by: int = 4) -> int:
    """Give a number."""
    return by


def made_keys(nodes: dict[str, Any], **rest: Any) -> dict[str, str]:
    plan = compile(Workflow.model_validate({"nodes": nodes, **rest}), toy.registry(tint, settings), Folders())
    return keys(plan, "", Digests())


def bypassed(nodes: dict[str, Any], *ids: str) -> dict[str, Any]:
    return {id: {**each, "mode": "bypass"} if id in ids else each for id, each in nodes.items()}


def muted(nodes: dict[str, Any], *ids: str) -> dict[str, Any]:
    return {id: {**each, "mode": "mute"} if id in ids else each for id, each in nodes.items()}


def test_a_bypassed_node_is_as_if_absent(bench: Bench) -> None:
    without = {"p": PICTURES["p"], "keep": step("Keep@1", image=link("p.image"))}
    assert made_keys(bypassed(PICTURES, "dark")) == made_keys(without)
    bench.run(bypassed(PICTURES, "dark"))
    assert bench.ran == ["p", "keep"]


def test_links_go_past_several_bypassed_nodes_and_outputs_with_them(bench: Bench) -> None:
    nodes = {
        **PICTURES,
        "again": step("Invert@1", image=link("dark.image")),
        "last": step("Invert@1", image=link("again.image")),
    }
    result = bench.run(bypassed(nodes, "dark", "again", "last"), outputs={"image": link("last.image")})
    assert result["image"].data == (3.0,)
    assert bench.ran == ["p", "keep"]


def test_the_first_input_of_the_type_that_holds_something_passes(bench: Bench) -> None:
    nodes = {
        "a": step("Picture@1", value=1.0),
        "b": step("Picture@1", value=2.0),
        "mixed": step("Blend@1", a=link("a.image"), b=link("b.image")),
    }
    outputs = {"image": link("mixed.image")}
    assert bench.run(bypassed(nodes, "mixed"), outputs=outputs)["image"].data == (1.0,)
    nodes["mixed"] = step("Blend@1", b=link("b.image"))
    assert bench.run(bypassed(nodes, "mixed"), outputs=outputs)["image"].data == (2.0,)


def test_literals_and_defaults_pass(bench: Bench) -> None:
    nodes = {"one": step("Add@1", a=4), "two": step("Add@1", a=link("one.int"), b=10)}
    assert bench.run(bypassed(nodes, "one"), outputs={"n": link("two.int")})["n"] == 14
    nodes["one"] = step("Add@1")  # `a` is missing, and `b` is 1
    assert bench.run(bypassed(nodes, "one"), outputs={"n": link("two.int")})["n"] == 11


def test_lists_pass_and_single_values_join_lists(bench: Bench) -> None:
    nodes = {
        "a": step("Picture@1", value=1.0),
        "dark": step("Invert@1", image=link("a.image")),
        "both": step("Join@1", images=[link("a.image"), link("dark.image")]),
    }
    assert bench.run(bypassed(nodes, "dark"), outputs={"image": link("both.image")})["image"].data == (1.0, 1.0)


def test_what_nothing_passes_to_is_a_problem_that_says_so(bench: Bench) -> None:
    nodes = bypassed({**PICTURES, "size": step("ImageSize@1", image=link("keep.image"))}, "p")
    assert bench.problems(nodes)[0] == ("bypassed", "dark", "image")
    assert "dark.image: p is bypassed and has no input of type Image" in bench.message(nodes)
    circle = bypassed(
        {"a": step("Invert@1", image=link("b.image")), "b": step("Invert@1", image=link("a.image"))}, "a", "b"
    )
    assert bench.problems({**circle, "keep": step("Keep@1", image=link("a.image"))}) == [("bypassed", "keep", "image")]


def test_a_muted_node_takes_what_needs_it_along(bench: Bench) -> None:
    nodes = {
        **PICTURES,
        "light": step("Keep@1", image=link("p.image"), name="light"),
        "far": step("Invert@1", image=link("dark.image")),
    }
    bench.run(muted(nodes, "dark"))
    assert bench.ran == ["p", "light"]
    planned = bench.engine.plan(bench.read(muted(nodes, "dark")))
    assert {p.node: p.why for p in planned if p.state == "still"} == {
        "dark": "is muted",
        "keep": "needs dark, which is muted",
        "far": "needs dark, which is muted",
    }


def test_optional_inputs_and_places_in_lists_do_without(tmp_path: Any) -> None:
    bench = Bench(tmp_path, nodes=[tint])
    nodes = {
        "p": step("Picture@1"),
        "mask": step("Grow@1", mask=link("p.image")),
        "tint": step("Tint@1", image=link("p.image"), mask=link("mask.mask"), more=[link("p.image"), link("x.image")]),
        "x": step("Invert@1", image=link("p.image")),
    }
    assert (
        made_keys(muted(nodes, "mask", "x"))["tint"]
        == made_keys({"p": nodes["p"], "tint": step("Tint@1", image=link("p.image"), more=[link("p.image")])})["tint"]
    )
    assert bench.problems(muted(nodes, "mask", "x")) == []
    bench.engine.close()


def test_outputs_of_muted_nodes_are_not_given(bench: Bench) -> None:
    outputs = {"dark": link("dark.image"), "plain": link("p.image")}
    assert list(bench.run(muted(PICTURES, "dark"), outputs=outputs)) == ["plain"]
    with pytest.raises(InvalidWorkflow, match=r"target 'keep' does not run: needs dark, which is muted"):
        bench.run(muted(PICTURES, "dark"), targets=["keep"])


def test_problems_of_what_does_not_run_are_none(bench: Bench) -> None:
    nodes = {**PICTURES, "ghost": step("Nothing@1"), "lost": step("Keep@1", image=link("ghost.image"))}
    assert bench.problems(muted(nodes, "ghost")) == []
    assert len(bench.run(muted(nodes, "ghost")).files) == 1


@pytest.fixture
def whole() -> dict[str, Any]:
    inside = {"flip": step("Invert@1", image=link("p.image")), "p": step("Picture@1", value=9.0)}
    definition = {
        "nodes": inside,
        "inputs": {"image": {"to": ["flip.image"]}, "amount": {"to": ["flip.amount"]}},
        "outputs": {"image": link("flip.image")},
    }
    return {
        "nodes": {
            "p": PICTURES["p"],
            "sub": step("#twice", image=link("p.image")),
            "keep": step("Keep@1", image=link("sub.image")),
        },
        "definitions": {"twice": definition},
    }


def test_instances_of_definitions_are_bypassed_and_muted_whole(bench: Bench, whole: dict[str, Any]) -> None:
    nodes = whole.pop("nodes")
    bench.run(bypassed(nodes, "sub"), **whole)
    assert bench.ran == ["p", "keep"]
    bench.run(muted(nodes, "sub"), **whole, outputs={"p": link("p.image")})
    assert bench.cached == ["p"]
    found = bench.read(muted(nodes, "sub"), **whole)
    assert {p.node for p in bench.engine.plan(found) if p.state == "still"} == {"sub/flip", "sub/p", "keep"}


def test_nodes_inside_definitions_pass_what_the_instance_is_given(bench: Bench, whole: dict[str, Any]) -> None:
    whole["definitions"]["twice"]["nodes"]["flip"]["mode"] = "bypass"
    bench.run(whole.pop("nodes"), **whole)
    assert bench.ran == ["p", "keep"]


def test_the_mode_stays_in_the_document_and_out_of_others() -> None:
    document = Workflow.model_validate({"nodes": muted(PICTURES, "dark")}).to_dict()
    assert [step.get("mode") for step in document["nodes"].values()] == [None, "mute", None]
    assert Workflow.model_validate(document).nodes["dark"].mode == "mute"


def test_a_number_given_by_a_bypassed_node_of_another_type_is_a_default(tmp_path: Any) -> None:
    bench = Bench(tmp_path, nodes=[settings])
    nodes = {
        "p": step("Picture@1"),
        "n": step("Settings@1", image=link("p.image")),
        "m": step("Many@1", n=link("n.int")),
    }
    assert len(bench.run(bypassed(nodes, "n"), outputs={"all": link("m.images")})["all"]) == 4
    bench.engine.close()
