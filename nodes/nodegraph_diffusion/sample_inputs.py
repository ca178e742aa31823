"""What a sampling run is given, from the values on the edges to tensors of the model's latent space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nodegraph import NodeError

from .apply_control_net import CONTROL_NETS
from .apply_gligen import with_gates
from .handles import Model
from .layouts import Layout
from .sizes import common_batch
from .values import Conditioning, ControlHint, Latent, Window

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.control import Control, Features
    from .diffusion.denoiser import Ground, Prompt
    from .diffusion.noise import Draw
    from .diffusion.schedules import Schedule


def check_width(model: Model, prompt: Conditioning, port: str) -> None:
    wanted = model.family.width(model.checkpoint.denoiser.config)
    for part in prompt.parts:
        if (width := part.tokens.shape[2]) != wanted:
            message = f"{model.checkpoint.name!r} reads prompts of width {wanted}, but this one is {width} wide"
            raise NodeError(f"{message}; encode it with the text encoder of the same model", port)
        _check_references(model, part, port)
        _check_likenesses(model, part, port)


def _check_likenesses(model: Model, part: Conditioning, port: str) -> None:
    if part.likenesses and not model.family.revises:
        message = "reads no pictures in the place of a prompt, as Stable Diffusion XL does"
        raise NodeError(f"{model.family.title} {message}; link a prompt without unCLIPConditioning", port)
    wanted = None if part.pooled is None else part.pooled.shape[1]
    for each in part.likenesses:
        if (width := each.vectors.shape[1]) != wanted:
            message = f"{model.checkpoint.name!r} reads pictures as vectors of width {wanted}, but one is {width} wide"
            raise NodeError(f"{message}; load the encoder of pictures that goes with it (clip_vision_g)", port)


def _check_references(model: Model, part: Conditioning, port: str) -> None:
    if part.references and not model.family.references:
        raise NodeError(f"{model.family.title} looks at no further pictures; link a prompt without references", port)
    channels = model.space.channels
    if any(each.shape[1] != channels for each in part.references):
        message = f"{model.checkpoint.name!r} works on latents of {channels} channels, but a reference has others"
        raise NodeError(f"{message}; encode it with the VAE of the same model", port)


def reads_picture(model: Model, latent: Latent) -> bool:
    """Whether the network is told of a picture, or one with a hole, beside the latent."""
    whole = latent.masked is not None and latent.mask is None
    return model.family.inpaints(model.checkpoint.denoiser.config) or (model.family.sees and whole)


def check_windows(reads: bool, model: Model, positive: Conditioning | Layout, beside: Sequence[Conditioning]) -> None:
    """Refuse what looks at the whole picture where a network is asked about windows of it."""
    prompts = positive.prompts if isinstance(positive, Layout) else (positive,)
    windowed = prompts[1:] if isinstance(positive, Layout) else prompts
    asked = [part for prompt in (*prompts, *beside) for part in prompt.parts]
    whole = "set tile to 0 and link a plain prompt"
    looking = {
        "an inpainting model looks at the whole picture": reads,
        "an upscaling model looks at the whole small picture": model.family.enlarges,
        "an IP-Adapter's mask lies over the whole picture": any(each.mask is not None for each in model.images),
        "guidance with momentum remembers the whole picture": model.guider is not None and model.guider.momentum,
        "boxes for GLIGEN lie over the whole picture": any(p.grounds for prompt in windowed for p in prompt.parts),
    }
    for what, is_so in looking.items():
        if is_so:
            raise NodeError(f"{what}; {whole}", "model")
    if any(part.mask is not None or part.window is not None for part in asked):
        raise NodeError(f"a prompt for a part of the picture looks at the whole; {whole}", "positive")


def check_whole(reads: bool, model: Model, prompts: Iterable[Conditioning], controlled: bool) -> None:
    """Refuse prompts with a window where the network reads something that lies over the whole picture."""
    parts = [part for prompt in prompts for part in prompt.parts]
    lying = {
        "an inpainting model": reads,
        "a ControlNet": controlled,
        "GLIGEN": any(part.grounds for part in parts),
        "an IP-Adapter with a mask": any(image.mask is not None for image in model.images),
    }
    what = next((what for what, is_so in lying.items() if is_so), None)
    if what and any(part.window or part.bounded for part in parts):
        raise NodeError(f"{what} looks at the whole picture; link prompts without boxes of their own", "positive")


def shared(
    positive: Conditioning | Layout, negative: Conditioning | None
) -> tuple[Conditioning | Layout, Conditioning | None]:
    """The prompts, the negative with the ControlNets and boxes of the positive that are shared, if it has none of its
    own.

    The parts of the positive that have some are dealt out to those of the negative, which are repeated where they are
    fewer.
    """
    if isinstance(positive, Layout) or negative is None:
        return positive, negative
    if not any(part.controls for part in negative.parts):
        held = [part.controls for part in positive.parts if any(hint.shared for hint in part.controls)]
        negative = _dealt(negative, "controls", held)
    if not any(part.grounds for part in negative.parts):
        boxes = [part.grounds for part in positive.parts if any(ground.gligen for ground in part.grounds)]
        negative = _dealt(negative, "grounds", boxes)
    return positive, negative


def _dealt(prompt: Conditioning, name: str, values: Sequence[Any]) -> Conditioning:
    """A prompt with each value given to one of its parts, which are repeated where they are fewer."""
    own = prompt.parts
    made = [replace(own[number % len(own)], **{name: value}) for number, value in enumerate(values)]
    first, *others = [*made, *own[len(made) :]]
    return replace(first, also=tuple(others))


def controls_of(
    model: Model, positive: Conditioning | Layout, beside: Sequence[Conditioning]
) -> tuple[ControlHint, ...]:
    """All ControlNets of a run, each once: the model's, then those of prompts."""
    prompts = [*(positive.prompts if isinstance(positive, Layout) else [positive]), *beside]
    found = {id(hint): hint for prompt in prompts for part in prompt.parts for hint in part.controls}
    family = model.family
    for hint in found.values():
        if family.control is None or hint.checkpoint.family != family.name:
            raise NodeError(CONTROL_NETS.unlike(hint.checkpoint, family.title), "positive")
    return (*model.controls, *found.values())


def timed(control: Control | Features, hint: ControlHint, way: Schedule) -> Control | Features:
    """A ControlNet that acts on a part of the steps of `way`."""
    if not hint.by_noise:
        return control
    start, end = way.within(hint.start, hint.end)
    return replace(control, start=start, end=end)


def network_prompts(
    given: Conditioning,
    score: float,
    like: Tensor,
    way: Schedule,
    model: Model,
    middle: bool,
    hints: Sequence[ControlHint],
    seed: int,
    negative: bool = False,
) -> list[Prompt]:
    """What is asked, with masks and windows at the size of the latent.

    Args:
        way: All steps.
        middle: Whether a mask counts at the middle of each cell.
        hints: The run's ControlNets, of which the model's act on all prompts.
        seed: Of the run.
        negative: Whether it says what a picture should not show.
    """
    import torch
    from torch.nn import functional

    made = []
    for part in given.parts:
        mask = None
        if part.mask is not None:
            mask = functional.interpolate(
                torch.from_numpy(part.mask.copy())[:, None],
                size=like.shape[-2:],
                mode="bilinear" if middle else "area",
            )
        size = (like.shape[-1] * model.space.cell, like.shape[-2] * model.space.cell)
        prompt = replace(network_prompt(part, score), grounds=_grounds(part, *size))
        if part.likenesses:
            prompt = replace(prompt, pooled=_pictured(part, seed))
        start, end = way.within(part.start, part.end) if part.by_noise else (part.start, part.end)
        window = None if part.window is None else _cells(part.window, like.shape[-2], like.shape[-1], model.space.cell)
        if part.bounded and mask is not None:
            window = _bounds(mask)
        own = {id(hint) for hint in part.controls}
        acting = frozenset(n for n, hint in enumerate(hints) if id(hint) in own or n < len(model.controls))
        made.append(
            replace(
                prompt, weight=part.weight, mask=mask, start=start, end=end, window=window, controls=acting,
                negative=negative, references=tuple(torch.from_numpy(each.copy()) for each in part.references),
            )
        )  # fmt: skip
    return made


SMALLEST = 8
"""Cells on a side of the smallest box around a mask."""


def _bounds(mask: Tensor) -> tuple[slice, slice]:
    """The rows and columns of the smallest box around a mask (1, 1, h, w)."""

    def span(met: Tensor) -> slice:
        places = met.nonzero()
        first, last = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        last = min(max(last, first + SMALLEST), len(met))
        return slice(first, last)

    here = mask[0, 0] > 0
    return span(here.any(1)), span(here.any(0))


def _cells(window: Window, rows: int, columns: int, cell: int) -> tuple[slice, slice]:
    """The rows and columns of a window; at least one of each, and none outside."""

    def span(start: float, length: float, cells: int) -> slice:
        if window.parts:
            start, length = round(start * cells), round(length * cells)
        else:
            start, length = start // cell, length // cell
        first = min(int(start), cells - 1)
        return slice(first, min(first + max(int(length), 1), cells))

    return span(window.y, window.height, rows), span(window.x, window.width, columns)


def network_prompt(given: Conditioning, score: float) -> Prompt:
    import torch

    from .diffusion.denoiser import Prompt

    pooled = None if given.pooled is None else torch.from_numpy(given.pooled.copy())
    sizes = None if given.sizes is None else torch.from_numpy(given.sizes.copy())
    told = score if given.score is None else given.score
    tokens = torch.from_numpy(given.tokens.copy())
    return Prompt(tokens, pooled, sizes, told, guidance=given.guidance)


SEED = -10
"""What ComfyUI adds to a run's seed for the noise over pictures in the place of prompts."""


def _pictured(given: Conditioning, seed: int) -> Tensor:
    """The pictures that stand in the place of a pooled prompt, as one vector (1, D)."""
    import torch

    from .diffusion.unclip import merged

    pictures = [
        (torch.from_numpy(vector.copy()), each.strength, each.noise)
        for each in given.likenesses
        for vector in each.vectors
    ]
    return merged(pictures, seed + SEED)


def _grounds(given: Conditioning, width: int, height: int) -> tuple[Ground, ...]:
    """What a prompt is held to by GLIGEN in a picture of that size."""
    import torch

    from .diffusion.denoiser import Ground

    made = []
    for each in given.grounds:
        box = [each.x, each.y, each.x + each.width, each.y + each.height]
        if each.gligen is not None:  # in pixels, of which ComfyUI counts whole eights alone
            left, top, across, down = (int(v) // 8 * 8 for v in (each.x, each.y, each.width, each.height))
            box = [left / width, top / height, (left + across) / width, (top + down) / height]
        made.append(Ground(torch.from_numpy(each.phrase.copy()), (box[0], box[1], box[2], box[3]), each.end))
    return tuple(made)


def gated(model: Model, prompts: Iterable[Conditioning]) -> Model:
    """`model` with the GLIGEN that its prompts bring, if they bring one."""
    brought = {ground.gligen for prompt in prompts for part in prompt.parts for ground in part.grounds} - {None}
    if len(brought) > 1:
        names = " and ".join(sorted(found.name for found in brought if found))
        raise NodeError(f"the boxes of its prompts are for {names}; use one GLIGEN for all", "positive")
    found = next(iter(brought), None)
    return model if found in (None, model.gligen) else with_gates(model, found, "positive")


def grounds_of(model: Model, prompts: Iterable[Conditioning]) -> list[Ground]:
    """All that a run's prompts are held to by GLIGEN, of which the boxes do not count."""
    from .diffusion.gligen import MOST

    parts = [part for prompt in prompts for part in prompt.parts if part.grounds]
    if parts and not model.grounded:
        raise NodeError("the prompt has boxes for GLIGEN, which the model has not; link ApplyGligen before, or link a "
                        "Layout", "positive")  # fmt: skip
    wanted = model.family.width(model.checkpoint.denoiser.config)
    for part in parts:
        if len(part.grounds) > MOST:
            raise NodeError(f"GLIGEN reads at most {MOST} boxes, but {len(part.grounds)} are given", "positive")
        if any(ground.phrase.shape[1] != wanted for ground in part.grounds):
            raise NodeError(f"boxes for GLIGEN need phrases of width {wanted}; say them with the text encoder of the "
                            "same model", "positive")  # fmt: skip
    return [ground for part in parts for ground in _grounds(part, 1, 1)]


def start_of(model: Model, latent: Latent) -> Tensor:
    """The latent as a tensor (B, C, h, w) in the model's space; zeros for an empty one."""
    import torch

    channels, cell = model.space.channels, model.space.cell
    if latent.samples is None:
        multiple = max(cell, model.family.multiple)
        rows, columns = (-(-side // multiple) * multiple // cell for side in (latent.height, latent.width))
        return torch.zeros(latent.batch, channels, rows, columns)
    if latent.samples.shape[1] != channels:
        message = f"{model.checkpoint.name!r} works on latents of {channels} channels"
        given = f"this one has {latent.samples.shape[1]}"
        raise NodeError(f"{message}, but {given}; encode the picture with the VAE of the same model", "latent")
    return torch.from_numpy(latent.samples.copy())


def mask_of(latent: Latent, like: Tensor, middle: bool) -> Tensor:
    """The mask at the size of the latent (1 or B, 1, h, w): how much of each cell, or of its middle, is selected."""
    import torch
    from torch.nn import functional

    assert latent.mask is not None
    common_batch(("latent", latent.batch), ("mask", len(latent.mask)))
    mask = torch.from_numpy(latent.mask.copy())[:, None]
    height, width = like.shape[-2:]
    if middle:
        return functional.interpolate(mask, (height, width), mode="bilinear").to(like)
    factor = -(-latent.height // height)
    padded = functional.pad(
        mask, (0, width * factor - latent.width, 0, height * factor - latent.height), mode="replicate"
    )
    return functional.avg_pool2d(padded, factor).to(like)


def hole_of(model: Model, latent: Latent) -> Any:
    """What an inpainting model reads beside the latent: the hard mask and the hidden picture, as its family does."""
    import torch
    from torch.nn import functional

    if model.family.sees:
        return torch.from_numpy(latent.masked.copy()) if latent.masked is not None else None
    if model.family.edits(model.checkpoint.denoiser.config):
        if latent.masked is None:
            message = "the model makes a picture of another, which the latent has not"
            raise NodeError(f"{message}; link InstructPixToPixConditioning, with this model's VAE, to latent", "latent")
        assert model.family.hole is not None
        return model.family.hole(None, torch.from_numpy(latent.masked.copy()))
    if latent.mask is None or latent.masked is None:
        message = "is an inpainting model, which needs a picture with a hole"
        raise NodeError(f"{message}; link EncodeImage, with this model's VAE, an image and a mask, to latent", "latent")
    hard = (torch.from_numpy(latent.mask.copy())[:, None] >= 0.5).float()
    hidden = torch.from_numpy(latent.masked.copy())
    cell = model.space.cell
    width, height = hidden.shape[-1] * cell, hidden.shape[-2] * cell
    edges = (0, width - latent.width, 0, height - latent.height)
    assert model.family.hole is not None
    return model.family.hole(functional.pad(hard, edges, mode="replicate"), hidden)


def low_res_of(model: Model, latent: Latent, draw: Draw) -> tuple[Tensor, int]:
    """What an upscaling model reads beside the latent: the small picture (B, 3, h, w), -1..1, and its noise level."""
    import torch

    from .diffusion.low_res import augmented

    if latent.low_res is None:
        message = "is an upscaling model, which needs a small picture"
        raise NodeError(f"{message}; link EncodeLowRes, with this model's VAE and an image, to latent", "latent")
    scheduler = model.checkpoint.low_res_scheduler
    return augmented(torch.from_numpy(latent.low_res.copy()), scheduler, latent.noise_level, draw)


def attention_of(network: Any) -> str:
    """What computes a network's attention, by the names of its processors."""
    processors = getattr(network, "attn_processors", {})
    return ", ".join(sorted({type(processor).__name__ for processor in processors.values()})) or "its own"
