"""What is known of values before anything runs, and how what does not agree is said."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Bench, link, step
from nodegraph import Facts, InvalidWorkflow, Known, node
from nodegraph.problems import Problem
from toy import Image, Mask

HINT = "use the weights of one model"


@node(version=1)
def sized(family: str, width: int = 8) -> Image:
    """A picture of a family."""
    return Image((float(width),))


@sized.facts
def _(known: Known) -> dict[str, Facts]:
    return {"image": Facts(family=known.value("family"), width=known.count("width"))}


@node(version=1)
def meet(one: Image, other: Image, more: list[Image] | None = None) -> Image:
    """Two pictures of one family."""
    return one


@meet.facts
def _(known: Known) -> dict[str, Facts]:
    family = known.agree("family", "one", "other", "more", hint=HINT)
    known.agree("width", "one", "other", hint="resize one", same=lambda a, b: 1 in (a, b))
    return {"image": known["one"] | {"family": family}}


@node(version=1)
def turn(mask: Mask) -> Mask:
    """A mask with what is known of it."""
    return mask


@turn.facts
def _(known: Known) -> dict[str, Facts]:
    if known["mask"]:
        known.refuse("mask", "knows something")
    return {"mask": Facts(width=3)}


@node(version=1)
def unreadable(number: int = 0) -> Image:
    """Its facts cannot be read."""
    return Image(())


@unreadable.facts
def _(known: Known) -> dict[str, Facts]:
    raise ValueError("the header is cut off; get the file again")


@node(version=1)
def perhaps(image: Image | None = None) -> Image | None:
    """A picture, where there is one."""
    return image


@perhaps.facts
def _(known: Known) -> dict[str, Facts]:
    return {"image": known["image"] if "image" in known else Facts(absent="there was none to take")}


def bench(tmp_path: object) -> Bench:
    return Bench(tmp_path, nodes=(sized, meet, turn, unreadable, perhaps))  # type: ignore[arg-type]


def problems(made: Bench, nodes: dict[str, Any]) -> list[Problem]:
    return made.engine.check(made.read(nodes))


def test_what_agrees_flows_on(tmp_path: object) -> None:
    nodes = {
        "a": step("Sized@1", family="sdxl"),
        "b": step("Picture@1"),
        "c": step("Meet@1", one=link("b.image"), other=link("a.image")),
    }
    plan = bench(tmp_path).engine.compile(bench(tmp_path).read(nodes))
    assert dict(plan.calls["a"].facts["image"]) == {"family": "sdxl", "width": 8}
    assert dict(plan.calls["c"].facts["image"]) == {"family": "sdxl"}
    assert plan.calls["b"].facts == {}


def test_both_sides_of_a_mismatch_are_named(tmp_path: object) -> None:
    nodes = {
        "a": step("Sized@1", family="sdxl"),
        "b": step("Sized@1", family="sd1"),
        "c": step("Meet@1", one=link("a.image"), other=link("b.image")),
    }
    assert [(p.code, str(p)) for p in problems(bench(tmp_path), nodes)] == [
        ("mismatch", f"c.other: needs family 'sdxl', as a.image has it, but b.image has 'sd1'; {HINT}"),
        ("mismatch", f"c.one: a.image has family 'sdxl', but b.image, in other, has 'sd1'; {HINT}"),
    ]
    with pytest.raises(InvalidWorkflow):
        bench(tmp_path).run(nodes)


def test_a_rule_of_its_own_says_what_goes_together(tmp_path: object) -> None:
    def widths(one: int, other: int) -> list[str | None]:
        nodes = {
            "a": step("Sized@1", family="x", width=one),
            "b": step("Sized@1", family="x", width=other),
            "c": step("Meet@1", one=link("a.image"), other=link("b.image")),
        }
        return [p.port for p in problems(bench(tmp_path), nodes)]

    assert widths(1, 5) == []
    assert widths(4, 5) == ["other", "one"]


def test_each_link_of_a_list_is_compared(tmp_path: object) -> None:
    made = bench(tmp_path)
    nodes = {
        "a": step("Sized@1", family="sdxl"),
        "b": step("Sized@1", family="sd1"),
        "c": step("Meet@1", one=link("a.image"), other=link("a.image"), more=[link("a.image"), link("b.image")]),
    }
    assert [p.port for p in problems(made, nodes)] == ["more", "one"]


def test_lists_carry_what_is_known_of_their_items_and_coercions_nothing(tmp_path: object) -> None:
    made = bench(tmp_path)
    nodes = {
        "many": step("Many@1"),
        "a": step("Sized@1", family="sd1"),
        "mapped": step("Meet@1", one=link("many.images"), other=link("a.image")),
        "mask": step("Turn@1", mask=link("a.image")),
        "again": step("Turn@1", mask=link("mask.mask")),
    }
    assert [(p.node, p.port, p.message) for p in problems(made, nodes)] == [("again", "mask", "knows something")]
    plan = made.engine.compile(made.read(nodes), targets=["mapped"])
    assert dict(plan.calls["mapped"].facts["image"]) == {"family": "sd1"}


def test_what_cannot_be_read_is_a_problem(tmp_path: object) -> None:
    (found,) = problems(bench(tmp_path), {"a": step("Unreadable@1")})
    assert (found.code, str(found)) == ("unusable", "a: the header is cut off; get the file again")


def test_an_output_that_is_absent_cannot_be_linked(tmp_path: object) -> None:
    nodes = {"a": step("Perhaps@1"), "b": step("Meet@1", one=link("a.image"), other=link("a.image"))}
    found = problems(bench(tmp_path), nodes)
    assert [(p.code, p.where) for p in found] == [("absent", "b.one"), ("absent", "b.other")]
    assert str(found[0]) == "b.one: a.image gives nothing: there was none to take"


def test_facts_are_values() -> None:
    facts = Facts(family="sd1", width=8, unknown=None)
    assert repr(facts) == "family sd1, width 8"
    assert dict(facts | {"width": 9, "family": None}) == {"family": "sd1", "width": 9}
    assert facts.without("family") == facts.only("width") == {"width": 8}
    assert (facts.size("width"), facts.size("family")) == (8, None)
