"""The worker as the server sees it: orders in, messages out."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodegraph.jobs import Settings, Store
from nodegraph.jobs.places import setup
from nodegraph.jobs.worker import Worker
from nodegraph.stream import Stream

PACK = """
import io
import time
from pathlib import Path

from PIL import Image

from nodegraph import Context, node


class Picture:
    def _repr_png_(self):
        file = io.BytesIO()
        Image.new("RGB", (1, 1)).save(file, "png")
        return file.getvalue()


@node(version=1)
def gate(path: str) -> str:
    \"\"\"Wait for a file.\"\"\"
    while not Path(path).exists():
        time.sleep(0.005)
    return path


@node(version=1)
def steps(ctx: Context, path: str) -> str:
    \"\"\"Say a step, wait for a file, and say two at once, of which the first has a picture.\"\"\"
    ctx.progress(1, 3)
    gate(path)
    ctx.progress(2, 3, preview=Picture)
    ctx.progress(3, 3)
    return path
"""


class Heard:
    """A worker in this process, and what it says."""

    def __init__(self, folder: Path) -> None:
        (folder / "gates.py").write_text(PACK)
        self.store = Store(folder / "data")
        self.said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.worker = Worker(setup(self.store, Settings(packs=(folder / "gates.py",))), self.said.put)

    def run(self, job: str, document: str | None, checked: int | None = None) -> None:
        order: dict[str, Any] = {
            "do": "run",
            "job": job,
            "models": [],
            "targets": [],
            "checked": checked,
            "document": document,
        }
        self.worker.order(order)

    def end(self) -> tuple[str, str, set[str]]:
        """The next end of a job: its id, its state, and the nodes of which something was told."""
        nodes: set[str] = set()
        while "end" not in (message := self.said.get(timeout=60)):
            nodes |= message.get("states", {}).keys()
        return message["job"], message["end"]["state"], nodes | message.get("states", {}).keys()


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    made = Heard(tmp_path)
    yield made
    made.store.close()


def document(**nodes: dict[str, Any]) -> str:
    return json.dumps({"format": "nodegraph/1", "nodes": nodes})


def text(content: str) -> dict[str, Any]:
    return {"type": "Text@1", "inputs": {"text": content}}


def test_what_was_checked_runs_without_being_sent_again(heard: Heard) -> None:
    sent = document(a=text("x"), b={"type": "JoinText@1", "inputs": {"texts": [{"$from": "a.str"}]}})
    heard.worker.order({"do": "check", "request": 7, "document": sent, "inputs": {}, "targets": []})
    assert heard.said.get(timeout=60) == {"answers": 7, "answer": {"name": "", "document": None, "models": ()}}
    heard.run("1", None, checked=7)
    assert heard.end() == ("1", "done", {"a", "b"})
    heard.run("2", document(c=text("y")), checked=None)
    assert heard.end() == ("2", "done", {"c"})


def test_a_check_says_what_inputs_made_of_the_document_and_what_is_wrong(heard: Heard) -> None:
    heard.worker.order(
        {"do": "check", "request": 1, "document": document(a=text("x")), "inputs": {"a.text": "y"}, "targets": []}
    )
    answer = heard.said.get(timeout=60)["answer"]
    assert json.loads(answer["document"])["nodes"]["a"]["inputs"] == {"text": "y"}
    heard.worker.order(
        {"do": "check", "request": 2, "document": document(a={"type": "Nope@1"}), "inputs": {}, "targets": []}
    )
    assert [p["code"] for p in heard.said.get(timeout=60)["answer"]["problems"]] == ["unknown_type"]


def test_a_job_that_waits_is_cancelled_at_once(heard: Heard, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    heard.run("1", document(a={"type": "gates/Gate@1", "inputs": {"path": str(gate)}}))
    heard.run("2", document(b=text("x")))
    heard.worker.order({"do": "cancel", "job": "2"})
    assert heard.end() == ("2", "cancelled", set())
    gate.touch()
    heard.run("3", document(c=text("x")))
    assert [heard.end()[:2] for _ in range(2)] == [("1", "done"), ("3", "done")]


def test_a_preview_is_not_lost_to_the_next_report(heard: Heard, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    heard.run("1", document(a={"type": "gates/Steps@1", "inputs": {"path": str(gate)}}))
    told: list[tuple[int, bool]] = []
    while "end" not in (message := heard.said.get(timeout=60)):
        told += [(fields["step"], "preview" in fields) for fields in message.get("progress", ())]
        gate.touch()
    told += [(fields["step"], "preview" in fields) for fields in message.get("progress", ())]
    assert told == [(1, False), (3, True)]


def test_what_was_put_is_gathered_and_the_end_is_waited_for_no_longer() -> None:
    stream: Stream[int] = Stream()
    assert stream.gather(0.0, 0.0) == ([], True)
    stream.put(1)
    assert stream.gather(0.0) == ([1], True)
    stream.put(2)
    stream.close()
    assert stream.gather(3600.0) == ([2], False)
