"""What a saved picture tells of how it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import Bench, changed, link, step
from nodegraph import Context, Engine, Folders, Pack, Registry, node
from nodegraph.cache import Disk
from nodegraph.events import Cached
from nodegraph.keys import Digests
from nodegraph.receipt import content, system, with_receipt


@dataclass(frozen=True, eq=False)
class Field:
    values: Any


@dataclass(frozen=True)
class Handle:
    path: str


@node(version=1, lane="io")
def open_handle(source: Path) -> Handle:
    """Name a file."""
    return Handle(str(source))


@open_handle.ingredients
def _beside(source: Path) -> list[Path]:
    return [source.with_suffix(".more")]


@node(version=1)
def paint(ctx: Context, handle: Handle, level: float = 0.5, slow: bool = False) -> Field:
    """Paint a field."""
    import time

    time.sleep(0.05 if slow else 0)
    ctx.note(brush="broad")
    return Field(np.full(4, level, np.float32))


@node(version=1)
def double(field: Field) -> Field:
    """Double it."""
    return Field(field.values * 2)


@node(version=1, pure=False, lane="io")
def put(ctx: Context, field: Field) -> None:
    """Write a file with the document in it."""
    ctx.save("field", ".json", ctx.document.encode())


REGISTRY = Registry(Pack("", (open_handle, paint, double, put)))
NODES = {
    "handle": step("OpenHandle@1", source="weights.bin"),
    "paint": step("Paint@1", handle=link("handle.handle"), slow=True),
    "double": step("Double@1", field=link("paint.field")),
    "aside": step("Double@1", field=link("double.field")),
    "put": step("Put@1", field=link("double.field")),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    (tmp_path / "weights.more").write_bytes(b"more")
    return tmp_path


def run(place: Path, nodes: dict[str, Any], cache: Path | None = None, engine: Engine | None = None) -> Any:
    """The receipt in the file that is written, and what was cached."""
    events: list[Any] = []
    made = engine or Engine(REGISTRY, folders=Folders(base=place, output=place / "output"), cache=cache)
    result = made.run(made.read({"nodes": nodes}), on_event=events.append)
    if engine is None:
        made.close()
    document = json.loads(result.files[0].read_text())
    return document["receipt"], [e.node for e in events if isinstance(e, Cached)]


def test_it_tells_inputs_outputs_notes_and_files_of_what_was_used_and_of_nothing_else(place: Path) -> None:
    receipt, _ = run(place, NODES)
    digests = Digests()
    assert receipt["node"] == "put"
    assert list(receipt["nodes"]) == ["handle", "paint", "double", "put"]
    paint = receipt["nodes"]["paint"]
    assert paint["inputs"] == {"level": 0.5, "slow": True}
    assert paint["notes"] == {"brush": "broad"}
    assert paint["outputs"] == {"field": content(Field(np.full(4, 0.5, np.float32)))}
    assert "outputs" not in receipt["nodes"]["handle"], "a handle only names things"
    assert receipt["files"] == {name: digests(place / name) for name in ("weights.bin", "weights.more")}
    assert receipt["system"] == dict(system())
    assert "numpy" in receipt["system"]


def test_it_is_the_same_where_results_come_from_memory_or_disk(place: Path) -> None:
    fresh, _ = run(place, NODES)
    with Engine(REGISTRY, folders=Folders(base=place, output=place / "output")) as engine:
        run(place, NODES, engine=engine)
        again, cached = run(place, NODES, engine=engine)
    assert cached == ["double"]
    assert again == fresh
    first, _ = run(place, NODES, cache=place / "cache")
    second, cached = run(place, NODES, cache=place / "cache")
    assert cached == ["paint"], "only what took its time is kept on disk"
    assert first == second == fresh


def test_a_death_between_the_writes_of_a_result_changes_no_receipt(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, _ = run(place, NODES)
    put, written = Disk.put, []

    def die_after_one(self: Disk, key: str, outputs: Any, replace: bool = False) -> None:
        written.append(key)
        if len(written) > 1:
            raise OSError("it died before")
        put(self, key, outputs, replace)

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "put", die_after_one)
        run(place, NODES, cache=place / "cache")
    assert len(written) == 2
    assert run(place, NODES, cache=place / "cache")[0] == fresh


def test_what_another_run_cached_without_a_receipt_is_told_all_the_same(place: Path) -> None:
    with Engine(REGISTRY, folders=Folders(base=place, output=place / "output")) as engine:
        engine.run(engine.read({"nodes": {k: v for k, v in NODES.items() if k != "put"}}))
        receipt, cached = run(place, NODES, engine=engine)
    assert cached == ["double"]
    fresh, _ = run(place, NODES)
    assert receipt["nodes"]["double"] == fresh["nodes"]["double"]


def test_a_document_with_a_receipt_is_the_document(bench: Bench) -> None:
    workflow = bench.read({"p": step("Picture@1")}, name="A name")
    carried = json.loads(with_receipt(workflow.to_json(), {"node": "p", "nodes": {}}))
    assert carried["receipt"] == {"node": "p", "nodes": {}}
    assert bench.engine.read(carried) == workflow
    assert "receipt" in carried, "reading leaves what it is given as it is"


def test_digests_tell_values_apart() -> None:
    values: list[Any] = [
        None, True, 1, 1.0, "1", b"1", "", [], [[]], [1, [2]], [[1], 2], {"a": 1}, {"a": "1"}, ["a", 1],
        np.zeros(2, np.float32), np.zeros(2, np.float64), np.zeros((2, 1), np.float32), np.ones(2, np.float32),
        Field(np.zeros(2, np.float32)), [Field(np.zeros(2, np.float32))],
    ]  # fmt: skip
    digests = [content(value) for value in values]
    assert None not in digests
    assert len(set(digests)) == len(values)
    assert content(np.zeros((4, 4))[::2]) == content(np.zeros((2, 4)))
    for value in (Path("a"), Handle("a"), [1, Path("a")], {"a": Handle("a")}):
        assert content(value) is None


def test_the_inputs_that_a_run_was_given_are_told(place: Path) -> None:
    receipt, _ = run(place, changed(NODES, "paint.level", 0.25))
    assert receipt["nodes"]["paint"]["inputs"]["level"] == 0.25


def test_digests_of_large_files_are_remembered_between_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodegraph.keys.SLOW", 100)
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(bytes(100))
    small.write_bytes(b"small")
    digests = Digests(tmp_path / "cache" / ".digests.json")
    found = digests(large), digests(small)
    monkeypatch.setattr("hashlib.file_digest", None)
    again = Digests(tmp_path / "cache" / ".digests.json")
    assert again(large) == found[0]
    with pytest.raises(TypeError):
        again(small)
    large.write_bytes(bytes(101))
    with pytest.raises(TypeError):
        again(large)
    (tmp_path / "cache" / ".digests.json").write_text("[1]")
    monkeypatch.undo()
    assert Digests(tmp_path / "cache" / ".digests.json")(small) == found[1]
