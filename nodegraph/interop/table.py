"""How ComfyUI's node classes are written with the nodes here: one entry for each class.

A class that has a twin, a node `comfyui/<class>` with the same names, needs no entry. Any other is carried in one of
three ways. An `Entry` is a node of ours. A `Part` is no node of its own: what reads it takes its values (a scheduler's)
or what it passes on. A `Shown` becomes an output of the document. What is in none of the tables stays in the
document as a placeholder, for a reason from `reasons`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .prompt import Item, Prompt, Wire
from .wording import from_comfyui, to_comfyui

Refuse = Callable[[Item, Prompt], str | None]


@dataclass(frozen=True, slots=True)
class Take:
    """An input of theirs as one of ours.

    Args:
        path: Its name; `sigmas.steps` is what the `Part` that is linked to `sigmas` calls `steps`.
        here: From a value there to ours.
        there: And back.
    """

    path: str
    here: Callable[[Any], Any] = lambda value: value
    there: Callable[[Any], Any] = lambda value: value


How = str | Take | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that a class has without an input."""

    value: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A class that is a node of ours.

    Args:
        type: The node's type id, without its version.
        inputs: Our inputs, each with theirs: a name, a `Take`, or several names that feed a list.
        outputs: Our outputs in the order of theirs.
        fixed: Values of ours that the class always has. Only a node with these is written as this class.
        given: Values of ours that its nodes are given; one with others is written as this class all the same.
        ignored: Inputs of theirs that make no difference here, with the reason.
        refuse: Why one cannot be carried, if so.
    """

    type: str
    inputs: Mapping[str, How]
    outputs: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    refuse: Refuse | None = None

    @property
    def paths(self) -> list[str]:
        """What is read of theirs, in all."""
        return [path for how in self.inputs.values() for path in paths(how)]

    @property
    def apart(self) -> frozenset[str]:
        """Their inputs of which only parts are read: it needs a `Part` there, and no node of ours is written as it."""
        return frozenset({p.partition(".")[0] for p in self.paths if "." in p} - set(self.paths))


@dataclass(frozen=True, slots=True)
class Part:
    """A class that is no node of its own. `values` are what it says, `passes` is the input whose value it passes on."""

    values: Mapping[str, str | Take | Fixed] = field(default_factory=dict)
    passes: str | None = None
    refuse: Refuse | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A class that shows what feeds `input`: an output of the document."""

    input: str


def paths(how: How) -> tuple[str, ...]:
    """What an input of ours reads of theirs."""
    return how if isinstance(how, tuple) else (how.path if isinstance(how, Take) else how,)


def _text(read: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: read(value) if isinstance(value, str) else value


def _words(**here: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Values by name, and back. Others stay as they are."""
    there = {v: k for k, v in reversed(here.items())}
    return (lambda v: here.get(v, v) if isinstance(v, str) else v), (
        lambda v: there.get(v, v) if isinstance(v, str) else v
    )


MAX_STEP = 1000
LAST_STEP = 10_000
PENULTIMATE = ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2")
"""Samplers that leave the last noise level but one out, which ComfyUI does where the sampler makes its own levels."""
SIGMA_MAX, SIGMA_MIN = 14.614642, 0.0291675


def _sampler(value: Any) -> Any:
    return value.removesuffix("_gpu") if isinstance(value, str) else value


def _file(value: Any) -> Any:
    """`name.png [input]` without where it lies: documents here name files, not kinds of folders."""
    return re.sub(r" \[(input|output|temp)\]$", "", value) if isinstance(value, str) else value


def _stem(value: Any) -> Any:
    """A prefix for file names as a plain name: folders and placeholders such as `%date%` are taken out."""
    if not isinstance(value, str):
        return value
    plain = re.sub(r"%[^%]*%", "", value).replace("/", "-").replace("\\", "-")
    return re.sub(r"[^\w\-. ()+,]", "-", plain).strip("-. ")[:150] or "ComfyUI"


def _colour(value: Any) -> Any:
    return f"#{value:06x}" if isinstance(value, int) and 0 <= value < 2**24 else value


def _number(value: Any) -> Any:
    return int(value[1:], 16) if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value) else value


def _at_most(limit: int, beyond: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Whole numbers up to a limit; what is more means "to the end", which is written as `beyond` there."""
    return (lambda v: min(v, limit) if isinstance(v, int) else v), (
        lambda v: beyond if isinstance(v, int) and v >= limit else v
    )


def _rest(value: Any) -> Any:
    """What is missing from 1."""
    return round(1 - value, 9) if isinstance(value, int | float) else value


def _whole_area(item: Item, prompt: Prompt) -> str | None:
    if _literal(item, "set_cond_area", "default") != "default":
        return "it asks the model about the part within the mask's bounds alone, and RestrictToMask about the whole"
    return None


def _minus(value: Any) -> Any:
    return -value if isinstance(value, int) else value


def _literal(item: Item, name: str, default: Any) -> Any:
    return item.inputs.get(name, default)


def _linked(item: Item, name: str, prompt: Prompt) -> Item | None:
    wire = item.inputs.get(name)
    return prompt.get(wire.node) if isinstance(wire, Wire) else None


def _noise_given(item: Item, prompt: Prompt) -> str | None:
    if any(isinstance(item.inputs.get(name), Wire) for name in ("add_noise", "return_with_leftover_noise")):
        return "whether it adds noise and leaves some must be given as values, not linked"
    return None


def _all_levels(item: Item, prompt: Prompt) -> str | None:
    for reader in prompt.values():
        sigmas, sampler = _linked(reader, "sigmas", prompt), _linked(reader, "sampler", prompt)
        name = None if sampler is None else sampler.inputs.get("sampler_name")
        if sigmas is item and name in PENULTIMATE:
            return f"{name} takes all of its noise levels there, and Sample would leave the last but one out"
    return None


def _own_ends(item: Item, prompt: Prompt) -> str | None:
    ends = (_literal(item, "sigma_max", SIGMA_MAX), _literal(item, "sigma_min", SIGMA_MIN), _literal(item, "rho", 7.0))
    if all(isinstance(v, int | float) for v in ends):
        top, bottom, rho = ends
        if abs(top - SIGMA_MAX) < 1e-3 and abs(bottom - SIGMA_MIN) < 1e-5 and rho == 7:
            return _all_levels(item, prompt)
    return "a schedule of Sample has no ends of its own"


def _no_resize(item: Item, prompt: Prompt) -> str | None:
    if _literal(item, "resize_source", False) is not False:
        return "it resizes the picture on top; put Resize before Composite instead"
    return None


def _one(item: Item, prompt: Prompt) -> str | None:
    return "it takes several pictures, and PickImage takes one" if _literal(item, "length", 1) != 1 else None


def _soft_threshold(item: Item, prompt: Prompt) -> str | None:
    return "a threshold of 0 selects all that is above it" if _literal(item, "value", 0.5) == 0 else None


def _alpha(item: Item, prompt: Prompt) -> str | None:
    channel = _literal(item, "channel", "alpha")
    return None if channel == "alpha" else f"a mask of the channel {channel!r} cannot be taken out yet"


def _no_alpha(item: Item, prompt: Prompt) -> str | None:
    return "pictures here have no transparency" if _literal(item, "channel", "red") == "alpha" else None


def _box(item: Item, prompt: Prompt) -> str | None:
    sides = [_literal(item, name, 512) for name in ("width", "height")]
    return "a side of 0 pixels" if 0 in sides else None


FILTER = Take("upscale_method", *_words(**{"nearest-exact": "nearest"}))
CROP = Take("crop", *_words(disabled="stretch", center="fill"))
STEP_END = _at_most(MAX_STEP, LAST_STEP)
HERE_ALONE = ("unipc", "linspace", "leading", "trailing", "native")
"""Of Sample's samplers and schedules those that ComfyUI does not have."""
ON_GPU = {"sampler_name": tuple(f"dpmpp_{name}_gpu" for name in ("sde", "2m_sde", "2m_sde_heun", "3m_sde"))}
"""Names of ComfyUI for samplers here that draw their noise on the graphics card there."""
AUTO = {"sampler": "dpmpp_2m", "schedule": "karras"}
"""What "auto" most often means."""
AS_THERE = {"whole_batch": True, "comfyui": True}
"""Of Sample: noise and steps as ComfyUI has them."""
TILES = dict.fromkeys(
    ("tile_size", "overlap", "temporal_size", "temporal_overlap"), "tiles have the size that fits here"
)
LATENTS = {"width": "width", "height": "height", "batch": "batch_size"}
WALK: Mapping[str, How] = {
    "seed": "noise_seed", "steps": "steps", "cfg": "cfg", "sampler": Take("sampler_name", _sampler),
    "schedule": "scheduler", "model": "model", "positive": "positive", "negative": "negative",
    "guidance": "positive.guidance",
}  # fmt: skip
NESTED = Take("style", lambda v: v == "nested", lambda v: "nested" if v else "regular")
ADDS = Take("add_noise", *_words(enable="always", disable="never"))
LEAVES = Take("return_with_leftover_noise", lambda v: v == "enable", lambda v: "enable" if v else "disable")
SAVED: Mapping[str, How] = {"image": "images", "name": Take("filename_prefix", _stem)}
CUSTOM: Mapping[str, How] = {
    "guidance": "guider.positive.guidance",
    "model": "guider.model", "positive": "guider.positive", "negative": "guider.negative", "cfg": "guider.cfg",
    "seed": "noise.seed", "latent": "latent_image", "sampler": "sampler.sampler", "schedule": "sigmas.schedule",
    "steps": "sigmas.steps", "strength": "sigmas.strength", "levels": "sigmas", "add_noise": "noise.add_noise",
    "settings": "sampler",
}  # fmt: skip

ENTRIES: Mapping[str, Entry] = {
    # models
    "CheckpointLoaderSimple": Entry("LoadModel", {"source": "ckpt_name"}, ("model", "text_encoder", "vae")),
    "CheckpointLoader": Entry(
        "LoadModel",
        {"source": "ckpt_name"},
        ("model", "text_encoder", "vae"),
        ignored={"config_name": "the file says what it is"},
    ),
    "DiffusersLoader": Entry("LoadModel", {"source": "model_path"}, ("model", "text_encoder", "vae")),
    "PerturbedAttentionGuidance": Entry(
        "ApplyGuidance",
        {"model": "model", "scale": "scale"},
        ("model",),
        {"kind": "perturbed", "layers": "auto", "start": 0.0, "end": 1.0},
    ),
    "LoraLoader": Entry(
        "ApplyLora",
        {
            "model": "model",
            "text_encoder": "clip",
            "source": "lora_name",
            "strength": "strength_model",
            "text_strength": "strength_clip",
        },
        ("model", "text_encoder"),
    ),
    # prompts
    "CLIPTextEncode": Entry(
        "EncodePrompt",
        {"text_encoder": "clip", "text": Take("text", _text(from_comfyui), _text(to_comfyui)), "layer": "clip.layer"},
        ("conditioning",),
        given={"comfyui": True},
    ),
    "ConditioningCombine": Entry(
        "CombinePrompts", {"prompts": ("conditioning_1", "conditioning_2")}, ("conditioning",)
    ),
    "ConditioningConcat": Entry(
        "ConcatenatePrompts", {"prompts": ("conditioning_to", "conditioning_from")}, ("conditioning",)
    ),
    "ConditioningAverage": Entry(
        "AveragePrompts",
        {
            "first": "conditioning_to",
            "second": "conditioning_from",
            "amount": Take("conditioning_to_strength", _rest, _rest),
        },
        ("conditioning",),
    ),
    "ConditioningSetMask": Entry(
        "RestrictToMask",
        {"prompt": "conditioning", "mask": "mask", "weight": "strength"},
        ("conditioning",),
        ignored={"set_cond_area": "it is default"},
        refuse=_whole_area,
    ),
    "ConditioningZeroOut": Entry("ZeroPrompt", {"prompt": "conditioning"}, ("conditioning",)),
    # latents
    "EmptyLatentImage": Entry("EmptyLatent", LATENTS, ("latent",)),
    "EmptySD3LatentImage": Entry("EmptyLatent", LATENTS, ("latent",)),
    "VAEEncode": Entry("EncodeImage", {"vae": "vae", "image": "pixels"}, ("latent",)),
    "VAEEncodeTiled": Entry("EncodeImage", {"vae": "vae", "image": "pixels"}, ("latent",), ignored=TILES),
    "VAEDecode": Entry("Decode", {"vae": "vae", "latent": "samples"}, ("image",), {"tiled": "auto"}),
    "VAEDecodeTiled": Entry(
        "Decode", {"vae": "vae", "latent": "samples"}, ("image",), {"tiled": "always"}, ignored=TILES
    ),
    # sampling
    "KSampler": Entry(
        "Sample",
        {**WALK, "seed": "seed", "latent": "latent_image", "strength": "denoise"},
        ("latent",),
        {"start_step": 0, "end_step": MAX_STEP, "add_noise": "always"},
        AS_THERE,
    ),
    "KSamplerAdvanced": Entry(
        "Sample",
        {
            **WALK,
            "latent": "latent_image",
            "start_step": "start_at_step",
            "end_step": Take("end_at_step", *STEP_END),
            "add_noise": ADDS,
            "leftover_noise": LEAVES,
        },
        ("latent",),
        {"strength": 1.0},
        AS_THERE,
        refuse=_noise_given,
    ),
    "SamplerCustom": Entry(
        "Sample",
        {
            **CUSTOM,
            "model": "model",
            "positive": "positive",
            "negative": "negative",
            "cfg": "cfg",
            "seed": "noise_seed",
            "guidance": "positive.guidance",
            "add_noise": Take("add_noise", lambda v: "always" if v else "never", lambda v: v != "never"),
        },
        ("latent", "steps"),
        given=AS_THERE,
        refuse=_noise_given,
    ),
    "SamplerCustomAdvanced": Entry(
        "Sample",
        {**CUSTOM, "middle": "guider.middle", "middle_cfg": "guider.middle_cfg", "nested": "guider.nested"},
        ("latent", "steps"),
        given=AS_THERE,
    ),
    # pictures
    "LoadImage": Entry("LoadImage", {"file": Take("image", _file)}, ("image", "mask")),
    "LoadImageOutput": Entry("LoadImage", {"file": Take("image", _file)}, ("image", "mask")),
    "LoadImageMask": Entry(
        "LoadImage", {"file": Take("image", _file)}, ("mask",), ignored={"channel": "it is alpha"}, refuse=_alpha
    ),
    "SaveImage": Entry("SaveImage", {**SAVED, "transparent": "images.transparent"}, (), {"format": "png"}),
    "SaveAnimatedWEBP": Entry(
        "SaveAnimation",
        {**SAVED, "fps": "fps", "lossless": "lossless", "quality": "quality"},
        (),
        {"format": "webp", "loop": True},
        ignored={"method": "how long is searched for a smaller file"},
    ),
    "SaveAnimatedPNG": Entry(
        "SaveAnimation",
        {**SAVED, "fps": "fps"},
        (),
        {"format": "apng", "loop": True},
        ignored={"compress_level": "how long is searched for a smaller file"},
    ),
    "ImageScale": Entry(
        "Resize",
        {"image": "image", "width": "width", "height": "height", "filter": FILTER, "mode": CROP},
        ("image",),
        {"factor": 1.0},
    ),
    "ImageScaleBy": Entry(
        "Resize", {"image": "image", "factor": "scale_by", "filter": FILTER}, ("image",), {"width": 0, "height": 0}
    ),
    "ImageBatch": Entry("JoinImages", {"images": ("image1", "image2")}, ("image",)),
    "ImageFromBatch": Entry(
        "PickImage", {"image": "image", "index": "batch_index"}, ("image",), ignored={"length": "it is 1"}, refuse=_one
    ),
    "ImageCrop": Entry(
        "Crop",
        {"image": "image", "x": "x", "y": "y", "width": "width", "height": "height"},
        ("image",),
        refuse=_box,
    ),
    "ImageCompositeMasked": Entry(
        "Composite",
        {"base": "destination", "over": "source", "mask": "mask", "x": "x", "y": "y"},
        ("image",),
        ignored={"resize_source": "it is off"},
        refuse=_no_resize,
    ),
    # masks
    "InvertMask": Entry("Mask", {"mask": "mask"}, ("mask",), {"invert": True, "threshold": 0.0}),
    "ThresholdMask": Entry(
        "Mask", {"mask": "mask", "threshold": "value"}, ("mask",), {"invert": False}, refuse=_soft_threshold
    ),
    "CropMask": Entry(
        "Crop", {"image": "mask", "x": "x", "y": "y", "width": "width", "height": "height"}, ("image",), refuse=_box
    ),
    "ImageColorToMask": Entry(
        "MaskColour", {"image": "image", "colour": Take("color", _colour, _number)}, ("mask",), {"tolerance": 0.00196}
    ),
    # values
    "PrimitiveInt": Entry("Integer", {"value": "value"}, ("int",)),
    "PrimitiveFloat": Entry("Number", {"value": "value"}, ("float",)),
    "PrimitiveString": Entry("Text", {"text": "value"}, ("str",)),
    "PrimitiveStringMultiline": Entry("Text", {"text": "value"}, ("str",)),
    "PrimitiveBoolean": Entry("Boolean", {"value": "value"}, ("bool",)),
}

PARTS: Mapping[str, Part] = {
    "CLIPSetLastLayer": Part({"layer": Take("stop_at_clip_layer", _minus, _minus)}, passes="clip"),
    "FluxGuidance": Part({"guidance": "guidance"}, passes="conditioning"),
    "MaskToImage": Part(passes="mask"),
    "JoinImageWithAlpha": Part({"transparent": "alpha"}, passes="image"),
    "KSamplerSelect": Part({"sampler": Take("sampler_name", _sampler)}),
    "BasicScheduler": Part({"schedule": "scheduler", "steps": "steps", "strength": "denoise"}, refuse=_all_levels),
    "KarrasScheduler": Part({"schedule": Fixed("karras"), "steps": "steps", "strength": Fixed(1.0)}, refuse=_own_ends),
    "ExponentialScheduler": Part(
        {"schedule": Fixed("exponential"), "steps": "steps", "strength": Fixed(1.0)}, refuse=_own_ends
    ),
    "DisableNoise": Part({"seed": Fixed(0), "add_noise": Fixed("never")}),
    "RandomNoise": Part({"seed": "noise_seed", "add_noise": Fixed("always")}),
    "BasicGuider": Part({"model": "model", "positive": "conditioning", "negative": Fixed(None), "cfg": Fixed(1.0)}),
    "CFGGuider": Part({"model": "model", "positive": "positive", "negative": "negative", "cfg": "cfg"}),
    "DualCFGGuider": Part(
        {
            "model": "model",
            "positive": "cond1",
            "middle": "cond2",
            "negative": "negative",
            "cfg": "cfg_conds",
            "middle_cfg": "cfg_cond2_negative",
            "nested": NESTED,
        }
    ),
}

SHOWN: Mapping[str, Shown] = {
    "PreviewImage": Shown("images"),
    "MaskPreview": Shown("mask"),
    "PreviewAny": Shown("source"),
}

TWINS: Mapping[str, Refuse] = {"ImageToMask": _no_alpha}
"""Why a twin cannot do what is asked, for those that cannot do everything."""
TEXTS: Mapping[str, tuple[str, ...]] = {
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl"),
    "CLIPTextEncodeSD3": ("clip_l", "clip_g", "t5xxl"),
    "CLIPTextEncodeSDXL": ("text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("text",),
    "GLIGENTextBoxApply": ("text",),
}
"""Inputs of twins that are prompts, whose weights are written in another way here."""
