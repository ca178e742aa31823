"""Random graphs: the executor gives what plain recursion gives, each node once, and a second run runs nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Bench, link, step


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    nodes: dict[str, Any] = {"n0": step("Add@1", a=draw(st.integers(0, 3)))}
    for i in range(1, draw(st.integers(1, 14))):
        before = st.integers(0, i - 1).map(lambda j: link(f"n{j}.{port(nodes[f'n{j}'])}"))
        match draw(st.sampled_from(["add", "leaf", "switch"])):
            case "add":
                nodes[f"n{i}"] = step("Add@1", a=draw(before), b=draw(before | st.integers(0, 3)))
            case "leaf":
                nodes[f"n{i}"] = step("Add@1", a=draw(st.integers(0, 3)))
            case "switch":
                nodes[f"n{i}"] = step("Switch@1", on=draw(st.booleans()), yes=draw(before), no=draw(before))
    return nodes


def port(node: dict[str, Any]) -> str:
    return "value" if node["type"] == "Switch@1" else "int"


def naive(nodes: dict[str, Any], id: str, seen: set[str]) -> int:
    seen.add(id)
    inputs = {"b": 1, **nodes[id]["inputs"]}

    def value(name: str) -> int:
        v = inputs[name]
        return naive(nodes, v["$from"].partition(".")[0], seen) if isinstance(v, dict) else v

    if nodes[id]["type"] == "Switch@1":
        return value("yes" if inputs["on"] else "no")
    return value("a") + value("b")


@settings(deadline=None, max_examples=100)
@given(graphs(), st.data())
def test_any_part_may_come_from_disk(nodes: dict[str, Any], data: st.DataObject) -> None:
    """With some results on disk, none in memory, and all results dropped as soon as they may be."""
    first = data.draw(st.lists(st.sampled_from(list(nodes)), unique=True))
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), cache=Path(folder) / "cache", memory=0, lanes={"cpu": 2})
        disk = bench.engine._machinery.disk
        assert disk is not None
        disk.worth = 0.0
        for target in first:
            bench.run(nodes, targets=[target])
        disk.worth = 9.0
        for target in nodes:
            result = bench.run(nodes, targets=[target])
            assert result[f"{target}.{port(nodes[target])}"] == naive(nodes, target, set())
            assert bench.ran == [] or target not in first
        bench.engine.close()


@settings(deadline=None, max_examples=150)
@given(graphs(), st.sampled_from([0, 2**20]))
def test_equals_plain_recursion(nodes: dict[str, Any], memory: int) -> None:
    bench = Bench(Path(), memory=memory, lanes={"cpu": 3})
    target = list(nodes)[-1]
    needed: set[str] = set()
    result = bench.run(nodes, targets=[target])
    assert result[f"{target}.{port(nodes[target])}"] == naive(nodes, target, needed)
    runs = Counter(bench.ran)
    assert set(runs) | set(bench.cached) == needed
    if memory:
        assert max(runs.values()) == 1
        bench.run(nodes, targets=[target])
        assert bench.ran == []
    bench.engine.close()
