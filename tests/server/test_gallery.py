"""Results: found by words and filters, by likeness, starred, deleted, packed; and pictures that are sent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from harness import changed, link, step
from nodegraph.jobs.likeness import likeness, perceptual_hash
from samples import ellipses
from server.pictures import chunk, png
from server.service import Service
from server.test_jobs_api import SAVED


def send(service: Service, data: bytes) -> str:
    answer = service.ask("POST", "/api/uploads", data, {"Content-Type": "image/png"})
    assert answer.status == 201, answer.body
    return str(answer.json["name"])


def saving(upload: str, name: str = "copy") -> dict[str, Any]:
    """A workflow that saves a picture that was sent."""
    return {
        "name": "Copy",
        "nodes": {
            "load": step("LoadImage@1", file=upload),
            "save": step("SaveImage@1", image=link("load.image"), name=name),
        },
        "inputs": {"file": {"to": ["load.file"], "title": "Picture"}},
        "outputs": {"image": link("load.image")},
    }


def run(service: Service, document: dict[str, Any], **rest: Any) -> dict[str, Any]:
    answer = service.post("/api/jobs?wait=1&timeout=50", {"document": document, **rest})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    assert made["state"] == "done", made["error"]
    return made


def ids(service: Service, query: str) -> list[str]:
    return [r["id"] for r in service.get(f"/api/results?{query}").json["results"]]


def test_words_of_the_prompt_find_results(start: Callable[..., Service]) -> None:
    service = start()
    made = {
        text: service.submit(changed(changed(SAVED, "prompt.text", text), "model.source", model))["results"][0]
        for text, model in (("a red fox in snow", "first"), ("two foxes, évening", "second"), ("a ship", "second"))
    }
    fox, foxes, ship = made.values()
    assert ids(service, "q=fox") == [foxes, fox]
    assert ids(service, "q=snow+red") == [fox]
    assert ids(service, "q=EVENING") == [foxes]
    assert ids(service, "q=%22%29*+OR") == []
    assert ids(service, "q=") == [ship, foxes, fox]
    assert ids(service, "limit=1") == [ship]
    assert service.get("/api/results?limit=2").json["next"] == service.get(f"/api/results/{foxes}").json["number"]
    assert service.get("/api/results?limit=3").json["next"] is None
    number = service.get(f"/api/results/{ship}").json["number"]
    assert ids(service, f"before={number}") == [foxes, fox]
    assert ids(service, "since=1&until=2") == []
    assert service.ask("PATCH", f"/api/results/{fox}", {"starred": True}).json["starred"] is True
    assert ids(service, "starred=1") == [fox]
    assert ids(service, "starred=0") == [ship, foxes]


def test_a_saved_picture_is_shown_and_its_workflow_opens_again(service: Service) -> None:
    upload = send(service, png(40, 30))
    job = run(service, saving(upload))
    (id,) = job["results"]
    result = service.get(f"/api/results/{id}").json
    assert (result["width"], result["height"], result["workflow"]) == (40, 30, "Copy")
    assert id in ids(service, "width=40&height=30")
    assert id not in ids(service, "width=30&height=40")
    image = service.get(result["url"])
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    asked = service.ask("HEAD", result["url"])
    assert (asked.status, asked.body, asked.headers["Content-Length"]) == (200, b"", str(len(image.body)))
    assert service.get(f"{result['url']}?download=1").headers["Content-Disposition"].startswith("attachment")
    thumbnail = service.get(result["thumbnail"])
    assert Pillow.open(io.BytesIO(thumbnail.body)).size == (40, 30)
    opened = service.ask("POST", "/api/open", image.body, {"Content-Type": "image/png"}).json
    assert opened["document"]["nodes"]["load"]["inputs"]["file"] == upload
    assert service.get(f"/api/results/{id}/document").json["document"] == opened["document"]
    assert service.ask("DELETE", f"/api/results/{id}").status == 204
    assert service.get(result["url"]).status == 404
    assert list((service.data / "results" / job["id"]).iterdir()) == []


def test_a_picture_is_submitted_as_it_is(service: Service) -> None:
    """What it carries runs: our document, or ComfyUI's prompt."""
    upload = send(service, png(31, 8))
    job = run(service, saving(upload))
    image = service.get(f"/api/results/{job['results'][0]}/image").body
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": upload}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "theirs"}},
    }
    blank = png(4, 4)
    theirs = blank[:-12] + chunk(b"tEXt", b"prompt\0" + json.dumps(prompt).encode()) + blank[-12:]
    for picture in (image, theirs):
        answer = service.ask("POST", "/api/jobs?wait=1", picture, {"Content-Type": "image/png"})
        assert (answer.status, answer.json["state"]) == (201, "done"), answer.body
        (id,) = answer.json["results"]
        assert service.get(f"/api/results/{id}").json["width"] == 31
    again = service.job(answer.json["id"])
    assert [n["type"].partition("@")[0] for n in again["document"]["nodes"].values()] == ["LoadImage", "SaveImage"]
    for other, code in ((blank, "no_workflow"), (b"", "no_workflow")):
        refused = service.ask("POST", "/api/jobs", other, {"Content-Type": "image/png"})
        assert (refused.status, refused.code) == (422, code)


def test_outputs_are_pictures(service: Service) -> None:
    job = run(service, saving(send(service, png(9, 7))))
    shown = service.get(f"/api/jobs/{job['id']}/outputs/load/image")
    assert (shown.headers["Content-Type"], shown.headers["Nodegraph-Count"]) == ("image/png", "1")
    assert Pillow.open(io.BytesIO(shown.body)).size == (9, 7)
    assert service.get(f"/api/jobs/{job['id']}/outputs/load/mask?index=0").status == 200
    assert service.get(f"/api/jobs/{job['id']}/outputs/load/mask?index=1").status == 404


def test_what_looks_alike_is_found(service: Service) -> None:
    frames = [ellipses(96), np.flip(ellipses(96), axis=-1)]
    names = []
    for frame, quality in ((frames[0], None), (frames[0], 30), (frames[1], None)):
        file = io.BytesIO()
        picture = Pillow.fromarray((frame * 255).astype(np.uint8).transpose(1, 2, 0))
        picture.save(file, "png") if quality is None else picture.resize((61, 61)).save(file, "jpeg", quality=quality)
        names.append(run(service, saving(send(service, file.getvalue())))["results"][0])
    same, alike, other = names
    found = [r["id"] for r in service.get(f"/api/results/{same}/similar").json["results"]]
    assert found[0] == alike
    assert other not in found


def test_a_hash_survives_scaling_and_compression(tmp_path: Path) -> None:
    pixels = (np.random.default_rng(1).random((12, 12, 3)) * 255).astype(np.uint8)
    picture = Pillow.fromarray(pixels).resize((240, 240), Pillow.Resampling.BICUBIC)
    changed_file = tmp_path / "changed.jpg"
    picture.resize((150, 170)).save(changed_file, quality=40)
    found = likeness(changed_file)
    assert found is not None
    assert (found.width, found.height) == (150, 170)
    assert (found.hash ^ perceptual_hash(picture)).bit_count() <= 6
    turned = perceptual_hash(picture.transpose(Pillow.Transpose.ROTATE_180))
    assert (found.hash ^ turned).bit_count() > 15


def test_a_zip_holds_the_results_under_names_that_differ(service: Service) -> None:
    upload = send(service, png(5, 5))
    ids = [run(service, saving(upload, name="same"))["results"][0] for _ in range(2)]
    answer = service.post("/api/results/zip", {"ids": ids})
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        names = packed.namelist()
        assert all(packed.read(n).startswith(b"\x89PNG") for n in names)
    assert len(set(names)) == 2
    assert all(n.endswith("-same_00001.png") for n in names)


def test_uploads_by_form_and_raw_have_the_digest_as_name(service: Service) -> None:
    data = png(8, 6)
    raw = service.ask("POST", "/api/uploads", data, {"Content-Type": "image/png"}).json
    assert (raw["width"], raw["height"], raw["bytes"]) == (8, 6, len(data))
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../a.svg"\r\n\r\n' + data + b"\r\n--x--\r\n"
    )
    sent = service.ask("POST", "/api/uploads", form, {"Content-Type": "multipart/form-data; boundary=x"})
    assert sent.json == raw
    shown = service.get(f"/api/uploads/{raw['name']}")
    assert (shown.body, shown.headers["Content-Type"]) == (data, "image/png")


def test_workflows_have_versions_and_are_endpoints(service: Service) -> None:
    upload = send(service, png(6, 4))
    first, second = saving(upload, name="one"), saving(upload, name="two")
    assert service.ask("PUT", "/api/workflows/copier", {"document": first}).json["version"] == 1
    assert service.ask("PUT", "/api/workflows/copier", {"document": first}).json["version"] == 1
    assert service.ask("PUT", "/api/workflows/copier", {"document": second}).json["version"] == 2
    assert [v["version"] for v in service.get("/api/workflows/copier/versions").json["versions"]] == [2, 1]
    old = service.get("/api/workflows/copier?version=1").json
    assert old["document"]["nodes"]["save"]["inputs"]["name"] == "one"
    listed = {w["name"]: w for w in service.get("/api/workflows").json["workflows"]}
    assert (listed["copier"]["title"], listed["copier"]["version"], listed["copier"]["template"]) == ("Copy", 2, False)
    (asked,) = listed["copier"]["inputs"]
    assert (asked["name"], asked["title"], asked["value"], asked["schema"]["x-type"]) == (
        "file",
        "Picture",
        upload,
        "Path",
    )
    other = send(service, png(11, 3))
    called = service.post("/api/w/copier", {"file": other})
    assert called.status == 200
    assert list(called.json["outputs"]) == ["image"]
    assert Pillow.open(io.BytesIO(service.get(called.json["outputs"]["image"]["url"]).body)).size == (11, 3)
    assert [service.get(r["url"]).headers["Content-Type"] for r in called.json["results"]] == ["image/png"]
    assert called.json["job"]["workflow"] == "copier"
    picture = service.post("/api/w/copier", {"file": other}, Accept="image/png")
    assert Pillow.open(io.BytesIO(picture.body)).size == (11, 3)
    for body in ({"fiel": other}, {"file": 5}, {"save.name": "x"}):
        assert service.post("/api/w/copier", body).status == 422
    assert service.ask("DELETE", "/api/workflows/copier").status == 204
    assert service.get("/api/workflows/copier").status == 404


def test_the_examples_are_templates_that_stay(service: Service) -> None:
    listed = {w["name"]: w for w in service.get("/api/workflows").json["workflows"]}
    assert listed["txt2img"]["template"] is True
    assert len(listed) >= len(list((Path(__file__).parents[2] / "workflows").glob("*.json")))
    for name in (n for n, w in listed.items() if w["template"]):
        document = service.get(f"/api/workflows/{name}").json["document"]
        assert service.post("/api/check", {"document": document}).json["problems"] == []
    refused = service.ask("PUT", "/api/workflows/txt2img", {"document": document})
    assert (refused.status, refused.code) == (409, "read_only")


def test_opening_json_brings_it_up_to_date(service: Service) -> None:
    old = {"nodes": {"s": {"type": "toy/Sample@1", "inputs": {"guidance": 3.0}}}}
    opened = service.ask("POST", "/api/open", json.dumps(old).encode(), {"Content-Type": "application/json"})
    assert opened.json["document"]["nodes"]["s"] == {"type": "toy/Sample@2", "inputs": {"cfg": 3.0}}


def test_half_a_letter_is_a_problem(service: Service) -> None:
    """JSON can name one, and nothing can write it down."""
    half = b'{"nodes": {"n": {"type": "Text@1", "inputs": {"text": "a\\ud800"}}}}'
    blank = png(4, 4)
    carrier = blank[:-12] + chunk(b"tEXt", b"nodegraph\0" + half) + blank[-12:]
    for path, data, kind in (
        ("/api/open", half, "application/octet-stream"),
        ("/api/jobs", carrier, "image/png"),
        ("/api/jobs", b'{"document": ' + half + b"}", "application/json"),
    ):
        answer = service.ask("POST", path, data, {"Content-Type": kind})
        assert answer.status in (400, 422), answer.body
        assert answer.json["error"]["problems"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1}', b"[]", b"\x89PNG\r\n\x1a\n", png(2, 2), b"GIF89a" + bytes(20)]
)
def test_a_file_without_a_workflow_is_refused(service: Service, data: bytes) -> None:
    answer = service.ask("POST", "/api/open", data, {"Content-Type": "application/octet-stream"})
    assert answer.status == 422


def test_examples_have_small_pictures(service: Service) -> None:
    listed = service.get("/api/workflows").json["workflows"]
    examples = [w for w in listed if w["template"]]
    assert all(w["thumbnail"] for w in examples), "run: make thumbnails"
    answer = service.get(examples[0]["thumbnail"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
    assert service.get("/api/workflows/nothing/thumbnail").status == 404
