"""Sweeps over HTTP: a job for each cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import changed, link, step
from server.service import Service, toys
from toy import TXT2IMG

SAVED = {**TXT2IMG, "keep": step("Keep@1", image=link("decode.image"))}
INPUTS = {"prompt": {"to": ["prompt.text"]}, "seed": {"to": ["sample.seed"]}}


def ask(service: Service, path: str = "/api/sweeps", nodes: dict[str, Any] = SAVED, **rest: Any) -> Any:
    return service.post(path, {"document": {"nodes": toys(nodes), "inputs": INPUTS}, **rest})


def test_every_cell_is_a_job_in_its_place(service: Service) -> None:
    made = ask(service, axes={"prompt": "a {red|blue} cat", "sample.cfg": [4.0, 7.0]})
    assert made.status == 201, made.body
    sweep = made.json
    assert sweep["axes"] == [
        {"name": "prompt", "values": ["a red cat", "a blue cat"]},
        {"name": "sample.cfg", "values": [4.0, 7.0]},
    ]
    assert sorted(c["place"] for c in sweep["cells"]) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    for cell in sweep["cells"]:
        job = service.until_state(cell["job"]["id"], "done")
        assert job["inputs"] == cell["inputs"]
        assert job["document"]["nodes"]["prompt"]["inputs"]["text"] == cell["inputs"]["prompt"]
    again = service.get(f"/api/sweeps/{sweep['id']}").json
    assert all(len(c["job"]["results"]) == 1 for c in again["cells"])
    assert [c["place"] for c in again["cells"]] == [c["place"] for c in sweep["cells"]]
    listed = service.get("/api/sweeps").json["sweeps"]
    assert listed[0]["id"] == sweep["id"]
    assert len(listed[0]["jobs"]) == 4


def test_values_are_counted_zipped_and_taken_line_by_line(service: Service) -> None:
    axes = {"seed": "0..2, 9", "prompt": "one, two\nthree\n\nfour {a|b}"}
    size = ask(service, "/api/sweeps/size", axes=axes)
    assert size.json["cells"] == 16
    assert [a["values"] for a in size.json["axes"]] == [[0, 1, 2, 9], ["one, two", "three", "four a", "four b"]]
    assert ask(service, "/api/sweeps/size", axes=axes, mode="zip").json["cells"] == 4
    assert ask(service, "/api/sweeps/size", axes={**axes, "seed": "1"}, mode="zip").status == 422


def test_the_same_key_is_the_same_sweep(service: Service) -> None:
    first = ask(service, axes={"seed": "31..32"}, key="a sweep")
    again = ask(service, axes={"seed": "31..32"}, key="a sweep")
    assert (first.status, again.status) == (201, 200)
    assert [c["job"]["id"] for c in again.json["cells"]] == [c["job"]["id"] for c in first.json["cells"]]


def test_one_cell_that_cannot_run_refuses_all(service: Service) -> None:
    before = service.get("/api/jobs?limit=1").json["jobs"][0]["id"]
    for axes, code in (
        ({"sample.steps": [1, 0]}, "bad_value"),
        ({"sample.stps": [1]}, "unknown_input"),
        ({"seed": "3..1"}, "bad_sweep"),
        ({"prompt": "@/etc/passwd"}, "bad_sweep"),
        ({"prompt": "{@/etc/passwd}"}, "bad_sweep"),
        ({"seed": "0..1500"}, "bad_sweep"),
    ):
        answer = ask(service, axes=axes)
        assert answer.status == 422, answer.body
        assert answer.json["error"]["problems"][0]["code"] == code
    assert ask(service, axes={}).status == 400
    assert service.get("/api/jobs?limit=1").json["jobs"][0]["id"] == before


def test_a_sweep_is_cancelled_as_one(start: Callable[..., Service]) -> None:
    service = start()
    slow = changed(changed(SAVED, "sample.steps", 1000), "sample.pause", 0.01)
    sweep = ask(service, nodes=slow, axes={"seed": "0..5"}).json
    service.until_progress(sweep["cells"][0]["job"]["id"])
    service.post(f"/api/sweeps/{sweep['id']}/cancel")
    for cell in sweep["cells"]:
        assert service.until_state(cell["job"]["id"], "cancelled", "done", "failed")["state"] == "cancelled"
    assert service.get("/api/sweeps/0000000000000000").status == 404
