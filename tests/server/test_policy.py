"""A server that looks at every picture before it leaves, on the shipped model."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness import link, step
from server.service import Service

EXAMPLE = json.loads((Path(__file__).parents[2] / "workflows" / "txt2img.json").read_text())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("guarded") / "data", "--safety", "withhold")
    yield made
    assert made.stop() == 0


def run(service: Service, document: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    answer = service.post("/api/jobs?wait=true&timeout=50", {"document": document, "inputs": inputs})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    assert made["state"] == "done", made["error"]
    return made


def test_a_saved_picture_was_looked_at_and_says_so(guarded: Service) -> None:
    with guarded.events() as events:
        job = run(guarded, EXAMPLE, steps=4)
        told = next(e for e in events if e.type == "Progress" and e.data["node"] == "sample")
    assert "preview" not in told.data
    assert job["nodes"]["checked_enlarge"]["state"] == "done"
    (id,) = job["results"]
    result = guarded.get(f"/api/results/{id}").json
    with Image.open(io.BytesIO(guarded.get(result["url"]).body)) as picture:
        document = json.loads(picture.info["nodegraph"])
    check = document["nodes"]["checked_enlarge"]
    assert check["type"].startswith("SafetyCheck@")
    assert check["inputs"] == {"image": link("enlarge.image"), "action": "withhold"}
    again = run(guarded, {k: v for k, v in document.items() if k != "receipt"})
    assert guarded.job(again["id"])["document"]["nodes"] == document["nodes"]


def test_a_picture_inside_does_not_leave(guarded: Service) -> None:
    job = run(guarded, EXAMPLE, steps=4)
    where = f"/api/jobs/{job['id']}/outputs"
    refused = guarded.get(f"{where}/decode/image")
    assert (refused.status, refused.code) == (403, "policy")
    assert "only behind its SafetyCheck" in refused.json["error"]["message"]
    assert guarded.get(f"{where}/checked_enlarge/image").body.startswith(b"\x89PNG")
    assert guarded.get(f"{where}/checked_enlarge/safe").json is True


def test_what_cannot_be_looked_at_is_not_taken(guarded: Service) -> None:
    nodes = {**EXAMPLE["nodes"], "film": step("SaveSteps@1", steps=link("sample.steps"), vae=link("model.vae"))}
    answer = guarded.post("/api/jobs", {"document": {**EXAMPLE, "nodes": nodes}})
    assert answer.status == 422
    assert [(p["code"], p["node"]) for p in answer.json["error"]["problems"]] == [("policy", "film")]


def test_the_cells_of_a_sweep_pass_it(guarded: Service) -> None:
    asked = {"document": EXAMPLE, "inputs": {"steps": 2}, "axes": {"seed": [1, 2]}}
    answer = guarded.post("/api/sweeps", asked)
    assert answer.status == 201, answer.body
    for cell in answer.json["cells"]:
        job = guarded.until_state(cell["job"]["id"], "done", "failed")
        assert job["nodes"]["checked_enlarge"]["state"] in ("done", "cached")


def test_a_job_from_before_passes_it_when_it_is_run_again(start: Callable[..., Service]) -> None:
    server = start()
    job = run(server, EXAMPLE, steps=2)
    assert not any(id.startswith("checked_") for id in job["nodes"])
    assert server.stop() == 0
    server.options = ("--safety", "withhold")
    server.start()
    assert server.get(f"/api/jobs/{job['id']}/outputs/decode/image").status == 403
    retried = server.post(f"/api/jobs/{job['id']}/retry").json
    again = server.until_state(retried["id"], "done", "failed")
    assert again["nodes"]["checked_enlarge"]["state"] == "done"


def test_comfyuis_prompts_pass_it_too(guarded: Service) -> None:
    prompt = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a cat"}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0], "seed": 1,
                "steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "theirs"}},
    }  # fmt: skip
    answer = guarded.post("/prompt", {"prompt": prompt})
    assert answer.status == 200, answer.body
    newest = guarded.get("/api/jobs?limit=1").json["jobs"][0]["id"]
    job = guarded.until_state(newest, "done", "failed")
    assert job["state"] == "done", job["error"]
    assert any(id.startswith("checked_") for id in job["nodes"])
