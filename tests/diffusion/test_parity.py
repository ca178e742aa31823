"""Our sampling gives what the diffusers pipelines give: same weights, noise, schedule and settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionPipeline
from torch import Tensor

from diffusion import tiny
from nodegraph_diffusion.diffusion.noise import Draw, FreshNoise
from nodegraph_diffusion.diffusion.sampling import sample
from nodegraph_diffusion.diffusion.schedules import NoiseTable, Schedule
from nodegraph_diffusion.diffusion.solvers import SOLVERS, Noise, Solver
from nodegraph_diffusion.diffusion.solvers.unipc import unipc

# diffusers' schedulers make arrays of tensors in a way numpy 2 warns about.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
]

SIZE = 8
SEED = 5
POSITIVE, NEGATIVE = tiny.tokens(1), tiny.tokens(2)
STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
DPM = "DPMSolverMultistepScheduler"
DETERMINISTIC: Mapping[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm_2": ("KDPM2DiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": True}),
    "dpmpp_2m": (DPM, {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def scheduler(solver: str, **settings: Any) -> Any:
    kind, fixed = DETERMINISTIC[solver]
    return getattr(diffusers, kind)(**STABLE_DIFFUSION, **fixed, **settings)


def pipeline(cls: Any, made: Any, channels: int = 4) -> Any:
    pipe = cls(
        vae=tiny.vae(),
        text_encoder=None,
        tokenizer=None,
        unet=tiny.unet(channels),
        scheduler=made,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(pipe: Any, *, steps: int, cfg: float = 5.0, batch: int = 1, **settings: Any) -> Tensor:
    latent: Tensor = pipe(
        prompt_embeds=POSITIVE.expand(batch, -1, -1),
        negative_prompt_embeds=NEGATIVE.expand(batch, -1, -1) if cfg > 1 else None,
        num_inference_steps=steps,
        guidance_scale=cfg,
        output_type="latent",
        **settings,
    ).images
    return latent


def ours(
    solver: str | Solver,
    schedule: Schedule,
    *,
    latent: Tensor | None = None,
    cfg: float = 5.0,
    batch: int = 1,
    prediction: Any = "epsilon",
    rescale: float = 0.0,
    hole: Tensor | None = None,
    draw: Draw | None = None,
    **settings: Any,
) -> Tensor:
    unet = tiny.unet(4 if hole is None else 9)
    denoise = tiny.denoiser(unet, POSITIVE, NEGATIVE, prediction=prediction, cfg=cfg, rescale=rescale, hole=hole)
    shape = (batch, 4, SIZE, SIZE)
    start = torch.zeros(shape) if latent is None else latent
    solver = SOLVERS[solver] if isinstance(solver, str) else solver
    return sample(denoise, solver, schedule, start, draw or Draw(SEED, shape), **settings).latent


def close(one: Tensor, other: Tensor, tolerance: float = 2e-4) -> None:
    assert one.shape == other.shape
    difference = (one - other).abs().max() / other.abs().max()
    assert difference < tolerance, f"differs by {difference:.2e} of the largest value"


def table(made: Any) -> NoiseTable:
    return NoiseTable.from_config(made.config)


def start(batch: int = 1) -> Tensor:
    return Draw(SEED, (batch, 4, SIZE, SIZE)).start()


# diffusers' DDIM goes down by 1000 // steps whatever the spacing is, so its linspace contradicts itself.
@pytest.mark.parametrize(
    ("solver", "spacing"),
    [(s, g) for s in DETERMINISTIC for g in ("linspace", "leading", "trailing") if (s, g) != ("ddim", "linspace")],
)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_text_to_image(solver: str, spacing: str, prediction: str) -> None:
    made = scheduler(solver, timestep_spacing=spacing, prediction_type=prediction)
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=5, latents=start())
    schedule = SOLVERS[solver].schedule(spacing, 5, table(made))
    close(ours(solver, schedule, prediction=prediction), expected)


def ending(schedule: Schedule, sigma: float) -> Schedule:
    return replace(schedule, sigmas=(*schedule.sigmas[:-1], sigma))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [6, 15])  # from 15 on the last steps keep their order
def test_deis(steps: int, prediction: str) -> None:
    """DEIS of diffusers ends at the table's lowest level, in the variance-preserving scale."""
    made = diffusers.DEISMultistepScheduler(**STABLE_DIFFUSION, solver_order=3, prediction_type=prediction)
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=steps, latents=start())
    bottom = table(made).sigma_min
    schedule = ending(SOLVERS["deis"].schedule("linspace", steps, table(made)), bottom)
    close(ours("deis", schedule, prediction=prediction), expected * math.hypot(1, bottom), 2e-3)


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_unipc(variant: Any, order: int) -> None:
    """Ending above 0, where diffusers' bh1 divides by infinity."""
    made = scheduler("unipc", solver_order=order, solver_type=variant, final_sigmas_type="sigma_min")
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=7, latents=start())
    bottom = table(made).sigma_min
    schedule = ending(SOLVERS["unipc"].schedule("linspace", 7, table(made)), bottom)
    solver = replace(SOLVERS["unipc"], step=unipc(variant, order))
    close(ours(solver, schedule), expected * math.hypot(1, bottom))


ANCESTRAL: Mapping[str, tuple[str, dict[str, Any]]] = {
    "euler_ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm_2_ancestral": ("KDPM2AncestralDiscreteScheduler", {}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "dpmpp_2m_sde": (DPM, {"algorithm_type": "sde-dpmsolver++"}),
}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("solver", ANCESTRAL)
def test_with_noise_on_the_way(solver: str, prediction: str) -> None:
    kind, settings = ANCESTRAL[solver]
    settings = settings | STABLE_DIFFUSION | {"timestep_spacing": "leading", "prediction_type": prediction}
    made = getattr(diffusers, kind)(**settings)
    stream = torch.Generator().manual_seed(SEED + 1)
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=5, latents=start(), generator=stream)
    # The Brownian solvers draw fresh noise in diffusers.
    draw = Fresh(SEED, (1, 4, SIZE, SIZE))
    schedule = SOLVERS[solver].schedule("leading", 5, table(made))
    close(ours(solver, schedule, prediction=prediction, draw=draw), expected)


class Fresh(Draw):
    def steps(self, solver: Solver, schedule: Schedule) -> Noise:
        return FreshNoise(self)


def test_dpmpp_sde_on_the_same_brownian_path() -> None:
    made = diffusers.DPMSolverSDEScheduler(**STABLE_DIFFUSION, timestep_spacing="trailing", noise_sampler_seed=SEED)
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=5, latents=start())
    schedule = SOLVERS["dpmpp_sde"].schedule("trailing", 5, table(made))
    close(ours("dpmpp_sde", schedule), expected)


def test_lcm() -> None:
    """But for diffusers' boundary scaling, which is 1 within 3e-5 at these timesteps."""
    made = diffusers.LCMScheduler(**STABLE_DIFFUSION)
    made.set_timesteps(num_inference_steps=4, original_inference_steps=50)
    stream = torch.Generator().manual_seed(SEED + 1)
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=4, latents=start(), generator=stream)
    levels = table(made)
    timesteps = [float(t) for t in made.timesteps]
    sigmas = [float(levels.sigmas[int(t)]) for t in timesteps]
    schedule = Schedule((*sigmas, 0.0), tuple(timesteps), math.hypot(1, sigmas[0]), levels)
    close(ours("lcm", schedule), expected)


@pytest.mark.parametrize("cfg", [1.0, 7.5])
def test_guidance_and_batch(cfg: float) -> None:
    made = scheduler("euler")
    expected = theirs(pipeline(StableDiffusionPipeline, made), steps=4, cfg=cfg, batch=2, latents=start(2))
    schedule = SOLVERS["euler"].schedule("linspace", 4, table(made))
    close(ours("euler", schedule, cfg=cfg, batch=2), expected)


def test_zero_terminal_snr_and_rescale() -> None:
    made = scheduler("euler", timestep_spacing="trailing", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    pipe = pipeline(StableDiffusionPipeline, made)
    expected = theirs(pipe, steps=5, cfg=7.5, guidance_rescale=0.7, latents=start())
    schedule = SOLVERS["euler"].schedule("trailing", 5, table(made))
    assert schedule.sigmas[0] > 4000
    close(ours("euler", schedule, cfg=7.5, prediction="v_prediction", rescale=0.7), expected)


@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0])
@pytest.mark.parametrize("solver", ["euler", "ddim", "dpmpp_2m", "unipc"])
def test_image_to_image(solver: str, strength: float) -> None:
    made = scheduler(solver, timestep_spacing="leading")
    picture = tiny.noise(3)
    expected = theirs(
        pipeline(StableDiffusionImg2ImgPipeline, made),
        steps=8,
        image=picture,
        strength=strength,
        generator=torch.Generator().manual_seed(SEED),
    )
    schedule = SOLVERS[solver].schedule("leading", 8, table(made))
    if strength == 1:  # this pipeline adds its noise to the picture even then, and does not scale it
        schedule = replace(schedule, noise_scale=schedule.sigmas[0])
    close(ours(solver, schedule, latent=picture, strength=strength, keep=True), expected)


MASK = torch.zeros(1, 1, SIZE, SIZE)
MASK[..., 2:6, 1:5] = 1


def inpainted(made: Any, channels: int, strength: float, **settings: Any) -> Tensor:
    return theirs(
        pipeline(StableDiffusionInpaintPipeline, made, channels),
        steps=8,
        image=tiny.noise(3),
        mask_image=MASK.repeat_interleave(8, 2).repeat_interleave(8, 3),
        masked_image_latents=tiny.noise(4),
        strength=strength,
        height=8 * SIZE,
        width=8 * SIZE,
        generator=torch.Generator().manual_seed(SEED),
        **settings,
    )


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("solver", ["euler", "ddim", "dpmpp_2m", "unipc"])
def test_inpainting_by_blending(solver: str, strength: float) -> None:
    made = scheduler(solver, timestep_spacing="leading")
    expected = inpainted(made, 4, strength)
    schedule = SOLVERS[solver].schedule("leading", 8, table(made))
    result = ours(solver, schedule, latent=tiny.noise(3), strength=strength, mask=MASK)
    close(result, expected)
    outside = (MASK == 0).expand_as(result)
    assert torch.equal(result[outside], tiny.noise(3)[outside])


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m"])
def test_inpainting_by_nine_channels(solver: str, strength: float) -> None:
    made = scheduler(solver, timestep_spacing="leading")
    expected = inpainted(made, 9, strength)
    schedule = SOLVERS[solver].schedule("leading", 8, table(made))
    hole = torch.cat([MASK, tiny.noise(4)], dim=1)
    close(ours(solver, schedule, latent=tiny.noise(3), strength=strength, hole=hole), expected)
