"""Chroma (Lodestone Rock 2025): Flux.1 schnell without CLIP, its modulations made by one small network; reads T5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, flux
from .family import Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt

TRANSFORMER = ("transformer", "ChromaTransformer2DModel")
GUIDE = "distilled_guidance_layer."
LENGTH = 512


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    batch, _, height, width = x.shape
    out = network(
        hidden_states=flows.packed(x),
        timestep=time.expand(batch).to(x.dtype) / 1000,
        encoder_hidden_states=prompt.tokens,
        txt_ids=torch.zeros(prompt.tokens.shape[1], 3, device=x.device, dtype=x.dtype),
        img_ids=flux.places(height // 2, width // 2).to(x),
        return_dict=False,
        **job.residuals,
    )[0]
    return flows.unpacked(out, height, width)


def _prefix(header: Header) -> str | None:
    return flows.prefix(header, f"{GUIDE}in_proj.weight")


def _read(header: Header) -> Parts:
    prefix = _prefix(header)
    assert prefix is not None
    shape = header.shape
    width, channels = shape(f"{prefix}img_in.weight")
    head = shape(f"{prefix}{flux.MARK}")[0]
    config = {
        "_class_name": TRANSFORMER[1],
        "in_channels": channels,
        "out_channels": shape(f"{prefix}final_layer.linear.weight")[0],
        "num_layers": original.count(header, rf"{prefix}double_blocks\.(\d+)\."),
        "num_single_layers": original.count(header, rf"{prefix}single_blocks\.(\d+)\."),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shape(f"{prefix}txt_in.weight")[1],
        "axes_dims_rope": [head // 8, 7 * head // 16, 7 * head // 16],
        "approximator_num_channels": shape(f"{prefix}{GUIDE}in_proj.weight")[1],
        "approximator_hidden_dim": shape(f"{prefix}{GUIDE}in_proj.weight")[0],
        "approximator_layers": original.count(header, rf"{prefix}{GUIDE}layers\.(\d+)\."),
    }
    return flows.alone(header, TRANSFORMER, config, prefix, original.shipped("chroma", "scheduler"))


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    made = flux.converted(part, weights)
    for name, value in weights.items():
        bare = flows.named(name)
        if part.name == "transformer" and bare.startswith(GUIDE):
            bare = bare.replace("in_layer", "linear_1").replace("out_layer", "linear_2")
            made[re.sub(r"scale$", "weight", bare)] = value
    return made


FAMILY = Family(
    name="chroma",
    title="Chroma",
    denoiser=TRANSFORMER,
    encoders=(Encoder("text_encoder", ("T5EncoderModel",), flows.t5(LENGTH, masked=True)),),
    space="flux1",
    scaling=0.3611,
    predict=_predict,
    table=flows.shifted(),
    activations=memory.transformer(16.2, 1 / 4, 68),
    width=flows.width,
    multiple=16,
    recognise=lambda header: _prefix(header) is not None,
    shipped="chroma",
    read=_read,
    convert=_converted,
    adapts=flux.adapts,
    adapted=flux.adapted,
)
