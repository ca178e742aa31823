"""The one sampler: from noise, from a picture, into a hole, or on from a half-finished latent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Context, Facts, Known, NodeError, Widget, node

from .encode_low_res import SMALL
from .estimates import sampling
from .families import Job
from .handles import Model
from .layouts import Layout
from .params import Guidance, Seed, Steps, Unit
from .sample_inputs import (
    attention_of,
    check_whole,
    check_width,
    check_windows,
    controls_of,
    gated,
    grounds_of,
    hole_of,
    low_res_of,
    mask_of,
    network_prompts,
    reads_picture,
    shared,
    start_of,
    timed,
)
from .sampling_state import plain, resumed
from .values import Conditioning, Image, Latent, NoiseLevels, SamplerSettings
from .windows import windows

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.denoiser import Prompt
    from .diffusion.solvers import State

Sampler = Literal[
    "auto", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "dpmpp_sde", "dpmpp_2s_ancestral",
    "euler", "euler_ancestral", "heun", "heunpp2", "dpm_2", "dpm_2_ancestral",
    "unipc", "uni_pc", "uni_pc_bh2", "deis", "lms", "ipndm", "ipndm_v", "res_multistep", "res_multistep_ancestral",
    "gradient_estimation", "er_sde", "seeds_2", "seeds_3", "sa_solver", "sa_solver_pece", "dpm_fast", "dpm_adaptive",
    "euler_cfg_pp", "euler_ancestral_cfg_pp", "dpmpp_2s_ancestral_cfg_pp", "dpmpp_2m_cfg_pp", "res_multistep_cfg_pp",
    "res_multistep_ancestral_cfg_pp", "gradient_estimation_cfg_pp", "ddim", "ddpm", "lcm",
]  # fmt: skip
Schedule = Literal[
    "auto", "native", "karras", "normal", "exponential", "sgm_uniform", "simple", "beta", "ddim_uniform",
    "linear_quadratic", "kl_optimal", "linspace", "leading", "trailing",
]  # fmt: skip
Step = Annotated[int, Field(ge=0, le=10_000), Widget("number", step=1)]

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
    guidance: Guidance = 3.5,
    sampler: Sampler = "auto",
    schedule: Schedule = "auto",
    strength: Unit = 1.0,
    start_step: Step = 0,
    end_step: Step = 1000,
    rescale: Unit = 0.0,
    whole_batch: bool = False,
    keep_steps: bool = False,
    comfyui: bool = False,
    tile: Tile = 0,
    add_noise: Literal["auto", "always", "never"] = "auto",
    leftover_noise: bool = True,
    levels: NoiseLevels | None = None,
    settings: SamplerSettings | None = None,
    middle: Conditioning | None = None,
    middle_cfg: Guidance = 1.5,
    nested: bool = False,
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
        guidance: What a model distilled from guidance, such as Flux.1 dev, is told of it; others do not read it. Such
            models do without a negative.
        sampler: How the way is walked. Those with "sde" or "ancestral" add noise on the way, so their pictures go on
            changing with the number of steps. Those with "cfg_pp" suit a cfg of about 1. dpm_adaptive chooses its steps
            itself, for the whole batch. "auto" is what fits the model: dpmpp_2m, or euler for flow models.
        schedule: Where on the way the steps are. "native" is what the model's own scheduler says, "linspace", "leading"
            and "trailing" are those of diffusers, the rest are those of ComfyUI. "auto" is karras, or native for flow
            models.
        strength: How much of the way is walked, from the end: below 1 the picture in the latent shines through.
        start_step: Walk from here, for work in two passes.
        end_step: Walk to here. What is left over stays in the latent as noise, and another Sample can go on from it.
        rescale: Bring the contrast that a high cfg adds back: 0.7 suits models with zero terminal noise.
        whole_batch: Draw the noise of a batch from one seed, as ComfyUI does, instead of each picture's from its own.
        keep_steps: Also keep what the model saw after each step, to make an animation of it.
        comfyui: Begin as ComfyUI does, for documents that come from there. A strength below 1 takes all steps on its
            part of the way, the noise of a whole way lies over the latent instead of replacing it, an empty latent is
            one of zeros, and each cell of the latent has the mask of its middle.
        tile: Pixels of a tile's side: a larger picture is sampled in tiles that overlap by a quarter, so that memory
            does not limit its size. 0 samples it as a whole. Tiles see only themselves, so begin with a picture and a
            strength of about 0.3; of a ControlNet's picture each sees its part.
        add_noise: Whether noise is added first: "auto" adds it to a clean latent and goes on from a noisy one, "never"
            takes any as it is, for the noise of the first step.
        leftover_noise: Leave the noise at end_step in the latent. Otherwise the last step takes all of it away at once.
        levels: The noise levels to visit; steps, schedule, strength, start_step and end_step are not read then.
        settings: A sampler with settings of its own; sampler is not read then.
        middle: A prompt between negative and positive: what it says against the negative counts middle_cfg times, and
            what the positive says against it cfg times. A model that makes one picture of another, such as
            InstructPix2Pix, is asked about the negative without that picture then, so middle_cfg is how closely the
            picture is kept: link the negative prompt to both.
        middle_cfg: How strictly to follow the middle prompt.
        nested: Let middle_cfg count for what the positive adds to the middle prompt too.
    Returns:
        latent: The result.
        steps: What the model took the picture to be at the last step; with keep_steps at each, as a batch.
        noisy: What it saw then, of about the spread of a clean latent; without keep_steps, the result.
    """
    import torch

    from .diffusion import sampling
    from .diffusion.control import together
    from .diffusion.denoiser import GuidedDenoiser, Middle
    from .diffusion.noise import Draw
    from .diffusion.preview import preview
    from .diffusion.running import forget_steps, remembering
    from .diffusion.schedules import visiting
    from .diffusion.solvers import SOLVERS
    from .diffusion.views import Looking

    model = gated(model, (positive.background if isinstance(positive, Layout) else positive,))
    if isinstance(positive, Layout) and model.grounded:
        positive = positive.grounded()
    prompts = positive.prompts if isinstance(positive, Layout) else (positive,)
    for prompt in prompts:
        check_width(model, prompt, "positive")
    for each, port in ((negative, "negative"), (middle, "middle")):
        if each is not None:
            check_width(model, each, port)
    if middle is not None and negative is None:
        raise NodeError("stands between negative and positive prompt, and there is no negative; link one", "middle")
    checkpoint, family = model.checkpoint, model.family
    if levels is None and not comfyui and latent.samples is None and (strength < 1 or start_step > 0):
        which = "strength" if strength < 1 else "start_step"
        message = "begins with a picture, but the latent is empty; use EncodeImage instead of EmptyLatent, or set it to"
        raise NodeError(f"{message} {1 if strength < 1 else 0}", which)
    in_windows = isinstance(positive, Layout) or 0 < tile < max(latent.width, latent.height)
    seen: Tensor | None = None
    kept: list[Tensor] = []
    kept_noisy: list[Tensor] = []
    reached = (0, steps)
    memory = model.guider.memory() if model.guider else None

    def report(done: int, total: int, state: State) -> None:
        nonlocal reached, seen
        reached = (done, total)
        seen = x0 = state.x if state.x0 is None else state.x0
        if keep_steps:
            kept.append(x0.cpu())
            kept_noisy.append((state.x / state.x.std(dim=(1, 2, 3), keepdim=True).clamp(min=1)).cpu())
        ctx.checkpoint(lambda: plain(state, kept, kept_noisy, memory))
        ctx.progress(done, total, preview=lambda: Image.from_bytes(preview(x0, model.space.scaling)))

    if settings is not None:
        solver = SOLVERS[settings.sampler].set(**dict(settings.settings))
    else:
        solver = SOLVERS[family.sampler if sampler == "auto" else sampler]
    times = solver.times if comfyui and model.prediction == "flow" else "sigma"
    if times == "descent":
        solver = solver.set(in_time=True)
    start = start_of(model, latent)
    size = (start.shape[-2] * model.space.cell, start.shape[-1] * model.space.cell)
    positive, negative = shared(positive, negative)
    _, middle = shared(positive, middle)
    beside = [each for each in (negative, middle) if each is not None]
    hints = controls_of(model, positive, beside)
    grounds = grounds_of(model, (*prompts, *beside))
    with (
        model.leased(ctx) as network,
        replace(model, controls=hints).controlled(ctx, size, start) as controls,
        model.shown(ctx, network) as shown,
        model.weakened(network) as weakened,
        model.grounding(ctx, network, grounds) as grounded,
    ):
        start = start.to(model.denoiser.device)
        ctx.note(dtype=str(network.dtype).removeprefix("torch."), attention=attention_of(network))
        inpainting = reads_picture(model, latent)
        blended = latent.mask is not None and latent.keeps and (comfyui or not inpainting)
        check_whole(inpainting, model, (*prompts, *beside), bool(controls))
        if in_windows:
            check_windows(inpainting, model, positive, beside)
        draw = Draw(seed, tuple(start.shape), whole_batch, latent.places)
        job = Job(latent.width, latent.height, guidance, hole_of(model, latent) if inpainting else None)
        if family.enlarges:
            low_res, level = low_res_of(model, latent, draw)
            job = replace(job, low_res=low_res.to(start.device), noise_level=level)
        # What lies over the whole batch is not taken apart.
        one_by_one = ctx.tight and not (controls or inpainting or family.enlarges)
        if ctx.tight:
            ctx.warn(f"asks about one prompt {'and one picture ' if one_by_one else ''}at a time")
            ctx.note(memory="one at a time")
        longer = comfyui and 0 < strength < 1
        try:
            whole_steps = int(steps / strength) if longer else steps
            table = model.table(start.shape[-2] * start.shape[-1], whole_steps)
            if levels is not None:
                whole = visiting(levels.values or (0.0,), table)
            else:
                way = family.schedule if schedule == "auto" else schedule
                whole = solver.schedule(way, steps, table, strength if longer else 1.0)

            if weakened is not None:
                weakened.timed(whole)
            forget_steps(network)
            looking = Looking()
            controls = [timed(control, hint, whole) for control, hint in zip(controls, hints, strict=True)]

            def ask(x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
                if one_by_one and len(x) > 1:
                    return torch.cat(
                        [answer(x[i : i + 1], time, prompt.one(i), f"{id(prompt)} {i}") for i in range(len(x))]
                    )
                return answer(x, time, prompt, str(id(prompt)))

            def answer(x: Tensor, time: Tensor, prompt: Prompt, name: str) -> Tensor:
                walked = whole.walked(float(time))
                acting = [c for n, c in enumerate(controls) if n in prompt.controls and c.acts(*walked)]
                told = job if prompt.guidance is None else replace(job, guidance=prompt.guidance)
                if prompt.blind:
                    told = replace(told, hole=None if family.sees else torch.zeros_like(job.hole))
                residuals = together([control.ask(x, time, prompt, told, looking.part) for control in acting])
                with (
                    remembering(network, f"prompt {name}"),
                    shown.during(prompt, len(x), *walked),
                    grounded.during(prompt, len(x), *walked),
                ):
                    return family.predict(network, x, time, prompt, replace(told, residuals=residuals))

            def asked(prompt: Conditioning, score: float, negative: bool = False) -> list[Prompt]:
                return network_prompts(prompt, score, start, whole, model, comfyui, hints, seed, negative)

            against = None if negative is None else asked(negative, 2.5, negative=True)
            edits = inpainting and (family.sees or family.edits(checkpoint.denoiser.config))
            if against and middle is not None and edits:
                against = [replace(each, blind=True) for each in against]
            between = None if middle is None else Middle(asked(middle, 2.5, negative=True), middle_cfg, nested)
            usual = None if comfyui else family.combine  # which ComfyUI has in nodes of their own

            def build(prompt: Conditioning) -> GuidedDenoiser:
                return GuidedDenoiser(
                    ask,
                    asked(prompt, 6.0),
                    against,
                    prediction=model.prediction,
                    cfg=cfg,
                    rescale=rescale,
                    together="never" if ctx.tight else family.together,
                    combine=model.guider.combine(memory) if model.guider else usual,
                    middle=between,
                    apart=solver.apart,
                    rescaled=model.rescaled,
                    held=model.held,
                    dtype=network.dtype,
                    weakened=weakened,
                    walked=whole.walked,
                )

            denoise = windows(
                build,
                positive,
                (start.shape[-2], start.shape[-1]),
                tile // model.space.cell,
                whole.sigmas[0],
                lambda: ctx.progress(*reached),
                looking,
            )
            made = sampling.sample(
                denoise,
                solver,
                whole,
                start,
                draw,
                strength=1.0 if longer or levels is not None else strength,
                start_step=0 if levels is not None else start_step,
                end_step=None if levels is not None else end_step,
                sigma=latent.sigma,
                mask=mask_of(latent, start, middle=comfyui) if blended else None,
                keep=comfyui,
                add_noise=add_noise,
                leftover_noise=leftover_noise,
                differential=model.differential,
                in_time=times == "walk",
                on_step=report,
                resume=resumed(ctx, start, kept, kept_noisy, memory),
            )
        except ValueError as error:
            raise NodeError(str(error)) from error
    final = made.latent.cpu().numpy()
    last_seen = final if seen is None else seen.cpu().numpy()
    steps_kept = torch.cat(kept).numpy() if kept else last_seen
    noisy_kept = torch.cat(kept_noisy).numpy() if kept else final
    width, height = latent.width, latent.height
    return Sampled(
        Latent(
            width, height, len(final), final, latent.mask, latent.masked, made.sigma, latent.keeps, places=latent.places
        ),
        Latent(
            width, height, len(steps_kept), steps_kept, None if kept else latent.mask, None if kept else latent.masked
        ),
        Latent(width, height, len(noisy_kept), noisy_kept),
    )


@sample.facts
def _facts(known: Known) -> dict[str, Facts]:
    model, latent = known["model"], known["latent"]
    same = "encode it with the text encoder of the same model"
    known.agree("prompt", "model", "positive", "negative", "middle", hint=same)
    known.agree("latent space", "model", "latent", hint="encode the picture with the VAE of the same model")
    content = latent.get("content")
    begins = content == "nothing" and known.value("comfyui") is False and "levels" not in known
    for name, whole in (("strength", 1), ("start_step", 0)):
        if (begins or content == SMALL) and known.value(name) not in (None, whole):
            message = "begins with a picture, but the latent is empty; use EncodeImage instead of EmptyLatent, or set"
            known.refuse(name, f"{message} it to {whole}")
    if content == "nothing" and model.get("refines"):
        message = "the model is a refiner, which goes on from another model's latents, but the latent is empty"
        known.refuse("latent", f"{message}; sample it with the base model first")
        known.refuse("model", "a refiner cannot be first: the latent is empty; sample with the base model before it")
    if known["positive"].get("grounded") and "model" in known and model.get("family") and not model.get("gligen"):
        message = "the prompt has boxes for GLIGEN, which the model has not; link ApplyGligen between, or use Layout"
        known.refuse("positive", message)
        known.refuse("model", message)
    if model.get("enlarges") and content is not None and content != SMALL:
        known.refuse("latent", "the model is one that enlarges, which needs a small picture; link EncodeLowRes, with "
                     "this model's VAE and an image")  # fmt: skip
    if model.get("inpaints") and content in ("nothing", "a picture"):
        known.refuse("latent", "the model is one for inpainting, which needs a picture with a hole; link EncodeImage, "
                     "with this model's VAE, an image and a mask")  # fmt: skip
    if model.get("prediction") == "flow" and known.value("schedule") in ("linspace", "leading", "trailing"):
        asked = known.value("schedule")
        message = f"{asked!r} spaces discrete timesteps, which a flow model has not"
        known.refuse("schedule", f"{message}; use 'native' or one of the others")
    sampling(known)
    made = latent.only("width", "height", "batch") | model.only("latent space", "channels")
    return {"latent": made | {"content": "a picture"}, "steps": made.without("batch"), "noisy": made.without("batch")}
