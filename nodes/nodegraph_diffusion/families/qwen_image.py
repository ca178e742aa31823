"""Qwen-Image (Wu et al. 2025, arXiv:2508.02324): reads what a Qwen2.5-VL makes of the prompt; draws text well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import flows
from .family import Encoded, Encoder, Family, Job

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.prompts import PromptEncoder

TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
HEAD = 34
"""Tokens of the template before the prompt, which are not given to the denoiser."""


def _encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    from ..diffusion.prompts import language_model

    return language_model(encoder, TEMPLATE.format(text), layers=(-1,), drop=HEAD, length=1024 + HEAD)


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    batch, _, height, width = x.shape
    out = network(
        hidden_states=flows.packed(x),
        timestep=time.expand(batch).to(x.dtype) / 1000,
        guidance=None,
        encoder_hidden_states=prompt.tokens,
        encoder_hidden_states_mask=None,
        img_shapes=[[(1, height // 2, width // 2)]] * batch,
        return_dict=False,
        **job.residuals,
    )[0]
    return flows.unpacked(out, height, width)


def _combine(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
    """Guidance that leaves each token as long as the positive prompt made it."""
    height, width = positive.shape[-2:]
    wanted = flows.packed(positive).norm(dim=-1, keepdim=True)
    guided = flows.packed(negative + cfg * (positive - negative))
    return flows.unpacked(guided * (wanted / guided.norm(dim=-1, keepdim=True)), height, width)


FAMILY = Family(
    name="qwen_image",
    title="Qwen-Image",
    denoiser=("transformer", "QwenImageTransformer2DModel"),
    encoders=(Encoder("text_encoder", ("Qwen2_5_VLForConditionalGeneration",), _encode),),
    space="qwen",
    vae=("vae", "AutoencoderKLQwenImage"),
    predict=_predict,
    joined=flows.first,
    table=flows.shifted(),
    width=flows.width,
    combine=_combine,
    multiple=16,
    adapts=lambda header: flows.changes(header, r"transformer_blocks[._]\d+[._](attn|img_m|txt_m)", without="single_"),
)
