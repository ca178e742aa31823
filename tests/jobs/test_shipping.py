"""A plan that went to another process is the plan that was made here."""

from __future__ import annotations

import sys

import pytest

import toy
from harness import link, step
from nodegraph import Engine, node
from nodegraph.jobs.shipping import pack, unpack
from nodegraph.keys import Digests, keys
from nodegraph.types import SAME
from toy import TXT2IMG, registry

MIXED = {
    **TXT2IMG,
    "many": step("Many@1"),
    "inverted": step("Invert@1", image=link("many.images")),
    "joined": step("Join@1", images=link("inverted.image")),
    "sum": step("Add@1", a=1),
    "half": step("Half@1", value=link("sum.int")),
    "mask": step("Grow@1", mask=link("decode.image")),
    "mute": {**step("Boom@1"), "mode": "mute"},
}


@pytest.fixture(autouse=True)
def the_toy_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests before may have loaded it once more as a pack, and pickle asks for the one by its name."""
    monkeypatch.setitem(sys.modules, "toy", toy)


class Hidden:
    pass


Hidden.__qualname__ = "nowhere"  # so that pickle does not find it


@node(version=1)
def make() -> Hidden:
    """Make one."""
    return Hidden()


def test_what_arrives_is_what_was_sent() -> None:
    with Engine(registry()) as engine:
        plan = engine.compile(engine.read({"nodes": MIXED}))
        text = pack(plan)
        assert text is not None
        got = unpack(text, engine.registry)
        assert got == plan
        assert keys(got, "", Digests()) == keys(plan, "", Digests())
        assert [e.fit is SAME for e in got.calls["decode"].edges["latent"]] == [True]
        run = engine.follow(got, lambda: engine.read({"nodes": MIXED}), engine.folders)
        assert {event.node for event in run} == set(plan.calls)
        assert run.outputs().keys() == set(plan.targets)


def test_a_node_that_is_not_there_is_said() -> None:
    with Engine(registry()) as engine:
        text = pack(engine.compile(engine.read({"nodes": TXT2IMG})))
    assert text is not None
    with pytest.raises(LookupError, match="LoadModel@1"):
        unpack(text, type(engine.registry)())


def test_a_plan_with_classes_that_have_no_name_elsewhere_stays_here() -> None:
    with Engine(registry(make)) as engine:
        assert pack(engine.compile(engine.read({"nodes": {"make": step("Make@1")}}))) is None
