"""The engine's own cost: documents of trivial nodes, in process. `make bench` runs it.

For a binary tree and for ten chains of 1,000 nodes: a cold run, the same again, and a run with one leaf changed; then
growth to 20,000 nodes and a single chain of 20,000. Reading the document (JSON to `Workflow`) is a line of its own.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from nodegraph import Engine, Pack, Registry, Workflow, node


@node(version=1)
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


def step(a: Any, b: Any = 1) -> dict[str, Any]:
    return {"type": "Add@1", "inputs": {"a": a, "b": b}}


def link(i: int) -> dict[str, str]:
    return {"$from": f"n{i}.int"}


def tree(size: int, leaf: int = 0) -> dict[str, Any]:
    """A binary tree: node i adds nodes 2i+1 and 2i+2."""
    nodes = {}
    for i in range(size):
        left, right = 2 * i + 1, 2 * i + 2
        last = leaf if i == size - 1 else i
        nodes[f"n{i}"] = step(link(left) if left < size else last, link(right) if right < size else 1)
    return nodes


def chains(size: int, leaf: int = 0, count: int = 10) -> dict[str, Any]:
    nodes = {}
    for i in range(size):
        first = i < count
        nodes[f"n{i}"] = step((leaf if i == 0 else i) if first else link(i - count))
    return nodes


def chain(size: int, leaf: int = 0) -> dict[str, Any]:
    return chains(size, leaf, 1)


def best(action: Callable[[], object], prepare: Callable[[], None] = lambda: None, rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        prepare()
        gc.collect()
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(shape: Callable[..., dict[str, Any]], size: int, rounds: int = 7) -> None:
    registry = Registry(Pack("", (add,)))
    raw = {"nodes": shape(size)}
    engine = Engine(registry)
    read = best(lambda: engine.read(raw), rounds=rounds)
    workflow = engine.read(raw)
    cold = best(lambda: engine.run(workflow), engine._machinery.memory.clear, rounds)
    cached = best(lambda: engine.run(workflow), rounds=rounds)
    others = iter([engine.read({"nodes": shape(size, -1 - i)}) for i in range(rounds)])
    pending: list[Workflow] = []
    changed = best(lambda: engine.run(pending.pop()), lambda: pending.append(next(others)), rounds)
    print(
        f"{shape.__name__:7} {size:6,}  read {read * 1e3:7.1f} ms  cold {cold * 1e3:7.1f} ms"
        f"  cached {cached * 1e3:6.1f} ms"
        f"  one leaf changed {changed * 1e3:6.1f} ms  ({cold / size * 1e6:.0f} us a node cold)"
    )
    engine.close()


if __name__ == "__main__":
    for shape in (tree, chains):
        measure(shape, 1000)
    if "--quick" not in sys.argv:
        for size in (5000, 20000):
            measure(tree, size, 3)
        measure(chain, 20000, 3)
