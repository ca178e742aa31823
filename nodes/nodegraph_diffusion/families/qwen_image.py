"""Qwen-Image (Wu et al. 2025, arXiv:2508.02324): reads what a Qwen2.5-VL makes of the prompt; draws text well.

Its models for editing look at pictures twice: the text encoder sees them, and the denoiser has their latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows
from .family import Control, Encoded, Encoder, Family, Job, Parts, Residuals

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.prompts import PromptEncoder

TRANSFORMER = ("transformer", "QwenImageTransformer2DModel")
TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
HEAD = 34
"""Tokens of the template before the prompt, which are not given to the denoiser."""


def _encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    from ..diffusion.prompts import language_model

    return language_model(encoder, TEMPLATE.format(text), layers=(-1,), drop=HEAD, length=1024 + HEAD)


ABOUT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
ABOUT_HEAD = 64
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def _look(encoder: PromptEncoder, text: str, pictures: Sequence[Any], counted: bool) -> Encoded:
    from ..diffusion.prompts import language_model

    if not pictures and not counted:
        return _encode(encoder, text, 0)
    named = [f"Picture {n}: {PICTURE}" if counted else PICTURE for n in range(1, len(pictures) + 1)]
    said = ABOUT.format("".join(named) + text.replace("<|image_pad|>", " "))
    return language_model(encoder, said, layers=(-1,), drop=ABOUT_HEAD, length=1024 + ABOUT_HEAD, pictures=pictures)


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    batch, _, height, width = x.shape
    seen = [flows.even(each.to(x)) for each in prompt.references]
    own = flows.packed(x)
    beside = [flows.packed(each).expand(batch, -1, -1) for each in seen]
    out = network(
        hidden_states=torch.cat([own, *beside], dim=1),
        timestep=time.expand(batch).to(x.dtype) / 1000,
        guidance=None,
        encoder_hidden_states=prompt.tokens,
        encoder_hidden_states_mask=None,
        img_shapes=[[(1, each.shape[-2] // 2, each.shape[-1] // 2) for each in (x, *seen)]] * batch,
        return_dict=False,
        **job.residuals,
    )[0]
    return flows.unpacked(out[:, : own.shape[1]], height, width)


def _control(
    network: Any, hint: Tensor, x: Tensor, time: Tensor, prompt: Prompt, job: Job, strength: float
) -> Residuals:
    batch, _, height, width = x.shape
    blocks = network(
        hidden_states=flows.packed(x),
        controlnet_cond=flows.packed(hint),
        conditioning_scale=strength,
        timestep=time.expand(batch).to(x.dtype) / 1000,
        encoder_hidden_states=prompt.tokens,
        encoder_hidden_states_mask=None,
        img_shapes=[[(1, height // 2, width // 2)]] * batch,
        return_dict=False,
    )
    return {"controlnet_block_samples": tuple(blocks)}


def _combine(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
    """Guidance that leaves each token as long as the positive prompt made it."""
    height, width = positive.shape[-2:]
    wanted = flows.packed(positive).norm(dim=-1, keepdim=True)
    guided = flows.packed(negative + cfg * (positive - negative))
    return flows.unpacked(guided * (wanted / guided.norm(dim=-1, keepdim=True)), height, width)


MARK = "transformer_blocks.0.attn.add_q_proj.weight"
SCHEDULER = {
    "shift": 1.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256,
    "max_image_seq_len": 8192, "shift_terminal": 0.02, "time_shift_type": "exponential",
}  # fmt: skip
"""That of its folder, which single files do not hold."""


def _recognise(header: Header) -> bool:
    prefix = flows.prefix(header, MARK)
    return prefix is not None and f"{prefix}txt_norm.weight" in header.tensors


def _read(header: Header) -> Parts:
    prefix = flows.prefix(header, MARK)
    assert prefix is not None
    width, channels = header.shape(f"{prefix}img_in.weight")
    head = header.shape(f"{prefix}transformer_blocks.0.attn.norm_q.weight")[0]
    config = {
        "_class_name": TRANSFORMER[1],
        "patch_size": 2,
        "in_channels": channels,
        "out_channels": header.shape(f"{prefix}proj_out.weight")[0] // 4,
        "num_layers": original.count(header, rf"{prefix}transformer_blocks\.(\d+)\."),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": header.shape(f"{prefix}txt_in.weight")[1],
        "axes_dims_rope": [head // 8, 7 * head // 16, 7 * head // 16],
    }
    return flows.alone(header, TRANSFORMER, config, prefix, SCHEDULER)


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if part.name == "vae":
        from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

        return convert_wan_vae_to_diffusers(weights)  # type: ignore[no-any-return]
    return {flows.named(name): value for name, value in weights.items()}


FAMILY = Family(
    name="qwen_image",
    title="Qwen-Image",
    denoiser=TRANSFORMER,
    encoders=(Encoder("text_encoder", ("Qwen2_5_VLForConditionalGeneration",), _encode),),
    space="qwen",
    vae=("vae", "AutoencoderKLQwenImage"),
    predict=_predict,
    table=flows.shifted(),
    activations=memory.transformer(15.1, 1 / 4, 100),
    width=flows.width,
    combine=_combine,
    look=_look,
    references=True,
    caches=True,
    multiple=16,
    recognise=_recognise,
    read=_read,
    convert=_converted,
    control=Control(
        "QwenImageControlNetModel",
        _control,
        latent=lambda config: True,
        hides=lambda config: bool(config.get("extra_condition_channels")),
    ),
    adapts=lambda header: flows.changes(header, r"transformer_blocks[._]\d+[._](attn|img_m|txt_m)", without="single_"),
)
