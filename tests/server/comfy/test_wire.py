"""ComfyUI's routes and websocket, with the shipped model in a real worker of a real server."""

from __future__ import annotations

import asyncio
import io
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from PIL import Image

from interop.kinds import FILES
from interop.test_opening import damaged
from interop.wirings import IMG2IMG, Prompt, checkpoint, empty, node, sampler, text
from server.service import Answer, Service

TXT2IMG: Prompt = {
    "3": sampler("4.0", "6.0", "7.0", "5.0", 12, 4, 4.0, "euler"),
    "4": checkpoint("demo"),
    "5": empty(64),
    "6": text("4.1", "a cat on a blue background"),
    "7": text("4.1", ""),
    "8": node("VAEDecode", samples_="3.0", vae_="4.2"),
    "9": node("SaveImage", filename_prefix="ComfyUI", images_="8.0"),
}


def seeded(seed: int, steps: int = 4, prompt: Prompt = TXT2IMG, more: Prompt | None = None) -> Prompt:
    made: Prompt = json.loads(json.dumps({**prompt, **(more or {})}))
    made["3"]["inputs"] |= {"seed": seed, "steps": steps}
    return made


def picture(colour: str, size: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "png")
    return file.getvalue()


def form(data: bytes, name: str, **fields: str) -> tuple[bytes, str]:
    parts = [f'Content-Disposition: form-data; name="{k}"\r\n\r\n{v}'.encode() for k, v in fields.items()]
    head = f'Content-Disposition: form-data; name="image"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    whole = b"".join(b"--edge\r\n" + part + b"\r\n" for part in [*parts, head.encode() + data]) + b"--edge--\r\n"
    return whole, "multipart/form-data; boundary=edge"


def upload(service: Service, route: str, data: bytes, name: str, **fields: str) -> Answer:
    body, kind = form(data, name, **fields)
    return service.ask("POST", route, body, {"Content-Type": kind})


def ended(service: Service, id: str) -> Any:
    return service.until(lambda: service.get(f"/history/{id}").json.get(id))


class Heard:
    """What a client hears through the websocket until its prompt has ended."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.pictures: list[tuple[int, int, bytes, str | None]] = []

    @property
    def types(self) -> list[str]:
        return [type for type, _ in self.messages]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [data for t, data in self.messages if t == type]


async def _listen(
    service: Service, prompt: Prompt, flags: bool, previews: str, act: Callable[[str, Heard], None] | None
) -> Heard:
    heard = Heard()
    current: str | None = None
    address = f"http://{service.host}:{service.port}"
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}/ws?clientId=me") as socket:
        await socket.send_str(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": flags}}))
        asked = {"prompt": prompt, "client_id": "me", "extra_data": {"preview_method": previews}}
        # As script clients do: no content type at all.
        async with session.post(f"{address}/prompt", data=json.dumps(asked)) as answer:
            id = (await answer.json())["prompt_id"]
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                event, second = struct.unpack(">II", message.data[:8])
                heard.pictures.append((event, second, message.data[8:], current))
                continue
            said = json.loads(message.data)
            heard.messages.append((said["type"], said["data"]))
            if said["type"] == "executing":
                current = said["data"]["node"]
                if current is None and said["data"]["prompt_id"] == id:
                    break
            if act is not None:
                act(id, heard)
    return heard


def listen(
    service: Service,
    prompt: Prompt,
    flags: bool = False,
    previews: str = "none",
    act: Callable[[str, Heard], None] | None = None,
) -> Heard:
    return asyncio.run(asyncio.wait_for(_listen(service, prompt, flags, previews, act), 60))


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that begins no jobs."""
    made = Service(tmp_path_factory.mktemp("paused") / "data")
    made.post("/api/queue/pause")
    yield made
    assert made.stop() == 0


def test_a_prompt_is_told_in_their_order_and_its_picture_is_there(service: Service) -> None:
    heard = listen(service, seeded(1))
    told = [t for t in heard.types if t not in ("status", "progress", "progress_state", "feature_flags")]
    assert told[:2] == ["execution_start", "execution_cached"]
    assert not heard.pictures
    assert told[-2:] == ["execution_success", "executing"]
    assert [d["node"] for d in heard.of("executing")][-3:] == ["8", "9", None]
    (executed,) = heard.of("executed")
    (image,) = executed["output"]["images"]
    assert (executed["node"], image["type"]) == ("9", "output")
    id = executed["prompt_id"]
    entry = service.get(f"/history/{id}").json[id]
    assert entry["outputs"] == {"9": {"images": [image]}}
    assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("success", True)
    assert entry["prompt"][1:3] == [id, seeded(1)]
    query = "&".join(f"{k}={v}" for k, v in image.items())
    for route in ("/view", "/api/view"):
        answer = service.get(f"{route}?{query}&rand=0.5")
        shown = Image.open(io.BytesIO(answer.body))
        assert (shown.size, json.loads(shown.info["prompt"])) == ((64, 64), seeded(1))
    head = service.ask("HEAD", f"/view?{query}")
    assert (head.status, head.headers["Content-Type"], head.body) == (200, "image/png", b"")
    webp = service.get(f"/view?{query}&preview=webp;50")
    assert webp.headers["Content-Type"] == "image/webp"


def test_previews_are_jpeg_and_final_pictures_of_the_socket_are_png(service: Service) -> None:
    prompt = seeded(2, 60, more={"11": node("SaveImageWebsocket", images_="8.0")})
    heard = listen(service, prompt, previews="auto")
    previews = [p for p in heard.pictures if p[1] == 1]
    assert previews
    assert all(event == 1 and data.startswith(b"\xff\xd8") for event, _, data, _ in previews)
    (final,) = [p for p in heard.pictures if p[1] == 2]
    assert (final[0], final[3]) == (1, "11")
    assert Image.open(io.BytesIO(final[2])).format == "PNG"
    steps = [d["value"] for d in heard.of("progress") if d["node"] == "3"]
    assert steps == sorted(steps)
    named = listen(service, seeded(3, 60), flags=True)
    event, length, data, _ = named.pictures[0]
    about = json.loads(data[:length])
    assert (event, about["node_id"], about["image_type"]) == (4, "3", "image/jpeg")
    assert data[length:].startswith(b"\xff\xd8")


async def _left_and_back(service: Service) -> list[tuple[str, Any]]:
    """What a client hears that goes while its prompt runs and comes back with the same id."""
    address = f"http://{service.host}:{service.port}"
    heard: list[tuple[str, Any]] = []
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{address}/ws?clientId=back") as socket:
            await session.post(f"{address}/prompt", json={"prompt": seeded(31, 300), "client_id": "back"})
            while json.loads((await socket.receive()).data)["type"] != "progress":
                pass
        async with session.ws_connect(f"{address}/ws?clientId=back") as socket:
            while not heard or heard[-1] != ("executing", None):
                said = json.loads((await socket.receive()).data)
                heard.append((said["type"], said["data"].get("node")))
    return heard


def test_a_client_that_comes_back_hears_where_its_prompt_is(service: Service) -> None:
    heard = asyncio.run(asyncio.wait_for(_left_and_back(service), 60))
    assert heard[:2] == [("status", None), ("executing", "3")]
    assert [type for type, _ in heard if type.startswith("execution")] == ["execution_success"]


def test_interrupt_ends_what_runs(service: Service) -> None:
    asked: list[str] = []

    def act(id: str, heard: Heard) -> None:
        if not asked and heard.of("progress"):
            asked.append(id)
            assert service.get("/queue").json["queue_running"][0][1] == id
            assert service.get(f"/history/{id}").json == {}
            assert service.post("/interrupt", {"prompt_id": id}).status == 200

    heard = listen(service, seeded(4, 900), act=act)
    assert heard.types[-3:] == ["execution_interrupted", "status", "executing"]
    entry = ended(service, asked[0])
    assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("error", False)


def test_a_failing_node_is_named_without_a_traceback(service: Service) -> None:
    small = seeded(5, more={"12": node("ImageCrop", width=500, height=500, x=0, y=0, image_="8.0")})
    small["9"]["inputs"]["images"] = ["12", 0]
    heard = listen(service, small)
    (error,) = heard.of("execution_error")
    assert (error["node_id"], error["node_type"], error["traceback"]) == ("12", "ImageCrop", [])
    assert "does not lie within the picture" in error["exception_message"]
    assert heard.types[-1] == "executing"


def test_errors_have_their_shapes(service: Service) -> None:
    bad = seeded(6)
    bad["3"]["inputs"] |= {"steps": 0, "sampler_name": "nonsense"}
    answer = service.post("/prompt", {"prompt": bad})
    assert (answer.status, answer.json["error"]["type"]) == (400, "prompt_outputs_failed_validation")
    errors = answer.json["node_errors"]["3"]
    assert (errors["class_type"], errors["dependent_outputs"]) == ("KSampler", ["9"])
    assert {(e["type"], e["extra_info"]["input_name"]) for e in errors["errors"]} == {
        ("value_smaller_than_min", "steps"), ("value_not_in_list", "sampler_name")
    }  # fmt: skip
    unknown = seeded(6)
    unknown["4"]["inputs"]["ckpt_name"] = "gone.safetensors"
    (error,) = service.post("/prompt", {"prompt": unknown}).json["node_errors"]["4"]["errors"]
    assert (error["type"], error["details"]) == ("value_not_in_list", "ckpt_name")
    assert service.post("/prompt", {"prompt": {}}).json["error"]["type"] == "prompt_no_outputs"
    types = {
        "no_prompt": {},
        "prompt_no_outputs": {"prompt": {"4": checkpoint("demo")}},
        "invalid_prompt": {"prompt": seeded(1, more={"8": node("Nothing", samples_="3.0")})},
        "invalid_json": [1],
    }
    for type, body in types.items():
        answer = service.post("/prompt", body)
        assert (answer.status, answer.json["error"]["type"]) == (400, type)
    missing = seeded(1, prompt=IMG2IMG)
    missing["14"]["inputs"]["ckpt_name"] = "demo"
    answer = service.post("/prompt", {"prompt": missing})
    found = [e["type"] for e in answer.json["node_errors"]["10"]["errors"]]
    assert "custom_validation_failed" in found
    assert str(service.data) not in answer.body.decode()


def test_good_outputs_run_where_others_are_wrong(service: Service) -> None:
    both = seeded(7, more={"20": node("SaveImage", filename_prefix="x", images_="21.0"), "21": node("Nothing")})
    answer = service.post("/prompt", {"prompt": both})
    assert answer.status == 200
    assert set(answer.json["node_errors"]) == {"21"}
    assert ended(service, answer.json["prompt_id"])["outputs"].keys() == {"9"}


def test_pictures_are_uploaded_by_name_and_changed(service: Service) -> None:
    first = upload(service, "/upload/image", picture("red"), "p.png", overwrite="false").json
    assert first == {"name": "p.png", "subfolder": "", "type": "input"}
    assert upload(service, "/api/upload/image", picture("red"), "p.png").json["name"] == "p.png"
    assert upload(service, "/upload/image", picture("blue"), "p.png").json["name"] == "p (1).png"
    assert "p.png" in service.get("/object_info/LoadImage").json["LoadImage"]["input"]["required"]["image"][0]
    changed = seeded(8, 3, IMG2IMG)
    changed["10"]["inputs"]["image"], changed["14"]["inputs"]["ckpt_name"] = "p.png", "demo"
    id = "0f0e0d0c-1111-2222-3333-444455556666"
    answer = service.post("/api/prompt", {"prompt": changed, "prompt_id": id})
    assert answer.json["prompt_id"] == id
    (image,) = ended(service, id)["outputs"]["9"]["images"]
    # A result is a picture to go on from.
    changed["10"]["inputs"]["image"] = f"{image['filename']} [output]"
    again = service.post("/prompt", {"prompt": changed}).json["prompt_id"]
    assert ended(service, again)["status"]["completed"]


def test_a_mask_becomes_the_transparency_of_its_original(service: Service) -> None:
    upload(service, "/upload/image", picture("green"), "o.png")
    file = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 100)).save(file, "png")
    original = json.dumps({"filename": "o.png", "subfolder": "", "type": "input"})
    answer = upload(service, "/upload/mask", file.getvalue(), "m.png", original_ref=original, subfolder="clipspace")
    assert answer.json == {"name": "m.png", "subfolder": "clipspace", "type": "input"}
    alpha = service.get("/view?filename=m.png&subfolder=clipspace&type=input&channel=a")
    assert Image.open(io.BytesIO(alpha.body)).getpixel((5, 5)) == 100
    whole = Image.open(io.BytesIO(service.get("/view?filename=clipspace/m.png&type=input").body))
    assert whole.getpixel((5, 5)) == (0, 128, 0, 100)
    refused = upload(service, "/upload/mask", file.getvalue(), "m.png", original_ref="{}")
    assert refused.status == 400


@pytest.mark.parametrize("name", ["../lock", "..%2f..%2fetc/passwd", "%2e%2e/nodegraph.db", "nodegraph.db", ""])
def test_names_reach_nothing_that_is_not_recorded(service: Service, name: str) -> None:
    for kind in ("input", "output", "temp"):
        assert service.get(f"/view?filename={name}&type={kind}").status in (400, 404)
    assert service.get(f"/view?filename=a.png&type={name or 'x'}").status == 400


def test_what_there_is(service: Service) -> None:
    info = service.get("/object_info").json
    assert {"KSampler", "LoadImage", "SaveImage", "CheckpointLoaderSimple", "SaveImageWebsocket"} <= info.keys()
    assert service.get("/api/object_info/Nothing").json == {}
    required = info["KSampler"]["input"]["required"]
    assert {"euler", "dpmpp_2m_sde_gpu", "uni_pc_bh2", "sa_solver"} <= set(required["sampler_name"][0])
    assert "unipc" not in required["sampler_name"][0]
    assert "linspace" not in required["scheduler"][0]
    assert required["steps"] == ["INT", {"default": 20, "min": 1, "max": 1000}]
    assert info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0] == ["demo"]
    assert service.get("/models/checkpoints").json == ["demo"]
    assert service.get("/models/nothing").status == 404
    stats = service.get("/system_stats").json
    assert stats["devices"][0]["type"] == "cpu"
    assert service.get("/embeddings").json == []
    assert service.get("/features").json["supports_preview_metadata"] is True
    assert service.post("/free", {"unload_models": True}).status == 200


def test_queue_and_history_survive_a_kill(start: Callable[..., Service]) -> None:
    service = start()
    done = service.post("/prompt", {"prompt": seeded(9)}).json["prompt_id"]
    ended(service, done)
    long = service.post("/prompt", {"prompt": seeded(10, 900)}).json["prompt_id"]
    waiting = service.post("/prompt", {"prompt": seeded(11), "client_id": "x"}).json["prompt_id"]
    service.until(lambda: service.get("/queue").json["queue_running"])
    service.kill()
    service.start()
    assert done in service.get("/history").json
    queue = service.get("/api/queue").json
    assert {t[1] for t in queue["queue_running"] + queue["queue_pending"]} == {long, waiting}
    assert service.get("/prompt").json["exec_info"]["queue_remaining"] == 2
    service.post("/queue", {"delete": [waiting]})
    service.until(lambda: service.get("/queue").json["queue_running"])
    service.post("/interrupt")
    service.until(lambda: service.get("/prompt").json["exec_info"]["queue_remaining"] == 0 or None)
    assert service.get("/history?max_items=1").json.keys() == {waiting}
    assert service.get("/history?max_items=1&offset=0").json.keys() == {done}
    assert service.get("/history?max_items=1&offset=1").json.keys() == {long}
    service.post("/history", {"delete": [done]})
    assert done not in service.get("/history").json
    service.post("/history", {"clear": True})
    assert service.get("/history").json == {}


def test_pages_of_other_sites_are_kept_out(service: Service) -> None:
    answer = service.ask("POST", "/prompt", {"prompt": TXT2IMG}, {"Origin": "https://evil.example"})
    assert (answer.status, answer.json["error"]["type"]) == (403, "wrong_origin")
    assert service.get("/history", Host="evil.example").status == 403
    assert service.get("/ws", Origin="https://evil.example").status == 403


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@example({"3": {"class_type": [], "inputs": {}}, "9": {"class_type": "SaveImage", "inputs": {}}})
@given(damaged())
def test_damage_is_answered_in_their_shape(paused: Service, raw: Any) -> None:
    answer = paused.post("/prompt", {"prompt": raw})
    assert answer.status in (200, 400), answer.body
    if answer.status == 400:
        assert set(answer.json["error"]) == {"type", "message", "details", "extra_info"}
    paused.post("/queue", {"clear": True})


def test_a_body_that_is_nested_too_deeply(service: Service) -> None:
    deep = b'{"prompt": {"1": {"class_type": "KSampler", "inputs": {"x": ' + b"[" * 700 + b"]" * 700 + b"}}}}"
    assert service.ask("POST", "/prompt", deep).status == 400


def test_the_native_routes_take_their_files_too(service: Service) -> None:
    unknown = seeded(12, more={"30": node("MadeUpLoader", name="x.safetensors")})
    opened = service.ask("POST", "/api/open", json.dumps(unknown).encode(), {"Content-Type": "application/json"})
    assert opened.status == 200
    assert opened.json["document"]["nodes"]["k_sampler_3"]["type"] == "Sample@1"
    assert [note["node"] for note in opened.json["notes"]] == ["made_up_loader_30"]
    job = service.post("/api/jobs?wait=true", {"document": seeded(12)}).json
    assert (job["state"], job["nodes"]["save_image_9"]["state"]) == ("done", "done")
    assert service.get("/api/queue").json["paused"] is False


def test_every_kind_of_their_files_is_a_job(service: Service) -> None:
    made = {}
    for name, data in FILES.items():
        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        job = service.ask("POST", "/api/jobs?wait=true", data, {"Content-Type": kind}).json
        assert job["state"] == "done", (name, job)
        made[name] = service.get(f"/api/results/{job['results'][0]}/image").body
    assert len({Image.open(io.BytesIO(data)).tobytes() for name, data in made.items() if "a1111" not in name}) == 1
