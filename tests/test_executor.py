from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import toy
from harness import Bench, changed, link, ran, step
from nodegraph import Cancelled, Context, Engine, Folders, Lazy, NodeError, Registry, RunFailed, node
from nodegraph.events import Cached, Event, Failed, Finished, Progress, Saved, Skipped, Started, Warned
from toy import TXT2IMG


class Heavy:
    nbytes = 10**12  # more than the memory cache keeps


def test_runs_in_order_and_reports_progress(bench: Bench) -> None:
    result = bench.run(TXT2IMG)
    assert bench.ran == ["model", "prompt", "sample", "decode"]
    assert [e.step for e in bench.events if isinstance(e, Progress) and not e.what] == [1, 2, 3, 4, 5]
    assert [e.what for e in bench.events if isinstance(e, Progress) and e.what] == ["loading toy"]
    assert result["decode.image"].data[0] == pytest.approx(7.0)


def test_second_run_touches_only_the_target(bench: Bench) -> None:
    bench.run(TXT2IMG)
    bench.run(TXT2IMG)
    assert bench.events == [Cached("decode")]


def test_a_change_runs_what_is_below_it(bench: Bench) -> None:
    bench.run(TXT2IMG)
    bench.run(changed(TXT2IMG, "sample.steps", 6))
    assert bench.ran == ["sample", "decode"]
    assert set(bench.cached) == {"model", "prompt"}


def test_only_what_the_targets_need_runs(bench: Bench) -> None:
    bench.run({**TXT2IMG, "other": step("Picture@1")}, targets=["prompt"])
    assert bench.ran == ["model", "prompt"]


def test_depth_first_on_one_lane(bench: Bench) -> None:
    nodes = {"model": TXT2IMG["model"]}
    for b in "ab":
        nodes[f"p{b}"] = step("EncodePrompt@1", model=link("model.model"), text=b)
        nodes[f"s{b}"] = step("Sample@2", model=link("model.model"), positive=link(f"p{b}.conditioning"))
        nodes[f"d{b}"] = step("Decode@1", model=link("model.model"), latent=link(f"s{b}.latent"))
    bench.run(nodes)
    assert bench.ran[1:] == ["pa", "sa", "da", "pb", "sb", "db"]


def test_list_maps_then_joins(bench: Bench) -> None:
    nodes = {
        "many": step("Many@1", n=3),
        "inverted": step("Invert@1", image=link("many.images")),
        "again": step("Invert@1", image=link("inverted.image")),
        "join": step("Join@1", images=link("again.image")),
    }
    assert bench.run(nodes)["join.image"].data == (0.0, 1.0, 2.0)


def test_several_links_gather_into_a_list_in_order(bench: Bench) -> None:
    nodes = {
        "one": step("Picture@1", value=7.0),
        "many": step("Many@1", n=2),
        "join": step("Join@1", images=[link("one.image"), link("many.images"), link("one.image")]),
    }
    assert bench.run(nodes)["join.image"].data == (7.0, 0.0, 1.0, 7.0)


def test_coercion_lift_and_mapped_coercion(bench: Bench) -> None:
    nodes = {
        "many": step("Many@1", n=2),
        "grow": step("Grow@1", mask=link("many.images"), by=2),
        "join": step("Join@1", images=link("grow.mask")),
        "single": step("Grow@1", mask=link("join.image")),
        "lifted": step("Join@1", images=link("single.mask")),
    }
    assert bench.run(nodes, targets=["lifted"])["lifted.image"].data == (0.0, 0.0, 1.0, 1.0)


def test_zipped_lists_of_unequal_length_are_an_error(bench: Bench) -> None:
    nodes = {
        "two": step("Many@1", n=2),
        "three": step("Many@1", n=3),
        "blend": step("Blend@1", a=link("two.images"), b=link("three.images")),
    }
    with pytest.raises(RunFailed, match=r"blend.b: .*a has 2, b has 3"):
        bench.run(nodes)


def test_int_enters_a_float_port(bench: Bench) -> None:
    assert bench.run({"a": step("Add@1", a=3), "h": step("Half@1", value=link("a.int"))})["h.float"] == 2.0


def test_the_lazy_branch_that_is_not_taken_never_runs(bench: Bench) -> None:
    nodes = {
        **TXT2IMG,
        "other": step("Sample@2", model=link("model.model"), positive=link("prompt.conditioning"), seed=9),
        "switch": step("Switch@1", on=True, yes=link("sample.latent"), no=link("other.latent")),
        "decode": step("Decode@1", model=link("model.model"), latent=link("switch.value")),
    }
    bench.run(nodes)
    assert "sample" in bench.ran
    assert "other" not in bench.ran


def test_lazy_inputs_in_a_chain_of_switches(bench: Bench) -> None:
    nodes: dict[str, Any] = {"p0": step("Picture@1", value=3.0), "bad": step("Boom@1")}
    for i in range(1, 50):
        nodes[f"p{i}"] = step("Switch@1", on=i % 2 == 0, yes=link(f"p{i - 1}.{out(i - 1)}"), no=link("bad.image"))
        if i % 2:
            nodes[f"p{i}"]["inputs"] |= {"yes": link("bad.image"), "no": link(f"p{i - 1}.{out(i - 1)}")}
    assert bench.run(nodes, targets=["p49"])["p49.value"].data == (3.0,)


def out(i: int) -> str:
    return "value" if i else "image"


def test_failure_of_a_lazy_input_fails_once(bench: Bench) -> None:
    nodes = {"bad": step("Boom@1"), "s": step("Switch@1", on=True, yes=link("bad.image"), no=link("bad.image"))}
    with pytest.raises(RunFailed, match=r"^bad: ValueError: no luck$"):
        bench.run(nodes)
    assert [e for e in bench.events if isinstance(e, Failed | Skipped)] == [
        Failed("bad", None, "ValueError: no luck"),
        Skipped("s", "bad"),
    ]


def test_failure_skips_what_depends_on_it_and_spares_the_rest(bench: Bench) -> None:
    nodes = {
        "bad": step("Boom@1"),
        "below": step("Invert@1", image=link("bad.image")),
        "lower": step("Invert@1", image=link("below.image")),
        "good": step("Add@1", a=1),
    }
    with pytest.raises(RunFailed) as caught:
        bench.run(nodes)
    assert str(caught.value) == "bad: ValueError: no luck"
    assert isinstance(caught.value.errors["bad"], ValueError)
    assert Skipped("below", "bad") in bench.events
    assert Skipped("lower", "bad") in bench.events
    assert Finished("good", 0.0) in bench.events
    bench.run(nodes, targets=["good"])
    assert bench.ran == []


def test_a_node_error_names_its_port(tmp_path: Path) -> None:
    @node(version=1)
    def picky(a: int) -> int:
        """Refuse."""
        raise NodeError("needs an even number, given 3; use 2 or 4", port="a")

    bench = Bench(tmp_path, nodes=[picky])
    with pytest.raises(RunFailed, match=r"^p\.a: needs an even number"):
        bench.run({"p": step("Picky@1", a=3)})
    assert Failed("p", "a", "needs an even number, given 3; use 2 or 4") in bench.events


def test_cancel_stops_inside_a_node(bench: Bench) -> None:
    run = bench.engine.start(bench.read(changed(changed(TXT2IMG, "sample.steps", 1000), "sample.pause", 0.002)))
    began = time.perf_counter()
    events: list[Event] = []
    for event in run:
        events.append(event)
        if isinstance(event, Progress) and event.step == 3:
            run.cancel()
    with pytest.raises(Cancelled):
        run.outputs()
    assert time.perf_counter() - began < 1.5
    assert Skipped("decode", "") in events or Skipped("decode", "cancelled") in events


def test_a_cancelled_run_keeps_what_finished_and_frees_the_lane(bench: Bench) -> None:
    slow = changed(changed(TXT2IMG, "sample.steps", 1000), "sample.pause", 0.002)
    run = bench.engine.start(bench.read(slow))
    for event in run:
        if isinstance(event, Progress) and event.step == 3 and not event.what:
            run.cancel()
    bench.run(TXT2IMG)
    assert bench.ran == ["sample", "decode"]


def test_cancel_reaches_an_async_node(tmp_path: Path) -> None:
    @node(version=1)
    async def sleeper(a: int) -> int:
        """Sleep."""
        await asyncio.sleep(60)
        return a

    bench = Bench(tmp_path, nodes=[sleeper])
    run = bench.engine.start(bench.read({"s": step("Sleeper@1", a=1), "n": step("Add@1", a=link("s.int"))}))
    for event in run:
        if isinstance(event, Started):
            run.cancel()
    with pytest.raises(Cancelled):
        run.outputs()


def test_async_iteration_streams_the_same_events(bench: Bench) -> None:
    async def follow() -> list[Event]:
        return [event async for event in bench.engine.start(bench.read(TXT2IMG))]

    events = asyncio.run(follow())
    assert ran(events) == ["model", "prompt", "sample", "decode"]
    bench.run(TXT2IMG)
    assert bench.events == [Cached("decode")]


def test_cpu_nodes_run_side_by_side(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)

    @node(version=1)
    def meet(i: int) -> int:
        """Wait for another."""
        return both.wait() and i

    bench = Bench(tmp_path, nodes=[meet], lanes={"cpu": 2})
    bench.run({"a": step("Meet@1", i=1), "b": step("Meet@1", i=2)})
    assert sorted(bench.ran) == ["a", "b"]


def test_the_gpu_lane_is_shared_by_runs(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    @node(version=1, lane="gpu")
    def alone(i: int) -> int:
        """Occupy the device."""
        inside.append(i)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(i)
        return i

    bench = Bench(tmp_path, nodes=[alone])
    runs = [
        bench.engine.start(bench.read({f"n{j}": step("Alone@1", i=10 * i + j) for j in range(3)})) for i in range(3)
    ]
    for run in runs:
        run.outputs()
    assert max(most) == 1
    assert len(most) == 9


def test_results_are_dropped_after_their_last_consumer(tmp_path: Path) -> None:
    import gc
    import weakref

    alive: list[weakref.ref[Any]] = []

    @node(version=1)
    def heavy(i: int) -> Heavy:
        """Make something large."""
        gc.collect()
        most.append(sum(r() is not None for r in alive))
        made = Heavy()
        alive.append(weakref.ref(made))
        return made

    @node(version=1)
    def lighten(heavy: Heavy, after: int = 0) -> int:
        """Use it."""
        return 1

    most: list[int] = []
    bench = Bench(tmp_path, nodes=[heavy, lighten], lanes={"cpu": 1})
    nodes: dict[str, Any] = {}
    for i in range(4):
        nodes[f"h{i}"] = step("Heavy@1", i=i)
        nodes[f"l{i}"] = step("Lighten@1", heavy=link(f"h{i}.heavy"))
    nodes["sum"] = step("Add@1", a=link("l0.int"), b=link("l1.int"))
    bench.run(nodes)
    assert max(most) <= 1


def test_impure_nodes_run_each_time_and_so_does_what_they_feed(bench: Bench) -> None:
    nodes = {"n": step("Now@1"), "h": step("Half@1", value=link("n.float"))}
    first = bench.run(nodes)["h.float"]
    assert bench.run(nodes)["h.float"] != first
    assert bench.ran == ["n", "h"]


def test_a_sink_writes_the_next_free_name_with_the_document(bench: Bench) -> None:
    nodes = {"p": step("Picture@1"), "keep": step("Keep@1", image=link("p.image"))}
    document = {"inputs": {"value": {"to": ["p.value"]}}}
    first = bench.run(nodes, {"value": 4.0}, **document)
    second = bench.run(nodes, {"value": 5.0}, **document)
    assert [f.name for f in first.files + second.files] == ["toy_00001.txt", "toy_00002.txt"]
    assert [e for e in bench.events if isinstance(e, Saved)] == [Saved("keep", str(second.files[0]))]
    pixels, _, text = second.files[0].read_text().partition("\n")
    assert pixels == "(5.0,)"
    again = bench.engine.read(__import__("json").loads(text))
    assert again.nodes["p"].inputs["value"] == 5.0
    assert not list((first.files[0].parent).glob("*.part"))


def test_out_of_memory_drops_idle_models_and_tries_once_more(tmp_path: Path) -> None:
    tries: list[int] = []

    @node(version=1, lane="gpu")
    def tight(ctx: Context, a: int) -> int:
        """Fail the first time."""
        with ctx.lease(toy.Weights("idle")):
            pass
        tries.append(a)
        if len(tries) == 1:
            raise MemoryError
        return a

    bench = Bench(tmp_path, nodes=[tight])
    assert bench.run({"t": step("Tight@1", a=5)})["t.int"] == 5
    assert Warned("t", "out of memory; dropped idle and tries once more") in bench.events


def test_out_of_memory_goes_on_in_parts_and_at_last_says_what_is_in_use(tmp_path: Path) -> None:
    tries: list[bool] = []

    @node(version=1, lane="gpu")
    def tight(ctx: Context, needs: int) -> int:
        """Work in parts where memory is tight."""
        with ctx.lease(toy.Weights("own")):
            tries.append(ctx.tight)
            if needs > len(tries):
                raise MemoryError("no room")
        return needs

    bench = Bench(tmp_path, nodes=[tight])
    assert bench.run({"t": step("Tight@1", needs=3)})["t.int"] == 3
    assert tries == [False, False, True]
    told = [event.message for event in bench.events if isinstance(event, Warned)]
    assert told == ["out of memory; dropped own and tries once more", "out of memory again; tries in parts"]
    tries.clear()
    said = r"memory ran out, in parts too \(MemoryError: no room\); in use beside it: other"
    with bench.engine._machinery.pool.lease(toy.Weights("other")), pytest.raises(RunFailed, match=said):
        bench.run({"t": step("Tight@1", needs=9)})
    assert len(tries) == 3


def test_lazy_source_shared_with_an_eager_consumer_runs_once(tmp_path: Path) -> None:
    @node(version=1)
    async def late(value: Lazy[float], gate: float) -> float:
        """Ask for one input only after another is there."""
        return await value + gate

    bench = Bench(tmp_path, nodes=[late], memory=0)
    nodes = {
        "n": step("Now@1"),
        "a": step("Half@1", value=link("n.float")),
        "b": step("Half@1", value=link("a.float")),
        "late": step("Late@1", value=link("a.float"), gate=link("b.float")),
    }
    bench.run(nodes)
    assert sorted(bench.ran) == ["a", "b", "late", "n"]


def test_a_chain_longer_than_the_interpreters_stack(bench: Bench) -> None:
    nodes = {"n0": step("Add@1", a=0)} | {f"n{i}": step("Add@1", a=link(f"n{i - 1}.int")) for i in range(1, 5000)}
    assert bench.run(nodes)["n4999.int"] == 5000
    failing = {"n0": step("Boom@1")} | {
        f"n{i}": step("Invert@1", image=link(f"n{i - 1}.image")) for i in range(1, 5000)
    }
    with pytest.raises(RunFailed):
        bench.run(failing)


def test_a_pack_is_prepared_once_before_any_thread_starts(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # of other tests' engines
    calls: list[set[threading.Thread]] = []
    pack = replace(toy.pack(), prepare=lambda: calls.append(set(threading.enumerate()) - before))
    with Engine(Registry(pack), folders=Folders(base=tmp_path)) as engine:
        workflow = engine.read({"nodes": {"a": step("Picture@1", value=1.0)}})
        assert not engine.check(workflow)
        assert not calls
        engine.run(workflow)
        engine.run(workflow)
        assert set(threading.enumerate()) - before
    assert calls == [set()]
