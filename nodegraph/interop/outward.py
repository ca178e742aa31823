"""From our document to ComfyUI's prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..modes import flatten
from ..pack import Registry
from ..problems import Problem
from ..workflow import FOREIGN, Ref, Step, Workflow
from . import embeddings
from .classes import known_classes
from .names import CLASS_TYPE, INPUT_NAMES, slug, stem, their_id, twin_type
from .parts import BESIDE
from .prompt import Item, Wire, write_prompt
from .table import AUTO, ENTRIES, HERE_ALONE, MAX_STEP, NESTED, SHOWN, TEXTS, Entry, Take
from .wording import only_here, to_comfyui

MASKED = "SetLatentNoiseMask"
"""What EncodeImage does with a mask, as a class of its own."""
CUSTOM = {slug(name): name for name in ("SamplerCustom", "SamplerCustomAdvanced")}
"""Classes whose parts lie in nodes of their own, by the ids that say a Sample came from one."""


UPSCALE = Entry("Upscale", {"image": "image"}, ("image",))
"""`ImageUpscaleWithModel`, for an Upscale with a file that enlarges just as many times."""
WRITTEN = {
    "EncodeImage": ("mask",),
    "Sample": (
        "rescale",
        "guidance",
        "add_noise",
        "leftover_noise",
        "levels",
        "start_step",
        "end_step",
        "strength",
        "settings",
        "middle",
        "middle_cfg",
        "nested",
    ),
}
"""Inputs that are written, or spoken of, beside what the entry says."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A document in ComfyUI's API format.

    Attributes:
        prompt: As plain values.
        notes: What could not be written, by our nodes; a note of the code `no_counterpart` leaves a hole.
    """

    prompt: dict[str, Any]
    notes: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        return not any(note.code == "no_counterpart" for note in self.notes)


def export(workflow: Workflow, registry: Registry) -> Exported:
    """Write `workflow` in ComfyUI's API format. Definitions are laid open."""
    work = _Export(workflow, registry)
    work.run()
    return Exported(write_prompt(work.items), tuple(work.notes))


class _Export:
    def __init__(self, workflow: Workflow, registry: Registry) -> None:
        flat = flatten(workflow, registry)
        self.steps: Mapping[str, Step] = flat.steps
        self.shown, self.registry = flat.outputs, registry
        self.notes: list[Problem] = list(flat.problems)
        self.items: dict[str, Item] = {}
        self.ids: dict[str, str] = {}
        self.taken: set[str] = set()
        self.classes: dict[str, str] = {}
        self.twins = {twin_type(name): name for name in known_classes()}

    def run(self) -> None:
        shown = [name for name, ref in self.shown.items() if ref.node in self.steps and not self._saved(ref)]
        for name in [*self.steps, *shown]:
            theirs = their_id(name)
            if theirs is not None and theirs not in self.taken:
                self.ids[name] = theirs
                self.taken.add(theirs)
        for name in [*self.steps, *shown]:
            if name not in self.ids:
                self.ids[name] = self._new()
        for id, step in self.steps.items():
            if not _teaches(step) and (found := self._class(id, step)) is not None:
                self.classes[id] = found
        for id, step in self.steps.items():
            if id in self.classes:
                self._item(id, step)
        for name in shown:
            ref = self.shown[name]
            kind = "MaskPreview" if self._type(ref) == "Mask" else "PreviewImage"
            wire = self._wire(ref, "")
            if wire is not None and self._type(ref) in ("Image", "Mask", None):
                self._add(name, kind, {SHOWN[kind].input: wire})
            elif wire is not None:
                self._add(name, "PreviewAny", {"source": wire})

    def note(self, code: str, id: str, port: str | None, message: str) -> None:
        self.notes.append(Problem(code, id, port, message))

    def _new(self) -> str:
        number = 1
        while str(number) in self.taken:
            number += 1
        self.taken.add(str(number))
        return str(number)

    def _saved(self, ref: Ref) -> bool:
        """Whether a node that saves takes this output too."""
        return any(step.type.startswith("SaveImage@") and ref in step.inputs.values() for step in self.steps.values())

    def _class(self, id: str, step: Step) -> str | None:
        """The class that a node is written as."""
        type_id = step.type.partition("@")[0]
        if type_id.startswith(f"{FOREIGN}/"):
            given = step.inputs.get(CLASS_TYPE)
            return given if isinstance(given, str) else self.twins.get(type_id, type_id.partition("/")[2])
        fitting = [
            name
            for name, entry in ENTRIES.items()
            if entry.type == type_id and not entry.apart and self._fits(entry, step)
        ]
        if type_id == "Sample":
            alone = any(step.inputs.get(name) in HERE_ALONE for name in ("sampler", "schedule"))
            fitting = [] if alone else [self._walk(id, step)]
        if type_id == "Upscale" and _upscales(step.inputs.get("file")) == step.inputs.get("factor"):
            fitting = ["ImageUpscaleWithModel"]
        if not fitting:
            self.note("no_counterpart", id, None, f"{type_id} has no counterpart in ComfyUI with these inputs")
            return None
        return next((name for name in fitting if slug(name) == stem(id)), fitting[0])

    def _fits(self, entry: Entry, step: Step) -> bool:
        used = all(step.inputs.get(name, value) == value for name, value in entry.fixed.items())
        return used and (entry.type != "Mask" or step.inputs.get("mask") is not None)

    def _item(self, id: str, step: Step) -> None:
        name = self.classes[id]
        if step.type.startswith(f"{FOREIGN}/"):
            self._add(id, name, self._foreign(id, step))
            return
        plain = "KSampler" if name in CUSTOM.values() else name
        entry, known = _entry(plain), known_classes()[plain]
        inputs: dict[str, Any] = {}
        for port in known.inputs.values():
            if port.has_default:
                inputs[port.name] = port.default
        for ours, how in entry.inputs.items():
            value = step.inputs.get(ours)
            if isinstance(how, tuple):
                self._several(id, ours, how, value, inputs)
                continue
            path = how.path if isinstance(how, Take) else how
            if "." in path or value is None:
                continue
            if isinstance(value, Ref):
                wire = self._wire(value, id, known.inputs[path].type)
                if wire is not None:
                    inputs[path] = wire
            else:
                inputs[path] = how.there(value) if isinstance(how, Take) else value
        if entry.type == "Upscale":
            inputs["upscale_model"] = self._part("UpscaleModelLoader", {"model_name": step.inputs["file"]})
        hidden = step.inputs.get("transparent")
        if isinstance(hidden, Ref) and "images" in inputs and (wire := self._wire(hidden, id)) is not None:
            inputs["images"] = self._part("JoinImageWithAlpha", {"image": inputs["images"], "alpha": wire})
        if entry.type == "EncodePrompt":
            self._prompt(id, step, inputs)
        if entry.type == "Sample":
            self._sample(id, step, inputs)
            if name in CUSTOM.values():
                known, inputs = known_classes()[name], self._apart(name, inputs, step)
            elif name == "KSamplerAdvanced":
                inputs |= self._passes(step)
        self._unwritten(id, step, entry)
        mask = step.inputs.get("mask")
        if entry.type == "EncodeImage" and isinstance(mask, Ref) and (wire := self._wire(mask, id)) is not None:
            encoded = self._new()
            self.items[encoded] = Item(name, {n: inputs[n] for n in known.inputs if n in inputs})
            name, known, inputs = MASKED, known_classes()[MASKED], {"samples": Wire(encoded, 0), "mask": wire}
        self._add(id, name, {n: inputs[n] for n in known.inputs if n in inputs})

    def _foreign(self, id: str, step: Step) -> dict[str, Any]:
        odd = step.inputs.get(INPUT_NAMES)
        names = odd if isinstance(odd, dict) else {}
        known = known_classes().get(self.classes[id])
        types = {port.name: port.type for port in known.inputs.values()} if known is not None else {}
        made = {}
        for name, value in step.inputs.items():
            if name in (CLASS_TYPE, INPUT_NAMES) or name == BESIDE.get(self.classes[id]):
                continue
            held = self._wire(value, id, types.get(name, "")) if isinstance(value, Ref) else value
            if isinstance(held, str) and name in TEXTS.get(self.classes[id], ()):
                held = embeddings.to_comfyui(to_comfyui(held), self._words(step.inputs.get("clip")))
            if held is not None or not isinstance(value, Ref):
                made[names.get(name, name)] = held
        return made

    def _several(self, id: str, port: str, names: tuple[str, ...], value: Any, inputs: dict[str, Any]) -> None:
        refs = [value] if isinstance(value, Ref) else list(value) if isinstance(value, tuple) else []
        if len(refs) > len(names):
            self.note("changed", id, port, f"only {len(names)} of its {len(refs)} links are written")
        for name, ref in zip(names, refs, strict=False):
            if (wire := self._wire(ref, id)) is not None:
                inputs[name] = wire

    def _prompt(self, id: str, step: Step, inputs: dict[str, Any]) -> None:
        text, layer = step.inputs.get("text"), step.inputs.get("layer")
        if isinstance(text, str) and (words := only_here(text)):
            self.note("changed", id, "text", f"{words} means something here and is plain text in ComfyUI")
        if isinstance(inputs.get("text"), str):
            inputs["text"] = embeddings.to_comfyui(inputs["text"], self._words(step.inputs.get("text_encoder")))
        node = self.registry.get("EncodePrompt")
        usual = node.inputs["layer"].default if node is not None else None
        if isinstance(layer, int) and layer != usual and "clip" in inputs:
            inputs["clip"] = self._part("CLIPSetLastLayer", {"stop_at_clip_layer": -layer, "clip": inputs["clip"]})

    def _sample(self, id: str, step: Step, inputs: dict[str, Any]) -> None:
        if "negative" not in inputs and "positive" in inputs:
            inputs["negative"], inputs["cfg"] = inputs["positive"], 1.0  # with a cfg of 1 it is not read
        if not step.inputs.get("whole_batch") or not step.inputs.get("comfyui"):
            message = "draws noise and begins in its own way, so the picture is another; set whole_batch and comfyui"
            self.note("changed", id, None, message)
        for name, usual in AUTO.items():
            if step.inputs.get(name) == "auto":
                inputs["sampler_name" if name == "sampler" else "scheduler"] = usual
                self.note("changed", id, name, f"'auto' is written as {usual!r}")
        node = self.registry.get("Sample")
        guidance = step.inputs.get("guidance")
        told = node.inputs["guidance"].default if node is not None else None
        alone = step.inputs.get("negative") is None and step.inputs.get("cfg") == 1
        if "positive" in inputs and isinstance(guidance, int | float) and (guidance != told or alone):
            same = inputs["negative"] == inputs["positive"]
            inputs["positive"] = self._part("FluxGuidance", {"conditioning": inputs["positive"], "guidance": guidance})
            inputs["negative"] = inputs["positive"] if same else inputs["negative"]
        if step.inputs.get("rescale"):
            self.note("changed", id, "rescale", "is left away")

    def _apart(self, name: str, sampler: Mapping[str, Any], step: Step) -> dict[str, Any]:
        """The inputs of a KSampler as those of a class that has its parts in nodes of their own."""
        seed, steps = sampler["seed"], {n: sampler[n] for n in ("scheduler", "steps", "denoise")}
        levels, settings = step.inputs.get("levels"), step.inputs.get("settings")
        adds = self._adds(step)
        walk = {n: sampler[n] for n in ("cfg", "positive", "negative") if n in sampler}
        model = {n: sampler[n] for n in ("model",) if n in sampler}
        made = {
            "sampler": self._wire(settings, "")
            if isinstance(settings, Ref)
            else self._part("KSamplerSelect", {"sampler_name": sampler["sampler_name"]}),
            "sigmas": self._wire(levels, "")
            if isinstance(levels, Ref)
            else self._part("BasicScheduler", {**steps, **model}),
            **{n: sampler[n] for n in ("latent_image",) if n in sampler},
        }
        if name == "SamplerCustom":
            return {**made, **model, **walk, "add_noise": adds, "noise_seed": seed}
        alone = walk["cfg"] == 1 and walk.get("negative") == walk.get("positive")
        one = {"conditioning": walk["positive"]} if "positive" in walk else {}
        between = step.inputs.get("middle")
        if isinstance(between, Ref) and (wire := self._wire(between, "")) is not None:
            ends = {"cond1": walk.get("positive"), "cond2": wire, "negative": walk.get("negative")}
            how = {
                "cfg_conds": walk["cfg"],
                "cfg_cond2_negative": step.inputs.get("middle_cfg", 1.5),
                "style": NESTED.there(step.inputs.get("nested", False)),
            }
            guider = self._part("DualCFGGuider", {**model, **ends, **how})
        elif alone:
            guider = self._part("BasicGuider", {**model, **one})
        else:
            guider = self._part("CFGGuider", {**model, **walk})
        noise = self._part("RandomNoise", {"noise_seed": seed}) if adds else self._part("DisableNoise", {})
        return {**made, "noise": noise, "guider": guider}

    def _part(self, type: str, inputs: Mapping[str, Any]) -> Wire:
        """A node between that gives `inputs` as one value; equal ones are one."""
        item = Item(type, inputs)
        found = next((id for id, other in self.items.items() if other == item), None)
        if found is None:
            found = self._new()
            self.items[found] = item
        return Wire(found, 0)

    def _passes(self, step: Step) -> dict[str, Any]:
        """What says there which part of the way is walked, and with what noise."""
        made: dict[str, Any] = {"add_noise": "enable" if self._adds(step) else "disable"}
        steps, strength = step.inputs.get("steps", 20), step.inputs.get("strength", 1.0)
        start = step.inputs.get("start_step", 0)
        if isinstance(strength, float) and strength < 1 and isinstance(steps, int) and isinstance(start, int):
            made["start_at_step"] = max(start, steps - int(steps * strength))
        return made

    def _adds(self, step: Step) -> bool:
        """Whether noise is added: not to what a Sample that ends early gives, where that is left to the latent."""
        asked, latent = step.inputs.get("add_noise", "auto"), step.inputs.get("latent")
        source = self.steps.get(latent.node) if isinstance(latent, Ref) else None
        noisy = source is not None and source.type.startswith("Sample@") and _early(source)
        return asked == "always" or (asked == "auto" and not noisy)

    def _walk(self, id: str, step: Step) -> str:
        """KSampler for a whole way or its end, KSamplerAdvanced for a part by the number of steps, and a class whose
        parts lie in nodes of their own for noise levels of its own."""
        given = step.inputs
        end = given.get("end_step", MAX_STEP)
        part = given.get("start_step", 0) != 0 or (isinstance(end, int) and end < MAX_STEP)
        shorter = given.get("strength", 1.0) != 1.0 and not given.get("comfyui")
        if given.get("middle") is not None:
            return "SamplerCustomAdvanced"
        if any(given.get(name) is not None for name in ("levels", "settings")) or (
            stem(id) in CUSTOM and not (part or shorter)
        ):
            return CUSTOM.get(stem(id), "SamplerCustom")
        part = part or stem(id) == slug("KSamplerAdvanced")
        return "KSamplerAdvanced" if part or shorter or not self._adds(step) else "KSampler"

    def _unwritten(self, id: str, step: Step, entry: Entry) -> None:
        node = self.registry.get(entry.type)
        for name, value in step.inputs.items():
            said = name in entry.inputs or name in entry.fixed or name in entry.given
            if said or node is None or name not in node.inputs:
                continue
            written = WRITTEN.get(entry.type, ())
            if value not in (None, node.inputs[name].default) and name not in written:
                self.note("changed", id, name, f"{value!r} has no place in ComfyUI and is left away")

    def _wire(self, ref: Ref, id: str, wanted: str = "") -> Wire | None:
        """A link to what answers for an output, with a node between where a mask is taken as a picture."""
        while ref.node in self.steps and _teaches(self.steps[ref.node]):
            behind = self.steps[ref.node].inputs["text_encoder"]
            assert isinstance(behind, Ref)
            ref = behind
        if ref.node not in self.classes:
            if ref.node in self.steps and id:
                self.note("changed", id, None, f"its link to {ref.node!r}, which has no counterpart, is left away")
            return None
        source = self.steps[ref.node]
        if source.type.startswith(f"{FOREIGN}/"):
            slot = self._slot(source, ref.port)
            return None if slot is None else Wire(self.ids[ref.node], slot)
        outputs = _entry(self.classes[ref.node]).outputs
        if ref.port not in outputs:
            self.note(
                "changed", id, None, f"its link to {ref.node}.{ref.port}, which ComfyUI does not give, is left away"
            )
            return None
        wire = Wire(self.ids[ref.node], outputs.index(ref.port))
        if wanted == "IMAGE" and self._type(ref) == "Mask":
            return self._part("MaskToImage", {"mask": wire})
        return wire

    def _words(self, encoder: Any) -> dict[str, str]:
        """The words that a text encoder was taught, each with its file."""
        found: dict[str, str] = {}
        while isinstance(encoder, Ref) and encoder.node in self.steps and _teaches(self.steps[encoder.node]):
            inputs = self.steps[encoder.node].inputs
            found.setdefault(str(inputs["word"]), str(inputs["source"]))
            encoder = inputs["text_encoder"]
        return found

    def _slot(self, source: Step, port: str) -> int | None:
        """The place of an output of a placeholder or a twin."""
        twin = self.registry.get(source.type.partition("@")[0])
        if twin is not None and port in twin.outputs:
            return list(twin.outputs).index(port)
        number = port.removeprefix("output_")
        return int(number) if number.isascii() and number.isdigit() and len(number) < 5 else None

    def _type(self, ref: Ref) -> str | None:
        node = self.registry.get(self.steps[ref.node].type.partition("@")[0]) if ref.node in self.steps else None
        return str(node.outputs[ref.port].type) if node is not None and ref.port in node.outputs else None

    def _add(self, id: str, type: str, inputs: Mapping[str, Any]) -> None:
        made = stem(id)
        title = type if made == slug(type) else made.replace("_", " ")  # some clients find nodes by it
        self.items[self.ids[id]] = Item(type, inputs, title)


def _entry(name: str) -> Entry:
    return UPSCALE if name == "ImageUpscaleWithModel" else ENTRIES[name]


def _upscales(name: Any) -> int | None:
    """How many times an upscaler enlarges, from its name: `RealESRGAN_x4plus`, `4x-UltraSharp`."""
    found = re.search(r"(?<![0-9a-z])(?:x([1-8])|([1-8])x)(?![0-9])", name, re.I) if isinstance(name, str) else None
    return int(found[1] or found[2]) if found else None


def _teaches(step: Step) -> bool:
    """Whether it teaches a word, which prompts name in ComfyUI."""
    inputs = step.inputs
    given = isinstance(inputs.get("text_encoder"), Ref)
    told = all(isinstance(inputs.get(name), str) for name in ("word", "source"))
    return given and told and step.type.startswith(f"{embeddings.TEACHER}@")


def _early(step: Step) -> bool:
    steps, end = step.inputs.get("steps", 20), step.inputs.get("end_step", MAX_STEP)
    left = step.inputs.get("leftover_noise", True) is not False
    return left and isinstance(steps, int) and isinstance(end, int) and end < steps
