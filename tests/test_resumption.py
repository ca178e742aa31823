"""An interrupted call goes on from where it was, and comes to the same end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import Bench, link, step
from nodegraph import Cancelled, Context, node
from nodegraph.events import Event, Progress
from toy import Image


@node(version=1)
def climb(ctx: Context, to: int, fail_at: int = 0) -> Image:
    """Count up, and remember every number on the way.

    Args:
        fail_at: Fail there.
    """
    seen: list[int] = list(ctx.resumed() or [])
    for i in range(len(seen) + 1, to + 1):
        if i == fail_at:
            raise ValueError("slipped")
        seen.append(i)
        ctx.checkpoint(lambda: seen)
        ctx.progress(i, to)
    return Image(tuple(map(float, seen)))


@node(version=1)
def heights() -> list[int]:
    """Two heights."""
    return [3, 5]


@pytest.fixture
def benches(tmp_path: Path) -> Any:
    """Engines of several processes' lives, over one disk."""
    made: list[Bench] = []

    def begin() -> Bench:
        made.append(Bench(tmp_path, cache=tmp_path / "cache", nodes=(climb, heights), checkpoint=0.0))
        return made[-1]

    yield begin
    for bench in made:
        bench.engine.close()


def interrupted(bench: Bench, nodes: dict[str, Any], after: int) -> None:
    """Run, and cancel behind so many reports of progress."""
    run = bench.engine.start(bench.read(nodes))
    reports = 0
    for event in run:
        reports += isinstance(event, Progress)
        if reports == after:
            run.cancel()
    with pytest.raises(Cancelled):
        run.outputs()


def steps(events: list[Event]) -> list[int]:
    return [e.step for e in events if isinstance(e, Progress)]


def kept(folder: Path) -> list[str]:
    return [path.name for path in (folder / "cache").rglob("*-*")]


def test_an_interrupted_call_goes_on(benches: Any, tmp_path: Path) -> None:
    nodes = {"climb": step("Climb@1", to=2000)}
    interrupted(benches(), nodes, after=3)
    assert len(kept(tmp_path)) == 1
    bench = benches()
    result = bench.run(nodes)
    assert result["climb.image"].data == tuple(map(float, range(1, 2001)))
    assert 3 <= steps(bench.events)[0] <= 2000
    assert steps(bench.events)[-1] == 2000
    assert kept(tmp_path) == []


def test_other_inputs_begin_at_the_beginning(benches: Any) -> None:
    interrupted(benches(), {"climb": step("Climb@1", to=2000)}, after=3)
    bench = benches()
    bench.run({"climb": step("Climb@1", to=1999)})
    assert steps(bench.events)[0] == 1


def test_a_failed_call_is_not_resumed(benches: Any, tmp_path: Path) -> None:
    nodes = {"climb": step("Climb@1", to=9, fail_at=5)}
    for _ in range(2):
        bench = benches()
        with pytest.raises(RuntimeError, match="slipped"):
            bench.run(nodes)
        assert steps(bench.events) == [1, 2, 3, 4]
        assert kept(tmp_path) == []


def test_items_of_a_mapped_call_keep_apart(benches: Any, tmp_path: Path) -> None:
    nodes = {"heights": step("Heights@1"), "climb": step("Climb@1", to=link("heights.ints"))}
    bench = benches()
    result = bench.run(nodes)
    assert [len(i.data) for i in result["climb.image"]] == [3, 5]
    assert steps(bench.events) == [1, 2, 3, 1, 2, 3, 4, 5]
    assert kept(tmp_path) == []


def test_a_state_that_cannot_be_written_stops_nothing(benches: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    bench = benches()
    assert len(bench.run({"climb": step("Climb@1", to=4)})["climb.image"].data) == 4
