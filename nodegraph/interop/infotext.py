"""The lines that AUTOMATIC1111's web UI and its kin write below their pictures.

The prompt, then `Negative prompt: ...`, then one line of `Name: value` pairs that begins with `Steps:`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..pack import Registry
from ..problems import Problem
from ..workflow import FORMAT
from . import hires
from .choosing import Offered, find_choice, nothing
from .hires import real, whole
from .inward import Converted
from .spelling import LORA
from .table import MAX_STEP

LAST_LINE = re.compile(r"^Steps: *[0-9]+,", re.M)
NAME = re.compile(r"[\s,]*([\w /\-.]+):\s*")
VALUE = re.compile(r'"(?:\\.|[^"\\])*"(?=\s*(?:,|$))|[^,]*')
NEGATIVE = "Negative prompt:"
DECODER = json.JSONDecoder()
SAMPLERS = {
    "euler": "euler", "euler a": "euler_ancestral", "heun": "heun", "lms": "lms", "dpm2": "dpm_2",
    "dpm2 a": "dpm_2_ancestral", "dpm++ 2s a": "dpmpp_2s_ancestral", "dpm++ 2m": "dpmpp_2m", "dpm++ sde": "dpmpp_sde",
    "dpm++ 2m sde": "dpmpp_2m_sde", "dpm++ 2m sde heun": "dpmpp_2m_sde_heun", "dpm++ 3m sde": "dpmpp_3m_sde",
    "ddim": "ddim", "ddim cfg++": "euler_cfg_pp", "unipc": "unipc", "lcm": "lcm",
    "dpm fast": "dpm_fast", "dpm adaptive": "dpm_adaptive", "heun++": "heunpp2", "deis": "deis", "er sde": "er_sde",
}  # fmt: skip
SCHEDULES = {
    "karras": "karras", "exponential": "exponential", "sgm uniform": "sgm_uniform", "simple": "simple",
    "normal": "normal", "uniform": "normal", "ddim": "ddim_uniform", "beta": "beta", "kl optimal": "kl_optimal",
    "polyexponential": "exponential", "linear quadratic": "linear_quadratic",
}  # fmt: skip
USUAL = {
    "dpmpp_2m": "karras", "dpmpp_sde": "karras", "dpmpp_2s_ancestral": "karras", "dpm_2": "karras",
    "dpm_2_ancestral": "karras", "dpmpp_2m_sde": "exponential", "dpmpp_2m_sde_heun": "exponential",
    "dpmpp_3m_sde": "exponential",
}  # fmt: skip
"""What the schedule "Automatic" means for some samplers."""
BY_TIMESTEP = ("ddim", "euler_cfg_pp", "unipc")
"""Samplers that walk even timesteps there, whatever their schedule."""
CFG_PP = 12.5
"""What guidance is divided by there for CFG++."""
CARRIED = frozenset({
    "Steps", "Sampler", "Schedule type", "CFG scale", "Distilled CFG Scale", "Seed", "Size", "Model", "Clip skip",
    "Version", "Model hash", "Batch size", "Batch pos",
})  # fmt: skip
"""What is in the document, or says nothing about how the picture is made."""


def is_infotext(text: str) -> bool:
    return LAST_LINE.search(text) is not None


def read_infotext(text: str, registry: Registry, offered: Offered = nothing) -> Converted:
    """A document that makes such a picture from its prompt."""
    found = list(LAST_LINE.finditer(text))[-1]
    prompt, negative = _prompts(text[: found.start()])
    line, _, behind = text[found.start() :].partition("\n")
    given = _pairs(line)
    notes: list[Problem] = []
    if behind.strip():
        notes.append(Problem("not_carried", "", None, f"what stands behind the settings is left away: {behind[:80]!r}"))
    width, height = _size(given.get("Size", ""))
    sampler, schedule = _sampler(given, notes)
    skip = whole(given.get("Clip skip"), 1, 1, 64)
    layer = skip if skip > 1 else 0  # 1 is the layer that models were trained with, whichever that is
    source = _model(given, offered, notes)
    seed = whole(given.get("Seed"), 0, 0, 2**53 - 1)
    loras, last = _loras(prompt, registry, offered, notes)
    encode = {"text_encoder": {"$from": f"{last}.text_encoder"}, "layer": layer}
    nodes = {
        "model": _step(registry, "LoadModel", source=source),
        **loras,
        "prompt": _step(registry, "EncodePrompt", **encode, text=LORA.sub("", prompt).strip()),
        "negative": _step(registry, "EncodePrompt", **encode, text=negative),
        "size": _step(registry, "EmptyLatent", width=width, height=height, batch=1),
        "sample": _step(
            registry, "Sample",
            model={"$from": f"{last}.model"}, positive={"$from": "prompt.conditioning"},
            latent={"$from": "size.latent"}, negative={"$from": "negative.conditioning"}, seed=seed,
            steps=whole(given.get("Steps"), 20, 1, MAX_STEP),
            cfg=round(real(given.get("CFG scale"), 7.0) / (CFG_PP if sampler == "euler_cfg_pp" else 1), 6),
            guidance=real(given.get("Distilled CFG Scale"), 3.5), sampler=sampler, schedule=schedule,
        ),
    }  # fmt: skip
    larger = list(hires.second_pass(given, nodes["sample"]["inputs"], (width, height), notes))
    nodes |= {id: _step(registry, type, **inputs) for id, type, inputs in larger}
    sampled = {"$from": "second.latent" if larger else "sample.latent"}
    nodes["decode"] = _step(registry, "Decode", vae={"$from": "model.vae"}, latent=sampled)
    nodes["save"] = _step(registry, "SaveImage", image={"$from": "decode.image"})
    carried = CARRIED | (hires.CARRIED if larger else set()) | ({"Lora hashes"} if loras else set())
    for name, value in given.items():
        if name not in carried:
            notes.append(Problem("not_carried", "", None, f"{name}: {value!r} has no place in the document"))
    if "Seed" in given:
        message = "that program draws noise on the graphics card, this one on the processor: another picture"
        notes.append(Problem("changed", "sample", "seed", message))
    inputs = {
        "prompt": {"to": ["prompt.text"], "title": "Prompt"},
        "negative": {"to": ["negative.text"], "title": "Negative prompt"},
        "seed": {"to": [f"{id}.seed" for id in ("sample", "second") if id in nodes], "title": "Seed"},
    }
    document = {"format": FORMAT, "nodes": nodes, "inputs": inputs, "outputs": {"image": {"$from": "decode.image"}}}
    return Converted(document, notes)


def _prompts(text: str) -> tuple[str, str]:
    lines = text.strip().splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    negative = [line.removeprefix(NEGATIVE) for line in lines[at : at + 1]] + lines[at + 1 :]
    return "\n".join(lines[:at]).strip(), "\n".join(negative).strip()


def _loras(
    prompt: str, registry: Registry, offered: Offered, notes: list[Problem]
) -> tuple[dict[str, dict[str, Any]], str]:
    """Nodes for the LoRAs that a prompt names, one behind the other, and the last one's id, or the model's. Of two
    strengths the second is that on the denoiser."""
    made: dict[str, dict[str, Any]] = {}
    last = "model"
    for number, (name, text_strength, strength) in enumerate(LORA.findall(prompt), 1):
        id = "lora" if number == 1 else f"lora_{number}"
        source = find_choice(name.strip(), "loras", offered, notes, (id, "source"))
        text = _strength(text_strength, 1.0)
        made[id] = _step(
            registry, "ApplyLora", model={"$from": f"{last}.model"}, text_encoder={"$from": f"{last}.text_encoder"},
            source=source, strength=_strength(strength, text), text_strength=text,
        )  # fmt: skip
        last = id
    return made, last


def _strength(text: str, default: float) -> float:
    return float(text) if re.fullmatch(r" *-?[0-9]{0,2}(\.[0-9]{1,9})? *", text) and text.strip(" -") else default


def _model(given: Mapping[str, str], offered: Offered, notes: list[Problem]) -> Any:
    if "Model" in given:
        return find_choice(given["Model"], "models", offered, notes, ("model", "source"))
    hashed = f", only its hash, {given['Model hash']!r}" if "Model hash" in given else ""
    message = f"the lines name no model{hashed}, so it is the one that comes along; choose another"
    notes.append(Problem("changed", "model", "source", message))
    return "demo"


def _pairs(line: str) -> dict[str, str]:
    """The settings by name. Values with commas are quoted; what other programs add may be JSON."""
    made: dict[str, str] = {}
    at = 0
    while at < len(line):
        name = NAME.match(line, at)
        if name is None:
            at = line.find(",", at + 1) if "," in line[at + 1 :] else len(line)
            continue
        at = name.end()
        try:
            _, end = DECODER.raw_decode(line, at) if line[at : at + 1] in ("[", "{") else (None, at)
        except (ValueError, RecursionError):
            end = at
        if end == at:
            value = VALUE.match(line, at)
            assert value is not None
            end = value.end()
        made.setdefault(name[1].strip(), _unquoted(line[at:end].strip()))
        at = end
    return made


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    width, height = (int(found[1]), int(found[2])) if found else (512, 512)
    return min(max(width, 1), 16384), min(max(height, 1), 16384)


def _sampler(given: Mapping[str, str], notes: list[Problem]) -> tuple[str, str]:
    """Old files write the schedule behind the sampler: `DPM++ 2M Karras`."""
    name = given.get("Sampler", "").lower()
    kind = given.get("Schedule type", "").lower()
    for word in ("karras", "exponential"):
        if name.endswith(f" {word}"):
            name, kind = name.removesuffix(f" {word}"), word
    made = SAMPLERS.get(name)
    if made is None:
        message = f"the sampler {given.get('Sampler')!r} is not known, so it is 'euler'"
        notes.append(Problem("changed", "sample", "sampler", message))
    if kind not in SCHEDULES and kind not in ("", "automatic"):
        message = f"the schedule {kind!r} is not known, so it is 'normal'"
        notes.append(Problem("changed", "sample", "schedule", message))
    if made in BY_TIMESTEP:
        return made, "ddim_uniform"
    usual = USUAL.get(made or "", "normal") if kind == "automatic" else "normal"
    return made or "euler", SCHEDULES.get(kind, usual)


def _step(registry: Registry, type: str, **inputs: Any) -> dict[str, Any]:
    """A node with the defaults of every input that is not given."""
    node = registry.get(type)
    if node is None:
        return {"type": f"{type}@1", "inputs": inputs}
    defaults = {n: i.default for n, i in node.inputs.items() if not i.required and i.type.literal}
    ordered = {n: inputs.get(n, defaults.get(n)) for n in node.inputs if n in inputs or n in defaults}
    return {"type": f"{type}@{node.version}", "inputs": ordered}
