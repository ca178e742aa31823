"""What there is: node classes, models, the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from aiohttp import web

from ...interop import embeddings as inversions
from ...interop.classes import Class, Port, known_classes
from ...interop.names import twin_type
from ...interop.table import ENTRIES, HERE_ALONE, ON_GPU, PARTS, SHOWN, Fixed, Take, paths
from ...node import Choices, Input
from ..errors import Refused
from ..site import Site
from . import records
from .wire import wire

VERSION = "0.3.64"
"""The version of ComfyUI whose interface this is."""
FOLDERS = ("checkpoints", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "controlnet",
           "upscale_models", "embeddings", "style_models", "gligen", "hypernetworks")  # fmt: skip
LISTED = {"checkpoints": "models", "diffusion_models": "models", "vae": "models", "text_encoders": "models",
          "loras": "loras", "controlnet": "controls", "embeddings": "words", "gligen": "gligens",
          "clip_vision": "clip_visions", "style_models": "style_models",
          "upscale_models": "upscalers"}  # fmt: skip
"""The choices that are in each folder; models are not sorted by their parts here."""
EXPECTED = ("ImageOnlyCheckpointLoader",)
"""Classes without which ComfyUI's front end does not show what files other loaders have. It has none to load."""
CHANNELS = {"LoadImageMask": ("alpha", "red", "green", "blue")}
"""Choices of a class that is several nodes here."""
SOCKET = "SaveImageWebsocket"
SAVING = ("SaveImage", "SaveAnimatedWEBP", "SaveAnimatedPNG", SOCKET)


@wire("GET", "/object_info")
async def all_classes(site: Site, request: web.Request) -> web.Response:
    """Every class that prompts can use here, with what its inputs take on this server."""
    names = [name for name in known_classes() if _is_carried(site, name)]
    return web.json_response({name: describe(site, known_classes()[name]) for name in names} | {SOCKET: _socket()})


@wire("GET", "/object_info/{name}")
async def one_class(site: Site, request: web.Request) -> web.Response:
    """One class; nothing for one that is not there."""
    name = request.match_info["name"]
    if name == SOCKET:
        return web.json_response({SOCKET: _socket()})
    known = known_classes().get(name)
    return web.json_response({name: describe(site, known)} if known is not None and _is_carried(site, name) else {})


def _is_carried(site: Site, name: str) -> bool:
    return (
        name in {**ENTRIES, **dict.fromkeys(EXPECTED), **PARTS, **SHOWN}
        or site.engine.registry.get(twin_type(name)) is not None
    )


def describe(site: Site, known: Class) -> dict[str, Any]:
    """A class in ComfyUI's form."""
    inputs: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for port in known.inputs.values():
        inputs["optional" if port.optional else "required"][port.name] = _spec(site, known.name, port)
    inputs = {kind: ports for kind, ports in inputs.items() if ports or kind == "required"}
    return {
        "input": inputs,
        "input_order": {kind: list(ports) for kind, ports in inputs.items()},
        "output": [kind for _, kind in known.outputs],
        "output_is_list": [False] * len(known.outputs),
        "output_name": [name for name, _ in known.outputs],
        "name": known.name,
        "display_name": known.name,
        "description": "",
        "python_module": "nodes",
        "category": "nodegraph",
        "output_node": known.name in SAVING or known.name in SHOWN,
    }


def _socket() -> dict[str, Any]:
    """The class that sends its pictures through the websocket."""
    inputs = {"required": {"images": ["IMAGE", {}]}}
    return {
        "input": inputs, "input_order": {"required": ["images"]}, "output": [], "output_is_list": [],
        "output_name": [], "name": SOCKET, "display_name": SOCKET, "description": "", "python_module": "nodes",
        "category": "nodegraph", "output_node": True,
    }  # fmt: skip


def _spec(site: Site, class_type: str, port: Port) -> list[Any]:
    """One input: its type or its choices, and what a widget needs to know."""
    if not port.widget:
        return [port.type, {}]
    options: dict[str, Any] = {}
    if port.has_default:
        options["default"] = port.default
    if port.control:
        options["control_after_generate"] = True
    if port.upload:
        options["image_upload"] = True
    own, how = _own(site, class_type, port.name)
    if port.type == "FILES":
        listed = next((each.name for each in own.metadata if isinstance(each, Choices)), None) if own else None
        names = [] if class_type in EXPECTED else names_in(site, str(port.default))
        return [list(site.documents.choices(listed)) if listed else names, options]
    schema: Mapping[str, Any] = own.schema() if own is not None else {}
    if port.type == "COMBO":
        there = how.there if isinstance(how, Take) else str
        values = [there(value) for value in schema.get("enum", [port.default]) if value not in (*HERE_ALONE, "auto")]
        more = (*ON_GPU.get(port.name, ()), *CHANNELS.get(class_type, ()))
        return [list(dict.fromkeys([*values, *more, port.default])), options]
    for name, theirs in (("minimum", "min"), ("maximum", "max")):
        if isinstance(schema.get(name), int | float) and not isinstance(how, Take):
            options[theirs] = schema[name]
    if port.type == "STRING" and port.name in ("text", "value"):
        options["multiline"] = True
    return [port.type, options]


def _own(site: Site, class_type: str, name: str) -> tuple[Input | None, Any]:
    """The input of ours that takes what one of theirs gives, and how."""
    twin = site.engine.registry.get(twin_type(class_type))
    if twin is not None:
        return twin.inputs.get(name), None
    entry = ENTRIES.get(class_type)
    if entry is not None:
        node = site.engine.registry.get(entry.type)
        for ours, how in entry.inputs.items():
            if node is not None and name in paths(how):
                return node.inputs.get(ours), how
    part = PARTS.get(class_type)
    sample = site.engine.registry.get("Sample")
    for said, value in part.values.items() if part is not None else ():
        if not isinstance(value, Fixed) and name in paths(value) and sample is not None:
            return sample.inputs.get(said), value
    return None, None


def names_in(site: Site, folder: str) -> list[str]:
    """The names of the files in one of the folders of models, or of uploads."""
    if folder in LISTED:
        return list(site.documents.choices(LISTED[folder]))
    return records.file_names(site, "input") if folder == "input" else []


@wire("GET", "/models")
async def model_folders(site: Site, request: web.Request) -> web.Response:
    """The kinds of models."""
    return web.json_response(FOLDERS)


@wire("GET", "/models/{folder}")
async def models(site: Site, request: web.Request) -> web.Response:
    """The models of a kind."""
    folder = request.match_info["folder"]
    if folder not in FOLDERS:
        raise Refused(404, "not_found", f"there is no folder of models {folder[:80]!r}")
    return web.json_response(names_in(site, folder))


@wire("GET", "/embeddings")
async def embeddings(site: Site, request: web.Request) -> web.Response:
    """Textual inversions, as prompts name them."""
    return web.json_response(sorted(inversions.name(source) for source in site.documents.choices("words")))


@wire("GET", "/features")
async def features(site: Site, request: web.Request) -> web.Response:
    """What both sides can agree on."""
    return web.json_response(supported(site))


def supported(site: Site) -> dict[str, Any]:
    return {"supports_preview_metadata": True, "max_upload_size": site.limits.upload}


@wire("GET", "/system_stats")
async def system_stats(site: Site, request: web.Request) -> web.Response:
    """The machine, as far as clients look at it."""
    total, free = _memory()
    system = {
        "os": os.name, "ram_total": total, "ram_free": free, "comfyui_version": VERSION,
        "required_frontend_version": "", "python_version": sys.version, "pytorch_version": _torch(),
        "embedded_python": False, "argv": [],
    }  # fmt: skip
    devices = [_device(index, name, total, free) for index, name in enumerate(_devices(site))]
    return web.json_response({"system": system, "devices": devices})


def _torch() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _devices(site: Site) -> Iterable[str]:
    return dict.fromkeys(worker.device for worker in site.dispatcher.workers)


def _device(index: int, name: str, total: int, free: int) -> dict[str, Any]:
    kind = name.partition(":")[0]
    shown = f"cpu {platform.machine()}" if kind == "cpu" else name
    return {
        "name": shown, "type": kind, "index": index, "vram_total": total, "vram_free": free,
        "torch_vram_total": total, "torch_vram_free": free,
    }  # fmt: skip


def _memory() -> tuple[int, int]:
    """Bytes of memory, in all and free, where the system says it."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):
        return 0, 0
