from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import toy
from harness import Bench, link, step
from nodegraph import Context, InvalidWorkflow, Workflow, node
from nodegraph.policy import Policy

RULE = Policy(toy.registry(), "Invert", {"amount": 10.0})
PICTURE = {"made": step("Picture@1", value=1.0)}
PASSED, BARE = 9.0, 1.0
"""The picture's value when it has passed the rule, and when it has not."""


@node(version=1, pure=False, lane="io")
def keep_mask(ctx: Context, mask: toy.Mask) -> None:
    """Save what is no picture."""
    ctx.save("mask", ".txt", b"")


def enforced(bench: Bench, nodes: dict[str, Any], **rest: Any) -> Workflow:
    workflow = bench.read(nodes, **rest)
    return RULE.enforce(workflow, bench.engine.compile(workflow))


def kept(bench: Bench, workflow: Workflow) -> list[float]:
    bench.run(bench.engine.read(workflow.to_dict()))
    files = sorted((bench.engine.folders.output).glob("*.txt"))
    return [float(file.read_text().splitlines()[0].strip("(),")) for file in files]


def test_a_picture_that_is_saved_has_passed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    made = enforced(bench, {**PICTURE, "keep": step("Keep@1", image=link("made.image"))})
    assert set(made.nodes) == {"made", "keep", "checked_made"}
    assert kept(bench, made) == [PASSED]


def test_one_node_stands_before_all_that_save_a_picture(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    twice = {id: step("Keep@1", image=link("made.image"), name=id) for id in ("one", "two")}
    made = enforced(bench, {**PICTURE, **twice})
    assert set(made.nodes) == {"made", "one", "two", "checked_made"}
    assert kept(bench, made) == [PASSED, PASSED]


def test_an_output_of_the_document_has_passed_where_it_is_a_picture(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    nodes = {**PICTURE, "size": step("ImageSize@1", image=link("made.image"))}
    both = step("Switch@1", on=True, yes=link("made.image"), no=link("made.image"))
    outputs = {"picture": link("made.image"), "width": link("size.width"), "either": link("both.value")}
    made = enforced(bench, {**nodes, "both": both}, outputs=outputs)
    found = bench.run(made)
    assert [found[name].data for name in ("picture", "either")] == [(PASSED,), (PASSED,)]
    assert made.outputs["width"] == bench.read(nodes, outputs={"width": link("size.width")}).outputs["width"]


def test_inside_a_definition_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    inside = {
        "nodes": {**PICTURE, "keep": step("Keep@1", image=link("made.image"), name="inner")},
        "outputs": {"image": link("made.image")},
    }
    outside = {
        "nodes": {"keep": step("Keep@1", name="outer")},
        "inputs": {"image": {"to": ["keep.image"]}},
    }
    nodes = {"maker": step("#maker"), "keeper": step("#keeper", image=link("maker.image"))}
    definitions = {"maker": inside, "keeper": outside}
    made = enforced(bench, nodes, definitions=definitions, outputs={"image": link("maker.image")})
    assert kept(bench, made) == [PASSED, PASSED]
    assert bench.run(made)["image"].data == (PASSED,)


def test_an_output_that_is_muted_stays_away(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    nodes = {**PICTURE, "other": {**step("Picture@1"), "mode": "mute"}}
    outputs = {"image": link("made.image"), "muted": link("other.image")}
    assert set(bench.run(enforced(bench, nodes, outputs=outputs))) == {"image"}


def test_what_has_passed_is_left_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    nodes = {**PICTURE, "keep": step("Keep@1", image=link("made.image"))}
    once = enforced(bench, nodes, outputs={"image": link("made.image")})
    assert RULE.enforce(once, bench.engine.compile(once)) == once


def test_the_rules_node_with_other_settings_is_not_the_rule(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    mild = step("Invert@1", image=link("made.image"), amount=1.0)
    made = enforced(bench, {**PICTURE, "mild": mild, "keep": step("Keep@1", image=link("mild.image"))})
    assert kept(bench, made) == [10.0]


def test_the_rules_node_bypassed_is_not_the_rule(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    off = {**step("Invert@1", image=link("made.image"), amount=10.0), "mode": "bypass"}
    made = enforced(bench, {**PICTURE, "off": off, "keep": step("Keep@1", image=link("off.image"))})
    assert kept(bench, made) == [PASSED]


def test_what_saves_something_else_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, nodes=[keep_mask])
    policy = Policy(toy.registry(keep_mask), "Invert", {})
    workflow = bench.read({**PICTURE, "keep": step("KeepMask@1", mask=link("made.image"))})
    with pytest.raises(InvalidWorkflow, match="keep: saves what is no picture yet"):
        policy.enforce(workflow, bench.engine.compile(workflow))
    lenient = Policy(toy.registry(keep_mask), "Invert", {}, strict=False)
    assert lenient.enforce(workflow, bench.engine.compile(workflow)) == workflow


@pytest.mark.parametrize(
    ("type", "reason"), [("Nothing", "no installed pack has it"), ("ImageSize", "must be the same")]
)
def test_a_rule_must_be_a_node_that_pictures_pass(type: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Policy(toy.registry(), type, {})
