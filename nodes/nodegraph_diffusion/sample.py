"""The one sampler: from noise, from a picture, into a hole, or on from a half-finished latent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .handles import Model
from .layouts import Layout
from .params import Guidance, Seed, Steps, Unit
from .sizes import common_batch
from .values import Conditioning, Image, Latent
from .windows import windows

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.solvers import State

INPAINTING = 9

Sampler = Literal[
    "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "dpmpp_sde", "dpmpp_2s_ancestral",
    "euler", "euler_ancestral", "heun", "heunpp2", "dpm_2", "dpm_2_ancestral",
    "unipc", "uni_pc", "uni_pc_bh2", "deis", "lms", "ipndm", "res_multistep", "gradient_estimation",
    "ddim", "ddpm", "lcm",
]  # fmt: skip
Schedule = Literal[
    "karras", "normal", "exponential", "sgm_uniform", "simple", "beta", "ddim_uniform", "linear_quadratic",
    "kl_optimal", "linspace", "leading", "trailing",
]  # fmt: skip
Step = Annotated[int, Field(ge=0, le=1000), Widget("number", step=1)]

Tile = Annotated[int, Field(ge=0, le=8192), Widget("number", step=64)]


class Sampled(NamedTuple):
    latent: Latent
    steps: Latent
    noisy: Latent


@node(version=1, lane="gpu", category="latent")
def sample(
    ctx: Context,
    model: Model,
    positive: Conditioning | Layout,
    latent: Latent,
    negative: Conditioning | None = None,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Guidance = 7.0,
    sampler: Sampler = "dpmpp_2m",
    schedule: Schedule = "karras",
    strength: Unit = 1.0,
    start_step: Step = 0,
    end_step: Step = 1000,
    rescale: Unit = 0.0,
    whole_batch: bool = False,
    keep_steps: bool = False,
    comfyui: bool = False,
    tile: Tile = 0,
) -> Sampled:
    """Denoise a latent towards a prompt.

    An empty latent gives a picture from the prompt alone. An encoded picture with a strength below 1 is changed as far
    as that; one encoded with a mask is made anew inside it and kept around it.

    Args:
        positive: What the picture should show. A Layout says what it should show where.
        latent: Where to start. Its size is the picture's size.
        negative: What it should not show. Without one, or with a cfg of 1, only the prompt is asked: twice as fast.
        seed: Another seed is another picture. Picture i of a batch is that of seed + i alone.
        steps: Of the whole way from noise to picture. More is slower and cleaner; 20 to 30 is usual.
        cfg: How strictly to follow the prompt. 1 ignores the negative.
        sampler: How the way is walked. Those with "sde" or "ancestral" add noise on the way, so their pictures go on
            changing with the number of steps.
        schedule: Where on the way the steps are. "linspace", "leading" and "trailing" are those of diffusers, the rest
            are those of ComfyUI.
        strength: How much of the way is walked, from the end: below 1 the picture in the latent shines through.
        start_step: Walk from here, for work in two passes.
        end_step: Walk to here. What is left over stays in the latent as noise, and another Sample can go on from it.
        rescale: Bring the contrast that a high cfg adds back: 0.7 suits models with zero terminal noise.
        whole_batch: Draw the noise of a batch from one seed, as ComfyUI does, instead of each picture's from its own.
        keep_steps: Also keep what the model saw after each step, to make an animation of it.
        comfyui: Begin as ComfyUI does, for documents that come from there. A strength below 1 takes all steps on its
            part of the way, the noise of a whole way lies over the latent instead of replacing it, and each cell of the
            latent has the mask of its middle.
        tile: Pixels of a tile's side: a larger picture is sampled in tiles that overlap by a quarter, so that memory
            does not limit its size. 0 samples it as a whole. Tiles see only themselves, so begin with a picture and a
            strength of about 0.3.
    Returns:
        latent: The result.
        steps: With keep_steps what the model took the picture to be after each step, as a batch; without, the last.
        noisy: With keep_steps what it saw then, of about the spread of a clean latent; without, the last.
    """
    import torch

    from .diffusion import sampling
    from .diffusion.denoiser import UNetDenoiser
    from .diffusion.noise import Draw
    from .diffusion.preview import preview
    from .diffusion.schedules import NoiseTable
    from .diffusion.solvers import SOLVERS

    for prompt in positive.prompts if isinstance(positive, Layout) else (positive,):
        _check(model, prompt, "positive")
    if negative is not None:
        _check(model, negative, "negative")
    checkpoint = model.checkpoint
    scaling_factor = checkpoint.scaling_factor
    if latent.samples is None and (strength < 1 or start_step > 0):
        which = "strength" if strength < 1 else "start_step"
        message = "begins with a picture, but the latent is empty; use EncodeImage instead of EmptyLatent, or set it to"
        raise NodeError(f"{message} {1 if strength < 1 else 0}", which)
    kept: list[Tensor] = []
    kept_noisy: list[Tensor] = []
    reached = (0, steps)

    def report(done: int, total: int, state: State) -> None:
        nonlocal reached
        reached = (done, total)
        x0 = state.x if state.x0 is None else state.x0
        if keep_steps:
            kept.append(x0.cpu())
            kept_noisy.append((state.x / state.x.std(dim=(1, 2, 3), keepdim=True).clamp(min=1)).cpu())
        ctx.checkpoint(lambda: _state(state, kept, kept_noisy))
        ctx.progress(done, total, preview=lambda: Image.from_bytes(preview(x0, scaling_factor)))

    with ctx.lease(model.denoiser) as unet:
        start = _start(model, latent).to(unet.device)
        inpainting = checkpoint.in_channels == INPAINTING
        blended = latent.mask is not None and (comfyui or not inpainting)
        solver = SOLVERS[sampler]
        if inpainting and (tile or isinstance(positive, Layout)):
            raise NodeError("an inpainting model looks at the whole picture; set tile to 0 and link a prompt", "model")

        def build(prompt: Conditioning) -> UNetDenoiser:
            return UNetDenoiser(
                unet,
                torch.from_numpy(prompt.tokens.copy()),
                None if negative is None else torch.from_numpy(negative.tokens.copy()),
                prediction=checkpoint.prediction,
                cfg=cfg,
                rescale=rescale,
                hole=_hole(latent, start) if inpainting else None,
            )

        longer = comfyui and 0 < strength < 1
        try:
            way = solver.schedule(
                schedule, int(steps / strength) if longer else steps, NoiseTable.from_config(checkpoint.scheduler)
            )
            cells = tile // checkpoint.vae_scale
            size = (start.shape[-2], start.shape[-1])
            denoise = windows(build, positive, size, cells, way.sigmas[0], lambda: ctx.progress(*reached))
            made = sampling.sample(
                denoise,
                solver,
                way,
                start,
                Draw(seed, tuple(start.shape), whole_batch),
                strength=1.0 if longer else strength,
                start_step=max(start_step, len(way) - steps) if longer else start_step,
                end_step=end_step,
                sigma=latent.sigma,
                mask=_mask(latent, start, middle=comfyui) if blended else None,
                keep=comfyui,
                on_step=report,
                resume=_resumed(ctx, start, kept, kept_noisy),
            )
        except ValueError as error:
            raise NodeError(str(error)) from error
    final = made.latent.cpu().numpy()
    steps_kept = torch.cat(kept).numpy() if kept else final
    noisy_kept = torch.cat(kept_noisy).numpy() if kept else final
    width, height = latent.width, latent.height
    return Sampled(
        Latent(width, height, len(final), final, latent.mask, latent.masked, made.sigma),
        Latent(width, height, len(steps_kept), steps_kept),
        Latent(width, height, len(noisy_kept), noisy_kept),
    )


def _state(state: State, kept: list[Tensor], noisy: list[Tensor]) -> dict[str, Any]:
    """A state and the steps before it, as the cache holds them."""

    def arrays(tensors: Iterable[Tensor]) -> list[Any]:
        return [tensor.cpu().numpy() for tensor in tensors]

    return {
        "step": state.step,
        "x": state.x.cpu().numpy(),
        "x0": None if state.x0 is None else state.x0.cpu().numpy(),
        "history": arrays(state.history),
        "kept": arrays(kept),
        "noisy": arrays(noisy),
    }


def _resumed(ctx: Context, like: Tensor, kept: list[Tensor], noisy: list[Tensor]) -> State | None:
    """Where an interrupted call was; the steps before go into `kept` and `noisy`."""
    import torch

    from .diffusion.solvers import State

    found = ctx.resumed()
    if found is None:
        return None

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array.copy())

    kept.extend(map(tensor, found["kept"]))
    noisy.extend(map(tensor, found["noisy"]))
    x0 = None if found["x0"] is None else tensor(found["x0"]).to(like)
    history = tuple(tensor(array).to(like) for array in found["history"])
    return State(found["step"], tensor(found["x"]).to(like), x0, history)


def _check(model: Model, prompt: Conditioning, port: str) -> None:
    width, wanted = prompt.tokens.shape[2], model.checkpoint.text_width
    if width != wanted:
        message = f"{model.checkpoint.name!r} reads prompts of width {wanted}, but this one is {width} wide"
        raise NodeError(f"{message}; encode it with the text encoder of the same model", port)


def _start(model: Model, latent: Latent) -> Tensor:
    """The latent as a tensor (B, C, h, w) in the model's space; zeros for an empty one."""
    import torch

    channels, scale = model.checkpoint.latent_channels, model.checkpoint.vae_scale
    if latent.samples is None:
        return torch.zeros(latent.batch, channels, -(-latent.height // scale), -(-latent.width // scale))
    if latent.samples.shape[1] != channels:
        message = f"{model.checkpoint.name!r} works on latents of {channels} channels"
        given = f"this one has {latent.samples.shape[1]}"
        raise NodeError(f"{message}, but {given}; encode the picture with the VAE of the same model", "latent")
    return torch.from_numpy(latent.samples.copy())


def _mask(latent: Latent, like: Tensor, middle: bool) -> Tensor:
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


def _hole(latent: Latent, like: Tensor) -> Tensor:
    """What an inpainting model reads beside the latent (1 or B, 1 + C, h, w): the hard mask and the hidden picture."""
    import torch
    from torch.nn import functional

    if latent.mask is None or latent.masked is None:
        message = "is an inpainting model, which needs a picture with a hole"
        raise NodeError(f"{message}; link EncodeImage, with this model's VAE, an image and a mask, to latent", "latent")
    hard = (torch.from_numpy(latent.mask.copy())[:, None] >= 0.5).float()
    mask = functional.interpolate(hard, size=like.shape[-2:]).to(like)
    masked = torch.from_numpy(latent.masked.copy()).to(like)
    batch = max(len(mask), len(masked))
    return torch.cat([mask.expand(batch, -1, -1, -1), masked.expand(batch, -1, -1, -1)], dim=1)
