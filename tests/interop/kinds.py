"""One workflow as every kind of file that people have of it."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from interop.wirings import Prompt, checkpoint, decoded, empty, sampler, text
from nodegraph.interop.classes import known_classes

WORDS = "a cat on a blue background"
PROMPT: Prompt = {
    "4": checkpoint("demo"),
    "5": empty(128),
    "6": text("4.1", WORDS),
    "7": text("4.1", "a dog"),
    "3": sampler("4.0", "6.0", "7.0", "5.0", 7, 2, 3.0, "euler", "karras"),
    **decoded("3.0", "4.2", "8", "9"),
}
INFOTEXT = f"{WORDS}\nNegative prompt: a dog\nSteps: 2, Sampler: Euler, Schedule type: Karras, CFG scale: 3, Seed: 7, \
Size: 128x128, Model: demo"


def canvas(prompt: Prompt, version: float = 0.4) -> dict[str, Any]:
    """A prompt as ComfyUI's editor keeps it: values by place, with what buttons hold between them."""
    nodes: list[dict[str, Any]] = []
    links: list[list[Any]] = []
    for number, (id, item) in enumerate(prompt.items()):
        known, ports, values = known_classes()[item["class_type"]], [], []
        for port in known.inputs.values():
            given = item["inputs"].get(port.name)
            if isinstance(given, list):
                ports.append({"name": port.name, "type": port.type, "link": len(links) + 1})
                source = known_classes()[prompt[given[0]]["class_type"]].outputs[given[1]][1]
                links.append([len(links) + 1, int(given[0]), given[1], int(id), len(ports) - 1, source])
            if port.widget:
                values += [port.default if isinstance(given, list) else given, *(["randomize"] * port.control)]
                values += ["image"] * port.upload
        nodes.append({
            "id": int(id), "type": item["class_type"], "pos": [300 * number, 0], "size": [250, 120], "flags": {},
            "order": number, "mode": 0, "inputs": ports, "properties": {}, "widgets_values": values,
            "outputs": [{"name": name, "type": type, "links": []} for name, type in known.outputs],
        })  # fmt: skip
    made: dict[str, Any] = {"version": version, "nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {}}
    if version == 1:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        made["links"] = [dict(zip(keys, link, strict=True)) for link in links]
        return made | {"state": {"lastNodeId": 9, "lastLinkId": len(links), "lastGroupId": 0, "lastRerouteId": 0}}
    return made | {"last_node_id": 9, "last_link_id": len(links)}


def png(**texts: str) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (16, 16)).save(file, "png", pnginfo=info)
    return file.getvalue()


def webp(**texts: str) -> bytes:
    picture, file = Image.new("RGB", (16, 16)), io.BytesIO()
    exif = picture.getexif()
    for tag, key in ((0x0110, "prompt"), (0x010F, "workflow")):
        if key in texts:
            exif[tag] = f"{key}:{texts[key]}"
    picture.save(file, "webp", exif=exif)
    return file.getvalue()


API, OLD, NEW = json.dumps(PROMPT), json.dumps(canvas(PROMPT)), json.dumps(canvas(PROMPT, 1))
FILES: dict[str, bytes] = {
    "api.json": API.encode(),
    "request.json": json.dumps({"prompt": PROMPT, "client_id": "x"}).encode(),
    "drawn 0.4.json": OLD.encode(),
    "drawn 1.json": NEW.encode(),
    "api.png": png(prompt=API),
    "drawn.png": png(workflow=OLD),
    "both.png": png(prompt=API, workflow=NEW),
    "api.webp": webp(prompt=API),
    "drawn.webp": webp(workflow=OLD),
    "both.webp": webp(prompt=API, workflow=NEW),
    "a1111.txt": INFOTEXT.encode(),
    "a1111.png": png(parameters=INFOTEXT),
}
