from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nodegraph import Engine, InvalidWorkflow, Pack, Registry, node
from nodegraph.events import Started
from nodegraph_diffusion import primitives


@node(version=1)
def shout(text: str) -> str:
    """Raise the voice."""
    return text.upper()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Registry(Pack.of("", primitives), Pack("own", (shout,)))) as made:
        yield made


def step(type: str, **inputs: Any) -> dict[str, Any]:
    return {"type": f"{type}@1", "inputs": inputs}


def link(source: str) -> dict[str, str]:
    return {"$from": source}


def test_values_pass_through_under_the_names_of_their_types(engine: Engine) -> None:
    nodes = {
        "a": step("Text", text="a cat"),
        "b": step("Number", value=2.5),
        "c": step("Integer", value=2**53 - 1),
        "d": step("Boolean", value=True),
    }
    result = engine.run(engine.read({"nodes": nodes}))
    assert dict(result) == {"a.str": "a cat", "b.float": 2.5, "c.int": 2**53 - 1, "d.bool": True}


def test_a_whole_number_feeds_a_number_and_is_never_a_fraction(engine: Engine) -> None:
    assert engine.check(engine.read({"nodes": {"a": step("Number", value=3)}})) == []
    problems = engine.check(engine.read({"nodes": {"a": step("Integer", value=3.5)}}))
    assert [(p.code, p.port) for p in problems] == [("bad_value", "value")]
    problems = engine.check(engine.read({"nodes": {"a": step("Integer", value=2**53)}}))
    assert [(p.code, p.port) for p in problems] == [("bad_value", "value")]


def test_texts_are_joined_in_the_order_of_their_links(engine: Engine) -> None:
    nodes = {
        "style": step("Text", text="oil on canvas"),
        "what": step("Text", text="a cat"),
        "none": step("Text"),
        "all": step("JoinText", texts=[link("what.str"), link("none.str"), link("style.str")]),
    }
    assert engine.run(engine.read({"nodes": nodes}))["all.str"] == "a cat, oil on canvas"
    assert primitives.join_text(["a", "", "b"], "\n") == "a\nb"


@pytest.mark.parametrize(("on", "said"), [(True, "YES"), (False, "NO")])
def test_only_the_chosen_branch_runs(engine: Engine, on: bool, said: str) -> None:
    nodes = {
        "on": step("Boolean", value=on),
        "yes": step("own/Shout", text="yes"),
        "no": step("own/Shout", text="no"),
        "choose": step("Switch", on=link("on.bool"), yes=link("yes.str"), no=link("no.str")),
        "louder": step("own/Shout", text=link("choose.value")),
    }
    events: list[Any] = []
    result = engine.run(engine.read({"nodes": nodes}), targets=["louder"], on_event=events.append)
    assert result["louder.str"] == said
    ran = {event.node for event in events if isinstance(event, Started)}
    assert ran == {"on", "choose", "louder", said.lower()}


def test_both_branches_need_one_type(engine: Engine) -> None:
    nodes = {
        "a": step("Text"),
        "b": step("Number"),
        "choose": step("Switch", on=True, yes=link("a.str"), no=link("b.float")),
    }
    with pytest.raises(InvalidWorkflow, match=r"choose\.no: needs str, but b\.float gives float"):
        engine.run(engine.read({"nodes": nodes}))
