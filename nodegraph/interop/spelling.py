"""Classes of other packs that mean what ComfyUI's own do: a prompt is said with ComfyUI's before it is converted.

An entry of `SAME` is one of ComfyUI's classes under another name. A function of `SPELLED` gives several nodes for one,
or none, and says what its outputs are then. How their inputs lie in files is in the table of `classes`, as for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..problems import Problem
from .prompt import Item, Prompt, Wire, cut

LORA = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::([^:<>]*))?(?::([^:<>]*))?(?::[^<>]*)?>")
"""A LoRA in a prompt: its name, its strength, and another one where two were given."""
NONE = ("None", "none", "", None)
"""What lists of files hold for no file."""


@dataclass(frozen=True, slots=True)
class Same:
    """A class that is `type`, whose inputs are each one of theirs."""

    type: str
    inputs: Mapping[str, str]


Spelled = tuple[dict[str, Item], dict[int, Any]]
"""Nodes by their ids, and what stands for each output: a `Wire` or a value. An output that is not named is the node's
own."""


def spelled(prompt: Prompt) -> tuple[dict[str, Item], list[Problem]]:
    """The prompt in ComfyUI's own classes, as far as that is known, and what is not as it was."""
    items: dict[str, Item] = {}
    instead: dict[Wire, Any] = {}
    notes: list[Problem] = []
    for id, item in prompt.items():
        if (same := SAME.get(item.type)) is not None:
            given = {ours: _told(item.inputs[theirs]) for ours, theirs in same.inputs.items() if theirs in item.inputs}
            items[id] = Item(same.type, given, item.title or item.type)
            if isinstance(seed := given.get("value"), int) and seed < 0 and same.type == "PrimitiveInt":
                items[id] = replace(items[id], inputs={"value": 0})
                message = f"{item.type} draws its number by lot there ({seed}), so it is 0; choose another"
                notes.append(Problem("changed", id, None, message))
        elif (found := SPELLED.get(item.type)) is not None and (said := found(id, item)) is not None:
            made, outputs = said
            items |= {own: replace(each, title=each.title or item.title) for own, each in made.items()}
            instead |= {Wire(id, slot): value for slot, value in outputs.items()}
        else:
            items[id] = item
    made = {id: _rewired(item, instead) for id, item in items.items()}
    return made, notes + cut(made)


def _rewired(item: Item, instead: Mapping[Wire, Any]) -> Item:
    """A node whose links lead to what stands for what they led to."""
    if not any(wire in instead for _, wire in item.wires()):
        return item
    inputs = {}
    for name, value in item.inputs.items():
        for _ in instead:
            if not isinstance(value, Wire) or value not in instead:
                break
            value = instead[value]
        if value is not None:
            inputs[name] = value
    return replace(item, inputs=inputs)


def _told(value: Any) -> Any:
    """A file's name, which some lists keep beside its picture."""
    return value["content"] if isinstance(value, dict) and "content" in value else value


def _shown(name: str) -> Callable[[str, Item], Spelled]:
    """Shows what it is given, and passes it on."""

    def said(id: str, item: Item) -> Spelled:
        value = item.inputs.get(name)
        return {id: Item("PreviewAny", {"source": value})} if isinstance(value, Wire) else {}, {0: value}

    return said


def _compared(id: str, item: Item) -> Spelled:
    """Shows one picture or two."""
    given = [wire for name, wire in item.wires() if name.startswith("image")]
    return {own: Item("PreviewImage", {"images": wire}) for own, wire in zip((id, f"{id}~2"), given, strict=False)}, {}


def _first(id: str, item: Item) -> Spelled:
    """Passes on the first input that is there."""
    return {}, {0: next((wire for _, wire in sorted(item.wires())), None)}


def _chained(id: str, item: Item, loras: list[tuple[Any, Any, Any]]) -> Spelled:
    """One LoRA after the other: name, strength, and that for the text encoder."""
    model, clip = item.inputs.get("model"), item.inputs.get("clip")
    made: dict[str, Item] = {}
    for number, (name, strength, text) in enumerate(loras, 1):
        own = id if number == len(loras) else f"{id}~{number}"
        given = {"model": model, "lora_name": _told(name), "strength_model": strength}
        if isinstance(clip, Wire):
            made[own] = Item("LoraLoader", {**given, "clip": clip, "strength_clip": text})
            clip = Wire(own, 1)
        else:
            made[own] = Item("LoraLoaderModelOnly", given)
        model = Wire(own, 0)
    return made, {0: model, 1: clip}


def _powered(id: str, item: Item) -> Spelled:
    """Any number of LoRAs, each with a switch."""
    rows = [row for row in item.inputs.values() if isinstance(row, dict) and row.get("on") is True]
    chosen = [row for row in rows if row.get("lora") not in NONE]
    return _chained(id, item, [(r["lora"], r.get("strength", 1.0), _two(r)) for r in chosen])


def _two(row: Mapping[str, Any]) -> Any:
    return row.get("strength", 1.0) if row.get("strengthTwo") is None else row["strengthTwo"]


def _stacked(id: str, item: Item) -> Spelled:
    """Four LoRAs, each with one strength."""
    given = [(item.inputs.get(f"lora_0{n}"), item.inputs.get(f"strength_0{n}", 1.0)) for n in range(1, 5)]
    return _chained(id, item, [(name, value, value) for name, value in given if name not in NONE and value])


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _encoded(id: str, item: Item) -> Spelled | None:
    """A prompt whose LoRAs are applied first."""
    text = item.inputs.get("populated_text")
    if not isinstance(text, str):
        return None
    loras = []
    for name, first, second in LORA.findall(text):
        strength = _number(first, 1.0)
        loras.append((name.strip(), strength, _number(second, strength)))
    made, outputs = _chained(f"{id}~lora", item, loras)
    plain = LORA.sub("", text)
    made[id] = Item("CLIPTextEncode", {"clip": outputs[1], "text": plain})
    return made, {**outputs, 2: Wire(id, 0), 3: plain}


def _sized(id: str, item: Item) -> Spelled:
    """A picture, its size, and how many there are."""
    image = item.inputs.get("image")
    sizes = {slot + 1: Wire(id, slot) for slot in range(3)}
    return {id: Item("GetImageSize", {"image": image})}, {0: image, **sizes}


def _channel(id: str, item: Item) -> Spelled | None:
    """A mask from a colour of a file. Its transparency is what LoadImage gives."""
    channel = item.inputs.get("channel")
    if channel not in ("red", "green", "blue"):
        return None
    own = f"{id}~image"
    return {
        own: Item("LoadImage", {"image": item.inputs.get("image")}),
        id: Item("ImageToMask", {"image": Wire(own, 0), "channel": channel}),
    }, {}


SAME: Mapping[str, Same] = {
    **dict.fromkeys(("Seed (rgthree)", "easy seed", "CR Seed", "Seed"), Same("PrimitiveInt", {"value": "seed"})),
    **dict.fromkeys(("INTConstant", "easy int", "ImpactInt"), Same("PrimitiveInt", {"value": "value"})),
    **dict.fromkeys(("FloatConstant", "easy float", "ImpactFloat"), Same("PrimitiveFloat", {"value": "value"})),
    **dict.fromkeys(("BOOLConstant", "easy boolean", "ImpactBoolean"), Same("PrimitiveBoolean", {"value": "value"})),
    **dict.fromkeys(
        ("StringConstant", "StringConstantMultiline"), Same("PrimitiveStringMultiline", {"value": "string"})
    ),
    "easy string": Same("PrimitiveStringMultiline", {"value": "value"}),
    "easy positive": Same("PrimitiveStringMultiline", {"value": "positive"}),
    "easy negative": Same("PrimitiveStringMultiline", {"value": "negative"}),
    "CR Prompt Text": Same("PrimitiveStringMultiline", {"value": "prompt"}),
    **dict.fromkeys(("CR Text", "Text Multiline"), Same("PrimitiveStringMultiline", {"value": "text"})),
    "ImpactWildcardProcessor": Same("PrimitiveStringMultiline", {"value": "populated_text"}),
    "CheckpointLoader|pysssh": Same("CheckpointLoaderSimple", {"ckpt_name": "ckpt_name"}),
    "LoraLoader|pysssh": Same(
        "LoraLoader", {n: n for n in ("model", "clip", "lora_name", "strength_model", "strength_clip")}
    ),
    "UnetLoaderGGUF": Same("UNETLoader", {"unet_name": "unet_name"}),
    "CLIPLoaderGGUF": Same("CLIPLoader", {n: n for n in ("clip_name", "type")}),
    "DualCLIPLoaderGGUF": Same("DualCLIPLoader", {n: n for n in ("clip_name1", "clip_name2", "type")}),
    "TripleCLIPLoaderGGUF": Same("TripleCLIPLoader", {n: n for n in ("clip_name1", "clip_name2", "clip_name3")}),
    "GetImageSize+": Same("GetImageSize", {"image": "image"}),
    "MaskPreview+": Same("MaskPreview", {"mask": "mask"}),
    "SaveImageWebsocket": Same("PreviewImage", {"images": "images"}),
    "Image Save": Same("SaveImage", {"images": "images", "filename_prefix": "filename_prefix"}),
}
SPELLED: Mapping[str, Callable[[str, Item], Spelled | None]] = {
    "ShowText|pysssh": _shown("text"),
    "easy showAnything": _shown("anything"),
    "Display Any (rgthree)": _shown("source"),
    "Image Comparer (rgthree)": _compared,
    "Any Switch (rgthree)": _first,
    "Power Lora Loader (rgthree)": _powered,
    "Lora Loader Stack (rgthree)": _stacked,
    "ImpactWildcardEncode": _encoded,
    "GetImageSizeAndCount": _sized,
    "LoadImageMask": _channel,
}
"""None where one is not of the kind that is known; then it stays as it is."""
BY_PLACE = frozenset({"Power Lora Loader (rgthree)", "Image Save", "PreviewAny", *SPELLED} - {"LoadImageMask"})
"""Classes whose files hold values beside those of inputs: what was shown last, and what is read by its kind."""
EDITING = re.compile(r"Fast .*\(rgthree\)|(Label|Bookmark|Random Unmuter|Node Collector|Mute / Bypass \w+) \(rgthree\)")
"""Nodes that only work in the editor there, such as switches for other nodes."""
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
