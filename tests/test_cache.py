from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import toy
from harness import Bench, changed, link, step
from nodegraph import node
from nodegraph.cache import Disk, Memory
from nodegraph.codec import Codec, Damaged, Unencodable, nbytes
from nodegraph.events import Warned


@dataclass(frozen=True)
class Inner:
    array: Any


@dataclass(frozen=True)
class Outer:
    inner: Inner
    names: tuple[str, ...] = ()


CODEC = Codec([Outer, toy.Image])
arrays = npst.arrays(
    st.sampled_from([np.float32, np.uint8, np.int64, np.bool_]), npst.array_shapes(min_dims=0, min_side=0)
)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.just(Path("a/b"))
)
values = st.recursive(
    plain | arrays | st.builds(Outer, st.builds(Inner, arrays), st.tuples(st.text())),
    lambda v: st.lists(v, max_size=3) | st.tuples(v, v) | st.dictionaries(st.text(), v, max_size=3),
    max_leaves=6,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, Outer | Inner):
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@given(values)
def test_values_survive_bytes(value: Any) -> None:
    assert same(CODEC.decode(CODEC.encode(value)), value)


def test_arrays_come_back_read_only() -> None:
    made = CODEC.decode(CODEC.encode(np.zeros(3)))
    assert not made.flags.writeable


@given(st.data())
def test_any_damage_is_noticed(data: st.DataObject) -> None:
    good = CODEC.encode({"a": np.arange(5), "b": "text"})
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = bytes([*good[:at], good[at] ^ data.draw(st.integers(1, 255)), *good[at + 1 :]])
    for bad in (flipped, good[:at], good + b"x"):
        with pytest.raises(Damaged):
            CODEC.decode(bad)


def test_what_has_no_bytes_or_no_known_class() -> None:
    for value in (object(), {1: 2}, toy.Mask((1.0,)), lambda: 0):
        with pytest.raises(Unencodable):
            CODEC.encode(value)
    written = Codec([toy.Mask]).encode(toy.Mask((1.0,)))
    with pytest.raises(Damaged, match="other classes"):
        CODEC.decode(written)


def test_memory_keeps_the_most_recently_used_within_its_bytes() -> None:
    each = nbytes(np.zeros(1000, np.uint8))
    memory = Memory(limit=3 * each)
    for key in "abc":
        memory.put(key, {"x": np.zeros(1000, np.uint8)})
    memory.get("a")
    memory.put("d", {"x": np.zeros(1000, np.uint8)})
    assert [k for k in "abcd" if k in memory] == ["a", "c", "d"]
    assert memory.used == 3 * each
    memory.put("huge", {"x": np.zeros(9000, np.uint8)})
    assert "huge" not in memory


KEYS = ["a" * 32, "b" * 32, "c" * 32]


def test_disk_trims_the_least_recently_used(tmp_path: Path) -> None:
    disk = Disk(tmp_path, CODEC, limit=10**9)
    for i, key in enumerate(KEYS):
        disk.put(key, {"x": np.zeros(1000, np.uint8)})
        os.utime(disk.path(key), (i, i))
    disk.get(KEYS[0])
    entry = disk.path(KEYS[0]).stat().st_size
    assert disk.size() == 3 * entry
    disk.trim(2 * entry)
    assert [k for k in KEYS if k in disk] == [KEYS[0], KEYS[2]]
    small = Disk(tmp_path, CODEC, limit=2 * entry)
    small.put("d" * 32, {"x": np.zeros(1000, np.uint8)})
    assert small.size() <= 2 * entry


def test_disk_forgets_temporary_files_of_the_dead(tmp_path: Path) -> None:
    disk = Disk(tmp_path, CODEC)
    disk.put(KEYS[0], {"x": 1})
    left = tmp_path / ".nodegraph-x"
    left.write_bytes(b"half")
    other = tmp_path / "holiday.part"
    other.write_bytes(b"not ours")
    os.utime(other, (0, 0))
    disk.trim(10**9)
    assert left.exists()
    assert disk.size() == disk.path(KEYS[0]).stat().st_size
    os.utime(left, (0, 0))
    disk.trim(0)
    assert not left.exists()
    assert other.exists()
    assert KEYS[0] not in disk


def _hammer(folder: str, seed: int) -> None:
    disk = Disk(Path(folder), CODEC, limit=30_000)
    rng = np.random.default_rng(seed)
    for _ in range(150):
        number = int(rng.integers(0, 40))
        key = f"{number:032x}"
        found = disk.get(key)
        if found is not None and not (found["x"] == number).all():
            raise SystemExit(f"{key} holds {found['x'][0]}")
        disk.put(key, {"x": np.full(1000, number, np.uint8)})


def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_hammer, args=(str(tmp_path), seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert 0 < Disk(tmp_path, CODEC).size() <= 30_000


SLOW = {
    "slow": step("Slow@1", value=3.0),
    "below": step("Invert@1", image=link("slow.image")),
}


@node(version=1)
def slow(value: float) -> toy.Image:
    """Take long enough to be worth keeping."""
    time.sleep(0.03)
    return toy.Image((value,))


def test_the_disk_survives_a_restart(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Bench(tmp_path, cache=cache, nodes=[slow]).run(SLOW)
    again = Bench(tmp_path, cache=cache, nodes=[slow])
    assert again.run(SLOW)["below.image"].data == (-2.0,)
    assert (again.ran, again.cached) == (["below"], ["slow"])
    states = {p.node: p.state for p in again.engine.plan(again.read(changed(SLOW, "below.amount", 3.0)))}
    assert states == {"slow": "memory", "below": "run"}


@node(version=1)
def slowly(image: toy.Image, amount: float = 1.0) -> toy.Image:
    """The same with an input."""
    time.sleep(0.03)
    return toy.Image(tuple(v * amount for v in image.data))


def test_what_is_read_from_disk_asks_nothing_of_its_inputs(tmp_path: Path) -> None:
    nodes = {
        "first": step("Slow@1", value=2.0),
        "left": step("Slowly@1", image=link("first.image")),
        "right": step("Slowly@1", image=link("first.image"), amount=2.0),
        "both": step("Blend@1", a=link("left.image"), b=link("right.image")),
    }
    bench = Bench(tmp_path, cache=tmp_path / "cache", nodes=[slow, slowly])
    made = bench.run(nodes)["both.image"]
    again = Bench(tmp_path, cache=tmp_path / "cache", nodes=[slow, slowly])
    assert again.run(nodes)["both.image"] == made
    assert (again.ran, sorted(again.cached)) == (["both"], ["left", "right"])
    # `first` is read for `right` alone: that `left` is read too must not let go of it
    third = Bench(tmp_path, cache=tmp_path / "cache", nodes=[slow, slowly])
    third.run(changed(nodes, "right.amount", 3.0))
    assert (third.ran, sorted(third.cached)) == (["right", "both"], ["first", "left"])


def test_a_damaged_entry_is_a_miss(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Bench(tmp_path, cache=cache, nodes=[slow]).run(SLOW)
    (entry,) = [p for p in cache.rglob("*") if p.is_file()]
    entry.write_bytes(entry.read_bytes()[:-3])
    again = Bench(tmp_path, cache=cache, nodes=[slow])
    assert again.run(SLOW)["below.image"].data == (-2.0,)
    assert again.ran == ["slow", "below"]
    assert entry.is_file()


def test_a_cheap_result_is_not_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cache=tmp_path / "cache")
    bench.run({"p": step("Picture@1")})
    assert not (tmp_path / "cache").exists()


def test_a_disk_that_refuses_does_not_stop_the_run(tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    bench = Bench(tmp_path, cache=blocked, nodes=[slow])
    assert bench.run(SLOW)["below.image"].data == (-2.0,)
    assert [e.node for e in bench.events if isinstance(e, Warned)] == ["slow"]
