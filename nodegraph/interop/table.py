"""How ComfyUI's node classes are written with the nodes here: one entry for each class.

A class that has a twin, a node `comfyui/<class>` with the same names, needs no entry. Any other is carried in one of
three ways. An `Entry` is a node of ours. A `Part` is no node of its own: what reads it takes its values (a scheduler's)
or what it passes on. A `Shown` becomes an output of the document. What is in none of the tables stays in the
document as a placeholder, for a reason from `reasons`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import refusals, values
from .refusals import Refuse
from .wording import from_comfyui, to_comfyui


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


MAX_STEP = 1000
LAST_STEP = 10_000


FILTER = Take("upscale_method", *values.words(**{"nearest-exact": "nearest"}))
CROP = Take("crop", *values.words(disabled="stretch", center="fill"))
STEP_END = values.at_most(MAX_STEP, LAST_STEP)
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
    "seed": "noise_seed", "steps": "steps", "cfg": "cfg", "sampler": Take("sampler_name", values.sampler),
    "schedule": "scheduler", "model": "model", "positive": "positive", "negative": "negative",
    "guidance": "positive.guidance",
}  # fmt: skip
NESTED = Take("style", lambda v: v == "nested", lambda v: "nested" if v else "regular")
ADDS = Take("add_noise", *values.words(enable="always", disable="never"))
LEAVES = Take("return_with_leftover_noise", lambda v: v == "enable", lambda v: "enable" if v else "disable")
SAVED: Mapping[str, How] = {"image": "images", "name": Take("filename_prefix", values.stem)}
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
        {
            "text_encoder": "clip",
            "text": Take("text", values.text(from_comfyui), values.text(to_comfyui)),
            "layer": "clip.layer",
        },
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
            "amount": Take("conditioning_to_strength", values.rest, values.rest),
        },
        ("conditioning",),
    ),
    "ConditioningSetMask": Entry(
        "RestrictToMask",
        {"prompt": "conditioning", "mask": "mask", "weight": "strength"},
        ("conditioning",),
    ),
    "ConditioningZeroOut": Entry("ZeroPrompt", {"prompt": "conditioning"}, ("conditioning",)),
    # latents
    "EmptyLatentImage": Entry("EmptyLatent", LATENTS, ("latent",)),
    "EmptySD3LatentImage": Entry("EmptyLatent", LATENTS, ("latent",)),
    "VAEEncode": Entry("EncodeImage", {"vae": "vae", "image": "pixels"}, ("latent",)),
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
        refuse=refusals.noise_given,
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
        refuse=refusals.noise_given,
    ),
    "SamplerCustomAdvanced": Entry(
        "Sample",
        {**CUSTOM, "middle": "guider.middle", "middle_cfg": "guider.middle_cfg", "nested": "guider.nested"},
        ("latent", "steps"),
        given=AS_THERE,
    ),
    # pictures
    "LoadImage": Entry("LoadImage", {"file": Take("image", values.file)}, ("image", "mask")),
    "LoadImageOutput": Entry("LoadImage", {"file": Take("image", values.file)}, ("image", "mask")),
    "LoadImageMask": Entry(
        "LoadImage",
        {"file": Take("image", values.file)},
        ("mask",),
        ignored={"channel": "it is alpha"},
        refuse=refusals.alpha,
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
    "ImageFromBatch": Entry("PickImage", {"image": "image", "index": "batch_index"}, ("image",)),
    "ImageCrop": Entry(
        "Crop",
        {"image": "image", "x": "x", "y": "y", "width": "width", "height": "height"},
        ("image",),
        refuse=refusals.box,
    ),
    "ImageCompositeMasked": Entry(
        "Composite",
        {"base": "destination", "over": "source", "mask": "mask", "x": "x", "y": "y"},
        ("image",),
    ),
    # masks
    "InvertMask": Entry("Mask", {"mask": "mask"}, ("mask",), {"invert": True, "threshold": 0.0}),
    "ThresholdMask": Entry(
        "Mask", {"mask": "mask", "threshold": "value"}, ("mask",), {"invert": False}, refuse=refusals.soft_threshold
    ),
    "CropMask": Entry(
        "Crop",
        {"image": "mask", "x": "x", "y": "y", "width": "width", "height": "height"},
        ("image",),
        refuse=refusals.box,
    ),
    "ImageColorToMask": Entry(
        "MaskColour",
        {"image": "image", "colour": Take("color", values.colour, values.number)},
        ("mask",),
        {"tolerance": 0.00196},
    ),
    # values
    "PrimitiveInt": Entry("Integer", {"value": "value"}, ("int",)),
    "PrimitiveFloat": Entry("Number", {"value": "value"}, ("float",)),
    "PrimitiveString": Entry("Text", {"text": "value"}, ("str",)),
    "PrimitiveStringMultiline": Entry("Text", {"text": "value"}, ("str",)),
    "PrimitiveBoolean": Entry("Boolean", {"value": "value"}, ("bool",)),
}

PARTS: Mapping[str, Part] = {
    "CLIPSetLastLayer": Part({"layer": Take("stop_at_clip_layer", values.minus, values.minus)}, passes="clip"),
    "FluxGuidance": Part({"guidance": "guidance"}, passes="conditioning"),
    "MaskToImage": Part(passes="mask"),
    "JoinImageWithAlpha": Part({"transparent": "alpha"}, passes="image"),
    "KSamplerSelect": Part({"sampler": Take("sampler_name", values.sampler)}),
    "BasicScheduler": Part(
        {"schedule": "scheduler", "steps": "steps", "strength": "denoise"}, refuse=refusals.all_levels
    ),
    "KarrasScheduler": Part(
        {"schedule": Fixed("karras"), "steps": "steps", "strength": Fixed(1.0)}, refuse=refusals.own_ends
    ),
    "ExponentialScheduler": Part(
        {"schedule": Fixed("exponential"), "steps": "steps", "strength": Fixed(1.0)}, refuse=refusals.own_ends
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

TWINS: Mapping[str, Refuse] = {"ImageToMask": refusals.no_alpha}
"""Why a twin cannot do what is asked, for those that cannot do everything."""
TEXTS: Mapping[str, tuple[str, ...]] = {
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl"),
    "CLIPTextEncodeHiDream": ("clip_l", "clip_g", "t5xxl", "llama"),
    "CLIPTextEncodeSD3": ("clip_l", "clip_g", "t5xxl"),
    "CLIPTextEncodeSDXL": ("text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("text",),
    "GLIGENTextBoxApply": ("text",),
}
"""Inputs of twins that are prompts, whose weights are written in another way here."""


def aliases() -> dict[str, list[str]]:
    """What ComfyUI calls nodes of ours, by type id: the classes that are those alone."""
    found: dict[str, list[str]] = {}
    for name, entry in ENTRIES.items():
        found.setdefault(entry.type, []).append(name)
    return found
