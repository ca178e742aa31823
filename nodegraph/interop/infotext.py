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
from .inward import Converted, Offered, find_choice, nothing
from .table import MAX_STEP

LAST_LINE = re.compile(r"^Steps: *[0-9]+, ", re.M)
PAIR = re.compile(r'\s*([\w /\-]+):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
NEGATIVE = "Negative prompt:"
LORA = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::([^:<>]*))?(?::([^:<>]*))?>")
"""A LoRA in a prompt: its name, its strength, and that on the denoiser where it is another."""
SAMPLERS = {
    "euler": "euler", "euler a": "euler_ancestral", "heun": "heun", "lms": "lms", "dpm2": "dpm_2",
    "dpm2 a": "dpm_2_ancestral", "dpm++ 2s a": "dpmpp_2s_ancestral", "dpm++ 2m": "dpmpp_2m", "dpm++ sde": "dpmpp_sde",
    "dpm++ 2m sde": "dpmpp_2m_sde", "dpm++ 2m sde heun": "dpmpp_2m_sde_heun", "dpm++ 3m sde": "dpmpp_3m_sde",
    "ddim": "ddim", "ddim cfg++": "ddim", "unipc": "unipc", "lcm": "lcm",
    "dpm fast": "dpm_fast", "dpm adaptive": "dpm_adaptive", "heun++": "heunpp2", "deis": "deis", "er sde": "er_sde",
}  # fmt: skip
SCHEDULES = {
    "karras": "karras", "exponential": "exponential", "sgm uniform": "sgm_uniform", "simple": "simple",
    "normal": "normal", "uniform": "normal", "ddim": "ddim_uniform", "beta": "beta", "kl optimal": "kl_optimal",
}  # fmt: skip
CARRIED = frozenset({
    "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Clip skip", "Version", "Model hash",
    "Batch size", "Batch pos",
})  # fmt: skip
"""What is in the document, or says nothing about how the picture is made."""


def is_infotext(text: str) -> bool:
    return LAST_LINE.search(text) is not None


def read_infotext(text: str, registry: Registry, offered: Offered = nothing) -> Converted:
    """A document that makes such a picture from its prompt."""
    found = list(LAST_LINE.finditer(text))[-1]
    prompt, negative = _prompts(text[: found.start()])
    given = _pairs(text[found.start() :])
    notes: list[Problem] = []
    width, height = _size(given.get("Size", ""))
    sampler, schedule = _sampler(given, notes)
    skip = _whole(given.get("Clip skip"), 1, 1, 64)
    source = find_choice(given["Model"], "models", offered, notes, ("model", "source")) if "Model" in given else "demo"
    seed = _whole(given.get("Seed"), 0, 0, 2**53 - 1)
    loras, last = _loras(prompt, registry, offered, notes)
    encode = {"text_encoder": {"$from": f"{last}.text_encoder"}, "layer": skip}
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
            steps=_whole(given.get("Steps"), 20, 1, MAX_STEP), cfg=_real(given.get("CFG scale"), 7.0),
            sampler=sampler, schedule=schedule,
        ),
        "decode": _step(registry, "Decode", vae={"$from": "model.vae"}, latent={"$from": "sample.latent"}),
        "save": _step(registry, "SaveImage", image={"$from": "decode.image"}),
    }  # fmt: skip
    for name, value in given.items():
        if name not in CARRIED and not (loras and name == "Lora hashes"):
            notes.append(Problem("not_carried", "", None, f"{name}: {value!r} has no place in the document"))
    if "Seed" in given:
        message = "that program draws noise on the graphics card, this one on the processor: another picture"
        notes.append(Problem("changed", "sample", "seed", message))
    inputs = {
        "prompt": {"to": ["prompt.text"], "title": "Prompt"},
        "negative": {"to": ["negative.text"], "title": "Negative prompt"},
        "seed": {"to": ["sample.seed"], "title": "Seed"},
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
    """Nodes for the LoRAs that a prompt names, one behind the other, and the last one's id, or the model's."""
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


def _pairs(line: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, value in PAIR.findall(line.strip()):
        made.setdefault(name.strip(), _unquoted(value.strip()))
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
    usual = "karras" if made in ("dpmpp_2m", "dpmpp_sde", "dpmpp_2s_ancestral") else "normal"
    return made or "euler", SCHEDULES.get(kind, usual if kind == "automatic" else "normal")


def _whole(text: str | None, default: int, least: int, most: int) -> int:
    return min(max(int(text), least), most) if text is not None and re.fullmatch(r"[0-9]{1,25}", text) else default


def _real(text: str | None, default: float) -> float:
    return min(float(text), 100.0) if text is not None and re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,9})?", text) else default


def _step(registry: Registry, type: str, **inputs: Any) -> dict[str, Any]:
    """A node with the defaults of every input that is not given."""
    node = registry.get(type)
    if node is None:
        return {"type": f"{type}@1", "inputs": inputs}
    defaults = {n: i.default for n, i in node.inputs.items() if not i.required and i.type.literal}
    ordered = {n: inputs.get(n, defaults.get(n)) for n in node.inputs if n in inputs or n in defaults}
    return {"type": f"{type}@{node.version}", "inputs": ordered}
