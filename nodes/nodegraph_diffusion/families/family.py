"""What a family of models says about itself. See `families` for where these values are found.

Everything that needs torch happens inside the functions a family names, so that headers are read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..checkpoint.header import Header
from ..checkpoint.memory import Activations
from ..checkpoint.value import Component, Prediction

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.prompts import PromptEncoder
    from ..diffusion.schedules import Table


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What a text encoder makes of a prompt: float32 on the CPU.

    Attributes:
        tokens: (1, T, D), or None where the family reads the pooled one alone.
        pooled: (1, P): all of the prompt in one vector, or None where the family does not read it.
    """

    tokens: Tensor | None
    pooled: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a single file holds."""

    denoiser: Component
    text_encoders: tuple[Component, ...]
    vae: Component | None
    scheduler: Mapping[str, Any]
    prediction: Prediction
    prediction_from: str = "the family"
    low_res_scheduler: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Encoder:
    """One of a family's text encoders.

    Args:
        name: As diffusers calls its folder.
        classes: What it may be in transformers: models that differ in what stands behind the layers that are read.
        encode: `encode(encoder, text, layer)`: what it makes of a prompt; layer 0 is the one the family reads.
        optional: Whether the model does without it too.
        vocabulary: The folder of its tokenizer, where it is not named like its own.
        layers: How many of its layers the family reads side by side.
    """

    name: str
    classes: tuple[str, ...]
    encode: Callable[[PromptEncoder, str, int], Encoded]
    optional: bool = False
    vocabulary: str = ""
    layers: int = 1

    @property
    def tokenizer(self) -> str:
        """The folder of its tokenizer."""
        return self.vocabulary or self.name.replace("text_encoder", "tokenizer")


UNTOLD = -1.0
"""The guidance of a run that tells a model which was distilled from it nothing of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a run tells a network beside the latent, the time and the prompt.

    Args:
        width, height: Of the picture in pixels.
        guidance: What a model distilled from guidance is told instead of it; it may be `UNTOLD`.
        hole: For inpainting networks, what the family's `hole` made.
        low_res: For networks that enlarge, the small picture (B, 3, h, w), -1..1, at the size of the latent.
        noise_level: How much noise that picture has, as a timestep of its own scheduler.
        residuals: Further arguments of the network, such as those that ControlNets add.
        kinds: Of which kinds the picture of a ControlNet is, for one that knows several.
    """

    width: int
    height: int
    guidance: float = 3.5
    hole: Any = None
    low_res: Tensor | None = None
    noise_level: int = 0
    residuals: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[int, ...] = ()


Residuals = Mapping[str, Any]
"""Further arguments of a denoiser's network: tensors, and sequences of them."""


@dataclass(frozen=True, slots=True)
class Control:
    """How a family's ControlNets are asked.

    Args:
        cls: Their class in diffusers.
        ask: `ask(network, hint, x, time, prompt, job, strength)`: what the ControlNet adds to the denoiser. The hint is
            a picture (B, 3, H, W), 0..1, or its latent.
        owns: Whether a configuration of that class is of this family.
        latent: `latent(config)`: whether such a ControlNet reads the picture's latent.
        shifted: Whether that latent is centred as the denoiser's are.
        hides: `hides(config)`: whether such a ControlNet fills a hole: it reads the latent of the picture with its hole
            in black, and behind that what is kept.
        union: The class of those that were trained on pictures of several kinds and want to know which one is theirs.
    """

    cls: str
    ask: Callable[[Any, Tensor, Tensor, Tensor, Prompt, Job, float], Residuals]
    owns: Callable[[Mapping[str, Any]], bool] = lambda config: True
    latent: Callable[[Mapping[str, Any]], bool] = lambda config: False
    shifted: Callable[[Mapping[str, Any]], bool] = lambda config: True
    hides: Callable[[Mapping[str, Any]], bool] = lambda config: False
    union: str = ""


def first(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    """The encoding of a family with one text encoder."""
    assert encoded[0] is not None
    return encoded[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture with the habits it was trained with.

    Args:
        name: Stable, in documents' facts and cache keys.
        title: What people read.
        denoiser: Folder and class of the network, in diffusers.
        encoders: Its text encoders, in order.
        vae: Folder and class of its autoencoder.
        space: The name of its latent space; families that share one read each other's latents.
        owns: Whether a diffusers folder is of this family, from the configurations of its components by folder, once
            the denoiser's class and the text encoders fit.
        scaling: What the family's own VAE multiplies latents by, which tells its space from that of a VAE of its own.
        predict: `predict(network, x, time, prompt, job)`: the network's raw output for latents (B, C, h, w).
        joined: `joined(encoded, width)`: what the encodings of several text encoders are together, for a denoiser that
            reads prompts of that width; None stands for an encoder that is absent.
        together: Whether positive and negative prompt go through the network in one batch: where prompts of different
            length are `repeat`ed up to a common one, where they are of `equal` length, of `any` length, of which
            `Prompt.each` tells the network, or `never`.
        combine: `combine(negative, positive, cfg)`, where it is not the usual guidance.
        multiple: What width and height of a picture are multiples of, in pixels.
        prediction: What the network gives, where no configuration says it.
        table: Its noise levels, from the scheduler's configuration, the latent's cells and the number of steps.
        sampler, schedule: What fits the family where a document does not say it.
        inpaints: Whether a denoiser of this configuration reads a picture with a hole.
        hole: What such a network reads, from the mask (B, 1, H, W), 1 where to paint, and the hidden picture's latent.
        edits: Whether such a denoiser reads a whole picture, without a mask: `hole` is then given None for it.
        sees: Whether it reads a whole picture beside the latent where there is one: `hole` of `Job` is its latent.
        width: How wide the prompts are that a denoiser of this configuration reads.
        recognise: Whether a single file is of this family.
        read: What a single file that was recognised holds. Raises `ModelError`.
        shipped: The folder of configurations that comes with the pack, for files that hold one part alone.
        convert: `convert(part, weights)`: the tensors of one component of a single file, by diffusers' names.
        look: `look(encoder, text, pictures, counted)`: what its text encoder makes of a prompt about pictures (H, W,
            3), bytes, which may be counted in it.
        adapts: Whether a LoRA may be one for this family, from its names and shapes.
        adapted: `adapted(name, config)`: the modules of the denoiser, by diffusers' names, that one of the original
            code is, or is fused of. Dots of the name may be underscores.
        control: How its ControlNets are asked, if there are any.
        guides: Whether a T2I-Adapter of this configuration is for the family.
        grounds: Whether there is GLIGEN for it, which is told phrases as its first text encoder pools them.
        activations: How much a call of a denoiser holds beside its weights, where that was measured.
        enlarges: Whether it makes a large picture of a small one, which it reads beside the latent.
        vae_config: What its autoencoder is configured as, whatever its file says.
        caches: Whether diffusers can leave out blocks of it on steps that change little.
        revises: Whether pictures, as CLIP sees them, may stand in the place of the pooled prompt.
        references: Whether it looks at further pictures beside what it makes.
        refines: Whether it only goes on from another model's latents.
        least: How many tokens ComfyUI has its T5 give at least.
        rank: Families of a lower rank are asked first whether a model is theirs.
    """

    name: str
    title: str
    denoiser: tuple[str, str]
    encoders: tuple[Encoder, ...]
    space: str
    predict: Callable[[Any, Tensor, Tensor, Prompt, Job], Tensor]
    table: Callable[[Mapping[str, Any], int, int], Table]
    width: Callable[[Mapping[str, Any]], int]
    joined: Callable[[Sequence[Encoded | None], int], Encoded] = first
    scaling: float | None = None
    vae: tuple[str, str] = ("vae", "AutoencoderKL")
    owns: Callable[[Mapping[str, Mapping[str, Any]]], bool] = lambda configs: True
    together: Literal["repeat", "equal", "any", "never"] = "equal"
    combine: Callable[[Tensor, Tensor, float], Tensor] | None = None
    multiple: int = 8
    prediction: Prediction = "flow"
    sampler: str = "euler"
    schedule: str = "native"
    inpaints: Callable[[Mapping[str, Any]], bool] = lambda config: False
    hole: Callable[[Any, Tensor], Any] | None = None
    edits: Callable[[Mapping[str, Any]], bool] = lambda config: False
    sees: bool = False
    recognise: Callable[[Header], bool] = lambda header: False
    read: Callable[[Header], Parts] | None = None
    shipped: str = ""
    convert: Callable[[Component, dict[str, Tensor]], dict[str, Tensor]] | None = None
    look: Callable[[PromptEncoder, str, Sequence[Any], bool], Encoded] | None = None
    adapts: Callable[[Header], bool] = lambda header: False
    adapted: Callable[[str, Mapping[str, Any]], Sequence[str]] = lambda name, config: ()
    control: Control | None = None
    guides: Callable[[Mapping[str, Any]], bool] = lambda config: False
    grounds: bool = False
    activations: Activations | None = None
    enlarges: bool = False
    vae_config: Mapping[str, Any] = field(default_factory=dict)
    refines: bool = False
    references: bool = False
    revises: bool = False
    caches: bool = False
    least: int = 0
    rank: int = 1
